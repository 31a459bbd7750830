package doctor

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// connectionManager applies the rules of the HTTP connection manager's own settings.
func (e *examination) connectionManager(m *dump.Manager) {
	on := func(broken bool, rule, format string, args ...any) {
		if broken {
			e.Report(rule, m.Where, m.Path, format, args...)
		}
	}
	for _, name := range []string{"normalize_path", "merge_slashes"} {
		on(!tree.IsTrue(m.Tree, name), rulebook.Normalize, "%s is not true", name)
	}
	action := tree.TextAt(m.Tree, "path_with_escaped_slashes_action")
	on(strings.HasPrefix(action, "UNESCAPE"), rulebook.Slashes, "path_with_escaped_slashes_action is %s", action)
	for _, name := range []string{"strip_any_host_port", "strip_matching_host_port", "strip_trailing_host_dot"} {
		on(tree.IsTrue(m.Tree, name), rulebook.Host, "%s is true", name)
	}
	on(len(tree.ListAt(m.Tree, "early_header_mutation_extensions")) > 0, rulebook.EarlyMutation, "early_header_mutation_extensions is set")
	on(!tree.IsTrue(m.Tree, "preserve_external_request_id"), rulebook.RequestID, "preserve_external_request_id is not true")
	on(tree.Get(m.Tree, "request_id_extension", "typed_config", "pack_trace_reason") != false, rulebook.RequestID, "pack_trace_reason is not false")
	headers, _ := tree.NumberAt(m.Tree, "common_http_protocol_options", "max_headers_count")
	on(headers < 1100, rulebook.MaxHeaders, "max_headers_count is %v", orDefault(headers, "not set"))
	on(tree.IsTrue(m.Tree, "http_protocol_options", "enable_trailers"), rulebook.Trailers, "enable_trailers is true")
	if m.Direction() != "INBOUND" { // the sidecar of a mesh has no clients of its own
		on(!tree.IsTrue(m.Tree, "use_remote_address"), rulebook.Address, "use_remote_address is not true%s", detection(m.Tree))
	}
	hops, _ := tree.NumberAt(m.Tree, "xff_num_trusted_hops")
	on(hops > 0, rulebook.Hops, "xff_num_trusted_hops is %v", hops)
	for _, log := range tree.ListAt(m.Tree, "access_log") {
		config := tree.Get(log, "typed_config")
		on(logsQuery(config), rulebook.LogQuery, "the access log %q contains the query", tree.TextAt(log, "name"))
	}
}

func orDefault(n float64, otherwise string) any {
	if n == 0 {
		return otherwise
	}
	return n
}

func detection(manager any) string {
	if len(tree.ListAt(manager, "original_ip_detection_extensions")) > 0 {
		return ", and original_ip_detection_extensions takes the address from a header"
	}
	return ""
}

// logsQuery reports whether an access log writes :path, as Envoy's default format does.
func logsQuery(config any) bool {
	switch {
	case tree.IsType(config, "file.v3.FileAccessLog"), tree.IsType(config, "stream.v3.StdoutAccessLog"), tree.IsType(config, "stream.v3.StderrAccessLog"):
	default:
		return false
	}
	format := []any{}
	for _, name := range []string{"log_format", "format", "json_format", "typed_json_format"} {
		if v := tree.Get(config, name); v != nil {
			format = append(format, v)
		}
	}
	text, err := json.Marshal(format)
	upper := strings.ToUpper(string(text))
	return err != nil || len(format) == 0 || strings.Contains(upper, ":PATH)") || strings.Contains(upper, "X-ENVOY-ORIGINAL-PATH)")
}

// downstream applies the rules of listener filters.
func (e *examination) downstream(m *dump.Manager) {
	for _, f := range tree.ListAt(m.Listener.Tree, "listener_filters") {
		config := tree.Get(f, "typed_config")
		if !tree.IsType(config, ".ProxyProtocol") {
			continue
		}
		where, path := "listener "+tree.TextAt(m.Listener.Tree, "name"), m.Listener.Path+".listener_filters"
		if tree.IsTrue(config, "allow_requests_without_proxy_protocol") {
			e.Report(rulebook.ProxyProtocol, where, path, "allow_requests_without_proxy_protocol is true")
		}
		reads := slices.ContainsFunc(tree.ListAt(config, "rules"), func(r any) bool { return tree.TextAt(r, "on_tlv_present", "key") == "aws_vpce" })
		for _, our := range m.Ours {
			if reads && !slices.Contains(tree.ListAt(our.ExtAuthz(), "metadata_context_namespaces"), any(proxyProtocol)) {
				e.Report(rulebook.VPCE, our.Where, our.Path, "metadata_context_namespaces does not list %s", proxyProtocol)
			}
		}
	}
}

const proxyProtocol = "envoy.filters.listener.proxy_protocol"
