{{- /* Values of MetalLB's chart that are refused, or have no effect; deploy/README.md has the whole list. */}}

{{- /* A value by its path as JSON, '' where nothing is said by it: (list .Values "speaker.frr.enabled") */}}
{{- define "arpeggio.said" -}}
{{- $found := index . 0 | toJson | fromJson }}
{{- range splitList "." (index . 1) }}
{{- if kindIs "map" $found }}
{{- $found = get $found . }}
{{- else }}
{{- $found = "" }}
{{- end }}
{{- end }}
{{- if $found }}{{ toJson $found }}{{ end }}
{{- end }}

{{- /* Ends the rendering where a value asks for what is not there, with all of them in one message. */}}
{{- define "arpeggio.refuse" -}}
{{- $values := .Values }}
{{- $bgp := "BGP is not served here: say false" }}
{{- $plain := "metrics are plain HTTP here: leave it out, and let a proxy encrypt them" }}
{{- $start := "the image knows what to start: leave it out" }}
{{- $lines := list }}
{{- range $path, $why := dict
  "frrk8s.enabled" $bgp
  "frrk8s.external" $bgp
  "speaker.frr.enabled" $bgp
  "tls.controllerMetricsTLSSecret" $plain
  "tls.speakerMetricsTLSSecret" $plain
  "controller.command" $start
  "speaker.command" $start
}}
{{- if include "arpeggio.said" (list $values $path) }}
{{- $lines = append $lines (printf "%s: %s" $path $why) }}
{{- end }}
{{- end }}
{{- if not (dig "excludeInterfaces" "enabled" true .Values.speaker) }}
{{- $lines = append $lines "speaker.excludeInterfaces.enabled: the list of interfaces to leave out is built in: name what you want in an L2Advertisement's interfaces, and leave this out" }}
{{- end }}
{{- range $path, $image := dict "image" .Values.image "controller.image" .Values.controller.image "speaker.image" .Values.speaker.image }}
{{- if regexMatch "metallb[-/](controller|speaker)$" ($image.repository | default "") }}
{{- $lines = append $lines (printf "%s.repository: %s is MetalLB's program: name an image of Arpeggio" $path $image.repository) }}
{{- end }}
{{- end }}
{{- if and .Values.controller.enabled .Values.speaker.enabled }}
{{- $everywhere := list }}
{{- range $role := list .Values.controller .Values.speaker }}
{{- $asked := false }}
{{- range $argument := $role.extraArgs }}
{{- if has $argument (list "--announce-everywhere" "--announce-everywhere=true") }}
{{- $asked = true }}
{{- end }}
{{- end }}
{{- $everywhere = append $everywhere $asked }}
{{- end }}
{{- if ne (first $everywhere) (last $everywhere) }}
{{- $lines = append $lines (printf "%s.extraArgs: --announce-everywhere is for both roles or none: the controller tells what the speakers do; say it in %s.extraArgs too" (ternary "controller" "speaker" (first $everywhere)) (ternary "speaker" "controller" (first $everywhere))) }}
{{- end }}
{{- end }}
{{- if and .Values.prometheus.serviceAccount (not .Values.prometheus.namespace) }}
{{- $lines = append $lines "prometheus.serviceAccount: prometheus.namespace is missing, which says where it is" }}
{{- end }}
{{- if $lines }}
{{- fail (join "\n" (prepend $lines "these values cannot be met:")) }}
{{- end }}
{{- end }}

{{- /* A line for each value that is taken and has no effect. */}}
{{- define "arpeggio.unheard" -}}
{{- $values := .Values }}
{{- $bgp := "BGP is not served here" }}
{{- $names := "objects have the names of deploy/base" }}
{{- $plain := "metrics are plain HTTP, on prometheus.metricsPort" }}
{{- range $path, $why := dict
  "nameOverride" $names
  "fullnameOverride" $names
  "tls.cipherSuites" $plain
  "tls.curvePreferences" $plain
  "tls.minVersion" $plain
  "prometheus.secureMetricsPort" $plain
  "prometheus.rbacProxy" $plain
  "prometheus.serviceMonitor.controller.tlsConfig" $plain
  "prometheus.serviceMonitor.speaker.tlsConfig" $plain
  "prometheus.prometheusRule.bgpSessionDown.enabled" $bgp
  "speaker.bgpDebounceTimeout" $bgp
  "speaker.frr.image" $bgp
  "speaker.frr.metricsPort" $bgp
  "speaker.frr.secureMetricsPort" $bgp
  "speaker.frr.resources" $bgp
  "speaker.frrMetrics.resources" $bgp
  "speaker.reloader.resources" $bgp
  "speaker.initContainers" $bgp
  "speaker.startupProbe.enabled" "it is for FRR, which is not here"
  "frrk8s.namespace" $bgp
  "frr-k8s" $bgp
}}
{{- if include "arpeggio.said" (list $values $path) }}
  {{ $path }}: {{ $why }}
{{- end }}
{{- end }}
{{- end }}
