// Command kube-apiserver is Kubernetes' own, as a dependency: the API server that `make e2e-mesh` has check the manifests. It is a module of its
// own, for k8s.io/kubernetes needs its staging modules replaced by their published versions. deploy/tools.sh builds it.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
