{{- define "cleanplate.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The three services: their names, ports, prefixes of settings, and the kind of their jobs. */}}
{{- define "cleanplate.services" -}}
backend: {name: backend, port: 8000, prefix: BACKEND_, kind: erase}
ocr: {name: ocr-service, port: 8082, prefix: OCR_, kind: document}
inpaint: {name: inpaint-service, port: 8081, prefix: INPAINT_, kind: inpaint}
{{- end }}

{{/* Given a list of the root and a component: a service's name, or that of its workers. */}}
{{- define "cleanplate.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Given a list of the root and a service's name: the pods of the service and its workers. */}}
{{- define "cleanplate.pods" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
    app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
  matchExpressions:
    - {key: app.kubernetes.io/component, operator: In, values: [{{ index . 1 }}, {{ index . 1 }}-worker]}
{{- end }}

{{/* What runs a service, as the ends of names: the service itself, and workers where there is a broker. A list of the root,
     the service's key and what it is. */}}
{{- define "cleanplate.roles" -}}
{{- $values := index (index . 0).Values (index . 1) }}{{- $broker := print (index . 2).prefix "BROKER_URL" }}
{{- $roles := list "" }}
{{- if or $values.worker.enabled (get $values.settings $broker) (get $values.secrets $broker) }}{{ $roles = list "" "-worker" }}{{ end }}
{{- toYaml (dict "roles" $roles) }}
{{- end }}

{{- define "cleanplate.labels" -}}
{{ include "cleanplate.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* The settings of a service that follow from the chart, with those of the values over them: a list of the root, the
     service's key and what it is. */}}
{{- define "cleanplate.settings" -}}
{{- $root := index . 0 }}{{- $key := index . 1 }}{{- $values := index $root.Values $key }}
{{- $full := include "cleanplate.fullname" $root }}
{{- $made := dict }}
{{- if eq $key "backend" }}
{{- $_ := set $made "BACKEND_OCR_URL" (printf "http://%s-ocr-service:8082" $full) }}
{{- $_ := set $made "BACKEND_INPAINT_URL" (printf "http://%s-inpaint-service:8081" $full) }}
{{- if $root.Values.ingress.enabled }}{{ $_ := set $made "BACKEND_HOSTS" $root.Values.ingress.host }}{{ end }}
{{- else if eq $key "ocr" }}
{{- $_ := set $made "OCR_ALLOW_ANONYMOUS" "true" }}
{{- if $values.models.existingClaim }}{{ $_ := set $made "OCR_MODELS" "/models" }}{{ end }}
{{- else }}
{{- $_ := set $made "INPAINT_ALLOW_ANONYMOUS" "true" }}
{{- if $values.models.existingClaim }}{{ $_ := set $made "INPAINT_MODEL_DIR" "/models" }}{{ end }}
{{- if $values.gpu.enabled }}{{ $_ := set $made "IOPAINT_DEVICE" "cuda" }}{{ end }}
{{- end }}
{{- toYaml (merge (deepCopy $values.settings) $made) }}
{{- end }}

{{/* Refuse what would not start, or would lose jobs: a list of the root, the service's key and what it is. */}}
{{- define "cleanplate.check" -}}
{{- $values := index (index . 0).Values (index . 1) }}{{- $prefix := (index . 2).prefix }}
{{- $given := merge (dict) $values.settings $values.secrets }}
{{- $workers := gt (len (include "cleanplate.roles" . | fromYaml).roles) 1 }}
{{- if and $workers (not $values.existingSecret) (not (get $given (print $prefix "BROKER_URL"))) }}
{{- fail (printf "%s: workers need a broker: set %sBROKER_URL" (index . 1) $prefix) }}
{{- end }}
{{- $many := or (gt (int $values.replicas) 1) $values.autoscaling.enabled $workers }}
{{- if and $many (not $values.existingSecret) (not (and (hasKey $given (print $prefix "STORE_URL")) (hasKey $given (print $prefix "FILES_URL")))) }}
{{- fail (printf "%s: several replicas, and workers, need a database and a file store that they share: set %sSTORE_URL and %sFILES_URL" (index . 1) $prefix $prefix) }}
{{- end }}
{{- if and $many $values.persistence.enabled (not $values.persistence.existingClaim) }}
{{- fail (printf "%s: several replicas, or workers, cannot share the volume that is made here: set persistence.enabled to false, or existingClaim to one that many may write to" (index . 1)) }}
{{- end }}
{{- if and (eq (index . 1) "backend") (not $values.existingSecret) (not (hasKey $given "BACKEND_API_KEYS")) (ne (get $given "BACKEND_ALLOW_ANONYMOUS") "true") }}
{{- fail "backend: set secrets.BACKEND_API_KEYS or existingSecret, or settings.BACKEND_ALLOW_ANONYMOUS to \"true\" if everybody may call" }}
{{- end }}
{{- end }}
