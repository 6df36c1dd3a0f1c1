{{/* Names */}}
{{- define "weir.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What finds the pods of the gateway, and not the one of `helm test`. */}}
{{- define "weir.pods" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "weir.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "weir.labels" . | nindent 2 }}
{{- end }}

{{- define "weir.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* An image by tag and digest: (list image defaultTag) */}}
{{- define "weir.image" -}}
{{- $image := index . 0 -}}
{{- $image.repository -}}:{{- default (index . 1) $image.tag -}}
{{- with $image.digest -}}@{{- . -}}{{- end -}}
{{- end }}

{{/* Stopping: the steps of a pod, in the order in which they run. The last two are deadlines of the
     program (FLUSH and DRAIN in src/app.rs; a test compares them). */}}
{{- define "weir.flushSeconds" -}}15{{- end }}
{{- define "weir.tasksSeconds" -}}5{{- end }}
{{- define "weir.marginSeconds" -}}5{{- end }}

{{- define "weir.graceSeconds" -}}
{{- $s := .Values.shutdown -}}
{{- $own := add (include "weir.flushSeconds" .) (include "weir.tasksSeconds" .) -}}
{{- $needed := add $s.deregisterSeconds $s.requestsSeconds $own (include "weir.marginSeconds" .) | int -}}
{{- if kindIs "invalid" $s.gracePeriodSeconds -}}
{{- $needed -}}
{{- else if lt (int $s.gracePeriodSeconds) $needed -}}
{{- fail (printf "shutdown.gracePeriodSeconds is %d, and a pod may need %d s to stop without loss: %d (deregisterSeconds) + %d (requestsSeconds) + %d (flush and tasks) + %s (margin). Raise it or leave it null, or lower one of the others" (int $s.gracePeriodSeconds) $needed (int $s.deregisterSeconds) (int $s.requestsSeconds) $own (include "weir.marginSeconds" .)) -}}
{{- else -}}
{{- int $s.gracePeriodSeconds -}}
{{- end -}}
{{- end }}

{{/* Addresses */}}
{{- define "weir.anyAddress" -}}
{{- if eq .Values.ipFamily "IPv6" -}}[::]{{- else -}}0.0.0.0{{- end -}}
{{- end }}

{{/* Whole numbers of a map, in place: as YAML's numbers come they would be written as 1.0. */}}
{{- define "weir.whole" -}}
{{- range $name, $value := . -}}
{{- if kindIs "map" $value -}}
{{- include "weir.whole" $value -}}
{{- else if kindIs "float64" $value -}}
{{- if eq (floor $value) $value -}}{{- $_ := set $ $name (int64 $value) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The settings: what people gave, and what the chart derives. */}}
{{- define "weir.settings" -}}
{{- $owner := dict "listen" "it is derived from ipFamily" "admin" "it is derived from ipFamily" "state" "it is the volume of persistence" "instance" "it is the pod's name" "documents" "set documents.source and documents.files" -}}
{{- range $name, $instead := $owner -}}
{{- if hasKey $.Values.settings $name -}}
{{- fail (printf "settings.%s is set by the chart: %s" $name $instead) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := default dict .Values.settings.nacos -}}
{{- if ne $name "deadline" -}}
{{- fail (printf "settings.nacos.%s is set by the chart: set nacos.url, namespace, group or existingSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- if dig "data_port" "drain" "" .Values.settings -}}
{{- fail "settings.data_port.drain is set by the chart: set shutdown.requestsSeconds, from which the pod's grace period is derived too" -}}
{{- end -}}
{{- if dig "admin_port" "token" "" .Values.settings -}}
{{- fail "settings.admin_port.token is set by the chart: set admin.existingSecret and admin.tokenKey" -}}
{{- end -}}
{{- $derived := dict "state" "/var/lib/weir" "listen" (printf "%s:8080" (include "weir.anyAddress" .)) "data_port" (dict "drain" (printf "%d s" (int .Values.shutdown.requestsSeconds))) "admin_port" (dict "token" "file:/etc/weir/admin/token") -}}
{{- if eq .Values.documents.source "file" -}}
{{- $_ := set $derived "documents" "/etc/weir/documents" -}}
{{- end -}}
{{- $settings := merge $derived (deepCopy .Values.settings) -}}
{{- include "weir.whole" $settings -}}
{{- toToml $settings -}}
{{- end }}

{{/* What values.schema.json cannot say. */}}
{{- define "weir.check" -}}
{{- $v := .Values -}}
{{- if and (eq $v.documents.source "nacos") $v.documents.files -}}
{{- fail "documents.files is read only with documents.source=file, and the source is nacos: publish the documents to Nacos (`weir apply`), or set documents.source=file to try them out" -}}
{{- end -}}
{{- if and (eq $v.documents.source "file") (not $v.documents.files) -}}
{{- fail "documents.source=file needs documents.files, for instance --set-file 'documents.files.weir\\.repo\\.events\\.yaml'=FILE" -}}
{{- end -}}
{{- if and (eq $v.documents.source "file") $v.nacos.existingSecret -}}
{{- fail "nacos.existingSecret is set, and documents.source=file does not read Nacos: take one of the two away" -}}
{{- end -}}
{{- $own := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- range $path, $labels := dict "labels" $v.labels "podLabels" $v.podLabels "serviceMonitor.labels" $v.serviceMonitor.labels "prometheusRule.labels" $v.prometheusRule.labels -}}
{{- range $label, $_ := $labels -}}
{{- if has $label $own -}}
{{- fail (printf "%s names %s, which the chart sets itself: remove it" $path $label) -}}
{{- end -}}
{{- if and (ne $path "labels") (hasKey (default dict $v.labels) $label) -}}
{{- fail (printf "%s names %s, and so does labels, which every object has: remove it from one of the two" $path $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $v.podAnnotations) "checksum/settings" -}}
{{- fail "podAnnotations names checksum/settings, which the chart sets itself: remove it" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.networkPolicy.enabled (not $v.networkPolicy.adminFrom) -}}
{{- fail "serviceMonitor is on, and networkPolicy lets nobody reach the admin port: name Prometheus' pods in networkPolicy.adminFrom (for instance [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}])" -}}
{{- end -}}
{{- if and $v.prometheusRule.enabled (not $v.serviceMonitor.enabled) -}}
{{- fail "prometheusRule is on without serviceMonitor, which gives the metrics the labels that the rules look for: turn serviceMonitor on too" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas is %d, and maxReplicas %d: give at least as many as most" (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "autoscaling is by percent of resources.requests.cpu, which is not set" -}}
{{- end -}}
{{- end }}
