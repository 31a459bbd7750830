package doctor

import (
	"encoding/json"
	"slices"
	"strings"
)

// connectionManager applies the rules of the HTTP connection manager's own settings.
func (e *examination) connectionManager(m *manager) {
	on := func(broken bool, rule, format string, args ...any) {
		if broken {
			e.report(rule, m.where, m.path, format, args...)
		}
	}
	for _, name := range []string{"normalize_path", "merge_slashes"} {
		on(!isTrue(m.tree, name), ruleNormalize, "%s is not true", name)
	}
	action := textAt(m.tree, "path_with_escaped_slashes_action")
	on(strings.HasPrefix(action, "UNESCAPE"), ruleSlashes, "path_with_escaped_slashes_action is %s", action)
	for _, name := range []string{"strip_any_host_port", "strip_matching_host_port", "strip_trailing_host_dot"} {
		on(isTrue(m.tree, name), ruleHost, "%s is true", name)
	}
	on(len(listAt(m.tree, "early_header_mutation_extensions")) > 0, ruleEarlyMutation, "early_header_mutation_extensions is set")
	on(!isTrue(m.tree, "preserve_external_request_id"), ruleRequestID, "preserve_external_request_id is not true")
	on(get(m.tree, "request_id_extension", "typed_config", "pack_trace_reason") != false, ruleRequestID, "pack_trace_reason is not false")
	headers, _ := numberAt(m.tree, "common_http_protocol_options", "max_headers_count")
	on(headers < 1100, ruleMaxHeaders, "max_headers_count is %v", orDefault(headers, "not set"))
	on(isTrue(m.tree, "http_protocol_options", "enable_trailers"), ruleTrailers, "enable_trailers is true")
	if m.direction() != "INBOUND" { // the sidecar of a mesh has no clients of its own
		on(!isTrue(m.tree, "use_remote_address"), ruleAddress, "use_remote_address is not true%s", detection(m.tree))
	}
	hops, _ := numberAt(m.tree, "xff_num_trusted_hops")
	on(hops > 0, ruleHops, "xff_num_trusted_hops is %v", hops)
	for _, log := range listAt(m.tree, "access_log") {
		config := get(log, "typed_config")
		on(logsQuery(config), ruleLogQuery, "the access log %q contains the query", textAt(log, "name"))
	}
}

func orDefault(n float64, otherwise string) any {
	if n == 0 {
		return otherwise
	}
	return n
}

func detection(tree any) string {
	if len(listAt(tree, "original_ip_detection_extensions")) > 0 {
		return ", and original_ip_detection_extensions takes the address from a header"
	}
	return ""
}

// logsQuery reports whether an access log writes :path, as Envoy's default format does.
func logsQuery(config any) bool {
	switch {
	case isType(config, "file.v3.FileAccessLog"), isType(config, "stream.v3.StdoutAccessLog"), isType(config, "stream.v3.StderrAccessLog"):
	default:
		return false
	}
	format := []any{}
	for _, name := range []string{"log_format", "format", "json_format", "typed_json_format"} {
		if v := get(config, name); v != nil {
			format = append(format, v)
		}
	}
	text, err := json.Marshal(format)
	upper := strings.ToUpper(string(text))
	return err != nil || len(format) == 0 || strings.Contains(upper, ":PATH)") || strings.Contains(upper, "X-ENVOY-ORIGINAL-PATH)")
}

// downstream applies the rules of listener filters.
func (e *examination) downstream(m *manager) {
	for _, f := range listAt(m.listener.tree, "listener_filters") {
		config := get(f, "typed_config")
		if !isType(config, ".ProxyProtocol") {
			continue
		}
		where, path := "listener "+textAt(m.listener.tree, "name"), m.listener.path+".listener_filters"
		if isTrue(config, "allow_requests_without_proxy_protocol") {
			e.report(ruleProxyProtocol, where, path, "allow_requests_without_proxy_protocol is true")
		}
		reads := slices.ContainsFunc(listAt(config, "rules"), func(r any) bool { return textAt(r, "on_tlv_present", "key") == "aws_vpce" })
		for _, our := range m.ours {
			if reads && !slices.Contains(listAt(our.extAuthz(), "metadata_context_namespaces"), any(proxyProtocol)) {
				e.report(ruleVPCE, our.where, our.path, "metadata_context_namespaces does not list %s", proxyProtocol)
			}
		}
	}
}

const proxyProtocol = "envoy.filters.listener.proxy_protocol"
