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
	// Name, and a name for its routes.
	Name, Routes string
	Address      address
	// Private says that the APIs behind it are private, and ProxyProtocol that a load balancer says by which VPC endpoint a
	// connection came.
	Private, ProxyProtocol bool
	Hosts                  []virtualHost

	// mappings are the stages by host, the longest base path first, and names the hosts in the order of portcullis.yaml.
	mappings map[string][]mapping
	names    []string
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
	// Strip is a regular expression for the part of the path that the upstream does not get, empty for none.
	Strip string
	// Settings are what portcullis is told of it beyond its virtual host's settings; nil for nothing.
	Settings *settings
}

// settings are those of ext_authz for a route or a virtual host: context extensions, and whether the body is waited for.
type settings struct {
	API, Stage, Transport, Listener string
	// BasePath is the base path that portcullis has to take off, "/" for none. Envoy takes the same off, or leaves it.
	BasePath string
	// Principal says that certificates of clients are verified.
	Principal bool
	// MaxBody is the longest body that Envoy waits for and portcullis is told of; 0 if that is not said here. Unbuffered tells Envoy
	// not to wait.
	MaxBody    int
	Unbuffered bool
}

// Extensions says whether there are context extensions.
func (s *settings) Extensions() bool { return s.API != "" || s.Buffered() }

// Buffered says whether the body is waited for.
func (s *settings) Buffered() bool { return s.MaxBody > 0 }

// mapping is a stage below a base path of a host.
type mapping struct {
	base  string
	api   *gateway.API
	stage string
}

// hosts are the virtual hosts of a listener. Hosts with the same stages below the same base paths are one.
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
	for _, m := range mappings {
		slices.SortStableFunc(m, func(a, b mapping) int { return strings.Count(b.base, "/") - strings.Count(a.base, "/") })
	}
	return mappings, names
}

// endpointBase is the path of a stage on the default endpoint.
func endpointBase(stage string) string {
	if stage == gateway.DefaultStage {
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
		s := settings{API: m.api.ID, Stage: m.stage, BasePath: cmp.Or(m.base, "/"), Transport: p.SecureTransport}
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
	stage, cluster, strip := m.name(), p.cluster(m), p.stripped(m.base)
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

// body is what the settings of a route say of its body: the longest that is waited for, or that none is.
func (p *plan) body(needed bool) (longest int, unbuffered bool) {
	if needed {
		return p.MaxRequestBytes, false
	}
	return 0, p.Buffers
}
