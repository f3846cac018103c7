{{/* The INI file. Takes a dict of sections; empty sections are left out. */}}
{{- define "imageio.ini" -}}
{{- range $section, $options := . }}
{{- if $options }}
[{{ $section }}]
{{- range $option, $value := $options }}
{{ $option }} = {{ include "imageio.iniValue" $value }}
{{- end }}
{{ end }}
{{- end }}
{{- end -}}

{{/* YAML numbers arrive as floating point, which prints 536870912 as 5.36870912e+08. */}}
{{- define "imageio.iniValue" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* What both components have in common: nothing to become in a container, metrics for probes, bounded stop. */}}
{{- define "imageio.commonConfig" -}}
{{- $values := index .root.Values .component -}}
{{- $service := printf "%s-metrics" (include "imageio.componentName" .) -}}
{{- $namespace := .root.Release.Namespace -}}
daemon:
  drop_privileges: false
  systemd_enable: false
metrics:
  enable: true
  port: {{ $values.metricsPort }}
  allowed_hosts: {{ printf "%s, %s.%s, %s.%s.svc, %s.%s.svc.cluster.local" $service $service $namespace $service $namespace $service $namespace | quote }}
remote:
  host: {{ $values.listenAddress | quote }}
  port: {{ $values.port }}
limits:
  grace_sec: {{ $values.shutdownGraceSeconds }}
{{- end -}}

{{- define "imageio.daemonConfig" -}}
{{- $tls := .Values.daemon.tls -}}
{{- $own := dict
  "tls" (dict "key_file" "/etc/ovirt-imageio/tls/tls.key" "cert_file" "/etc/ovirt-imageio/tls/tls.crt")
  "control" (dict "transport" "unix" "socket" "/run/ovirt-imageio/sock")
-}}
{{- if $tls.hostPath.path -}}
{{- $_ := set $own "tls" (dict
  "key_file" (printf "/etc/ovirt-imageio/tls/%s" $tls.hostPath.keyFile)
  "cert_file" (printf "/etc/ovirt-imageio/tls/%s" $tls.hostPath.certificateFile)) -}}
{{- end -}}
{{- /* An abstract socket belongs to a network: in one of its own, no client could reach it. */ -}}
{{- $local := dict "local" (dict "enable" (eq .Values.daemon.exposure "HostNetwork")) -}}
{{- include "imageio.ini" (mustMergeOverwrite
  (include "imageio.commonConfig" (dict "root" . "component" "daemon") | fromYaml)
  $local
  (deepCopy .Values.daemon.config)
  $own) -}}
{{- end -}}

{{- define "imageio.proxyConfig" -}}
{{- $proxy := .Values.proxy -}}
{{- /* Tickets of 2.x engines are added through a socket on the proxy's own host, which a pod does not offer. */ -}}
{{- $own := dict
  "tls" (dict "key_file" "/etc/ovirt-imageio/tls/tls.key" "cert_file" "/etc/ovirt-imageio/tls/tls.crt")
  "control" (dict "enable" false)
  "local" (dict "enable" false)
-}}
{{- if include "imageio.hasSource" $proxy.engine -}}
{{- $_ := set $own "proxy" (dict
  "engine_cert_file" (printf "/etc/ovirt-imageio/engine/%s" $proxy.engine.certificateKey)
  "engine_ca_cert_file" (printf "/etc/ovirt-imageio/engine/%s" $proxy.engine.authorityKey)) -}}
{{- end -}}
{{- if include "imageio.hasSource" $proxy.daemonAuthority -}}
{{- $_ := set $own "backend_http" (dict
  "ca_file" (printf "/etc/ovirt-imageio/daemon-authority/%s" $proxy.daemonAuthority.key)) -}}
{{- end -}}
{{- include "imageio.ini" (mustMergeOverwrite
  (include "imageio.commonConfig" (dict "root" . "component" "proxy") | fromYaml)
  (deepCopy $proxy.config)
  $own) -}}
{{- end -}}
