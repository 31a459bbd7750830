#!/usr/bin/env bash
# Builds the pinned istiod and istioctl that `make e2e-mesh` runs, below ${XDG_CACHE_HOME:-~/.cache}/portcullis. It skips what
# exists. The first run takes 14 minutes of processor time, 3 GB of memory and 10 GB of disk in Go's caches, so `make parts` does not run
# it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.0.0-20260827124520-eed52ebb66ad # Istio 1.31; the Go proxy has no tagged versions. The same as envoytest.IstioVersion
to=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/istio-$version/bin

for program in pilot/cmd/pilot-discovery istioctl/cmd/istioctl; do
	if [ -x "$to/${program##*/}" ]; then continue; fi
	echo "mesh: building ${program##*/} of Istio $version, which takes a while" >&2
	mkdir -p "$to"
	from=$SECONDS
	# Outside the module, whose go.mod is not Istio's. `go install` puts a program in its place in one step, once it is complete.
	(cd / && GOBIN=$to GOFLAGS= nice go install "istio.io/istio/$program@v$version")
	echo "mesh: built in $((SECONDS - from)) s" >&2
done
echo "mesh: istiod and istioctl are in $to" >&2
