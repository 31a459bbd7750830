// Package deploy tests what runs portcullis in a container and in Kubernetes: the manifests are held to the program's own flags, ports
// and configuration, and run, as far as they run without a cluster.
//
// # Decisions
//
// 2026-11-25: the manifests in deploy/kubernetes are made from the chart and committed, so that they can be read, applied and tested
// without Helm. That the chart makes them, and everything that needs Helm, buildah or Kubernetes' schemas, is tested by `make
// e2e-mesh`, which sets E2E_MESH.
//
// 2026-11-25: what a pod would run is run with the arguments of its manifest. Only the paths are below a folder of the test, where
// volumes lie as the kubelet makes them, and the ports are the kernel's choice.
//
// 2026-11-28: the chart's alerts are a plain rules file that the template copies, so that there is one set, which promtool and a real
// Prometheus read as it is.
package deploy
