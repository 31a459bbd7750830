package envoyconf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// listener is one of Envoy's listeners.
type listener struct {
	Plan *plan
	// The names of the listener and of its routes.
	Name, Routes string
	Address      address
	// Private reports whether the APIs behind it are private. ProxyProtocol reports whether a load balancer names the
	// VPC endpoint of each connection.
	Private, ProxyProtocol bool
	Hosts                  []virtualHost

	// mappings are the stages by host, the longest base path first. names are the hosts in the order of
	// portcullis.yaml.
	mappings map[string][]mapping
	names    []string
}

// virtualHost is a set of domains that lead to the same stages.
type virtualHost struct {
	Name    string
	Domains []string
	// Settings apply to all routes; nil if there are several stages.
	Settings *settings
	Routes   []route
	// Rest reports whether some paths belong to no stage.
	Rest bool
}

// route is a route of a virtual host.
type route struct {
	// About describes the route.
	About string
	Match match
	// Cluster is the upstream; "" answers 500.
	Cluster string
	// Strip is a regular expression for the part of the path that the upstream does not get, or "".
	Strip string
	// Prefix replaces it, before a slash.
	Prefix string
	// Settings are those beyond the virtual host's; nil for none.
	Settings *settings
}

// Under returns what the upstream gets in place of the part that is stripped.
func (r route) Under() string { return r.Prefix + "/" }

// settings are the ext_authz settings of a route or a virtual host: context extensions, and whether Envoy waits for the
// body.
type settings struct {
	API, Stage, Transport, Listener string
	// BasePath is the base path that portcullis must remove, "/" for none. Envoy removes the same one, or keeps it.
	BasePath string
	// Principal reports whether client certificates are verified, and Sidecar that a sidecar does it.
	Principal, Sidecar bool
	// MaxBody is the longest body that Envoy waits for and sends to portcullis; 0 if not set here. Unbuffered tells
	// Envoy not to wait.
	MaxBody    int
	Unbuffered bool
}

// Extensions reports whether there are context extensions.
func (s *settings) Extensions() bool { return s.API != "" || s.Buffered() }

// Buffered reports whether Envoy waits for the body.
func (s *settings) Buffered() bool { return s.MaxBody > 0 }

// mapping is a stage below a base path of a host.
type mapping struct {
	base  string
	api   *gateway.API
	stage string
}

// hosts returns the virtual hosts of a listener. It merges hosts with the same stages below the same base paths.
func (p *plan) hosts(l *listener) []virtualHost {
	var hosts []virtualHost
	same := map[string]int{}
	for _, name := range l.names {
		m := l.mappings[name]
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

// mappings returns the stages of the public or of the private APIs, by host, and the hosts in the order of
// portcullis.yaml.
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
				p.Notes = append(p.Notes, fmt.Sprintf("stage %s of API %s is left out: it has no domains, so no host leads to it", stage.Name, api.ID))
			}
		}
	}
	for _, m := range mappings {
		slices.SortStableFunc(m, func(a, b mapping) int { return strings.Count(b.base, "/") - strings.Count(a.base, "/") })
	}
	return mappings, names
}

// endpointBase returns the path of a stage on the default endpoint.
func endpointBase(stage string) string {
	if stage == gateway.DefaultStage {
		return ""
	}
	return "/" + stage
}

// endpointHosts returns the names of an API's default endpoint. A private API has one more for each VPC endpoint in
// portcullis.yaml.
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
		s := p.settingsOf(m, l)
		own := s
		if len(mappings) == 1 {
			h.Settings, own = &s, settings{}
		}
		h.Routes = append(h.Routes, p.routes(m, own)...)
		h.Rest = h.Rest && m.base != ""
	}
	return h
}

// settingsOf returns the settings of all routes of a stage.
func (p *plan) settingsOf(m mapping, l *listener) settings {
	s := settings{API: m.api.ID, Stage: m.stage, BasePath: cmp.Or(m.base, "/"), Transport: p.SecureTransport, Principal: p.verifiesClients()}
	if named, is := strings.CutPrefix(p.VPCEndpoints, listenerPrefix); is && l.Private {
		s.Listener = named
	}
	return s
}

// routes returns the routes of a stage. Their settings omit what applies to all routes.
func (p *plan) routes(m mapping, common settings) []route {
	needs := func(r gateway.Route) bool { return p.needsBody(m.api, &r) }
	stage, cluster, strip := m.name(), p.cluster(m), p.stripped(m.base)
	named := p.namedRoutes(m, common)
	if len(named) > 0 {
		cluster, strip = "", ""
	}
	one := func(about string, match match, signed bool) route {
		s := common
		s.MaxBody, s.Unbuffered = p.body(signed)
		r := route{About: about, Match: match, Cluster: cluster, Strip: strip}
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
		return append(named, one(whole, prefix, false))
	}
	routes := named
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

// body returns the body settings of a route: the longest body that Envoy waits for, or that it does not wait.
func (p *plan) body(needed bool) (longest int, unbuffered bool) {
	if needed {
		return p.MaxRequestBytes, false
	}
	return 0, p.Buffers
}
