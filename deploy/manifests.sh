#!/usr/bin/env bash
# Writes the plain manifests from the chart, a file for each of its templates: deploy/manifests.sh [FOLDER], deploy/kubernetes if none is
# named. Fields that only concern Helm are omitted. 00-namespace.yaml is written by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${1:-deploy/kubernetes}
chart=deploy/helm/portcullis
deploy/tools.sh helm
helm=$(deploy/tools.sh folder helm)/helm

# The variant $1, as the release $2 in the namespace of that name.
variant() {
	local template name
	mkdir -p "$to/$1"
	for template in "$chart"/templates/*.yaml; do
		name=$(basename "$template")
		rm -f "$to/$1/$name"
		"$helm" template "$2" "$chart" --namespace "$2" --values "$chart/ci/$1-values.yaml" --show-only "templates/$name" >"$to/$1/.$name" 2>/dev/null ||
			true # --show-only fails for a template without output
		if [ -s "$to/$1/.$name" ]; then
			{
				echo "# Generated from the chart in deploy/helm by make manifests."
				sed -E '/^---$|^# Source: |^ +app.kubernetes.io\/managed-by: Helm$|^ +helm.sh\/chart: /d' "$to/$1/.$name"
			} >"$to/$1/$name"
		fi
		rm -f "$to/$1/.$name"
	done
}

# A failing template has no output either: this prints its error.
for values in central sidecar; do "$helm" template x "$chart" --values "$chart/ci/$values-values.yaml" >/dev/null; done
variant central portcullis
variant sidecar pets
