#!/usr/bin/env bash
# Installs the pinned tools that `make e2e-mesh` and `make manifests` use, below ${XDG_CACHE_HOME:-~/.cache}/portcullis. It skips
# what exists. With the name of a tool, it installs only that one.
#
#   helm         from its Go module; takes three minutes to build.
#   kubeconform  from its Go module.
#   schemas      the Kubernetes API's own description, from its Go module, and the Prometheus operator's definitions.
#   gateway      the definitions of the Gateway API and of Envoy Gateway, from Envoy Gateway's Go module.
#   apiserver    kube-apiserver, from hack/apiserver; takes six minutes to build on two cores.
#   buildah      the system's; for root on Debian, apt-get installs it. etcd as well.
set -euo pipefail
cd "$(dirname "$0")/.."

helm=v4.3.1
kubeconform=v0.8.0
kubernetes=v1.37.2
operator=v0.92.1
gateway=v1.9.1 # as in hack/mesh.sh

go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis

# Installs the package $3 of a version $2 as $1-$2/$1. Another version is another folder.
program() {
	local to=$cache/$1-$2
	[ ! -x "$to/$1" ] || return 0
	echo "tools: building $1 $2" >&2
	local work
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.$1.XXXXXX")
	(cd "$work" && GOFLAGS= GOBIN=$work CGO_ENABLED=0 "$go" install -trimpath -ldflags "-s -w" "$3@$2") || {
		rm -rf "$work"
		return 1
	}
	mkdir -p "$to"
	mv "$work/$1" "$to/$1"
	rm -rf "$work"
}

# Copies a file $3 from the module $1 of version $2 to $4.
of_module() {
	local dir
	dir=$(cd / && GOFLAGS= "$go" mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	[ -n "$dir" ] || return 1
	install -m 0644 "$dir/$3" "$4"
}

schemas() {
	local kind to=$cache/kubernetes-schemas-$kubernetes-$operator
	[ ! -e "$to/swagger.json" ] || [ ! -e "$to/prometheusrules.yaml" ] || return 0
	echo "tools: fetching the schemas of Kubernetes $kubernetes" >&2
	mkdir -p "$to"
	for kind in servicemonitors prometheusrules; do
		of_module github.com/prometheus-operator/prometheus-operator $operator "example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" \
			"$to/$kind.yaml"
	done
	of_module k8s.io/kubernetes $kubernetes api/openapi-spec/swagger.json "$to/.swagger.json"
	mv "$to/.swagger.json" "$to/swagger.json"
}

gateway() {
	local kind to=$cache/envoy-gateway-definitions-$gateway crds=charts/gateway-helm/charts/crds/crds
	[ ! -e "$to/gatewayapi.yaml" ] || return 0
	echo "tools: fetching the definitions of Envoy Gateway $gateway" >&2
	mkdir -p "$to"
	for kind in backends clienttrafficpolicies envoypatchpolicies httproutefilters securitypolicies; do
		of_module github.com/envoyproxy/gateway $gateway "$crds/generated/gateway.envoyproxy.io_$kind.yaml" "$to/$kind.yaml"
	done
	of_module github.com/envoyproxy/gateway $gateway $crds/gatewayapi-crds.yaml "$to/.gatewayapi.yaml"
	mv "$to/.gatewayapi.yaml" "$to/gatewayapi.yaml"
}

apiserver() {
	local to=$cache/kube-apiserver-$kubernetes version=k8s.io/component-base/version work
	[ ! -x "$to/kube-apiserver" ] || return 0
	echo "tools: building kube-apiserver $kubernetes" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.apiserver.XXXXXX")
	(cd hack/apiserver && GOFLAGS= "$go" build -trimpath -buildvcs=false -o "$work/kube-apiserver" \
		-ldflags "-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=37" .) || {
		rm -rf "$work"
		return 1
	}
	mkdir -p "$to"
	mv "$work/kube-apiserver" "$to/kube-apiserver"
	rm -rf "$work"
}

buildah() { system buildah buildah; }

etcd() { system etcd etcd-server; }

# Installs the system's program $1 from its package $2.
system() {
	if type -P "$1" >/dev/null; then return; fi # -P, because functions have these names too
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "tools: no $1; on Debian, as root: apt-get install --no-install-recommends $2" >&2
		return 1
	fi
	echo "tools: installing $1 with apt-get" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -qq -y --no-install-recommends "$2" >/dev/null || {
		apt-get update -qq
		apt-get install -qq -y --no-install-recommends "$2" >/dev/null
	}
}

case ${1:-} in
helm) program helm $helm helm.sh/helm/v4/cmd/helm ;;
kubeconform) program kubeconform $kubeconform github.com/yannh/kubeconform/cmd/kubeconform ;;
schemas | gateway | apiserver | buildah | etcd) "$1" ;;
folder) # print the folder of a tool: deploy/tools.sh folder helm
	case ${2:-} in
	helm) echo "$cache/helm-$helm" ;;
	kubeconform) echo "$cache/kubeconform-$kubeconform" ;;
	apiserver) echo "$cache/kube-apiserver-$kubernetes" ;;
	gateway) echo "$cache/envoy-gateway-definitions-$gateway" ;;
	schemas) echo "$cache/kubernetes-schemas-$kubernetes-$operator" ;;
	*) exit 2 ;;
	esac
	;;
'')
	for tool in kubeconform schemas gateway buildah etcd helm apiserver; do deploy/tools.sh $tool; done
	echo "tools: ready after $SECONDS s" >&2
	;;
*)
	echo "tools: no tool is named $1" >&2
	exit 2
	;;
esac
