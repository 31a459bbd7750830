package doctor

import (
	"encoding/json"
	"slices"
	"strings"
)

// effect says what a filter does to requests.
type effect int

const (
	unknown effect = iota
	harmless
	changes  // the request, or the route, or it answers in place of the upstream
	depends  // on its settings: see changesBefore and changesAfter
	pristine // changes only what portcullis does not judge, so it must not come before the check
)

// effects lists the HTTP filters of Envoy and Istio.
var effects = map[string]effect{
	"adaptive_concurrency": harmless, "admission_control": harmless, "bandwidth_limit": harmless, "bandwidth_share": harmless, "body_size_limit": harmless,
	"buffer": harmless, "cors": harmless, "csrf": harmless, "custom_response": harmless, "fault": harmless, "file_system_buffer": harmless,
	"grpc_field_extraction": harmless, "grpc_stats": harmless, "health_check": harmless, "ip_tagging": harmless, "kill_request": harmless,
	"local_ratelimit": harmless, "on_demand": harmless, "original_src": harmless, "ratelimit": harmless, "rate_limit_quota": harmless, "rbac": harmless,
	"router": harmless, "set_filter_state": harmless, "stateful_session": harmless, "tap": harmless, "upstream_codec": harmless,
	"alpn": harmless, "istio.alpn": harmless, "istio.metadata_exchange": harmless, "istio.stats": harmless, "envoy.filters.http.peer_metadata": harmless,

	"composite": changes, "dynamic_modules": changes, "ext_proc": changes, "filter_chain": changes, "golang": changes, "transform": changes, "wasm": changes,

	"header_mutation": depends, "lua": depends, "jwt_authn": depends, "ext_authz": depends, "set_metadata": depends, "header_to_metadata": depends,
	"compressor": depends, "basic_auth": depends,

	"api_key_auth": pristine, "aws_lambda": pristine, "aws_request_signing": pristine, "cache": pristine, "cache_v2": pristine, "cdn_loop": pristine,
	"connect_grpc_bridge": pristine, "credential_injector": pristine, "decompressor": pristine, "dynamic_forward_proxy": pristine, "file_server": pristine,
	"gcp_authn": pristine, "geoip": pristine, "grpc_http1_bridge": pristine, "grpc_http1_reverse_bridge": pristine, "grpc_json_reverse_transcoder": pristine,
	"grpc_json_transcoder": pristine, "grpc_web": pristine, "oauth2": pristine, "json_to_metadata": harmless, "proto_message_extraction": harmless,
}

// order applies the rules of the filters before and after ext_authz.
func (e *examination) order(m *manager) {
	first, last := m.ours[0].index, m.ours[len(m.ours)-1].index
	for i := range m.filters {
		f := &m.filters[i]
		if slices.Contains(m.ours, f) || f.missing || !m.runs(f) {
			continue
		}
		does := effects[f.kind()]
		before, after := f.index < last, f.index > first // or both
		switch {
		case does == unknown && before:
			e.report(ruleUnknownBefore, f.where, f.path, "%s comes before ext_authz", f.kind())
		case does == unknown:
			e.report(ruleUnknownAfter, f.where, f.path, "%s comes after ext_authz", f.kind())
		case before && (does == changes || does == pristine || does == depends && m.changesBefore(f)):
			e.report(ruleBefore, f.where, f.path, "%s comes before ext_authz", f.kind())
		case after && (does == changes || does == depends && m.changesAfter(f)):
			e.report(ruleAfter, f.where, f.path, "%s comes after ext_authz", f.kind())
		}
	}
}

// runs reports whether a filter runs for a request at all.
func (m *manager) runs(f *filter) bool {
	if !f.disabled {
		return true
	}
	on := false
	for _, table := range m.tables {
		routesOf(table, func(r route) {
			s := r.settings(f.name)
			on = on || s.set && s.off == nil
		})
	}
	return on
}

// changesBefore reports whether a filter before the check changes what portcullis sees.
func (m *manager) changesBefore(f *filter) bool {
	switch f.kind() {
	case "jwt_authn":
		keeps := true
		for _, p := range objectAt(f.config, "providers") {
			keeps = keeps && isTrue(p, "forward")
		}
		return !keeps || m.changesAfter(f)
	case "ext_authz":
		return true
	case "compressor":
		return strings.Contains(compactAll(f.config), `"remove_accept_encoding_header":true`)
	case "basic_auth":
		return true
	case "set_metadata":
		return strings.Contains(compactAll(f.config), proxyProtocol)
	case "header_to_metadata":
		text := compactAll(f.config)
		return strings.Contains(text, `"remove":true`) || strings.Contains(text, proxyProtocol) || m.overrides(f.name)
	}
	return m.changesAfter(f)
}

// changesAfter reports whether a filter after the check changes what the upstream gets.
func (m *manager) changesAfter(f *filter) bool {
	switch f.kind() {
	case "header_mutation":
		return len(listAt(f.config, "mutations", "request_mutations")) > 0 || m.overrideHas(f.name, `"request_mutations"`, `"query_parameter_mutations"`) ||
			len(listAt(f.config, "mutations", "query_parameter_mutations")) > 0
	case "lua":
		return get(f.config, "inline_code") != nil || get(f.config, "default_source_code") != nil || m.overrides(f.name)
	case "jwt_authn":
		for _, p := range objectAt(f.config, "providers") {
			if get(p, "forward_payload_header") != nil || isTrue(p, "clear_route_cache") || len(listAt(p, "claim_to_headers")) > 0 {
				return true
			}
		}
		return false
	case "ext_authz":
		return isTrue(f.config, "clear_route_cache")
	case "basic_auth":
		return textAt(f.config, "forward_username_header") != ""
	case "header_to_metadata":
		return strings.Contains(compactAll(f.config), `"clear_route_cache":true`)
	}
	return false
}

// overrideHas reports whether the settings of a route for a filter contain one of the names.
func (m *manager) overrideHas(filter string, names ...string) bool {
	found := false
	for _, table := range m.tables {
		levelsOf(table, func(at level) {
			text := compactAll(objectAt(at.tree, perFilter)[filter])
			found = found || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(text, n) })
		})
	}
	return found
}

// compactAll returns a value as JSON, with names in snake case.
func compactAll(v any) string {
	text, err := json.Marshal(snake(v))
	if err != nil {
		return ""
	}
	return string(text)
}

// snake returns a value with its names in snake case.
func snake(v any) any {
	switch v := v.(type) {
	case node:
		n := node{}
		for name, inner := range v {
			var b strings.Builder
			for _, r := range name {
				if r >= 'A' && r <= 'Z' {
					b.WriteByte('_')
					r += 'a' - 'A'
				}
				b.WriteRune(r)
			}
			n[b.String()] = snake(inner)
		}
		return n
	case []any:
		l := make([]any, len(v))
		for i, inner := range v {
			l[i] = snake(inner)
		}
		return l
	}
	return v
}
