package doctor

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// table applies the rules of routes.
func (e *examination) table(m *dump.Manager, table dump.Entry) {
	dump.RoutesOf(table, func(r dump.Route) {
		if r.Forwards() {
			e.route(m, &r)
		}
	})
	e.unapplied(m, table)
	e.portInHost(table)
	e.tableSettings(table)
}

// route applies the rules of one route that forwards.
func (e *examination) route(m *dump.Manager, r *dump.Route) {
	checks, off := m.Checks(r)
	if len(checks) == 0 {
		e.unchecked(r, off)
		return
	}
	e.action(r)
	e.mapped(r)
	for _, c := range checks {
		e.otherService(r, c)
		e.unknownSettings(c)
		for _, name := range []string{"portcullis.api", "portcullis.stage"} {
			if !c.Has(name) {
				e.Report(rulebook.NoAPI, r.Where, r.Path, "%s is not set", name)
			}
		}
		e.bodyOf(r, c)
		e.outerTimeouts(c.Filter, r)
		e.principal(m, c)
		e.expectBody(r, c)
	}
}

// settings are the context extensions that portcullis knows.
var settings = []string{"portcullis.api", "portcullis.basePath", "portcullis.body", "portcullis.headers", "portcullis.listener", "portcullis.secureTransport", "portcullis.sourcePrincipal", "portcullis.stage"}

// unknownSettings finds context extensions that portcullis refuses.
func (e *examination) unknownSettings(c dump.Check) {
	for _, name := range dump.SortedKeys(c.Extensions) {
		if at := c.Extensions[name]; strings.HasPrefix(strings.ToLower(name), "portcullis") && !slices.Contains(settings, name) {
			e.Report(rulebook.UnknownSetting, at.Where, at.Path, "%q is not a setting", name)
		}
	}
}

// unchecked reports a route for which no filter runs.
func (e *examination) unchecked(r *dump.Route, c dump.Check) {
	switch {
	case c.Off != nil:
		e.Report(rulebook.RouteOff, r.Where, c.Off.Path, "the filter %q is disabled for the route, at %s", c.Name, c.Off.Where)
	case c.Settings.Disabled != nil:
		e.Report(rulebook.RouteOff, r.Where, c.Settings.Disabled.Path, "ExtAuthzPerRoute has disabled: true, at %s", c.Settings.Disabled.Where)
	default:
		e.Report(rulebook.Off, r.Where, r.Path, "the filter %q is disabled: true in the listener, and the route does not switch it on", c.Name)
	}
}

// bodyOf compares what a route declares of the body with what Envoy does.
func (e *examination) bodyOf(r *dump.Route, s dump.Check) {
	waits, byRoute := s.Buffered(s.ExtAuthz())
	e.bodySettings(tree.Get(s.Check, "with_request_body"), s.At.Where, s.At.Path)
	if byRoute && tree.Get(s.ExtAuthz(), "with_request_body") == nil {
		e.Report(rulebook.TextBody, r.Where, s.At.Path, "the route has with_request_body, and the filter has none")
	}
	if !s.Has("portcullis.body") {
		return
	}
	at := s.Extensions["portcullis.body"]
	switch {
	case !waits:
		e.Report(rulebook.Unbuffered, r.Where, at.Path, "portcullis.body is set, and Envoy does not wait for the body")
	case !byRoute:
		e.Report(rulebook.FilterBuffered, r.Where, at.Path, "portcullis.body is set, and only the filter has with_request_body")
	}
	if at.Path == r.Levels[0].Path || at.Path == r.Levels[1].Path {
		e.Report(rulebook.WideMark, at.Where, at.Path, "portcullis.body is set here, and not on the routes")
	}
}

// unapplied finds settings of ext_authz that no filter of the listener has the name for.
func (e *examination) unapplied(m *dump.Manager, table dump.Entry) {
	dump.LevelsOf(table, func(at dump.Level) {
		var unknown []string
		for name, config := range tree.ObjectAt(at.Tree, dump.PerFilter) {
			if _, config = dump.Unwrapped(config); !tree.IsType(config, dump.TypePerRoute) {
				continue
			}
			if slices.ContainsFunc(m.Filters, func(f dump.Filter) bool { return f.Name == name }) || e.usedElsewhere(m, table, name) {
				return // the same settings may stand under each of the names that a filter can get
			}
			if dump.Marks(config) || tree.IsTrue(config, "disabled") {
				unknown = append(unknown, name)
			}
		}
		for _, name := range slices.Sorted(slices.Values(unknown)) {
			e.Report(rulebook.Unapplied, at.Where, at.Path, "%q is not a filter of %s; the filter is %q", name, m.Where, m.Ours[0].Name)
		}
	})
}

// usedElsewhere reports whether another listener with the table has the filter.
func (e *examination) usedElsewhere(m *dump.Manager, table dump.Entry, name string) bool {
	return slices.ContainsFunc(e.all, func(other *dump.Manager) bool {
		return other != m && slices.ContainsFunc(other.Tables, func(t dump.Entry) bool { return t.Path == table.Path }) &&
			slices.ContainsFunc(other.Filters, func(f dump.Filter) bool { return f.Name == name })
	})
}

// portInHost finds hosts that a Host header with a port does not reach.
func (e *examination) portInHost(table dump.Entry) {
	if tree.IsTrue(table.Tree, "ignore_port_in_host_matching") {
		return
	}
	for _, host := range tree.ListAt(table.Tree, "virtual_hosts") {
		for _, d := range tree.ListAt(host, "domains") {
			if domain, _ := d.(string); domain != "*" && !strings.HasSuffix(domain, "*") && !strings.Contains(strings.TrimPrefix(domain, "["), ":") {
				e.Report(rulebook.Port, dump.TableLevel(table).Where, table.Path, "%q has no port", domain)
				return
			}
		}
	}
}

// principal finds client certificates that count without being verified.
func (e *examination) principal(m *dump.Manager, s dump.Check) {
	tls := tree.Get(m.Chain, "transport_socket", "typed_config")
	if !s.Has("portcullis.sourcePrincipal") || !tree.IsType(tls, ".DownstreamTlsContext") {
		return // without TLS there is no principal
	}
	if common := tree.Get(tls, "common_tls_context"); !verifiesPeer(common) {
		e.Report(rulebook.Principal, m.Where, m.Path, "portcullis.sourcePrincipal is set at %s, and the TLS of the filter chain verifies no client certificate", s.Extensions["portcullis.sourcePrincipal"].Where)
	}
}

// verifiesPeer reports whether a CommonTlsContext verifies the certificate of the other side against authorities.
func verifiesPeer(common any) bool {
	for _, path := range [][]string{{"validation_context"}, {"combined_validation_context", "default_validation_context"}} {
		if tree.TextAt(common, append(path, "trust_chain_verification")...) == "ACCEPT_UNTRUSTED" || tree.IsTrue(common, append(path, "allow_expired_certificate")...) {
			return false
		}
	}
	for _, path := range [][]string{
		{"validation_context", "trusted_ca"}, {"validation_context", "ca_certificate_provider_instance"}, {"validation_context", "system_root_certs"},
		{"validation_context", "custom_validator_config"}, {"validation_context_sds_secret_config"},
		{"combined_validation_context", "validation_context_sds_secret_config"}, {"combined_validation_context", "default_validation_context", "trusted_ca"},
	} {
		if tree.Get(common, path...) != nil {
			return true
		}
	}
	return false
}
