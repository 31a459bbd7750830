package envoyconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// plan is everything that a configuration says.
type plan struct {
	Options
	apis []gateway.API
	// endpoints are the VPC endpoints of private APIs; endpointPolicies says that one has a policy.
	endpoints        []gateway.VPCEndpoint
	endpointPolicies bool

	AdminAt, PortcullisAt address
	Listeners             []listener
	Upstreams             []upstream
	// Buffers says that a route needs its requests' bodies.
	Buffers bool
	// Notes are what the reader has to know: what portcullis.yaml has and the configuration has not.
	Notes []string
}

// listener is one of Envoy's listeners.
type listener struct {
	Plan *plan
	// Name, and a name for its routes.
	Name, Routes string
	Address      address
	// Private says that the APIs behind it are private, and ProxyProtocol that a load balancer says by which VPC endpoint a
	// connection came.
	Private, ProxyProtocol bool
	Hosts                  []virtualHost
}

// virtualHost are domains that lead to the same stages.
type virtualHost struct {
	Name    string
	Domains []string
	// Settings are what portcullis is told of all routes; nil where there are several stages.
	Settings *settings
	Routes   []route
	// Rest says that there are paths that belong to no stage.
	Rest bool
}

// route is a route of a virtual host.
type route struct {
	// About is what it is for.
	About   string
	Match   match
	Cluster string
	// Settings are what portcullis is told of it beyond its virtual host's settings; nil for nothing.
	Settings *settings
}

// settings are those of ext_authz for a route or a virtual host: context extensions, and whether the body is waited for.
type settings struct {
	API, Stage, Transport, Listener string
	// Buffered tells portcullis that the body is waited for, Unbuffered tells Envoy not to.
	Buffered, Unbuffered bool
}

// Extensions says whether there are context extensions.
func (s *settings) Extensions() bool { return s.API != "" || s.Buffered }

// upstream is a cluster of what is guarded.
type upstream struct {
	Name    string
	Address address
}

// mapping is a stage below a base path of a host.
type mapping struct {
	base  string
	api   *gateway.API
	stage string
}

// newPlan finds out what the configuration says.
func newPlan(c *gateway.Config, o Options) (*plan, error) {
	p := &plan{Options: o, apis: c.APIs, endpoints: c.VPCEndpoints}
	p.endpointPolicies = slices.ContainsFunc(c.VPCEndpoints, func(e gateway.VPCEndpoint) bool { return e.Policy != nil })
	for i := range p.apis {
		api := &p.apis[i]
		p.Buffers = p.Buffers || slices.ContainsFunc(api.Routes, func(r gateway.Route) bool { return p.needsBody(api, &r) })
	}
	err := errors.Join(p.addAddresses(), p.checkPrivate())
	if err != nil {
		return nil, err
	}
	return p, p.addListeners()
}

func (p *plan) addAddresses() error {
	var errs []error
	take := func(a address, err error) address {
		errs = append(errs, err)
		return a
	}
	p.AdminAt = take(parseListener("admin", p.Admin))
	if !p.AdminAt.Local() && p.AdminAt.isIP() {
		errs = append(errs, fmt.Errorf("--admin: %q can be reached from outside, and whoever reaches it can stop Envoy: write a loopback address", p.Admin))
	}
	p.PortcullisAt = take(parseAddress("portcullis", p.Portcullis))
	if p.PortcullisTLS.CA != "" && !p.PortcullisAt.Resolved() {
		errs = append(errs, fmt.Errorf("--portcullis-ca: the name of portcullis' certificate is that of its address: write --portcullis name:port"))
	}
	p.Upstreams = []upstream{{"upstream", take(parseAddress("upstream", p.Upstream))}}
	for _, id := range slices.Sorted(maps.Keys(p.UpstreamOf)) {
		if !slices.ContainsFunc(p.apis, func(api gateway.API) bool { return api.ID == id }) {
			errs = append(errs, fmt.Errorf("--upstream: portcullis.yaml has no API %q", id))
		}
		p.Upstreams = append(p.Upstreams, upstream{"upstream-" + id, take(parseAddress("upstream", p.UpstreamOf[id]))})
	}
	return errors.Join(errs...)
}

// cluster is the upstream of an API.
func (p *plan) cluster(api *gateway.API) string {
	if _, own := p.UpstreamOf[api.ID]; own {
		return "upstream-" + api.ID
	}
	return "upstream"
}

