// Package filters tells what the HTTP filters of Envoy and Istio do to requests.
package filters

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// effect says what a filter does to requests.
type effect int

const (
	unknown effect = iota
	harmless
	changes  // the request, or the route, or it answers in place of the upstream
	depends  // on its settings or on its place: see ChangesBefore and ChangesAfter
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

// IsKnown reports whether a filter, and each filter inside it, is one of effects.
func IsKnown(f *dump.Filter) bool {
	for _, inner := range f.Wrapped() {
		if effects[inner.Kind()] == unknown {
			return false
		}
	}
	return effects[f.Kind()] != unknown
}

// ChangesBefore reports whether a filter before the check changes what portcullis sees, or answers the request.
func ChangesBefore(m *dump.Manager, f *dump.Filter) bool {
	if effects[f.Kind()] == pristine || m.OverridesWith(f.Name, dump.ProxyProtocol) {
		return true
	}
	text := tree.Compact(f.Config)
	if strings.Contains(text, dump.ProxyProtocol) {
		return true // it can write the metadata of the VPC endpoint
	}
	switch f.Kind() {
	case "jwt_authn":
		keeps := true
		for _, p := range tree.ObjectAt(f.Config, "providers") {
			keeps = keeps && tree.IsTrue(p, "forward")
		}
		return !keeps || ChangesAfter(m, f)
	case "ext_authz", "basic_auth":
		return true
	case "compressor":
		return strings.Contains(text, `"remove_accept_encoding_header":true`) || compressesRequests(f.Config)
	case "header_to_metadata":
		return strings.Contains(text, `"remove":true`) || m.Overrides(f.Name)
	case "matching", "composite", "filter_chain":
		return wraps(m, f, ChangesBefore)
	case "on_demand":
		return false
	}
	return ChangesAfter(m, f)
}

// ChangesAfter reports whether a filter after the check changes what the upstream gets.
func ChangesAfter(m *dump.Manager, f *dump.Filter) bool {
	if effects[f.Kind()] == changes {
		return true
	}
	switch f.Kind() {
	case "header_mutation":
		return len(tree.ListAt(f.Config, "mutations", "request_mutations")) > 0 || m.OverridesWith(f.Name, `"request_mutations"`, `"query_parameter_mutations"`) ||
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
		return strings.Contains(tree.Compact(f.Config), `"clear_route_cache":true`)
	case "ip_tagging":
		return tree.Get(f.Config, "ip_tag_header") != nil
	case "local_ratelimit":
		return len(tree.ListAt(f.Config, "request_headers_to_add_when_not_enforced")) > 0 || m.OverridesWith(f.Name, `"request_headers_to_add_when_not_enforced"`)
	case "ext_proc":
		return processesRequests(f.Config) || m.Overrides(f.Name)
	case "on_demand": // a request without a route is not checked, and then gets one
		return slices.ContainsFunc(m.Tables, func(t dump.Entry) bool { return tree.Get(t.Tree, "vhds") != nil }) || tree.Get(m.Tree, "scoped_routes", "scoped_rds") != nil
	case "matching", "composite", "filter_chain":
		return wraps(m, f, ChangesAfter)
	}
	return false
}

// wraps reports whether one of the filters inside a filter changes requests. Those that are not in the dump may.
func wraps(m *dump.Manager, f *dump.Filter, change func(*dump.Manager, *dump.Filter) bool) bool {
	inside := f.Wrapped()
	return len(inside) == 0 || m.Overrides(f.Name) || strings.Contains(tree.Compact(f.Config), `"dynamic_config"`) ||
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
