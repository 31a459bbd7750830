package envoyconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// plan is the content of a configuration.
type plan struct {
	Options
	apis []gateway.API
	// endpoints are the VPC endpoints of private APIs. endpointPolicies reports whether one has a policy.
	endpoints        []gateway.VPCEndpoint
	endpointPolicies bool

	AdminAt, PortcullisAt, listenAt, privateListenAt address

	Listeners []listener
	Upstreams []upstream
	// Named are the upstreams of portcullis.yaml, which routes name.
	Named []upstream
	// addresses are the addresses of the Upstreams and of Named, by name of the cluster.
	addresses map[string]string
	// Buffers reports whether a route needs the bodies of its requests.
	Buffers bool
	// Notes tell the reader what the configuration lacks.
	Notes []string
}

// upstream is a cluster that portcullis guards.
type upstream struct {
	Name    string
	Address address
	// CA is the PEM file of the authorities to trust for it; empty for a connection that is not encrypted.
	CA string
	// Prefix stands before the client's path in the upstream's requests.
	Prefix string
	// Answer is the text in portcullis' answer that names it; empty for an upstream of --upstream.
	Answer string
}

// newPlan returns the plan of the APIs and options.
func newPlan(c *gateway.Config, o Options) (*plan, error) {
	p := &plan{Options: o, apis: c.APIs, endpoints: c.VPCEndpoints}
	p.endpointPolicies = slices.ContainsFunc(c.VPCEndpoints, func(e gateway.VPCEndpoint) bool { return e.Policy != nil })
	for i := range p.apis {
		api := &p.apis[i]
		p.Buffers = p.Buffers || slices.ContainsFunc(api.Routes, func(r gateway.Route) bool { return p.needsBody(api, &r) })
	}
	err := errors.Join(p.addNamed(c.Upstreams), p.addAddresses(), p.checkNamed(), p.checkUpstreams(), p.checkPrivate())
	if err != nil {
		return nil, err
	}
	p.noteTimeout()
	return p, p.addListeners()
}

// noteTimeout warns if a check may need more time than it gets.
func (p *plan) noteTimeout() {
	if need := longestCheck(p.apis); p.Timeout < need && need > checkTime {
		p.Notes = append(p.Notes, fmt.Sprintf("--timeout %v is less than the %v that the authorizers may need, and Envoy answers 503 if a check takes longer: remove it, or reduce the authorizers' timeouts", p.Timeout, need))
	}
}

// addAddresses parses the addresses in the options.
func (p *plan) addAddresses() error {
	var errs []error
	take := func(a address, err error) address {
		errs = append(errs, err)
		return a
	}
	p.listenAt = take(parseListener("listen", p.Listen))
	if p.PrivateListen != "" {
		p.privateListenAt = take(parseListener("private-listen", p.PrivateListen))
	}
	p.AdminAt = take(parseListener("admin", p.Admin))
	if !p.AdminAt.Local() && p.AdminAt.isIP() {
		errs = append(errs, fmt.Errorf("--admin: %q can be reached from outside, and anyone who reaches it can stop Envoy: write a loopback address", p.Admin))
	}
	p.PortcullisAt = take(parseAddress("portcullis", p.Portcullis))
	if p.PortcullisTLS.CA != "" && !p.PortcullisAt.Resolved() {
		errs = append(errs, fmt.Errorf("--portcullis-ca: the address must have the host name in portcullis' certificate: write --portcullis name:port"))
	}
	p.Upstreams = []upstream{{Name: "upstream", Address: take(parseAddress("upstream", p.Upstream))}}
	for _, of := range slices.Sorted(maps.Keys(p.UpstreamOf)) {
		p.Upstreams = append(p.Upstreams, upstream{Name: clusterOf(of), Address: take(parseAddress("upstream", p.UpstreamOf[of]))})
	}
	if allNamed(p.apis) {
		p.Upstreams = nil // checkNamed refuses the flags
	}
	p.addresses = map[string]string{}
	for _, u := range slices.Concat(p.Upstreams, p.Named) {
		p.addresses[u.Name] = u.Address.canonical()
	}
	return errors.Join(errs...)
}

// checkUpstreams refuses upstreams of unknown APIs or stages.
func (p *plan) checkUpstreams() error {
	var errs []error
	for _, of := range slices.Sorted(maps.Keys(p.UpstreamOf)) {
		errs = append(errs, p.checkUpstreamOf(of))
	}
	return errors.Join(errs...)
}

// checkUpstreamOf refuses an unknown API or stage.
func (p *plan) checkUpstreamOf(name string) error {
	id, stage, staged := strings.Cut(name, "/")
	i := slices.IndexFunc(p.apis, func(api gateway.API) bool { return api.ID == id })
	if i < 0 {
		return fmt.Errorf("--upstream: portcullis.yaml has no API %q", id)
	}
	if staged && !slices.ContainsFunc(p.apis[i].Stages, func(s gateway.Stage) bool { return s.Name == stage }) {
		return fmt.Errorf("--upstream: API %s has no stage %q", id, stage)
	}
	return nil
}