func isPrivate(api gateway.API) bool { return api.Private }

func (p *plan) allPrivate() bool {
	return !slices.ContainsFunc(p.apis, func(api gateway.API) bool { return !api.Private })
}

// checkPrivate refuses a way to tell VPC endpoints apart that portcullis.yaml says nothing of.
func (p *plan) checkPrivate() error {
	i := slices.IndexFunc(p.apis, isPrivate)
	if i < 0 {
		return nil
	}
	at := fmt.Sprintf("apis[%d].endpoint: PRIVATE", i)
	name, byListener := strings.CutPrefix(p.VPCEndpoints, listenerPrefix)
	lists := func(e gateway.VPCEndpoint) bool { return slices.Contains(e.Listeners, name) }
	mapped := func(e gateway.VPCEndpoint) bool { return len(e.Networks) > 0 }
	switch {
	case byListener && !slices.ContainsFunc(p.endpoints, lists):
		return fmt.Errorf("%s: --vpc-endpoints %s: no entry of vpcEndpoints lists the listener %q", at, p.VPCEndpoints, name)
	case p.VPCEndpoints == networks && !slices.ContainsFunc(p.endpoints, mapped):
		return fmt.Errorf("%s: --vpc-endpoints networks: no entry of vpcEndpoints has networks", at)
	case byListener && p.Target == Istio && !p.allPrivate():
		return fmt.Errorf("%s: --vpc-endpoints %s: the workload's other APIs are public, and who calls them would count as one who came by the VPC endpoint: give private APIs a gateway of their own", at, p.VPCEndpoints)
	case p.VPCEndpoints == proxyProtocol && p.Target == Istio:
		return fmt.Errorf("%s: Istio cannot hand on the TLV of the PROXY protocol's header: write --vpc-endpoints networks or listener:NAME, or put portcullis at an Envoy of your own", at)
	}
	return nil
}

// addListeners shares the APIs out: private ones, where there are others, have a listener of their own.
func (p *plan) addListeners() error {
	private := slices.ContainsFunc(p.apis, isPrivate)
	public := !p.allPrivate()
	if p.Target == Bootstrap && private && public && p.PrivateListen == "" {
		return errors.New("--private-listen: private APIs need a listener of their own beside the public ones': write its address")
	}
	if p.PrivateListen != "" && (!private || !public) {
		return errors.New("--private-listen: it is for private APIs beside public ones: write --listen")
	}
	var errs []error
	if public {
		errs = append(errs, p.addListener("http", "listen", p.Listen, false))
	}
	switch {
	case private && public:
		errs = append(errs, p.addListener("private", "private-listen", p.PrivateListen, true))
	case private:
		errs = append(errs, p.addListener("http", "listen", p.Listen, true))
	}
	if !slices.ContainsFunc(p.Listeners, func(l listener) bool { return len(l.Hosts) > 0 }) {
		errs = append(errs, errors.New("apis: no stage has domains, and no API an executeApiEndpoint: there is no host to route"))
	}
	return errors.Join(errs...)
}

func (p *plan) addListener(name, flag, at string, private bool) error {
	l := listener{Plan: p, Name: name, Routes: "apis", Private: private, ProxyProtocol: private && p.VPCEndpoints == proxyProtocol}
	if p.TLS.Cert != "" && name == "http" {
		l.Name = "https"
	}
	if name == "private" {
		l.Routes = "private-apis"
	}
	var err error
	if at != "" {
		l.Address, err = parseListener(flag, at)
	}
	l.Hosts = p.hosts(&l)
	p.Listeners = append(p.Listeners, l)
	return err
}

// hosts are the virtual hosts of a listener. Hosts with the same stages below the same base paths are one.
func (p *plan) hosts(l *listener) []virtualHost {
	mappings, names := p.mappings(l.Private)
	var hosts []virtualHost
	same := map[string]int{}
	for _, name := range names {
		m := mappings[name]
		slices.SortStableFunc(m, func(a, b mapping) int { return strings.Count(b.base, "/") - strings.Count(a.base, "/") })
		var key strings.Builder
		for _, m := range m {
			fmt.Fprintf(&key, "%s %s %s\n", m.base, m.api.ID, m.stage)
		}
		if i, found := same[key.String()]; found {
			hosts[i].Domains = append(hosts[i].Domains, name)
			continue
		}
		same[key.String()] = len(hosts)
		hosts = append(hosts, p.host(name, m, l))
	}
	return hosts
}

