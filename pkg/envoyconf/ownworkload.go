package envoyconf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ownWorkload is portcullis as a workload of the mesh, with a sidecar that only admits callers.
type ownWorkload struct {
	Namespace string
	Labels    []label
	// Principals are the callers in Istio's notation, without spiffe://.
	Principals []string
}

// callerShape matches the SPIFFE id of a workload. It has no wildcard, which Istio would accept.
var callerShape = regexp.MustCompile(`^spiffe://[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?(/[A-Za-z0-9._-]+)+$`)

// ownWorkload returns the resources for portcullis itself.
func (p *plan) ownWorkload() (*ownWorkload, error) {
	if len(p.Mesh.Callers) == 0 {
		return nil, nil
	}
	var errs []error
	w := &ownWorkload{}
	if w.Namespace = p.serviceNamespace(); w.Namespace == "" {
		errs = append(errs, fmt.Errorf("--istio-callers: %q does not contain the namespace of portcullis; write --portcullis name.namespace.svc.cluster.local:port", p.Portcullis))
	}
	var err error
	if w.Labels, err = readLabels("istio-portcullis-selector", p.Mesh.Workload); err != nil {
		errs = append(errs, err)
	}
	for _, caller := range p.Mesh.Callers {
		if !callerShape.MatchString(caller) || slices.ContainsFunc(strings.Split(caller, "/"), isDots) {
			errs = append(errs, fmt.Errorf("--istio-callers: %q is not a SPIFFE id of a workload; write one such as spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway", caller))
		}
		w.Principals = append(w.Principals, strings.TrimPrefix(caller, "spiffe://"))
	}
	slices.Sort(w.Principals)
	w.Principals = slices.Compact(w.Principals)
	return w, errors.Join(errs...)
}

// serviceNamespace returns the namespace of portcullis if its address is a Kubernetes service: name.namespace.svc.…
func (p *plan) serviceNamespace() string {
	parts := strings.Split(p.PortcullisAt.Host, ".")
	if len(parts) < 3 || parts[2] != "svc" || !namespace.MatchString(parts[1]) {
		return ""
	}
	return parts[1]
}

func isDots(segment string) bool { return segment == "." || segment == ".." }