// clusterOf returns the name of the cluster of an API or a stage.
func clusterOf(name string) string { return "upstream-" + strings.Replace(name, "/", "-", 1) }

// cluster returns the name of a stage's upstream: its own, its API's, or the default.
func (p *plan) cluster(m mapping) string {
	for _, name := range []string{m.name(), m.api.ID} {
		if _, own := p.UpstreamOf[name]; own {
			return clusterOf(name)
		}
	}
	return "upstream"
}

// upstreamsOf returns the upstreams of a stage. They are identified by address: clusters with one address are one upstream.
func (p *plan) upstreamsOf(m mapping) []string {
	var all []string
	for _, cluster := range p.clusters(m) {
		if a := p.addresses[cluster]; !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func isPrivate(api gateway.API) bool { return api.Private }

func (p *plan) allPrivate() bool {
	return !slices.ContainsFunc(p.apis, func(api gateway.API) bool { return !api.Private })
}

// checkPrivate refuses a way to find VPC endpoints that portcullis.yaml does not configure.
func (p *plan) checkPrivate() error {
	i := slices.IndexFunc(p.apis, isPrivate)
	if i < 0 {
		return nil
	}
	at := fmt.Sprintf("apis[%d].endpoint: PRIVATE", i)
	name, byListener := strings.CutPrefix(p.VPCEndpoints, listenerPrefix)
	lists := func(e gateway.VPCEndpoint) bool { return slices.Contains(e.Listeners, name) }
	mapped := func(e gateway.VPCEndpoint) bool { return len(e.Networks) > 0 }
	known := func(e gateway.VPCEndpoint) bool { return len(e.Principals) > 0 }
	switch {
	case byListener && !slices.ContainsFunc(p.endpoints, lists):
		return fmt.Errorf("%s: --vpc-endpoints %s: no entry of vpcEndpoints lists the listener %q", at, p.VPCEndpoints, name)
	case p.VPCEndpoints == networks && !slices.ContainsFunc(p.endpoints, mapped):
		return fmt.Errorf("%s: --vpc-endpoints networks: no entry of vpcEndpoints has networks", at)
	case p.VPCEndpoints == principals && !slices.ContainsFunc(p.endpoints, known):
		return fmt.Errorf("%s: --vpc-endpoints principals: no entry of vpcEndpoints has principals", at)
	case byListener && (p.Target == Istio || p.Target == EnvoyGateway) && !p.allPrivate():
		return fmt.Errorf("%s: --vpc-endpoints %s: the workload's other APIs are public, and their callers would count as coming through the VPC endpoint: give private APIs a gateway of their own", at, p.VPCEndpoints)
	case p.VPCEndpoints == proxyProtocol && p.Target == EnvoyGateway:
		return fmt.Errorf("%s: Envoy Gateway cannot forward the TLV of the PROXY protocol header: write --vpc-endpoints networks or listener:NAME, or use an Envoy of your own", at)
	case p.VPCEndpoints == proxyProtocol && p.Target == Istio:
		return fmt.Errorf("%s: Istio cannot forward the TLV of the PROXY protocol header: write --vpc-endpoints networks, listener:NAME or principals, or use an Envoy of your own", at)
	}
	return nil
}

// addListeners assigns APIs to listeners. Private APIs get their own listener if there are public ones.
func (p *plan) addListeners() error {
	private := slices.ContainsFunc(p.apis, isPrivate)
	public := !p.allPrivate()
	if p.Target == Bootstrap && private && public && p.PrivateListen == "" {
		return errors.New("--private-listen: private APIs need a listener of their own if others are public: write its address")
	}
	if p.PrivateListen != "" && (!private || !public) {
		return errors.New("--private-listen: it requires both private and public APIs: write --listen")
	}
	if public {
		p.addListener("http", p.listenAt, false)
	}
	switch {
	case private && public:
		p.addListener("private", p.privateListenAt, true)
	case private:
		p.addListener("http", p.listenAt, true)
	}
	if !slices.ContainsFunc(p.Listeners, func(l listener) bool { return len(l.Hosts) > 0 }) {
		return errors.New("apis: no stage has domains and no API has executeApiEndpoint, so Envoy has nothing to route: write one")
	}
	return nil
}

func (p *plan) addListener(name string, at address, private bool) {
	l := listener{Plan: p, Name: name, Address: at, Routes: "apis", Private: private, ProxyProtocol: private && p.VPCEndpoints == proxyProtocol}
	if p.TLS.Cert != "" && name == "http" {
		l.Name = "https"
	}
	if private {
		// The name differs from that of public APIs, because connections of an earlier public listener must not use
		// what these routes attest.
		l.Routes = "private-apis"
	}
	l.mappings, l.names = p.mappings(private)
	l.Hosts = p.hosts(&l)
	p.Listeners = append(p.Listeners, l)
}
