package doctor

import (
	"encoding/json"
	"slices"
	"strings"
)

// guard finds managers that do not ask portcullis, and what is not seen of them.
func (e *examination) guard(m *manager) {
	if m.listener.state == "draining" {
		return // state has told of it
	}
	sidecarOutbound := m.direction() == "OUTBOUND" && (e.inbound || strings.HasPrefix(e.Node, "sidecar~"))
	if len(m.ours) == 0 && sidecarOutbound {
		return
	}
	for _, name := range m.unseen {
		e.report(ruleUnseen, m.where, m.path, "the route configuration %q is not in the input", name)
	}
	for _, f := range m.filters {
		if f.missing {
			e.report(ruleUnseen, f.where, f.path, "the configuration of the filter %q is discovered, and is not in the input", f.name)
		}
	}
	if len(m.ours) > 0 || m.isOwn() {
		return
	}
	for _, f := range m.filters {
		if config := f.extAuthz(); get(config, "http_service") != nil {
			e.report(ruleHTTPService, f.where, f.path, "the filter %q uses http_service", f.name)
		}
	}
	e.report(ruleNoFilter, m.where, m.path+".http_filters", "no ext_authz filter for portcullis is among the %d HTTP filters", len(m.filters))
}

// filter applies the rules of the ext_authz filter's own settings.
func (e *examination) filter(m *manager, f *filter) {
	c := f.extAuthz()
	on := func(broken bool, rule, format string, args ...any) {
		if broken {
			e.report(rule, f.where, f.path, format, args...)
		}
	}
	on(f.inner != nil, ruleConditional, "ext_authz is inside a filter of the type %s", typeOf(f.config))
	on(f.optional, ruleOptional, "the filter is optional")
	on(get(c, "http_service") != nil, ruleHTTPService, "the filter uses http_service")
	on(isTrue(c, "failure_mode_allow"), ruleFailOpen, "failure_mode_allow is true%s", headerAdd(c))
	on(isTrue(c, "shadow_mode"), ruleShadow, "shadow_mode is true")
	on(!isAlwaysEnabled(c), ruleEnabled, "filter_enabled is %s", compact(get(c, "filter_enabled")))
	on(get(c, "filter_enabled_metadata") != nil && !isBackstop(c) && !m.metadataIsCertain(f), ruleMetadata, "filter_enabled_metadata is %s", compact(get(c, "filter_enabled_metadata")))
	for _, name := range []string{"allowed_headers", "disallowed_headers"} {
		on(get(c, name) != nil, ruleHeaders, "%s is set", name)
	}
	on(!isTrue(c, "encode_raw_headers"), ruleRawHeaders, "encode_raw_headers is not set")
	on(!isTrue(c, "validate_mutations"), ruleMutations, "validate_mutations is not set")
	for _, name := range []string{"disallow_all", "disallow_system", "disallow_expression"} {
		set := get(c, "decoder_header_mutation_rules", name)
		on(set != nil && set != false, ruleMutationRules, "%s is set", name)
	}
	answered, otherwise := m.selections()
	on(isTrue(c, "clear_route_cache") && (answered == 0 || otherwise != ""), ruleClearRoute, "clear_route_cache is true%s", otherwise)
	on(!isTrue(c, "clear_route_cache") && answered > 0, ruleUpstreamName, "%d routes match on the upstream that portcullis names, and clear_route_cache is not true", answered)
	on(len(listAt(c, "clear_route_cache_headers")) > 0, ruleClearRoute, "clear_route_cache_headers is set")
	limit, limited := numberAt(c, "max_denied_response_body_bytes")
	on(limited && limit > 0 && limit < 8192, ruleResponseLimits, "max_denied_response_body_bytes is %v", limit)
	on(isTrue(c, "enforce_response_header_limits"), ruleResponseLimits, "enforce_response_header_limits is true")
	e.bodySettings(get(c, "with_request_body"), f.where, f.path+".typed_config.with_request_body")
	on(get(c, "with_request_body") != nil && !isTrue(c, "with_request_body", "pack_as_bytes"), ruleTextBody, "pack_as_bytes is not true")
	on(!isServerError(c), ruleStatusOnError, "status_on_error is %s", compact(get(c, "status_on_error")))
	e.timeouts(m, f)
}

// backstop finds filters that Envoy Gateway adds with their routes, without one that is always there.
func (e *examination) backstop(m *manager) {
	for _, f := range m.ours {
		if !f.disabled || isBackstop(f.extAuthz()) || !strings.HasPrefix(f.name, "envoy.filters.http.ext_authz/") {
			continue
		}
		for _, table := range m.tables {
			if !m.hasBackstop(table) {
				e.report(ruleBackstop, f.where, f.path, "no filter denies what the filter has not checked in %s", tableLevel(table).where)
				return
			}
		}
	}
}

// hasBackstop reports whether a backstop runs for all routes of a table that forward.
func (m *manager) hasBackstop(table entry) bool {
	return slices.ContainsFunc(m.ours, func(f *filter) bool {
		runs := isBackstop(f.extAuthz())
		routesOf(table, func(r route) {
			c := check{f, r.settings(f.name)}
			runs = runs && (!r.forwards() || c.runs())
		})
		return runs
	})
}

func headerAdd(c any) string {
	if isTrue(c, "failure_mode_allow_header_add") {
		return ", and failure_mode_allow_header_add tells the upstream"
	}
	return ""
}

