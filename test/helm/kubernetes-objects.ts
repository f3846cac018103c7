// The fields of Kubernetes objects that tests look at; `unknown` where they compare the whole value.

/** The `spec` of each kind. */
export interface Specs {
  readonly BackendTLSPolicy: {
    readonly targetRefs: readonly { readonly name: string }[];
    readonly validation: { readonly hostname: string };
  };
  readonly Certificate: { readonly secretName: string; readonly ipAddresses: unknown };
  readonly ConfigMap: undefined;
  readonly DaemonSet: Workload;
  readonly Deployment: Workload & {
    readonly replicas?: number;
    readonly strategy: { readonly rollingUpdate: unknown };
  };
  readonly HTTPRoute: { readonly rules: readonly { readonly timeouts: unknown }[] };
  readonly HorizontalPodAutoscaler: {
    readonly scaleTargetRef: { readonly name: string };
    readonly behavior: { readonly scaleDown: { readonly stabilizationWindowSeconds: number } };
  };
  readonly Ingress: { readonly tls?: unknown; readonly rules: readonly { readonly host: string }[] };
  readonly NetworkPolicy: {
    readonly ingress: unknown;
    readonly egress: unknown;
    readonly policyTypes: unknown;
  };
  readonly Pod: PodSpec;
  readonly PodDisruptionBudget: { readonly maxUnavailable: unknown };
  readonly PrometheusRule: {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  readonly Route: unknown;
  readonly Service: {
    readonly type?: string;
    readonly externalTrafficPolicy?: string;
    readonly internalTrafficPolicy?: string;
    readonly loadBalancerSourceRanges?: unknown;
    readonly ports: readonly { readonly name: string }[];
  };
  readonly ServiceAccount: undefined;
  readonly ServiceMonitor: {
    readonly selector: { readonly matchLabels: Labels };
    readonly endpoints: readonly { readonly port: string }[];
  };
  readonly TLSRoute: { readonly hostnames: unknown; readonly rules: unknown };
}

export type Kind = keyof Specs;

export type Labels = Readonly<Record<string, string>>;

export interface Metadata {
  readonly name: string;
  readonly labels: Labels;
  readonly annotations?: Labels;
}

export interface KubernetesObject<K extends Kind = Kind> {
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: Specs[K];
  /** Of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>;
  /** Of a ServiceAccount. */
  readonly automountServiceAccountToken?: boolean;
}

/** A claim as people write it. */
export interface PersistentVolumeClaim {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
}

interface Workload {
  readonly selector: { readonly matchLabels: Labels };
  readonly template: { readonly metadata: Metadata; readonly spec: PodSpec };
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly hostNetwork?: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

/** Of the environment. */
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

export interface Container {
  readonly image: string;
  readonly command?: unknown;
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly ports: readonly { readonly containerPort: number; readonly hostPort?: number }[];
  readonly lifecycle?: unknown;
  readonly startupProbe: { readonly httpGet: unknown };
  readonly livenessProbe: { readonly httpGet: unknown };
  readonly readinessProbe: { readonly httpGet: unknown };
  readonly securityContext: { readonly capabilities?: unknown };
  readonly volumeDevices?: unknown;
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

export interface Volume {
  readonly name: string;
  readonly hostPath?: { readonly path: string; readonly type: string };
  readonly secret?: unknown;
  readonly configMap?: unknown;
  readonly persistentVolumeClaim?: unknown;
}
