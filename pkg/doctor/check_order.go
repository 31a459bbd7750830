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
func (e *examination) order(m *dump.Manager) {
	first, last := m.Ours[0].Index, m.Ours[len(m.Ours)-1].Index
	for i := range m.Filters {
		f := &m.Filters[i]
		if slices.Contains(m.Ours, f) || f.Missing || !m.Runs(f) {
			continue
		}
		does := effects[f.Kind()]
		before, after := f.Index < last, f.Index > first // or both
		switch {
		case does == unknown && before:
			e.Report(rulebook.UnknownBefore, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case does == unknown:
			e.Report(rulebook.UnknownAfter, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		case before && (does == changes || does == pristine || does == depends && changesBefore(m, f)):
			e.Report(rulebook.Before, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case after && (does == changes || does == depends && changesAfter(m, f)):
			e.Report(rulebook.After, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		}
	}
}

// changesBefore reports whether a filter before the check changes what portcullis sees.
func changesBefore(m *dump.Manager, f *dump.Filter) bool {
	switch f.Kind() {
	case "jwt_authn":
		keeps := true
		for _, p := range tree.ObjectAt(f.Config, "providers") {
			keeps = keeps && tree.IsTrue(p, "forward")
		}
		return !keeps || changesAfter(m, f)
	case "ext_authz":
		return true
	case "compressor":
		return strings.Contains(compactAll(f.Config), `"remove_accept_encoding_header":true`)
	case "basic_auth":
		return true
	case "set_metadata":
		return strings.Contains(compactAll(f.Config), proxyProtocol)
	case "header_to_metadata":
		text := compactAll(f.Config)
		return strings.Contains(text, `"remove":true`) || strings.Contains(text, proxyProtocol) || m.Overrides(f.Name)
	}
	return changesAfter(m, f)
}

// changesAfter reports whether a filter after the check changes what the upstream gets.
func changesAfter(m *dump.Manager, f *dump.Filter) bool {
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
	}
	return false
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