// bodySettings applies the rules of one with_request_body.
func (e *examination) bodySettings(body any, where, path string) {
	if body == nil {
		return
	}
	if isTrue(body, "allow_partial_message") {
		e.report(rulePartial, where, path, "allow_partial_message is true")
	}
	if longest, ok := numberAt(body, "max_request_bytes"); ok && longest > 10<<20 {
		e.report(ruleBodyLimit, where, path, "max_request_bytes is %.0f", longest)
	}
}

// isServerError reports whether status_on_error tells clients that the server failed.
func isServerError(c any) bool {
	switch code := get(c, "status_on_error", "code").(type) {
	case string:
		return slices.Contains([]string{"InternalServerError", "BadGateway", "ServiceUnavailable", "GatewayTimeout"}, code)
	case json.Number, float64:
		n, _ := numberAt(c, "status_on_error", "code")
		return n >= 500 && n < 600
	}
	return false
}

// isAlwaysEnabled reports whether filter_enabled is absent, or is all requests and no runtime key can change it.
func isAlwaysEnabled(c any) bool {
	enabled := objectAt(c, "filter_enabled")
	if enabled == nil {
		return true
	}
	share, _ := numberAt(enabled, "default_value", "numerator")
	whole := map[string]float64{"": 100, "HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}[textAt(enabled, "default_value", "denominator")]
	return textAt(enabled, "runtime_key") == "" && whole > 0 && share >= whole
}

// metadataIsCertain reports whether every request gets the metadata of filter_enabled_metadata, as from the shadow rules
// that Istio makes of an AuthorizationPolicy that matches everything.
func (m *manager) metadataIsCertain(asks *filter) bool {
	want := get(asks.extAuthz(), "filter_enabled_metadata")
	prefix, path := textAt(want, "value", "string_match", "prefix"), listAt(want, "path")
	if prefix == "" || len(path) != 1 || isTrue(want, "invert") {
		return false
	}
	for _, f := range m.filters[:asks.index] {
		if f.name != textAt(want, "filter") || f.kind() != "rbac" || f.disabled || f.missing {
			continue
		}
		rules := get(f.config, "shadow_rules")
		key := textAt(f.config, "shadow_rules_stat_prefix") + "shadow_effective_policy_id"
		if textAt(path[0], "key") == key && matchesAll(rules, prefix) && !m.overrides(f.name) {
			return true
		}
	}
	return false
}

// matchesAll reports whether the policies of RBAC match every request, and all have names with the prefix.
func matchesAll(rules any, prefix string) bool {
	some := false
	for name, policy := range objectAt(rules, "policies") {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
		plain := get(policy, "condition") == nil && get(policy, "checked_condition") == nil
		some = some || plain && slices.ContainsFunc(listAt(policy, "permissions"), isAny) && slices.ContainsFunc(listAt(policy, "principals"), isAny)
	}
	return some
}

// isAny reports whether a permission or principal of RBAC matches everything.
func isAny(v any) bool {
	if isTrue(v, "any") {
		return true
	}
	for _, names := range [][2]string{{"and_rules", "rules"}, {"and_ids", "ids"}} {
		if all := listAt(v, names[0], names[1]); len(all) > 0 {
			return !slices.ContainsFunc(all, func(v any) bool { return !isAny(v) })
		}
	}
	for _, names := range [][2]string{{"or_rules", "rules"}, {"or_ids", "ids"}} {
		if slices.ContainsFunc(listAt(v, names[0], names[1]), isAny) {
			return true
		}
	}
	return false
}

// overrides reports whether a route has settings of its own for a filter.
func (m *manager) overrides(name string) bool {
	found := false
	for _, table := range m.tables {
		levelsOf(table, func(at level) {
			_, own := objectAt(at.tree, perFilter)[name]
			found = found || own
		})
	}
	return found
}

// compact returns a value as short JSON.
func compact(v any) string {
	text, err := json.Marshal(v)
	if v == nil || err != nil {
		return "not set"
	}
	if len(text) > 200 {
		return string(text[:200]) + "…"
	}
	return string(text)
}

// bypasses finds filter chains that pass bytes to an upstream that is guarded elsewhere.
func (e *examination) bypasses() {
	guarded := e.guardedClusters()
	for i := range e.listeners {
		l := &e.listeners[i]
		l.chains(func(chain any, where, path string) {
			asked := false
			for _, f := range listAt(chain, "filters") {
				config := get(f, "typed_config")
				asked = asked || strings.Contains(typeOf(config), ".network.ext_authz.")
				name := textAt(config, "cluster")
				if isType(config, typeTCP) && !asked && guarded[name] {
					e.report(ruleTCP, where, path, "a tcp_proxy leads to the cluster %q", name)
				}
			}
		})
	}
}

// shared finds routes that attest a VPC endpoint to more than one listener.
func (e *examination) shared() {
	users := map[string][]string{}
	for _, m := range e.all {
		for _, table := range m.tables {
			if name := textAt(m.listener.tree, "name"); m.listener.state != "draining" && !slices.Contains(users[table.path], name) {
				users[table.path] = append(users[table.path], name)
			}
		}
	}
	for _, m := range e.guarded {
		for _, table := range m.tables {
			if len(users[table.path]) < 2 {
				continue
			}
			routesOf(table, func(r route) {
				checks, _ := m.checks(&r)
				for _, c := range checks {
					if at, ok := c.extensions["portcullis.listener"]; ok {
						e.report(ruleListenerMark, at.where, at.path, "portcullis.listener is used by the listeners %s", strings.Join(users[table.path], ", "))
					}
				}
			})
		}
	}
}
