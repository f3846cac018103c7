{{/* Parts that the pods of both components share. */}}

{{/* Nothing needs more: TLS and metrics ports are above 1024, and all that is written goes to mounted volumes. */}}
{{- define "imageio.containerSecurityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Metrics and health are told at the address of the pod alone: with the network of a host it has others too. */}}
{{- define "imageio.metricsAddress" -}}
- name: IMAGEIO_METRICS__HOST
  valueFrom:
    fieldRef: { fieldPath: status.podIP }
{{- end -}}

{{/*
With these the service need not replace its process image at the start (docs/performance.md, "Start"). V8's young
generation is given in MiB.
*/}}
{{- define "imageio.runtimeOptions" -}}
- name: NODE_OPTIONS
  value: --max-semi-space-size={{ . }}
- name: MALLOC_ARENA_MAX
  value: "2"
{{- end -}}

{{/* By the name of the metrics port. A start may take long where images are on slow storage. */}}
{{- define "imageio.probes" -}}
startupProbe:
  httpGet: { path: /health/live, port: metrics }
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: { path: /health/live, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /health/ready, port: metrics }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* "true" when a ConfigMap or a secret is named. */}}
{{- define "imageio.hasSource" -}}
{{- if or .existingConfigMap .existingSecret -}}true{{- end -}}
{{- end -}}

{{/* The volume source of a ConfigMap or a secret. Mounted as folders, so that renewed certificates arrive. Mode 288 is
0440, which readers of YAML do not agree on. */}}
{{- define "imageio.source" -}}
{{- if .existingSecret -}}
secret: { secretName: {{ .existingSecret }}, defaultMode: 288 }
{{- else -}}
configMap: { name: {{ .existingConfigMap }} }
{{- end -}}
{{- end -}}

{{- define "imageio.tlsSecretName" -}}
{{- $tls := (index .root.Values .component).tls -}}
{{- default (printf "%s-tls" (include "imageio.componentName" .)) $tls.existingSecret -}}
{{- end -}}

{{- define "imageio.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "imageio.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
