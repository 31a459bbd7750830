package envoyconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// namedCluster returns the name of the cluster of an upstream of portcullis.yaml. It differs from all names of clusterOf.
func namedCluster(name string) string { return "routes-" + name }

// addNamed adds the upstreams of portcullis.yaml. TLS verifies the host name, so the address must have one.
func (p *plan) addNamed(upstreams map[string]gateway.Upstream) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(upstreams)) {
		a, err := parseAddress("upstreams."+name, upstreams[name].Address)
		errs = append(errs, err)
		u := upstreams[name]
		p.Named = append(p.Named, upstream{namedCluster(name), a, u.TLSCA, u.PathPrefix, u.Answer(name)})
		if u.PathPrefix != "" && p.KeepBasePath {
			errs = append(errs, fmt.Errorf("--keep-base-path: the upstream %s has a pathPrefix, after which it gets the path without the base path: remove the flag, or the pathPrefix", name))
		}
	}
	return errors.Join(errs...)
}

// checkNamed refuses what would make the upstreams of portcullis.yaml have no effect.
func (p *plan) checkNamed() error {
	var errs []error
	for i := range p.apis {
		api := &p.apis[i]
		if !api.HasUpstreams() {
			continue
		}
		switch p.Target {
		case Istio:
			errs = append(errs, fmt.Errorf("apis[%d].upstream: Istio's routes are not printed here and cannot read the answer of portcullis: remove upstream and route in VirtualServices, or use an Envoy of your own", i))
		case EnvoyGateway:
			errs = append(errs, fmt.Errorf("apis[%d].upstream: HTTPRoutes cannot read the answer of portcullis: remove upstream, or use an Envoy of your own", i))
		case Bootstrap, Filter:
			errs = append(errs, p.checkNamedOnly(api))
		}
	}
	return errors.Join(errs...)
}

// checkNamedOnly refuses an --upstream for an API whose routes have upstreams.
func (p *plan) checkNamedOnly(api *gateway.API) error {
	var errs []error
	for _, s := range api.Stages {
		if _, given := p.UpstreamOf[api.ID+"/"+s.Name]; given {
			errs = append(errs, fmt.Errorf("--upstream %s/%s: the routes of the API have upstreams in portcullis.yaml: remove the flag, or the upstreams", api.ID, s.Name))
		}
	}
	if _, given := p.UpstreamOf[api.ID]; given {
		errs = append(errs, fmt.Errorf("--upstream %s: the routes of the API have upstreams in portcullis.yaml: remove the flag, or the upstreams", api.ID))
	}
	return errors.Join(errs...)
}

// upstreamNames returns the names of the upstreams of an API's routes, sorted.
func upstreamNames(api *gateway.API) []string {
	names := map[string]bool{}
	for i := range api.Routes {
		if name := api.UpstreamOf(&api.Routes[i]); name != "" {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// namedRoutes returns a route for each upstream of a stage's routes, and nil without upstreams. A request matches one of them only
// after the check, because only the answer of portcullis has the name.
func (p *plan) namedRoutes(m mapping, settings settings) []route {
	var routes []route
	for _, name := range upstreamNames(m.api) {
		s := settings
		if slices.ContainsFunc(m.api.Routes, func(r gateway.Route) bool { return p.needsBody(m.api, &r) }) {
			s.MaxBody = p.MaxRequestBytes
		}
		u := p.named(name)
		r := route{
			About: fmt.Sprintf("checked requests of %s with the upstream %s", m.name(), name),
			Match: match{Prefix: m.base, Upstream: u.Answer}, Cluster: u.Name, Strip: p.stripped(m.base), Prefix: u.Prefix,
		}
		if r.Prefix != "" && r.Strip == "" {
			r.Strip = "^/*"
		}
		if s.Extensions() {
			r.Settings = &s
		}
		routes = append(routes, r)
	}
	return routes
}

// named returns an upstream of portcullis.yaml.
func (p *plan) named(name string) upstream {
	return p.Named[slices.IndexFunc(p.Named, func(u upstream) bool { return u.Name == namedCluster(name) })]
}

// allNamed reports whether the routes of all APIs have upstreams.
func allNamed(apis []gateway.API) bool {
	return !slices.ContainsFunc(apis, func(api gateway.API) bool { return !api.HasUpstreams() })
}

// clusters returns the clusters of a stage.
func (p *plan) clusters(m mapping) []string {
	if !m.api.HasUpstreams() {
		return []string{p.cluster(m)}
	}
	names := upstreamNames(m.api)
	for i, name := range names {
		names[i] = namedCluster(name)
	}
	return names
}
