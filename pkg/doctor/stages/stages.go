// Package stages lists what a configuration of portcullis needs of Envoy: the hosts of each stage, the bodies and the
// headers.
package stages

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Hosts is what a configuration of portcullis needs of Envoy.
type Hosts struct {
	// ByName are the stages of each host, the longest base path first.
	ByName map[string][]Stage
	// Mapped are the names of headers that portcullis sets for upstreams, in lower case.
	Mapped map[string]bool
	// Signs reports whether a route of any API needs bodies.
	Signs bool
}

// Stage is a stage of an API below a base path.
type Stage struct {
	API, Name, Base string
	// All and Some report whether all routes, or some, need the body.
	All, Some bool
}

// Of returns what a configuration needs, nil without one.
func Of(c *gateway.Config) *Hosts {
	if c == nil {
		return nil
	}
	x := &Hosts{ByName: map[string][]Stage{}, Mapped: map[string]bool{}}
	endpointPolicies := slices.ContainsFunc(c.VPCEndpoints, func(v gateway.VPCEndpoint) bool { return v.Policy != nil })
	for i := range c.APIs {
		x.add(&c.APIs[i], endpointPolicies, c.VPCEndpoints)
	}
	for _, stages := range x.ByName {
		slices.SortStableFunc(stages, func(a, b Stage) int { return cmp.Compare(strings.Count(b.Base, "/"), strings.Count(a.Base, "/")) })
	}
	return x
}

// add adds the hosts of an API.
func (x *Hosts) add(api *gateway.API, endpointPolicies bool, endpoints []gateway.VPCEndpoint) {
	some, all := false, true
	for _, r := range api.Routes {
		// An upload that is not buffered can have a signature that does not cover the body.
		needs := r.Authorization == gateway.IAM && !r.Signatures.UnsignedPayload || api.Private && endpointPolicies
		some, all = some || needs, all && needs
		x.Signs = x.Signs || needs || r.Authorization == gateway.IAM
		for _, h := range r.UpstreamHeaders {
			x.Mapped[strings.ToLower(h.Name)] = true
		}
	}
	for _, h := range api.UpstreamHeaders {
		x.Mapped[strings.ToLower(h.Name)] = true
	}
	for _, s := range api.Stages {
		one := Stage{API: api.ID, Name: s.Name, Some: some, All: all}
		for _, domain := range s.Domains {
			host, _, based := strings.Cut(strings.ToLower(domain), "/")
			if one.Base = ""; based {
				one.Base = domain[len(host):]
			}
			x.ByName[host] = append(x.ByName[host], one)
		}
		if one.Base = ""; s.Name != gateway.DefaultStage {
			one.Base = "/" + s.Name
		}
		for _, host := range endpointHosts(api, endpoints) {
			x.ByName[host] = append(x.ByName[host], one)
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

// OfDomains returns the stages of the domains of a virtual host.
func (x *Hosts) OfDomains(host any) []Stage {
	var all []Stage
	for _, d := range tree.ListAt(host, "domains") {
		domain, _ := d.(string)
		all = append(all, x.ByName[HostOf(domain)]...)
	}
	return all
}

// HostOf returns a domain in lower case without its port.
func HostOf(domain string) string {
	if i := strings.LastIndexByte(domain, ':'); i > strings.LastIndexByte(domain, ']') {
		domain = domain[:i]
	}
	return strings.ToLower(domain)
}

// BasePath returns the value of portcullis.basePath.
func (s *Stage) BasePath() string {
	if s.Base == "" {
		return "/"
	}
	return s.Base
}
