package doctor

import (
	"encoding/json"
	"regexp"
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
	if !m.IsInbound() { // the sidecar of a mesh has no clients of its own
		on(!tree.IsTrue(m.Tree, "use_remote_address"), rulebook.Address, "use_remote_address is not true%s", detection(m.Tree))
	}
	hops, _ := tree.NumberAt(m.Tree, "xff_num_trusted_hops")
	on(hops > 0, rulebook.Hops, "xff_num_trusted_hops is %v", hops)
	for _, log := range tree.ListAt(m.Tree, "access_log") {
		config := tree.Get(log, "typed_config")
		on(logsSecrets(config), rulebook.LogQuery, "the access log %q contains the query or a secret header", tree.TextAt(log, "name"))
	}
	for _, tag := range tree.ListAt(m.Tree, "tracing", "custom_tags") {
		name := strings.ToLower(tree.TextAt(tag, "request_header", "name"))
		on(slices.Contains(secretHeaders, name), rulebook.LogQuery, "traces contain the header %s", name)
	}
	on(tree.TextAt(m.Tree, "common_http_protocol_options", "headers_with_underscores_action") == "DROP_HEADER", rulebook.Underscores, "headers_with_underscores_action is DROP_HEADER")
	size, limited := tree.NumberAt(m.Tree, "max_request_headers_kb")
	on(limited && size > 0 && size < 11, rulebook.HeaderSize, "max_request_headers_kb is %v", size)
	forwards := tree.TextAt(m.Tree, "forward_client_cert_details") + tree.Compact(tree.Get(m.Tree, "forward_client_cert_matcher"))
	on(strings.Contains(forwards, "ALWAYS_FORWARD_ONLY"), rulebook.ClientCert, "forward_client_cert_details is ALWAYS_FORWARD_ONLY")
	for _, r := range tree.ListAt(m.Tree, "internal_address_config", "cidr_ranges") {
		bits, _ := tree.NumberAt(r, "prefix_len")
		on(bits < 7, rulebook.Internal, "internal_address_config has %s/%v", tree.TextAt(r, "address_prefix"), bits)
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

// secretHeaders are headers whose values authenticate a client.
var secretHeaders = []string{"authorization", "x-amz-security-token", "cookie", "x-api-key", ":path"}

// secretFormat matches what a log format must not contain: the path with its query, and secret headers and query parameters.
var secretFormat = regexp.MustCompile(`(?i)%PATH(\((WQ[^)]*|:[^)]*)?\))?(:\d+)?%|%(REQ|REQUEST_HEADER)\((` +
	`:PATH|AUTHORIZATION|COOKIE|X-API-KEY|X-AMZ-SECURITY-TOKEN|[^)?]*\?(:PATH|AUTHORIZATION)|X-ENVOY-ORIGINAL-PATH[^)]*)\)|` +
	`%CEL\([^)]*request\.(path|query|headers\[.(authorization|x-amz-security-token))|%QUERY_PARAM(S|\((ACCESS_TOKEN|X-AMZ-S[^)]*))`)

// logsSecrets reports whether an access log writes the query, as Envoy's default format does, or a secret header.
func logsSecrets(config any) bool {
	switch {
	case tree.IsType(config, ".HttpGrpcAccessLogConfig"):
		return true
	case tree.IsType(config, ".TcpGrpcAccessLogConfig"):
		return false
	}
	var format []any
	for _, name := range []string{"log_format", "format", "json_format", "typed_json_format", "body", "attributes", "record"} {
		if v := tree.Get(config, name); v != nil {
			format = append(format, v)
		}
	}
	text, err := json.Marshal(format)
	byDefault := len(format) == 0 && isFile(config)
	return err != nil || byDefault || secretFormat.Match(text)
}

// isFile reports whether an access log has Envoy's default format if none is set.
func isFile(config any) bool {
	return tree.IsType(config, ".FileAccessLog") || tree.IsType(config, ".StdoutAccessLog") || tree.IsType(config, ".StderrAccessLog")
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
			if reads && !slices.Contains(tree.ListAt(our.ExtAuthz(), "metadata_context_namespaces"), any(dump.ProxyProtocol)) {
				e.Report(rulebook.VPCE, our.Where, our.Path, "metadata_context_namespaces does not list %s", dump.ProxyProtocol)
			}
		}
	}
}
