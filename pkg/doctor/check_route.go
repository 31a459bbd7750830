package doctor

import (
	"slices"
	"strings"
)

// table applies the rules of routes.
func (e *examination) table(m *manager, table entry) {
	routesOf(table, func(r route) {
		if r.forwards() {
			e.route(m, &r)
		}
	})
	e.unapplied(m, table)
	e.portInHost(table)
}

// route applies the rules of one route that forwards.
func (e *examination) route(m *manager, r *route) {
	checks, off := m.checks(r)
	if len(checks) == 0 {
		e.unchecked(r, off)
		return
	}
	action := get(r.own, "route")
	if name := textAt(action, "cluster_header"); name != "" {
		e.report(ruleClusterHeader, r.where, r.path, "the header %s names the cluster", name)
	}
	e.mapped(r)
	for _, c := range checks {
		for _, name := range []string{"portcullis.api", "portcullis.stage"} {
			if !c.has(name) {
				e.report(ruleNoAPI, r.where, r.path, "%s is not set", name)
			}
		}
		e.bodyOf(r, c)
		e.outerTimeouts(c.filter, r)
		e.principal(m, c)
		e.expectBody(r, c)
	}
}

// unchecked reports a route for which no filter runs.
func (e *examination) unchecked(r *route, c check) {
	switch {
	case c.off != nil:
		e.report(ruleRouteOff, r.where, c.off.path, "the filter %q is disabled for the route, at %s", c.name, c.off.where)
	case c.settings.disabled != nil:
		e.report(ruleRouteOff, r.where, c.settings.disabled.path, "ExtAuthzPerRoute has disabled: true, at %s", c.settings.disabled.where)
	default:
		e.report(ruleOff, r.where, r.path, "the filter %q is disabled: true in the listener, and the route does not switch it on", c.name)
	}
}

// bodyOf compares what a route declares of the body with what Envoy does.
func (e *examination) bodyOf(r *route, s check) {
	waits, byRoute := s.buffered(s.extAuthz())
	e.bodySettings(get(s.check, "with_request_body"), s.at.where, s.at.path)
	if byRoute && get(s.extAuthz(), "with_request_body") == nil {
		e.report(ruleTextBody, r.where, s.at.path, "the route has with_request_body, and the filter has none")
	}
	if !s.has("portcullis.body") {
		return
	}
	at := s.extensions["portcullis.body"]
	switch {
	case !waits:
		e.report(ruleUnbuffered, r.where, at.path, "portcullis.body is set, and Envoy does not wait for the body")
	case !byRoute:
		e.report(ruleFilterBuffered, r.where, at.path, "portcullis.body is set, and only the filter has with_request_body")
	}
	if at.path == r.levels[0].path || at.path == r.levels[1].path {
		e.report(ruleWideMark, at.where, at.path, "portcullis.body is set here, and not on the routes")
	}
}

// unapplied finds settings of ext_authz that no filter of the listener has the name for.
func (e *examination) unapplied(m *manager, table entry) {
	levelsOf(table, func(at level) {
		var unknown []string
		for name, config := range objectAt(at.tree, perFilter) {
			if _, config = unwrapped(config); !isType(config, typePerRoute) {
				continue
			}
			if slices.ContainsFunc(m.filters, func(f filter) bool { return f.name == name }) || e.usedElsewhere(m, table, name) {
				return // the same settings may stand under each of the names that a filter can get
			}
			if marks(config) || isTrue(config, "disabled") {
				unknown = append(unknown, name)
			}
		}
		for _, name := range slices.Sorted(slices.Values(unknown)) {
			e.report(ruleUnapplied, at.where, at.path, "%q is not a filter of %s; the filter is %q", name, m.where, m.ours[0].name)
		}
	})
}

// usedElsewhere reports whether another listener with the table has the filter.
func (e *examination) usedElsewhere(m *manager, table entry, name string) bool {
	return slices.ContainsFunc(e.all, func(other *manager) bool {
		return other != m && slices.ContainsFunc(other.tables, func(t entry) bool { return t.path == table.path }) &&
			slices.ContainsFunc(other.filters, func(f filter) bool { return f.name == name })
	})
}

// portInHost finds hosts that a Host header with a port does not reach.
func (e *examination) portInHost(table entry) {
	if isTrue(table.tree, "ignore_port_in_host_matching") {
		return
	}
	for _, host := range listAt(table.tree, "virtual_hosts") {
		for _, d := range listAt(host, "domains") {
			if domain, _ := d.(string); domain != "*" && !strings.HasSuffix(domain, "*") && !strings.Contains(strings.TrimPrefix(domain, "["), ":") {
				e.report(rulePort, tableLevel(table).where, table.path, "%q has no port", domain)
				return
			}
		}
	}
}

// principal finds client certificates that count without being verified.
func (e *examination) principal(m *manager, s check) {
	tls := get(m.chain, "transport_socket", "typed_config")
	if !s.has("portcullis.sourcePrincipal") || !isType(tls, ".DownstreamTlsContext") {
		return // without TLS there is no principal
	}
	if common := get(tls, "common_tls_context"); !verifiesPeer(common) {
		e.report(rulePrincipal, m.where, m.path, "portcullis.sourcePrincipal is set at %s, and the TLS of the filter chain verifies no client certificate", s.extensions["portcullis.sourcePrincipal"].where)
	}
}

// verifiesPeer reports whether a CommonTlsContext verifies the certificate of the other side against authorities.
func verifiesPeer(common any) bool {
	for _, path := range [][]string{{"validation_context"}, {"combined_validation_context", "default_validation_context"}} {
		if textAt(common, append(path, "trust_chain_verification")...) == "ACCEPT_UNTRUSTED" {
			return false
		}
	}
	for _, path := range [][]string{
		{"validation_context", "trusted_ca"}, {"validation_context", "ca_certificate_provider_instance"}, {"validation_context", "system_root_certs"},
		{"validation_context", "custom_validator_config"}, {"validation_context_sds_secret_config"},
		{"combined_validation_context", "validation_context_sds_secret_config"}, {"combined_validation_context", "default_validation_context", "trusted_ca"},
	} {
		if get(common, path...) != nil {
			return true
		}
	}
	return false
}
