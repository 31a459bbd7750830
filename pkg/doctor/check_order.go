package doctor

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// effect says what a filter does to requests.
type effect int

const (
	unknown effect = iota
	harmless
	changes  // the request, or the route, or it answers in place of the upstream
	depends  // on its settings or on its place: see changesBefore and changesAfter
	pristine // changes only what portcullis does not judge, so it must not come before the check
)

// effects lists the HTTP filters of Envoy and Istio.
var effects = map[string]effect{
	"a2a": harmless, "adaptive_concurrency": harmless, "admission_control": harmless, "alternate_protocols_cache": harmless, "aws_eventstream_parser": harmless,
	"bandwidth_limit": harmless, "bandwidth_share": harmless, "body_size_limit": harmless,
	"buffer": harmless, "cors": harmless, "csrf": harmless, "custom_response": harmless, "fault": harmless, "file_system_buffer": harmless,
	"grpc_field_extraction": harmless, "grpc_stats": harmless, "gzip": harmless, "health_check": harmless, "json_to_metadata": harmless, "kill_request": harmless, "mcp": harmless,
	"original_src": harmless, "proto_message_extraction": harmless, "ratelimit": harmless, "rate_limit_quota": harmless, "rbac": harmless, "router": harmless,
	"set_filter_state": harmless, "set_metadata": harmless, "sse_to_metadata": harmless, "stateful_session": harmless, "tap": harmless,
	"thrift_to_metadata": harmless, "upstream_codec": harmless,
	"alpn": harmless, "istio.alpn": harmless, "istio.metadata_exchange": harmless, "istio.stats": harmless, "envoy.filters.http.peer_metadata": harmless,

	"ai_protocol_manager": changes, "dynamic_modules": changes, "golang": changes, "mcp_router": changes, "proto_api_scrubber": changes,
	"transform": changes, "wasm": changes,

	"header_mutation": depends, "lua": depends, "jwt_authn": depends, "ext_authz": depends, "header_to_metadata": depends, "compressor": depends,
	"basic_auth": depends, "ip_tagging": depends, "local_ratelimit": depends, "on_demand": depends,
	"ext_proc": depends, "matching": depends, "composite": depends, "filter_chain": depends,

	"api_key_auth": pristine, "aws_lambda": pristine, "aws_request_signing": pristine, "cache": pristine, "cache_v2": pristine, "cdn_loop": pristine,
	"connect_grpc_bridge": pristine, "credential_injector": pristine, "decompressor": pristine, "dynamic_forward_proxy": pristine, "file_server": pristine,
	"gcp_authn": pristine, "geoip": pristine, "grpc_http1_bridge": pristine, "grpc_http1_reverse_bridge": pristine, "grpc_json_reverse_transcoder": pristine,
	"grpc_json_transcoder": pristine, "grpc_web": pristine, "mcp_json_rest_bridge": pristine, "oauth2": pristine,
}