// mappings are the stages of the public or of the private APIs, by host, and the hosts in the order of portcullis.yaml.
func (p *plan) mappings(private bool) (map[string][]mapping, []string) {
	mappings := map[string][]mapping{}
	var names []string
	add := func(host, base string, m mapping) {
		if _, known := mappings[host]; !known {
			names = append(names, host)
		}
		m.base = base
		mappings[host] = append(mappings[host], m)
	}
	for i := range p.apis {
		api := &p.apis[i]
		if api.Private != private {
			continue
		}
		for _, stage := range api.Stages {
			m := mapping{api: api, stage: stage.Name}
			for _, domain := range stage.Domains {
				host, base, based := strings.Cut(strings.ToLower(domain), "/")
				if based {
					base = domain[len(host):]
				}
				add(host, base, m)
			}
			for _, host := range p.endpointHosts(api) {
				add(host, endpointBase(stage.Name), m)
			}
			if len(stage.Domains) == 0 && !api.ExecuteAPIEndpoint {
				p.Notes = append(p.Notes, fmt.Sprintf("stage %s of API %s is not here: it has no domains, so that no host leads to it", stage.Name, api.ID))
			}
		}
	}
	return mappings, names
}

// endpointBase is the path of a stage on the default endpoint.
func endpointBase(stage string) string {
	if stage == "$default" {
		return ""
	}
	return "/" + stage
}

// endpointHosts are the names of an API's default endpoint. The VPC endpoints that portcullis.yaml lists have each a name for
// a private API.
func (p *plan) endpointHosts(api *gateway.API) []string {
	if !api.ExecuteAPIEndpoint {
		return nil
	}
	name := api.ExecuteAPIHost()
	hosts := []string{name}
	if !api.Private {
		return hosts
	}
	for _, e := range p.endpoints {
		if e.ID != "" {
			hosts = append(hosts, api.ID+"-"+e.ID+strings.TrimPrefix(name, api.ID))
		}
	}
	return hosts
}

func (p *plan) host(name string, mappings []mapping, l *listener) virtualHost {
	h := virtualHost{Name: name, Domains: []string{name}, Rest: true}
	for _, m := range mappings {
		s := settings{API: m.api.ID, Stage: m.stage, Transport: p.SecureTransport}
		if named, is := strings.CutPrefix(p.VPCEndpoints, listenerPrefix); is && l.Private {
			s.Listener = named
		}
		own := s
		if len(mappings) == 1 {
			h.Settings, own = &s, settings{}
		}
		h.Routes = append(h.Routes, p.routes(m, own)...)
		h.Rest = h.Rest && m.base != ""
	}
	return h
}

// routes are the routes of a stage, each with settings of which whose are set for all of them are left out.
func (p *plan) routes(m mapping, common settings) []route {
	needs := func(r gateway.Route) bool { return p.needsBody(m.api, &r) }
	stage := m.api.ID + "/" + m.stage
	cluster := p.cluster(m.api)
	one := func(about string, match match, signed bool) route {
		s := common
		s.Buffered, s.Unbuffered = signed, !signed && p.Buffers
		r := route{About: about, Match: match, Cluster: cluster}
		if s != (settings{}) {
			r.Settings = &s
		}
		return r
	}
	prefix, whole := match{Prefix: m.base}, ""
	if common != (settings{}) {
		whole = "all of " + stage
	}
	if !slices.ContainsFunc(m.api.Routes, needs) {
		return []route{one(whole, prefix, false)}
	}
	var routes []route
	if slices.ContainsFunc(m.api.Routes, func(r gateway.Route) bool { return !needs(r) }) {
		for _, e := range p.exceptions(m.api, m.base) {
			about := fmt.Sprintf("%s %s of %s: %s", e.route.Method, e.route.Resource, stage, e.route.Authorization)
			for _, match := range e.matches() {
				routes = append(routes, one(about, match, e.signed))
			}
		}
		return append(routes, one("all other routes of "+stage, prefix, true))
	}
	return append(routes, one(whole, prefix, true))
}
