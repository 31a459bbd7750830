package doctor

import (
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
)

// Parts of broken configurations.
const (
	router     = `{name: envoy.filters.http.router, typed_config: {"@type": ` + pkgHTTP + `router.v3.Router}}`
	network    = `{name: n, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.`
	loggers    = `{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.`
	skipAction = `{on_no_match: {action: {name: skip, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter}}}}`
)

// clusterAt is a cluster with one endpoint.
func clusterAt(name, host string, port int) string {
	return fmt.Sprintf(`{name: %s, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: %s, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %d}}}}]}]}}`, name, name, host, port)
}

// toCluster is a virtual host of another application.
func toCluster(name string) string {
	return `{table: {virtual_hosts: [{name: other, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: ` + name + `}}]}]}, drop: true}`
}

// A tcp_proxy to a cluster as the only filter of a listener.
func tcpTo(name string) string {
	return `{chain: {filters: [` + network + `tcp_proxy.v3.TcpProxy, stat_prefix: a, ` + name + `}}]}}`
}

// reachCases are ways to an upstream, to portcullis or to Envoy itself past the check.
func reachCases() []broken {
	also := func(rule, more string, clusters ...string) broken {
		return broken{rule: rule, breaks: `{}`, fix: `{}`, more: more, clusters: clusters}
	}
	unrelated := func(more string, clusters ...string) broken {
		return broken{breaks: `{}`, more: more, clusters: clusters}
	}
	alias, shop := clusterAt("alias-CASE", "127.0.0.1", 8080), clusterAt("shop-CASE", "127.0.0.1", 8181)
	upgrade := func(filters string) string {
		return `{manager: {upgrade_configs: [{upgrade_type: websocket, filters: [` + filters + router + `]}]}}`
	}
	discovered := `{chain: {filters: [{name: disc-CASE, config_discovery: {config_source: {path_config_source: {path: FOLDER/none.yaml}}, type_urls: [type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy]DEFAULT}}]}}`
	return []broken{
		also(rulebook.NoFilter, toCluster("upstream")), also(rulebook.NoFilter, toCluster("alias-CASE"), alias),
		also(rulebook.NoFilter, strings.Replace(toCluster("shop-CASE"), `"*"`, "pets.example.com", 1), shop),
		unrelated(toCluster("shop-CASE"), shop), unrelated(tcpTo("cluster: shop-CASE"), shop),
		also(rulebook.TCP, tcpTo("cluster: upstream")), also(rulebook.TCP, tcpTo("cluster: alias-CASE"), alias),
		also(rulebook.TCP, tcpTo("weighted_clusters: {clusters: [{name: upstream, weight: 1}]}")),
		also(rulebook.Exposed, tcpTo("cluster: portcullis-CASE-bad"), clusterAt("portcullis-CASE-bad", "127.0.0.1", 9001)),
		also(rulebook.Exposed, toCluster("door-CASE"), clusterAt("door-CASE", "127.0.0.1", 9001)),
		{rule: rulebook.Unseen, breaks: `{}`, fix: `{}`, more: strings.Replace(discovered, "DEFAULT", "", 1), synthetic: true},
		{rule: rulebook.TCP, breaks: `{}`, fix: `{}`, more: strings.Replace(discovered, "DEFAULT", `, default_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: a, cluster: upstream}`, 1), synthetic: true},
		{rule: rulebook.Unseen, breaks: `{listener: {fcds_config: {name: a}}}`, fix: `{listener: {fcds_config: null}}`, synthetic: true},
		{rule: rulebook.NoFilter, breaks: upgrade(""), fix: upgrade("AUTHZFILTER, ")},
		{rule: rulebook.FailOpen, breaks: upgrade("AUTHZFILTEROPEN, "), fix: `{manager: {upgrade_configs: null}}`},
		{breaks: `{manager: {upgrade_configs: [{upgrade_type: websocket}]}}`},
		also(rulebook.NoFilter, strings.Replace(toCluster("shop-CASE"), "route: {", "route: {request_mirror_policies: [{cluster: upstream}], ", 1), shop),
		{breaks: `{}`, more: `{listener: {name: inner-CASE, address: null, internal_listener: {}}, drop: true}`},
		{rule: rulebook.NoFilter, breaks: `{}`, fix: `{}`, more: `{chain: {filters: [` + network + `match_delegate.v3.X, extension_config: {typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, route_config: {name: a, virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: upstream}}]}]}}}}}]}}`, synthetic: true},
		also(rulebook.TCP, tcpTo("cluster: several-CASE"), `{name: several-CASE, connect_timeout: 1s, lb_policy: 6, cluster_type: {name: envoy.clusters.aggregate, typed_config: {"@type": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: [upstream]}}}`),
		{rule: rulebook.UnknownSetting, breaks: onHost + `{check_settings: {context_extensions: {portcullis.listner: a}}}}}}`, fix: onHost + `{check_settings: {context_extensions: {portcullis.listner: null, portcullis.listener: a}}}}}}`},
		{rule: rulebook.Tunnel, breaks: `{manager: {upgrade_configs: [{upgrade_type: CONNECT}]}, route: {match: {prefix: null, path_match_policy: null, connect_matcher: {}}, route: {upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}}}`,
			fix: `{route: {match: {connect_matcher: null, prefix: /}, route: {upgrade_configs: null}}}`},
		{rule: rulebook.OtherService, breaks: onRoute + `{check_settings: {grpc_service: {envoy_grpc: {cluster_name: upstream}, timeout: 1s}}}}}}`, fix: onRoute + `{check_settings: {grpc_service: null}}}}}`},
		{rule: rulebook.OtherService, breaks: onRoute + `{check_settings: {http_service: {server_uri: {uri: "http://a", cluster: upstream, timeout: 1s}}}}}}}`, fix: onRoute + `{check_settings: {http_service: null}}}}}`},
		{rule: rulebook.Timeout, breaks: onRoute + `{check_settings: {grpc_service: {envoy_grpc: {cluster_name: CLUSTER}, timeout: 0.01s}}}}}}`, fix: onRoute + `{check_settings: {grpc_service: {timeout: 1s}}}}}}`},
	}
}

