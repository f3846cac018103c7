{{/* Combinations of values that cannot work; what is wrong with one value alone, values.schema.json says. */}}

{{- define "imageio.checkDaemon" -}}
{{- with .Values.daemon.tls -}}
{{- $sources := list (not (empty .existingSecret)) .certManager.enabled (not (empty .hostPath.path)) -}}
{{- include "imageio.checkOneSource" (dict "sources" $sources "message"
  "set exactly one of daemon.tls.existingSecret, daemon.tls.certManager.enabled and daemon.tls.hostPath.path") -}}
{{- include "imageio.checkCertManager" (dict "certManager" .certManager "path" "daemon.tls.certManager") -}}
{{- end -}}
{{- $policy := .Values.daemon.networkPolicy -}}
{{- $isClosed := and $policy.enabled (ne .Values.daemon.exposure "HostNetwork") (empty $policy.metricsFrom) -}}
{{- if and .Values.metrics.serviceMonitor.enabled $isClosed -}}
{{- fail "metrics.serviceMonitor has Prometheus ask daemons that daemon.networkPolicy closes: say who asks in daemon.networkPolicy.metricsFrom" -}}
{{- end -}}
{{- end -}}

{{- define "imageio.checkProxy" -}}
{{- with .Values.proxy -}}
{{- include "imageio.checkOneSource" (dict "sources" (list (not (empty .tls.existingSecret)) .tls.certManager.enabled) "message"
  "set exactly one of proxy.tls.existingSecret and proxy.tls.certManager.enabled") -}}
{{- include "imageio.checkCertManager" (dict "certManager" .tls.certManager "path" "proxy.tls.certManager") -}}
{{- if and (or .autoscaling.enabled (gt (int .replicas) 1)) (not .sessionStore.existingSecret) -}}
{{- fail "several proxies need a session store that they share: set proxy.sessionStore.existingSecret" -}}
{{- end -}}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- fail "proxy.autoscaling.minReplicas is more than maxReplicas" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- fail "set proxy.ingress.host: TLS connections are told apart by it" -}}
{{- end -}}
{{- if and .ingress.enabled (eq .ingress.mode "Reencrypt") (not .ingress.tlsSecret) -}}
{{- fail "proxy.ingress.mode Reencrypt ends TLS at the controller: set proxy.ingress.tlsSecret" -}}
{{- end -}}
{{- if and .gateway.enabled (or (empty .gateway.parentRefs) (empty .gateway.hostnames)) -}}
{{- fail "set proxy.gateway.parentRefs and proxy.gateway.hostnames" -}}
{{- end -}}
{{- if and .gateway.enabled (eq .gateway.mode "Reencrypt") (or (not .gateway.backendTls.authorityConfigMap) (not .gateway.backendTls.hostname)) -}}
{{- fail "proxy.gateway.mode Reencrypt verifies the proxy: set proxy.gateway.backendTls.authorityConfigMap and hostname" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "imageio.checkOneSource" -}}
{{- $chosen := 0 -}}
{{- range .sources }}{{ if . }}{{ $chosen = add1 $chosen }}{{ end }}{{ end -}}
{{- if ne (int $chosen) 1 -}}{{- fail .message -}}{{- end -}}
{{- end -}}

{{- define "imageio.checkCertManager" -}}
{{- with .certManager -}}
{{- if and .enabled (or (not .issuerRef.name) (and (empty .dnsNames) (empty .ipAddresses))) -}}
{{- fail (printf "set %s.issuerRef.name, and dnsNames or ipAddresses" $.path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
