{{- /* What the two workloads, and the objects around them, have in common. */}}

{{- /* A role's image: (list . .Values.controller) */}}
{{- define "arpeggio.image" -}}
{{- $root := index . 0 }}
{{- $image := merge (dict) (index . 1).image (pick $root.Values.image "repository" "tag" "pullPolicy") }}
image: {{ printf "%s:%s" $image.repository ($image.tag | default $root.Chart.AppVersion) }}
{{- with $image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{- define "arpeggio.secretName" -}}
{{ .Values.speaker.secretName | default "memberlist" | quote }}
{{- end }}

{{- /* The arguments of both roles: (list . .Values.controller) */}}
{{- define "arpeggio.args" -}}
{{- $root := index . 0 }}
{{- $role := index . 1 }}
{{- if and $role.readinessProbe.enabled (ne (int $role.livenessProbe.port) (int $role.readinessProbe.port)) }}
{{- fail "livenessProbe.port and readinessProbe.port differ: the program has one port for both" }}
{{- end }}
{{- $ports := list (int $root.Values.prometheus.metricsPort) (int $role.livenessProbe.port) }}
{{- if hasKey $role "memberlist" }}
{{- if $role.memberlist.enabled }}
{{- $ports = append $ports (int $role.memberlist.mlBindPort) }}
{{- end }}
{{- else if eq $role.webhookMode "enabled" }}
{{- $ports = append $ports 9443 }}
{{- end }}
{{- if ne (len $ports) (len (uniq $ports)) }}
{{- fail (printf "one port is given twice: metrics, probes%s need one each, and have %s" (ternary ", membership" ", webhook" (hasKey $role "memberlist")) (join ", " $ports)) }}
{{- end }}
- --log-level={{ $role.logLevel }}
- --http-port={{ $root.Values.prometheus.metricsPort }}
- --health-probe-port={{ $role.livenessProbe.port }}
{{- with $root.Values.loadBalancerClass }}
- {{ printf "--lb-class=%s" . | quote }}
{{- end }}
{{- with $root.Values.placement }}
- --placement={{ . }}
{{- end }}
{{- if $root.Values.speaker.ignoreExcludeLB }}
- --ignore-exclude-lb
{{- end }}
{{- end }}

{{- /* Arguments of one's own, but for those that values, or the chart, say: (list .Values.controller "controller") */}}
{{- define "arpeggio.extraArgs" -}}
{{- $name := index . 1 }}
{{- $hook := "which says webhookMode, port 9443 and its objects' names" }}
{{- $said := dict
  "log-level" (printf "set %s.logLevel" $name)
  "http-port" "set prometheus.metricsPort"
  "port" "set prometheus.metricsPort"
  "health-probe-port" (printf "set %s.livenessProbe.port and %s.readinessProbe.port" $name $name)
  "lb-class" "set loadBalancerClass"
  "placement" "set placement"
  "ignore-exclude-lb" "set speaker.ignoreExcludeLB"
  "namespace" "which is for the namespace of its release"
  "pod-name" "which says the Pod's name"
  "node-name" "which says the node's name"
  "ml-labels" "which says the labels of its speakers"
  "ml-bindport" "set speaker.memberlist.mlBindPort"
  "ml-bindaddr" "set speaker.memberlist.mlBindAddrOverride"
  "ml-secret-key-path" "set speaker.memberlist.mlSecretKeyPath"
  "ml-wan-config" "set speaker.wanConfig"
  "ml-secret-name" "set speaker.secretName"
  "deployment" "which has one Deployment"
  "webhook-mode" $hook
  "webhook-port" $hook
  "webhook-secret" $hook
  "cert-service-name" $hook
}}
{{- range $argument := (index . 0).extraArgs }}
{{- with get $said (regexFind "[a-z][-a-z]*" $argument) }}
{{- fail (printf "%s.extraArgs: %s contradicts the chart%s %s" $name $argument (ternary ":" "," (hasPrefix "set " .)) .) }}
{{- end }}
- {{ $argument | quote }}
{{- end }}
{{- end }}

{{- /* One probe, where it is enabled: (dict "probe" .Values.… "name" "livenessProbe" "path" "/healthz") */}}
{{- define "arpeggio.probe" -}}
{{- if .probe.enabled }}
{{ .name }}:
  httpGet:
    {{- with .host }}
    host: {{ . }}
    {{- end }}
    path: {{ .path }}
    port: {{ .probe.port }}
  {{- toYaml (omit .probe "enabled" "port") | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Metadata of a Pod: (list . .Values.controller "controller") */}}
{{- define "arpeggio.podMetadata" -}}
{{- $root := index . 0 }}
{{- $role := index . 1 }}
{{- $monitor := $root.Values.prometheus.podMonitor }}
{{- $job := ternary (dict $monitor.jobLabel "metallb") (dict) $monitor.enabled }}
labels:
  app: metallb
  component: {{ index . 2 }}
  {{- with omit (merge (dict) $role.labels $job) "app" "component" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := dict }}
{{- if $root.Values.prometheus.scrapeAnnotations }}
{{- $_ := set $annotations "prometheus.io/scrape" "true" }}
{{- $_ := set $annotations "prometheus.io/port" (toString $root.Values.prometheus.metricsPort) }}
{{- end }}
{{- with merge (dict) $role.podAnnotations $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where a Pod runs, but for its tolerations: .Values.controller */}}
{{- define "arpeggio.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
nodeSelector:
  {{- toYaml (merge (dict) .nodeSelector (dict "kubernetes.io/os" "linux")) | nindent 2 }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* How a monitor asks, whichever it is; labels of the program win, as a Service's name in `service`. */}}
{{- define "arpeggio.endpoint" -}}
path: /metrics
honorLabels: true
{{- with .interval }}
interval: {{ . | quote }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "arpeggio.alertLabels" -}}
{{- with .labels }}
labels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
