{{- define "portcullis.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, so that release portcullis in namespace portcullis matches the default of `portcullis envoy --for istio`. */}}
{{- define "portcullis.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "portcullis.selector" -}}
app.kubernetes.io/name: {{ include "portcullis.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "portcullis.labels" -}}
{{ include "portcullis.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "portcullis.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "portcullis.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "portcullis.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "portcullis.configMap" -}}
{{- .Values.config.existingConfigMap | default (printf "%s-config" (include "portcullis.fullname" .)) -}}
{{- end -}}

{{- define "portcullis.secret" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "portcullis.fullname" .)) -}}
{{- end -}}

{{- define "portcullis.stsURL" -}}
{{ if .Values.tls.existingSecret }}https{{ else }}http{{ end }}://{{ include "portcullis.fullname" . }}-sts.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* Exactly one of the three sources of a configuration must be set: what guards an API is never a default. */}}
{{- define "portcullis.checkValues" -}}
{{- $ways := 0 -}}
{{- if .Values.config.existingConfigMap }}{{ $ways = add1 $ways }}{{ end -}}
{{- if .Values.config.files }}{{ $ways = add1 $ways }}{{ end -}}
{{- if .Values.config.example }}{{ $ways = add1 $ways }}{{ end -}}
{{- if ne (int $ways) 1 -}}
{{- fail "config: set one of config.files (with --set-file 'config.files.portcullis\\.yaml=portcullis.yaml'), config.existingConfigMap, or config.example=true to try it" -}}
{{- end -}}
{{- if and .Values.config.files (not (hasKey .Values.config.files "portcullis.yaml")) -}}
{{- fail "config.files: portcullis.yaml is missing" -}}
{{- end -}}
{{- $text := regexReplaceAll "(?m)(^|[ \\t])#.*$" (index .Values.config.files "portcullis.yaml" | default "") "" -}}
{{- range $match := regexFindAll "\\bfile:[ \\t]+[\"']?[^\"',}\\s]+" $text -1 -}}
{{- $name := regexReplaceAll "^file:[ \\t]+[\"']?" $match "" -}}
{{- if not (or (hasPrefix "/" $name) (hasPrefix "../" $name) (hasKey $.Values.config.files $name)) -}}
{{- fail (printf "config.files: portcullis.yaml names the file %s, which is missing: add --set-file 'config.files.%s=%s', without a folder" $name (base $name | replace "." "\\.") $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.secrets.existingSecret .Values.secrets.files -}}
{{- fail "secrets: set either secrets.existingSecret or secrets.files" -}}
{{- end -}}
{{- if and .Values.tls.verifyClients (not .Values.tls.existingSecret) -}}
{{- fail "tls.verifyClients needs tls.existingSecret" -}}
{{- end -}}
{{- if and .Values.sts.enabled (not .Values.tls.existingSecret) (not .Values.sts.plainText) -}}
{{- fail "sts: tokens and credentials must not cross the network in plain text: set tls.existingSecret, or sts.plainText=true if a mesh encrypts the connections" -}}
{{- end -}}
{{- if eq .Values.mode "sidecar" -}}
{{- if .Values.sts.enabled }}{{ fail "sts: a central portcullis serves STS: use mode central, with the same iam.sessions" }}{{ end -}}
{{- if .Values.tls.existingSecret }}{{ fail "tls: in mode sidecar Envoy uses a socket in the pod: remove tls.existingSecret" }}{{ end -}}
{{- if not .Values.sidecar.containers }}{{ fail "sidecar.containers: write the application's containers, which listen on 127.0.0.1" }}{{ end -}}
{{- if and .Values.sidecar.envoy.bootstrap .Values.sidecar.envoy.existingConfigMap -}}
{{- fail "sidecar.envoy: set either bootstrap or existingConfigMap" -}}
{{- end -}}
{{- if not (or .Values.sidecar.envoy.bootstrap .Values.sidecar.envoy.existingConfigMap .Values.config.example) -}}
{{- fail "sidecar.envoy: set bootstrap to what `portcullis envoy --listen 0.0.0.0:10000 --portcullis unix:/run/portcullis/portcullis.sock` prints, or existingConfigMap" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Helm reads numbers as floats, and Go's flags do not accept 1.34217728e+08. */}}
{{- define "portcullis.flag" -}}
{{- if and (kindIs "float64" .) (eq . (float64 (int64 .))) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{- define "portcullis.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532 # the group that may read the Secrets and use the socket
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "portcullis.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The container of both modes. */}}
{{- define "portcullis.container" -}}
{{- $central := eq .Values.mode "central" -}}
name: portcullis
image: {{ include "portcullis.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config=/etc/portcullis/config/portcullis.yaml
  - --listen={{ if $central }}:9001{{ else }}unix:/run/portcullis/portcullis.sock{{ end }}
  - --admin=:9002
{{- if .Values.sts.enabled }}
  - --sts=:9003
{{- end }}
  - --drain-delay={{ if $central }}{{ .Values.drain.delaySeconds }}{{ else }}0{{ end }}s
  - --drain-timeout={{ .Values.drain.timeoutSeconds }}s
{{- if .Values.tls.existingSecret }}
  - --tls-cert=/etc/portcullis/tls/tls.crt
  - --tls-key=/etc/portcullis/tls/tls.key
{{- if .Values.tls.verifyClients }}
  - --tls-client-ca=/etc/portcullis/tls/ca.crt
{{- end }}
{{- end }}
{{- if .Values.admin.existingSecret }}
  - --admin-token-file=/etc/portcullis/admin/token
{{- end }}
{{- range $name, $value := .Values.flags }}
  - {{ printf "--%s=%s" $name (include "portcullis.flag" $value) | quote }}
{{- end }}
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
{{- if $central }}
  - {name: grpc, containerPort: 9001}
{{- end }}
  - {name: admin, containerPort: 9002}
{{- if .Values.sts.enabled }}
  - {name: sts, containerPort: 9003}
{{- end }}
# The gRPC port opens when the configuration is loaded, which may take two minutes the first time. The admin port opens before.
startupProbe:
{{- if and $central (not .Values.tls.existingSecret) }}
  grpc: {port: 9001}
{{- else }}
  httpGet: {path: /readyz, port: admin}
{{- end }}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  failureThreshold: 1
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "portcullis.containerSecurity" . | nindent 2 }}
volumeMounts: # never with subPath: such a file does not change
  - {name: config, mountPath: /etc/portcullis/config, readOnly: true}
  - {name: secrets, mountPath: /etc/portcullis/secrets, readOnly: true}
{{- if .Values.tls.existingSecret }}
  - {name: tls, mountPath: /etc/portcullis/tls, readOnly: true}
{{- end }}
{{- if .Values.admin.existingSecret }}
  - {name: admin, mountPath: /etc/portcullis/admin, readOnly: true}
{{- end }}
{{- if not $central }}
  - {name: socket, mountPath: /run/portcullis}
{{- end }}
{{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "portcullis.volumes" -}}
- name: config
  configMap: {name: {{ include "portcullis.configMap" . }}}
- name: secrets
  secret: {secretName: {{ include "portcullis.secret" . }}, defaultMode: 0440, optional: {{ not (or .Values.secrets.existingSecret .Values.secrets.files) }}}
{{- if .Values.tls.existingSecret }}
- name: tls
  secret: {secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.admin.existingSecret }}
- name: admin
  secret: {secretName: {{ .Values.admin.existingSecret }}, defaultMode: 0440, items: [{key: {{ .Values.admin.key | quote }}, path: token}]}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The pod fields of both modes outside the containers. */}}
{{- define "portcullis.pod" -}}
serviceAccountName: {{ include "portcullis.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ add .Values.drain.delaySeconds .Values.drain.timeoutSeconds 10 }}
securityContext:
  {{- include "portcullis.podSecurity" . | nindent 2 }}
{{- with .Values.topologySpread }}
topologySpreadConstraints:
{{- range . }}
  - maxSkew: 1
    topologyKey: {{ .topologyKey }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "portcullis.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash] # count only pods of the same rollout
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "portcullis.podMetadata" -}}
labels:
  {{- include "portcullis.selector" . | nindent 2 }}
{{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