// actionCases are what a route does after the check.
func actionCases() []broken {
	onAction := func(rule, bad, good string) broken {
		return broken{rule: rule, breaks: `{route: {route: {` + bad + `}}}`, fix: `{route: {route: {` + good + `}}}`}
	}
	good := func(patch string) broken { return broken{breaks: patch} }
	regex := func(substitution string) string {
		return `regex_rewrite: {pattern: {regex: "^/pets/*"}, substitution: ` + substitution + `}`
	}
	plugin := `{extension: {name: lua, typed_config: {"@type": type.googleapis.com/envoy.extensions.router.cluster_specifiers.lua.v3.LuaConfig, source_code: {inline_string: "function envoy_on_route(h) return h:headers():get('x-c') end"}, default_cluster: upstream}}}`
	open := `{name: open-CASE, connect_timeout: 1s, lb_policy: 6, cluster_type: {name: envoy.clusters.dynamic_forward_proxy, typed_config: {"@type": type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig, dns_cache_config: {name: dfp, dns_lookup_family: V4_ONLY}}}}`
	return []broken{
		onAction(rulebook.ClusterHeader, `cluster: null, weighted_clusters: {clusters: [{cluster_header: x-c, weight: 1}]}`, `weighted_clusters: {clusters: [{name: upstream, weight: 1}]}`),
		onAction(rulebook.ClusterHeader, `cluster: null, inline_cluster_specifier_plugin: `+plugin, `cluster: upstream, inline_cluster_specifier_plugin: null`),
		{rule: rulebook.ClusterHeader, breaks: `{route: {route: {cluster: open-CASE}}}`, fix: `{route: {route: {cluster: upstream}}}`, clusters: []string{open}},
		{rule: rulebook.HostHeader, breaks: `{table: {vhost_header: x-tenant}}`, fix: `{table: {vhost_header: null}}`},
		{rule: rulebook.Matching, breaks: `{table: {ignore_path_parameters_in_path_matching: true}}`, fix: `{table: {ignore_path_parameters_in_path_matching: null}}`},
		{rule: rulebook.Matching, breaks: `{route: {match: {prefix: /pets, case_sensitive: false}}}`, fix: `{route: {match: {case_sensitive: true}}}`},
		{rule: rulebook.Matching, breaks: `{route: {match: {prefix: null, safe_regex: {regex: "(?i)/pets/.*"}}}}`, fix: `{route: {match: {safe_regex: {regex: "/pets/.*"}}}}`},
		good(`{route: {match: {prefix: /, case_sensitive: false}}}`),
		onAction(rulebook.ClientRewrite, `path_rewrite: "/a%REQ(x-path)%"`, `path_rewrite: null`), onAction(rulebook.ClientRewrite, `host_rewrite_header: x-host`, `host_rewrite_header: null`),
		onAction(rulebook.ClientRewrite, `host_rewrite: "%REQ(x-host)%"`, `host_rewrite: null`),
		onAction(rulebook.Rewritten, `prefix_rewrite: /admin`, `prefix_rewrite: null`), onAction(rulebook.Rewritten, regex("/admin/"), regex("/")),
		onAction(rulebook.Rewritten, `path_rewrite: /admin`, `path_rewrite: null`),
		onAction(rulebook.Rewritten, `host_rewrite_path_regex: {pattern: {regex: "^/(.+)/.+$"}, substitution: "\\1"}`, `host_rewrite_path_regex: null, host_rewrite_literal: a.example.com`),
		good(`{route: {route: {` + regex("/") + `, host_rewrite_literal: pets.internal}}}`), good(`{route: {route: {prefix_rewrite: /}}}`),
		onAction(rulebook.Redirects, `internal_redirect_policy: {max_internal_redirects: 1}`, `internal_redirect_policy: null`),
		onAction(rulebook.Mirror, `request_mirror_policies: [{cluster: upstream}]`, `request_mirror_policies: null`),
		{rule: rulebook.Mirror, breaks: `{host: {request_mirror_policies: [{cluster: upstream}]}}`, fix: `{host: {request_mirror_policies: null}}`},
		{rule: rulebook.Mirror, breaks: `{table: {request_mirror_policies: [{cluster: upstream}]}}`, fix: `{table: {request_mirror_policies: null}}`},
		good(`{route: {route: {timeout: 30s, retry_policy: {retry_on: connect-failure}}}}`),
	}
}

