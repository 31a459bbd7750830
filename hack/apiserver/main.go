// Command kube-apiserver is Kubernetes' own, as a dependency. `make e2e-mesh` uses it to check the manifests. It is a
// separate module, because k8s.io/kubernetes needs its staging modules replaced by their published versions.
// deploy/tools.sh builds it.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