// order applies the rules of the filters before and after ext_authz.
func (e *examination) order(m *dump.Manager) {
	first, last := m.Ours[0].Index, m.Ours[len(m.Ours)-1].Index
	for i := range m.Filters {
		f := &m.Filters[i]
		if slices.Contains(m.Ours, f) || f.Missing || !m.Runs(f) {
			continue
		}
		known := isKnown(f)
		before, after := f.Index < last, f.Index > first // or both
		switch {
		case before && !known:
			e.Report(rulebook.UnknownBefore, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case !known:
			e.Report(rulebook.UnknownAfter, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		case before && changesBefore(m, f):
			e.Report(rulebook.Before, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case after && changesAfter(m, f):
			e.Report(rulebook.After, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		}
	}
	e.upstreamFilters(m)
}

// isKnown reports whether a filter, and each filter inside it, is one of effects.
func isKnown(f *dump.Filter) bool {
	for _, inner := range f.Wrapped() {
		if effects[inner.Kind()] == unknown {
			return false
		}
	}
	return effects[f.Kind()] != unknown
}

// upstreamFilters finds filters of the router, which also run after the check.
func (e *examination) upstreamFilters(m *dump.Manager) {
	for _, f := range m.Filters {
		for _, item := range tree.ListAt(f.Config, "upstream_http_filters") {
			inner := dump.Filter{Name: tree.TextAt(item, "name"), Config: tree.Get(item, "typed_config"), Disabled: tree.IsTrue(item, "disabled")}
			if !inner.Disabled && isKnown(&inner) && changesAfter(m, &inner) {
				e.Report(rulebook.After, f.Where, f.Path, "%s is among upstream_http_filters of the router", inner.Kind())
			}
		}
	}
}

// clusterFilters finds filters of a cluster that do more than send requests.
func (e *examination) clusterFilters(rule, name string) {
	c := e.Clusters[name]
	for _, options := range tree.ObjectAt(c.Tree, "typed_extension_protocol_options") {
		for _, item := range tree.ListAt(options, "http_filters") {
			f := dump.Filter{Name: tree.TextAt(item, "name"), Config: tree.Get(item, "typed_config"), Disabled: tree.IsTrue(item, "disabled")}
			if !f.Disabled && isKnown(&f) && changesAfter(&dump.Manager{}, &f) {
				e.Report(rule, "cluster "+name, c.Path, "%s is among the http_filters of the cluster", f.Kind())
			}
		}
	}
}

// changesBefore reports whether a filter before the check changes what portcullis sees, or answers the request.
func changesBefore(m *dump.Manager, f *dump.Filter) bool {
	if effects[f.Kind()] == pristine || overrideHas(m, f.Name, proxyProtocol) {
		return true
	}
	text := compactAll(f.Config)
	if strings.Contains(text, proxyProtocol) {
		return true // it can write the metadata of the VPC endpoint
	}
	switch f.Kind() {
	case "jwt_authn":
		keeps := true
		for _, p := range tree.ObjectAt(f.Config, "providers") {
			keeps = keeps && tree.IsTrue(p, "forward")
		}
		return !keeps || changesAfter(m, f)
	case "ext_authz", "basic_auth":
		return true
	case "compressor":
		return strings.Contains(text, `"remove_accept_encoding_header":true`) || compressesRequests(f.Config)
	case "header_to_metadata":
		return strings.Contains(text, `"remove":true`) || m.Overrides(f.Name)
	case "matching", "composite", "filter_chain":
		return wraps(m, f, changesBefore)
	case "on_demand":
		return false
	}
	return changesAfter(m, f)
}

// changesAfter reports whether a filter after the check changes what the upstream gets.
func changesAfter(m *dump.Manager, f *dump.Filter) bool {
	if effects[f.Kind()] == changes {
		return true
	}
	switch f.Kind() {
	case "header_mutation":
		return len(tree.ListAt(f.Config, "mutations", "request_mutations")) > 0 || overrideHas(m, f.Name, `"request_mutations"`, `"query_parameter_mutations"`) ||
			len(tree.ListAt(f.Config, "mutations", "query_parameter_mutations")) > 0
	case "lua":
		return tree.Get(f.Config, "inline_code") != nil || tree.Get(f.Config, "default_source_code") != nil || m.Overrides(f.Name)
	case "jwt_authn":
		for _, p := range tree.ObjectAt(f.Config, "providers") {
			if tree.Get(p, "forward_payload_header") != nil || tree.IsTrue(p, "clear_route_cache") || len(tree.ListAt(p, "claim_to_headers")) > 0 {
				return true
			}
		}
		return false
	case "ext_authz":
		return tree.IsTrue(f.Config, "clear_route_cache")
	case "basic_auth":
		return tree.TextAt(f.Config, "forward_username_header") != ""
	case "header_to_metadata":
		return strings.Contains(compactAll(f.Config), `"clear_route_cache":true`)
	case "ip_tagging":
		return tree.Get(f.Config, "ip_tag_header") != nil
	case "local_ratelimit":
		return len(tree.ListAt(f.Config, "request_headers_to_add_when_not_enforced")) > 0 || overrideHas(m, f.Name, `"request_headers_to_add_when_not_enforced"`)
	case "ext_proc":
		return processesRequests(f.Config) || m.Overrides(f.Name)
	case "on_demand": // a request without a route is not checked, and then gets one
		return slices.ContainsFunc(m.Tables, func(t dump.Entry) bool { return tree.Get(t.Tree, "vhds") != nil }) || tree.Get(m.Tree, "scoped_routes", "scoped_rds") != nil
	case "matching", "composite", "filter_chain":
		return wraps(m, f, changesAfter)
	}
	return false
}

// wraps reports whether one of the filters inside a filter changes requests. Those that are not in the dump may.
func wraps(m *dump.Manager, f *dump.Filter, change func(*dump.Manager, *dump.Filter) bool) bool {
	inside := f.Wrapped()
	return len(inside) == 0 || m.Overrides(f.Name) || strings.Contains(compactAll(f.Config), `"dynamic_config"`) ||
		slices.ContainsFunc(inside, func(inner dump.Filter) bool { return change(m, &inner) })
}

// processesRequests reports whether an external processor can change requests. By default it gets their headers.
func processesRequests(config any) bool {
	mode := tree.Get(config, "processing_mode")
	body := tree.TextAt(mode, "request_body_mode")
	quiet := tree.TextAt(mode, "request_header_mode") == "SKIP" && (body == "" || body == "NONE") && tree.TextAt(mode, "request_trailer_mode") != "SEND"
	return !tree.IsTrue(config, "observability_mode") && (!quiet || tree.IsTrue(config, "allow_mode_override"))
}

// compressesRequests reports whether a compressor changes bodies of requests.
func compressesRequests(config any) bool {
	direction := tree.ObjectAt(config, "request_direction_config")
	return direction != nil && tree.Get(direction, "common_config", "enabled", "default_value") != false
}

// overrideHas reports whether the settings of a route for a filter contain one of the names.
func overrideHas(m *dump.Manager, filter string, names ...string) bool {
	found := false
	for _, table := range m.Tables {
		dump.LevelsOf(table, func(at dump.Level) {
			text := compactAll(tree.ObjectAt(at.Tree, dump.PerFilter)[filter])
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
	case tree.Object:
		n := tree.Object{}
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
