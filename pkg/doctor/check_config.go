package doctor

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// expected is what a configuration of portcullis needs of Envoy.
type expected struct {
	// hosts are the stages of each host, the longest base path first.
	hosts map[string][]stage
	// mapped are the names of headers that portcullis sets for upstreams, in lower case.
	mapped map[string]bool
	// signs reports whether a route of any API needs bodies.
	signs bool
}

// stage is a stage of an API below a base path.
type stage struct {
	api, name, base string
	// needs reports whether all routes, or some, need the body.
	all, some bool
}

// expect returns what a configuration needs, nil without one.
func expect(c *gateway.Config) *expected {
	if c == nil {
		return nil
	}
	x := &expected{hosts: map[string][]stage{}, mapped: map[string]bool{}}
	endpointPolicies := slices.ContainsFunc(c.VPCEndpoints, func(v gateway.VPCEndpoint) bool { return v.Policy != nil })
	for i := range c.APIs {
		x.add(&c.APIs[i], endpointPolicies, c.VPCEndpoints)
	}
	for _, stages := range x.hosts {
		slices.SortStableFunc(stages, func(a, b stage) int { return cmp.Compare(strings.Count(b.base, "/"), strings.Count(a.base, "/")) })
	}
	return x
}

// add adds the hosts of an API.
func (x *expected) add(api *gateway.API, endpointPolicies bool, endpoints []gateway.VPCEndpoint) {
	some, all := false, true
	for _, r := range api.Routes {
		// An upload that is not buffered can have a signature that does not cover the body.
		needs := r.Authorization == gateway.IAM && !r.Signatures.UnsignedPayload || api.Private && endpointPolicies
		some, all = some || needs, all && needs
		x.signs = x.signs || needs || r.Authorization == gateway.IAM
		for _, h := range r.UpstreamHeaders {
			x.mapped[strings.ToLower(h.Name)] = true
		}
	}
	for _, h := range api.UpstreamHeaders {
		x.mapped[strings.ToLower(h.Name)] = true
	}
	for _, s := range api.Stages {
		one := stage{api: api.ID, name: s.Name, some: some, all: all}
		for _, domain := range s.Domains {
			host, _, based := strings.Cut(strings.ToLower(domain), "/")
			if one.base = ""; based {
				one.base = domain[len(host):]
			}
			x.hosts[host] = append(x.hosts[host], one)
		}
		if one.base = ""; s.Name != gateway.DefaultStage {
			one.base = "/" + s.Name
		}
		for _, host := range endpointHosts(api, endpoints) {
			x.hosts[host] = append(x.hosts[host], one)
		}
	}
}

// endpointHosts returns the names of an API's default endpoint.
func endpointHosts(api *gateway.API, endpoints []gateway.VPCEndpoint) []string {
	if !api.ExecuteAPIEndpoint {
		return nil
	}
	name := api.ExecuteAPIHost()
	hosts := []string{name}
	for _, v := range endpoints {
		if api.Private && v.ID != "" {
			hosts = append(hosts, api.ID+"-"+v.ID+strings.TrimPrefix(name, api.ID))
		}
	}
	return hosts
}

// stagesOf returns the stages of the domains of a virtual host.
func (x *expected) stagesOf(host any) []stage {
	var all []stage
	for _, d := range listAt(host, "domains") {
		domain, _ := d.(string)
		all = append(all, x.hosts[hostOf(domain)]...)
	}
	return all
}

// hostOf returns a domain in lower case without its port.
func hostOf(domain string) string {
	if i := strings.LastIndexByte(domain, ':'); i > strings.LastIndexByte(domain, ']') {
		domain = domain[:i]
	}
	return strings.ToLower(domain)
}

// expectBody finds routes of a stage that needs every body and does not get it. A stage of which only some routes need
// it has routes that do not.
func (e *examination) expectBody(r *route, s check) {
	if e.expected == nil {
		return
	}
	for _, st := range e.expected.stagesOf(r.host) {
		if st.all && !s.has("portcullis.body") && strings.HasPrefix(st.base, prefixOf(r.own)) {
			e.report(ruleNoMark, r.where, r.path, "every route of %s/%s needs the body, and portcullis.body is not set", st.api, st.name)
		}
	}
	waits, _ := s.buffered(s.extAuthz())
	if waits && !e.expected.signs {
		e.report(ruleNeedlessBody, r.where, r.path, "Envoy waits for the body")
	}
}

// prefixOf returns the base path that a route can be of: its prefix without a trailing slash.
func prefixOf(r any) string {
	for _, kind := range []string{"path_separated_prefix", "prefix"} {
		if text := textAt(r, "match", kind); text != "" {
			return strings.TrimSuffix(text, "/")
		}
	}
	return ""
}

// mapped finds headers that routes change and portcullis sets.
func (e *examination) mapped(r *route) {
	if e.expected == nil {
		return
	}
	for _, at := range r.levels {
		var names []string
		for _, h := range listAt(at.tree, "request_headers_to_add") {
			names = append(names, textAt(h, "header", "key"))
		}
		for _, h := range listAt(at.tree, "request_headers_to_remove") {
			name, _ := h.(string)
			names = append(names, name)
		}
		for _, name := range names {
			if e.expected.mapped[strings.ToLower(name)] {
				e.report(ruleMapped, at.where, at.path, "%s is a header that portcullis sets", name)
			}
		}
	}
}

// compare finds hosts of one side that the other does not have, and stages without a buffered route.
func (e *examination) compare() {
	if e.expected == nil || len(e.guarded) == 0 {
		return
	}
	routed, marked, wild := map[string]bool{}, map[string]bool{}, false
	for _, m := range e.guarded {
		for _, table := range m.tables {
			routesOf(table, func(r route) {
				if !r.forwards() {
					return
				}
				checks, _ := m.checks(&r)
				for _, d := range listAt(r.host, "domains") {
					domain, _ := d.(string)
					host := hostOf(domain)
					routed[host], wild = true, wild || strings.Contains(host, "*")
					marked[host] = marked[host] || slices.ContainsFunc(checks, func(c check) bool { return c.has("portcullis.body") })
					if e.expected.hosts[host] == nil && !strings.Contains(host, "*") {
						e.report(ruleUnknownHost, r.levels[1].where, r.levels[1].path, "%q is not a domain of portcullis.yaml", domain)
					}
				}
			})
		}
	}
	for _, host := range sortedKeys(e.expected.hosts) {
		if !routed[host] && !wild {
			e.report(ruleUnrouted, "envoy", "", "no virtual host has the domain %q", host)
		}
		needs := slices.ContainsFunc(e.expected.hosts[host], func(s stage) bool { return s.some })
		if routed[host] && needs && !marked[host] {
			e.report(ruleNoMark, "virtual host of "+host, "", "routes of %s have AWS_IAM, and no route of Envoy has portcullis.body", host)
		}
	}
}
