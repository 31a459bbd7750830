#!/usr/bin/env bash
# Builds the pinned istiod, istioctl and envoy-gateway that `make e2e-mesh` runs, below ${XDG_CACHE_HOME:-~/.cache}/portcullis. It skips
# what exists. The first run takes 23 minutes of processor time, 3 GB of memory and 10 GB of disk in Go's caches, so `make parts` does not
# run it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.0.0-20260827124520-eed52ebb66ad # Istio 1.31; the Go proxy has no tagged versions. The same as envoytest.IstioVersion
gateway=1.9.1                             # the same as envoytest.EnvoyGatewayVersion
cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis

# Builds the program of package $2 of version $3 in $1-$3/bin.
build() {
	local to=$cache/$1-$3/bin from=$SECONDS
	if [ -x "$to/${2##*/}" ]; then return; fi
	echo "mesh: building ${2##*/} $3, which takes a while" >&2
	mkdir -p "$to"
	# Outside the module, whose go.mod is another one. `go install` puts a program in its place in one step, once it is complete.
	(cd / && GOBIN=$to GOFLAGS= nice go install "$2@v$3")
	echo "mesh: built in $((SECONDS - from)) s" >&2
}

build istio istio.io/istio/pilot/cmd/pilot-discovery $version
build istio istio.io/istio/istioctl/cmd/istioctl $version
build envoy-gateway github.com/envoyproxy/gateway/cmd/envoy-gateway $gateway
echo "mesh: istiod, istioctl and envoy-gateway are below $cache" >&2