// A filter that runs under a condition, and one of several.
func matched(filter string) string {
	return `{name: w, typed_config: {"@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher, extension_config: ` + filter + `, xds_matcher: ` + skipAction + `}}`
}

func composed(filter string) string {
	return `{name: w, typed_config: {"@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher, extension_config: ` + filterOf("composite", "Composite", "") + `,
		xds_matcher: {on_no_match: {action: {name: a, typed_config: {"@type": ` + pkgHTTP + `composite.v3.ExecuteFilterAction, typed_config: ` + filter + `}}}}}}`
}

func chained(filter string) string {
	return `{name: w, typed_config: {"@type": ` + pkgHTTP + `filter_chain.v3.FilterChainConfig, default_filter_chain: {filters: [` + filter + `]}}}`
}

// filterCases are filters beside the check.
func filterCases() []broken {
	before := func(filter string) broken {
		return broken{rule: rulebook.Before, breaks: `{before: [` + filter + `]}`, fix: `{before: null}`}
	}
	after := func(filter string) broken {
		return broken{rule: rulebook.After, breaks: `{after: [` + filter + `]}`, fix: `{after: null}`}
	}
	good := func(patch string) broken { return broken{breaks: patch} }
	compressor := func(more string) string {
		return filterOf("compressor", "Compressor", `, compressor_library: {name: gz, typed_config: {"@type": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip}}`+more)
	}
	limiter := func(more string) string {
		return filterOf("local_ratelimit", "LocalRateLimit", `, stat_prefix: a, token_bucket: {max_tokens: 1, fill_interval: 1s}`+more)
	}
	demand := filterOf("on_demand", "OnDemand", "")
	vhds := `{table: {vhds: {config_source: {ads: {}}}}, `
	json := filterOf("json_to_metadata", "JsonToMetadata", `, request_rules: {rules: [{selectors: [{key: a}], on_present: {metadata_namespace: NAMESPACE, key: k}}]}`)
	return []broken{
		before(matched(lua)), before(composed(lua)), before(chained(lua)), after(matched(lua)), after(composed(mutation)), after(chained(mutation)),
		good(`{before: [` + matched(limiter("")) + `], after: [` + composed(limiter("")) + `, ` + chained(filterOf("cors", "Cors", "")) + `]}`),
		before(compressor(`, request_direction_config: {common_config: {enabled: {default_value: true, runtime_key: a}}}`)),
		good(`{before: [` + compressor("") + `], after: [` + compressor("") + `]}`),
		before(limiter(`, request_headers_to_add_when_not_enforced: [{header: {key: x-caller, value: admin}}]`)), good(`{before: [` + limiter("") + `]}`),
		before(strings.Replace(json, "NAMESPACE", dump.ProxyProtocol, 1)), good(`{before: [` + strings.Replace(json, "NAMESPACE", "a", 1) + `]}`),
		before(`{name: typed, typed_config: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: ` + pkgHTTP + `lua.v3.Lua, value: {default_source_code: {inline_string: "function envoy_on_request(h) end"}}}}`),
		before(processor("")), before(processor(`processing_mode: {request_header_mode: SKIP, request_body_mode: STREAMED}, `)), good(`{before: [` + processor(`processing_mode: {request_header_mode: SKIP}, `) + `]}`),
		good(`{after: [` + processor(`observability_mode: true, `) + `]}`),
		{rule: rulebook.Before, breaks: `{before: [` + filterOf("mcp_json_rest_bridge", "McpJsonRestBridge", "") + `]}`, fix: `{before: null}`},
		{rule: rulebook.After, also: []string{rulebook.Unseen}, breaks: vhds + `after: [` + demand + `]}`, fix: `{after: null, before: [` + demand + `]}`, fixedLeave: []string{rulebook.Unseen}, synthetic: true},
		{rule: rulebook.Unseen, breaks: vhds + `before: []}`, fix: `{table: {vhds: null}}`, synthetic: true},
		{rule: rulebook.After, breaks: `{router: {upstream_http_filters: [` + mutation + `, ` + filterOf("upstream_codec", "UpstreamCodec", "") + `]}}`, fix: `{router: {upstream_http_filters: null}}`},
		{rule: rulebook.After, breaks: `{route: {route: {cluster: up-CASE}}}`, fix: `{route: {route: {cluster: upstream}}}`, clusters: []string{filtered("up-CASE", mutation)}},
		{rule: rulebook.Trailers, breaks: `{route: {route: {cluster: h2-CASE}}}`, fix: `{route: {route: {cluster: upstream}}}`, clusters: []string{strings.TrimSuffix(clusterAt("h2-CASE", "127.0.0.1", 8080), "}") + `, http2_protocol_options: {}}`}},
		good(`{before: [` + filterOf("grpc_stats", "FilterConfig", "") + `, ` + filterOf("fault", "HTTPFault", "") + `]}`),
	}
}

