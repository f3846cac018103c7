{{/* Objects that both components have; each takes a dict of root and component. */}}

{{- define "imageio.metadata" -}}
name: {{ include "imageio.componentName" . }}
labels: {{- include "imageio.labels" . | nindent 2 }}
{{- end -}}

{{- define "imageio.certificate" -}}
{{- $tls := (index .root.Values .component).tls.certManager -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "imageio.metadata" . | nindent 2 }}
spec:
  secretName: {{ include "imageio.tlsSecretName" . }}
  duration: {{ $tls.durationHours }}h
  renewBefore: {{ $tls.renewBeforeHours }}h
  privateKey: { algorithm: ECDSA, size: 256, rotationPolicy: Always }
  usages: [digital signature, server auth]
  {{- with $tls.dnsNames }}
  dnsNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tls.ipAddresses }}
  ipAddresses: {{- toYaml . | nindent 4 }}
  {{- end }}
  issuerRef: {{- toYaml $tls.issuerRef | nindent 4 }}
{{- end -}}

{{/* Headless: Prometheus asks every pod, and nothing else uses it. */}}
{{- define "imageio.metricsService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "imageio.componentName" . }}-metrics
  labels:
    {{- include "imageio.labels" . | nindent 4 }}
    ovirt-imageio/metrics: 'true'
spec:
  clusterIP: None
  selector: {{- include "imageio.selectorLabels" . | nindent 4 }}
  ports:
    - { name: metrics, port: {{ (index .root.Values .component).metricsPort }}, targetPort: metrics }
{{- end -}}

{{- define "imageio.serviceMonitor" -}}
{{- $monitor := .root.Values.metrics.serviceMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "imageio.componentName" . }}
  labels:
    {{- include "imageio.labels" . | nindent 4 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "imageio.selectorLabels" . | nindent 6 }}
      ovirt-imageio/metrics: 'true'
  endpoints:
    - port: metrics
      path: /metrics
      interval: {{ $monitor.intervalSeconds }}s
      scrapeTimeout: {{ $monitor.scrapeTimeoutSeconds }}s
{{- end -}}

{{/* Ingress rules of a NetworkPolicy. The kubelet's probes come from the pod's own host, which policies always admit. */}}
{{- define "imageio.ingressRules" -}}
- ports: [{ port: https, protocol: TCP }]
  {{- with .clientsFrom }}
  from: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .metricsFrom }}
- ports: [{ port: metrics, protocol: TCP }]
  from: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}
