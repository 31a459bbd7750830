package envoyconf

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// mesh is the plan in Istio's terms.
type mesh struct {
	*plan
	Labels []label
	// Own are the resources for portcullis itself, nil without --istio-callers.
	Own *ownWorkload
	// RuleNamespace is the namespace of the DestinationRule for portcullis: that of its Service, or else that of its
	// callers.
	RuleNamespace string
	// Context is Istio's name for the kind of listeners.
	Context string
	// Nobody are the settings of virtual hosts that belong to no stage, before Patches override them.
	Nobody  *settings
	Patches []patch
}

// label is a label of a workload.
type label struct{ Name, Value string }

// patch holds the settings of one of Envoy's virtual hosts, by the name that Istio gives it, or of all of them if it is
// empty.
type patch struct {
	About    string
	Host     string
	Settings *settings
	// Body are the settings of its routes, or nil.
	Body *patch
}

// noAPI is never the id of an API, because ids have only letters and digits.
const noAPI = "no-api"

var (
	labelName  = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$`)
	// istioHost matches what istiod accepts as a host.
	istioHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	namespace = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// forIstio converts the plan to Istio's terms.
func (p *plan) forIstio() (*mesh, error) {
	m, err := p.newMesh()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, l := range p.Listeners {
		for _, h := range l.Hosts {
			if err := m.checkHost(&h); err != nil {
				errs = append(errs, err)
				continue
			}
			m.addHost(&h)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, m.inSidecar()
}

// newMesh returns the mesh of the options.
func (p *plan) newMesh() (*mesh, error) {
	m := &mesh{plan: p, Context: "GATEWAY", Nobody: &settings{API: noAPI, Stage: noAPI, Transport: "false"}}
	if p.Mesh.Sidecar {
		m.Context = "SIDECAR_INBOUND"
	}
	var errs []error
	take := func(err error) { errs = append(errs, err) }
	var err error
	m.Labels, err = readLabels("istio-selector", p.Mesh.Selector)
	take(err)
	m.Own, err = p.ownWorkload()
	take(err)
	m.RuleNamespace = cmp.Or(p.serviceNamespace(), p.Mesh.Namespace)
	if !namespace.MatchString(p.Mesh.Namespace) {
		errs = append(errs, fmt.Errorf("--istio-namespace: %q is not a namespace", p.Mesh.Namespace))
	}
	if p.PortcullisAt.Path != "" || p.PortcullisAt.isIP() {
		errs = append(errs, fmt.Errorf("--portcullis: %q is not a service of a mesh; write its host name and port", p.Portcullis))
	}
	return m, errors.Join(errs...)
}

// checkHost refuses a host that has no virtual host in Istio.
func (m *mesh) checkHost(h *virtualHost) error {
	if h.Settings == nil && m.isEndpoint(h.Name) {
		return fmt.Errorf("executeApiEndpoint: %s has the API's stages as base paths, which Istio's routes cannot be told apart by: give each stage a domain of its own, and remove executeApiEndpoint", h.Name)
	}
	if h.Settings == nil {
		return fmt.Errorf("domains: %s has several base paths, which Istio's routes cannot be told apart by: give each stage a host of its own", h.Name)
	}
	of := slices.IndexFunc(m.apis, func(api gateway.API) bool { return api.ID == h.Settings.API })
	if m.unbufferedBeside(&m.apis[of]) {
		return fmt.Errorf("--unbuffered-uploads: API %s has routes beside the uploads whose signatures are over the body, and Istio's routes cannot be told apart: give the uploads an API and a host of their own", h.Settings.API)
	}
	if m.Mesh.Sidecar {
		return nil // it has one virtual host, whatever the host
	}
	var errs []error
	for _, domain := range h.Domains {
		switch {
		case strings.HasPrefix(domain, "["):
			errs = append(errs, fmt.Errorf("domains: %s: a gateway of Istio has no virtual host for an IPv6 address: write a name", domain))
		case !strings.Contains(domain, "."):
			errs = append(errs, fmt.Errorf("domains: %s: Istio takes a host without a dot for a service in the VirtualService's namespace: write a name with its domain", domain))
		case !istioHost.MatchString(domain):
			errs = append(errs, fmt.Errorf("domains: %s: a VirtualService cannot have that host: write labels of letters, digits and hyphens", domain))
		}
	}
	return errors.Join(errs...)
}

// unbufferedBeside says whether an API has signed routes of both kinds: whose bodies are waited for, and whose are not.
func (p *plan) unbufferedBeside(api *gateway.API) bool {
	signed := func(waits bool) bool {
		return slices.ContainsFunc(api.Routes, func(r gateway.Route) bool { return r.Authorization == gateway.IAM && p.needsBody(api, &r) == waits })
	}
	return signed(true) && signed(false)
}

// isEndpoint says whether a host is the default endpoint of an API.
func (m *mesh) isEndpoint(host string) bool {
	return slices.ContainsFunc(m.apis, func(api gateway.API) bool { return slices.Contains(m.endpointHosts(&api), host) })
}

// readLabels reads name=value,…, the value of a flag.
func readLabels(flag, text string) ([]label, error) {
	var labels []label
	for text := range strings.SplitSeq(text, ",") {
		name, value, is := strings.Cut(text, "=")
		if !is || !labelName.MatchString(name) || !labelValue.MatchString(value) {
			return nil, fmt.Errorf("--%s: %q is not a label; write name=value", flag, text)
		}
		if slices.ContainsFunc(labels, func(l label) bool { return l.Name == name }) {
			return nil, fmt.Errorf("--%s: the label %s is given twice", flag, name)
		}
		labels = append(labels, label{name, value})
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.Name, b.Name) })
	return labels, nil
}

// addHost says it of each domain of a virtual host: Istio has one for each host of a Gateway's server.
func (m *mesh) addHost(h *virtualHost) {
	buffered := slices.ContainsFunc(h.Routes, func(r route) bool { return r.Settings != nil && r.Settings.Buffered() })
	for _, domain := range h.Domains {
		for _, port := range m.Mesh.Ports {
			p := patch{
				About: fmt.Sprintf("%s: %s/%s", domain, h.Settings.API, h.Settings.Stage), Settings: h.Settings,
				Host: domain + ":" + strconv.Itoa(port),
			}
			if m.Buffers {
				p.Body = &patch{Host: p.Host, Settings: &settings{}}
				p.Body.Settings.MaxBody, p.Body.Settings.Unbuffered = m.body(buffered)
			}
			m.Patches = append(m.Patches, p)
		}
	}
}

// inSidecar leaves the hosts out: an application's sidecar has one virtual host for all, so that there can be one stage only.
func (m *mesh) inSidecar() error {
	if !m.Mesh.Sidecar {
		return nil
	}
	for _, p := range m.Patches {
		if first := m.Patches[0].Settings; p.Settings.API != first.API || p.Settings.Stage != first.Stage {
			return fmt.Errorf("--istio-sidecar: a sidecar does not tell hosts apart, and %s and %s are two stages: write a portcullis.yaml with one of them, or put portcullis at the gateway",
				m.Patches[0].About, p.About)
		}
	}
	only := m.Patches[0]
	only.About, only.Host = fmt.Sprintf("%s/%s", only.Settings.API, only.Settings.Stage), ""
	said := *only.Settings
	said.Principal, said.Sidecar = m.Mesh.SourcePrincipal, true
	only.Settings = &said
	if only.Body != nil {
		only.Body.Host = ""
	}
	m.Patches = []patch{only}
	return nil
}

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