func processor(mode string) string {
	return filterOf("ext_proc", "ExternalProcessor", `, `+mode+`grpc_service: {envoy_grpc: {cluster_name: upstream}}`)
}

// filtered is a cluster with an HTTP filter of its own.
func filtered(name, filter string) string {
	return strings.TrimSuffix(clusterAt(name, "127.0.0.1", 8080), "}") + `, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
		explicit_http_config: {http_protocol_options: {}}, http_filters: [` + filter + `, ` + filterOf("upstream_codec", "UpstreamCodec", "") + `]}}}`
}

// answerCases are settings of the listener for requests and answers.
func answerCases() []broken {
	onManager := func(rule, field, bad, good string) broken {
		return broken{rule: rule, breaks: `{manager: {` + field + `: ` + bad + `}}`, fix: `{manager: {` + field + `: ` + good + `}}`}
	}
	onAuthz := func(rule, bad, good string) broken {
		return broken{rule: rule, breaks: `{authz: {` + bad + `}}`, fix: `{authz: {` + good + `}}`}
	}
	file := func(format string) string {
		return `[` + loggers + `file.v3.FileAccessLog, path: /dev/null, log_format: {text_format_source: {inline_string: "` + format + `"}}}}]`
	}
	mapper := func(filter, what string) string {
		return `{mappers: [{filter: ` + filter + `, ` + what + `}]}`
	}
	status := `{status_code_filter: {comparison: {op: EQ, value: {default_value: 403, runtime_key: a}}}}`
	flags := `{response_flag_filter: {flags: [UF, NR]}}`
	body := `body_format_override: {text_format_source: {inline_string: x}}`
	custom := filterOf("custom_response", "CustomResponse", `, custom_response_matcher: {on_no_match: {action: {name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy, status_code: 200}}}}`)
	return []broken{
		onManager(rulebook.Answers, "local_reply_config", mapper(status, "status_code: 200"), mapper(flags, "status_code: 502")),
		onManager(rulebook.Answers, "local_reply_config", mapper(status, body), mapper(`{and_filter: {filters: [`+status+`, `+flags+`]}}`, body)),
		onManager(rulebook.Answers, "local_reply_config", `{body_format: {text_format_source: {inline_string: oops}}}`, `{body_format: {text_format_source: {inline_string: "%LOCAL_REPLY_BODY%"}}}`),
		{rule: rulebook.Answers, breaks: `{after: [` + custom + `]}`, fix: `{after: null}`},
		onManager(rulebook.Underscores, "common_http_protocol_options", "{headers_with_underscores_action: DROP_HEADER}", "{headers_with_underscores_action: REJECT_REQUEST}"),
		onManager(rulebook.HeaderSize, "max_request_headers_kb", "8", "60"),
		onManager(rulebook.ClientCert, "forward_client_cert_details", "ALWAYS_FORWARD_ONLY", "SANITIZE_SET"),
		onManager(rulebook.ClientCert, "forward_client_cert_matcher", `{on_no_match: {action: {name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertConfig, forward_client_cert_details: ALWAYS_FORWARD_ONLY}}}}`, "null"),
		onManager(rulebook.Internal, "internal_address_config", "{cidr_ranges: [{address_prefix: 0.0.0.0, prefix_len: 0}]}", "{cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}"),
		{rule: rulebook.Address, breaks: `{listener: {traffic_direction: INBOUND}, manager: {use_remote_address: null}}`, fix: `{manager: {use_remote_address: true}}`},
		onManager(rulebook.LogQuery, "access_log", file("%CEL(request.headers['authorization'])%"), file("%REQ(:METHOD)% %CEL(request.method)%")),
		onManager(rulebook.LogQuery, "access_log", file("%PATH%"), file("%PATH(NQ)%")), onManager(rulebook.LogQuery, "access_log", file("%PATH(WQ:ORIG):9%"), file("%PATH(NQ:ORIG)%")),
		onManager(rulebook.LogQuery, "access_log", file("%REQ(Authorization)%"), file("%REQ(X-REQUEST-ID)%")), onManager(rulebook.LogQuery, "access_log", file("%REQ(x-amz-security-token):10%"), file("%RESPONSE_CODE%")),
		onManager(rulebook.LogQuery, "access_log", file("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), "null"),
		onManager(rulebook.LogQuery, "access_log", `[`+loggers+`grpc.v3.HttpGrpcAccessLogConfig, common_config: {log_name: a, transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: upstream}}}}}]`, "null"),
		onManager(rulebook.LogQuery, "tracing", `{provider: {name: envoy.tracers.zipkin, typed_config: {"@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig, collector_cluster: upstream, collector_endpoint: /a, collector_endpoint_version: HTTP_JSON}}, custom_tags: [{tag: a, request_header: {name: authorization}}]}`, "{custom_tags: null}"),
		{rule: rulebook.StatusOnError, breaks: `{authz: {status_on_error: {code: OK}}}`, fix: `{authz: {status_on_error: {code: ServiceUnavailable}}}`},
		onAuthz(rulebook.AnswerMetadata, "enable_dynamic_metadata_ingestion: false", "enable_dynamic_metadata_ingestion: true"),
		onAuthz(rulebook.ResponseLimits, "grpc_service: {envoy_grpc: {max_receive_message_length: 100}}", "grpc_service: {envoy_grpc: {max_receive_message_length: null}}"),
		onAuthz(rulebook.Retries, "grpc_service: {retry_policy: {num_retries: 2}}", "grpc_service: {retry_policy: null}"),
		onAuthz(rulebook.Timeout, "grpc_service: {timeout: 0.1s}", "grpc_service: {timeout: 1s}"), onAuthz(rulebook.Timeout, "grpc_service: {timeout: 600s}", "grpc_service: {timeout: 31s}"),
		{breaks: `{manager: {stream_idle_timeout: 300s, http2_protocol_options: {max_concurrent_streams: 100}, upgrade_configs: [{upgrade_type: websocket}], internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}}`},
		{breaks: `{authz: {stat_prefix: p, include_peer_certificate: true, emit_filter_state_stats: true, charge_cluster_response_stats: false, filter_enabled: {default_value: {numerator: 100}}}}`},
	}
}

// connectionCases are settings of the cluster of portcullis.
func connectionCases() []broken {
	cluster := func(rule, bad, good string) broken {
		return broken{rule: rule, breaks: `{cluster: {` + bad + `}}`, fix: `{cluster: {` + good + `}}`}
	}
	far := `load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 192.0.2.1, port_value: 9001}}}}]}]}`
	tls := func(more string) string {
		return `transport_socket: ` + strings.Replace(upstreamTLS, "UpstreamTlsContext}", `UpstreamTlsContext, sni: a, common_tls_context: {validation_context: {trusted_ca: {filename: FOLDER/ca.crt}, match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}]`+more+`}}}`, 1)
	}
	raw := `{name: raw, match: {}, transport_socket: {name: raw, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}`
	options := func(more string) string {
		return `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {` + more + `}}`
	}
	lua := strings.TrimSuffix(strings.TrimPrefix(filterOf("lua", "Lua", `, default_source_code: {inline_string: "function envoy_on_response(h) end"}`), " "), " ")
	return []broken{
		cluster(rulebook.Unverified, far+`, `+tls(`, allow_expired_certificate: true`), tls(`, allow_expired_certificate: false`)),
		cluster(rulebook.Plain, far+`, `+tls("")+`, transport_socket_matches: [`+raw+`]`, `transport_socket_matches: null`),
		{rule: rulebook.CheckTarget, also: []string{rulebook.Unhealthy}, breaks: `{cluster: {type: ORIGINAL_DST, lb_policy: 6, load_assignment: null}}`, fix: `{cluster: {type: STATIC, lb_policy: 0, load_assignment: {cluster_name: CLUSTER, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9001}}}}]}]}}}`},
		cluster(rulebook.Unhealthy, `load_assignment: {cluster_name: CLUSTER, endpoints: []}`, strings.Replace(far, "192.0.2.1", "127.0.0.1", 1)),
		cluster(rulebook.OuterTimeout, options(`common_http_protocol_options: {max_stream_duration: 0.5s}`), options(`common_http_protocol_options: {max_stream_duration: 5s}`)),
		cluster(rulebook.Plain, far+`, transport_socket: `+wrapped(`{name: raw, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}`), `transport_socket: `+wrapped(strings.TrimPrefix(tls(""), "transport_socket: "))),
		cluster(rulebook.Breaker, `circuit_breakers: {per_host_thresholds: [{max_connections: 10}]}`, `circuit_breakers: {per_host_thresholds: null}`),
		cluster(rulebook.Outlier, `outlier_detection: {consecutive_5xx: 3}`, `outlier_detection: null`),
		cluster(rulebook.CheckFilter, options(`http_filters: [`+lua+`, `+filterOf("upstream_codec", "UpstreamCodec", "")+`]`), options(`http_filters: null`)),
		{rule: rulebook.Plain, breaks: `{authz: {grpc_service: {envoy_grpc: null, google_grpc: {target_uri: "p.example.com:9001", stat_prefix: a, channel_credentials_plugin: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.grpc_service.channel_credentials.insecure.v3.InsecureCredentials}}]}}}}`,
			fix: `{authz: {grpc_service: {google_grpc: {channel_credentials_plugin: null, channel_credentials: {ssl_credentials: {}}}}}}`, synthetic: true},
		{rule: rulebook.Principal, breaks: `{chain: {transport_socket: ` + strings.Replace(downstreamTLS, "tls_certificates:", "validation_context: {trusted_ca: {filename: FOLDER/ca.crt}, allow_expired_certificate: true}, tls_certificates:", 1) + `}, host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {check_settings: {context_extensions: {portcullis.sourcePrincipal: verified}}}}}}`,
			fix: `{chain: {transport_socket: {typed_config: {common_tls_context: {validation_context: {allow_expired_certificate: null}}}}}}`},
	}
}

// wrapped is a transport socket inside one that sends a PROXY protocol header.
func wrapped(socket string) string {
	return `{name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport, config: {version: V1}, transport_socket: ` + socket + `}}`
}
