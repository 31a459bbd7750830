package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// A broken configuration and the fix, as merge patches of parts of what portcullis envoy prints: listener, chain, manager,
// filter (the entry of http_filters), authz (its typed_config), table, host, route (the last one of host), cluster; before
// and after are other filters.
type broken struct {
	rule       string
	breaks     string
	fix        string
	also       []string // other rules that it breaks
	synthetic  bool     // Envoy refuses it, or it needs a file that is not there
	fixedLeave []string // what the fix leaves
	more       string   // a patch of one more listener of the broken one
	clusters   []string // more clusters, whose names contain CASE
}

const (
	pkgHTTP = "type.googleapis.com/envoy.extensions.filters.http."
	settled = `"@type": ` + pkgHTTP + `ext_authz.v3.ExtAuthzPerRoute`
	flagged = `"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig`
	onRoute = `{route: {typed_per_filter_config: {envoy.filters.http.ext_authz: `
	onHost  = `{host: {typed_per_filter_config: {envoy.filters.http.ext_authz: `
	onTable = `{table: {typed_per_filter_config: {envoy.filters.http.ext_authz: `
)

func filterOf(kind, message, config string) string {
	return fmt.Sprintf(`{name: envoy.filters.http.%s, typed_config: {"@type": %s%s.v3.%s%s}}`, kind, pkgHTTP, kind, message, config)
}

var (
	mutation = filterOf("header_mutation", "HeaderMutation", `, mutations: {request_mutations: [{append: {header: {key: x-a, value: b}}}]}`)
	lua      = filterOf("lua", "Lua", `, default_source_code: {inline_string: "function envoy_on_request(h) end"}`)
	jwt      = filterOf("jwt_authn", "JwtAuthentication", `, providers: {p: {issuer: i, forward: true, remote_jwks: {http_uri: {uri: "http://127.0.0.1/", cluster: upstream, timeout: 1s}}%s}}`)
)

func cases() []broken {
	return slices.Concat(guardCases(), bodyCases(), requestCases(), otherCases(), reachCases(), actionCases(), filterCases(), answerCases(), connectionCases())
}

func guardCases() []broken {
	return []broken{
		{rule: rulebook.RouteOff, breaks: onRoute + `{` + settled + `, check_settings: null, disabled: true}}}}`, fix: onRoute + `{disabled: null, check_settings: {}}}}}`},
		{rule: rulebook.RouteOff, breaks: onRoute + `{` + flagged + `, check_settings: null, disabled: true}}}}`, fix: onRoute + `null}}}`},
		{rule: rulebook.RouteOff, also: []string{rulebook.NoAPI}, breaks: `{host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {disabled: true, check_settings: null}}}, route: {typed_per_filter_config: null}}`,
			fix: `{host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {disabled: null, check_settings: {context_extensions: {portcullis.api: a, portcullis.stage: b}}}}}}`},
		{rule: rulebook.RouteOff, also: []string{rulebook.NoAPI}, breaks: `{table: {typed_per_filter_config: {envoy.filters.http.ext_authz: {` + flagged + `, disabled: true}}}, host: {typed_per_filter_config: null}, route: {typed_per_filter_config: null}}`,
			fix: `{table: {typed_per_filter_config: {envoy.filters.http.ext_authz: {` + settled + `, disabled: null, check_settings: {context_extensions: {portcullis.api: a, portcullis.stage: b}}}}}}`},
		{rule: rulebook.RouteOff, breaks: `{route: {route: {cluster: null, weighted_clusters: {clusters: [{name: upstream, weight: 1, typed_per_filter_config: {envoy.filters.http.ext_authz: {` + settled + `, disabled: true}}}, {name: upstream, weight: 99}]}}}}`,
			fix: `{route: {route: {weighted_clusters: {clusters: [{name: upstream, weight: 1}, {name: upstream, weight: 99}]}}}}`},
		// A more specific level switches the check on again.
		{breaks: `{table: {typed_per_filter_config: {envoy.filters.http.ext_authz: {` + settled + `, disabled: true}}}}`},
		{breaks: `{filter: {disabled: true}}`},
		{rule: rulebook.Off, also: []string{rulebook.NoAPI}, breaks: `{filter: {disabled: true}, host: {typed_per_filter_config: null}, route: {typed_per_filter_config: null}}`, fix: `{filter: {disabled: null},
			host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {` + settled + `, check_settings: {context_extensions: {portcullis.api: a, portcullis.stage: b}}}}}}`},
		{rule: rulebook.NoFilter, breaks: `{drop: true}`, fix: `{drop: false}`},
		{rule: rulebook.HTTPService, breaks: `{authz: {grpc_service: null, http_service: {server_uri: {uri: "http://a", cluster: portcullis, timeout: 1s}}}}`, also: []string{rulebook.Timeout},
			fix: `{authz: {http_service: null, grpc_service: {envoy_grpc: {cluster_name: CLUSTER}, timeout: 1s}}}`},
		{rule: rulebook.TCP, breaks: `{chain: {filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: a, cluster: upstream}}]}}`, fix: `{}`, fixedLeave: []string{rulebook.TCP}},
		{rule: rulebook.Enabled, breaks: `{authz: {filter_enabled: {default_value: {numerator: 50}}}}`, fix: `{authz: {filter_enabled: null}}`},
		{rule: rulebook.Enabled, breaks: `{authz: {filter_enabled: {default_value: {numerator: 100}, runtime_key: a.b}}}`, fix: `{authz: {filter_enabled: {runtime_key: null}}}`},
		{rule: rulebook.Metadata, breaks: `{authz: {filter_enabled_metadata: ` + shadowed + `}}`, fix: `{before: [` + rbac(`any: true`) + `]}`},
		{rule: rulebook.Metadata, breaks: `{authz: {filter_enabled_metadata: ` + shadowed + `}, before: [` + rbac(`url_path: {path: {prefix: /a}}`) + `]}`, fix: `{before: [` + rbac(`and_rules: {rules: [{any: true}]}`) + `]}`},
		{rule: rulebook.Conditional, breaks: `{wrap: true}`, also: []string{rulebook.Unapplied, rulebook.NoAPI}, fix: `{wrap: false}`},
		{rule: rulebook.Optional, breaks: `{filter: {is_optional: true}}`, fix: `{filter: {is_optional: null}}`},
		{rule: rulebook.FailOpen, breaks: `{authz: {failure_mode_allow: true, failure_mode_allow_header_add: true}}`, fix: `{authz: {failure_mode_allow: false, failure_mode_allow_header_add: null}}`},
		{rule: rulebook.Shadow, breaks: `{authz: {shadow_mode: true}}`, fix: `{authz: {shadow_mode: null}}`},
		{rule: rulebook.Unapplied, breaks: `{filter: {name: ext_authz/portcullis}}`, also: []string{rulebook.NoAPI}, fix: `{filter: {name: envoy.filters.http.ext_authz}}`},
		{rule: rulebook.ClusterHeader, breaks: `{route: {route: {cluster: null, cluster_header: x-cluster}}}`, fix: `{route: {route: {cluster: upstream, cluster_header: null}}}`},
		{rule: rulebook.Unseen, breaks: `{manager: {route_config: null, rds: {route_config_name: elsewhere, config_source: {path_config_source: {path: /dev/null}}}}}`, fix: `{manager: {rds: null, route_config: {name: here, virtual_hosts: []}}}`, synthetic: true},
		{rule: rulebook.Unseen, breaks: `{filter: {typed_config: null, config_discovery: {type_urls: [a]}}}`, synthetic: true, also: []string{rulebook.NoFilter}, fix: `{filter: {config_discovery: null, typed_config: AUTHZ}}`},
		{rule: rulebook.NoAPI, breaks: onHost + `{check_settings: {context_extensions: {portcullis.api: null}}}}}}`, fix: onHost + `{check_settings: {context_extensions: {portcullis.api: a1b2c3d4e5}}}}}}`},
		{rule: rulebook.NoAPI, breaks: onHost + `{check_settings: {context_extensions: {portcullis.stage: null}}}}}}`, fix: onRoute + `{check_settings: {context_extensions: {portcullis.stage: prod}}}}}}`, fixedLeave: []string{rulebook.NoAPI}},
		{rule: rulebook.Principal, breaks: `{chain: {transport_socket: ` + downstreamTLS + `}, host: {typed_per_filter_config: {envoy.filters.http.ext_authz: {check_settings: {context_extensions: {portcullis.sourcePrincipal: verified}}}}}}`,
			fix: `{chain: {transport_socket: {typed_config: {common_tls_context: {validation_context: {trusted_ca: {filename: FOLDER/ca.crt}}}}}}}`},
		{rule: rulebook.ProxyProtocol, breaks: `{listener: {listener_filters: [` + proxy(`allow_requests_without_proxy_protocol: true, `) + `]}, authz: {metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]}}`,
			fix: `{listener: {listener_filters: [` + proxy("") + `]}}`},
		{rule: rulebook.VPCE, breaks: `{listener: {listener_filters: [` + proxy("") + `]}}`, fix: `{authz: {metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]}}`},
	}
}

const (
	byAnswer      = `{filter: envoy.filters.http.ext_authz, path: [{key: upstream}], value: {string_match: {exact: pets}}}`
	shadowed      = `{filter: envoy.filters.http.rbac, path: [{key: istio_shadow_effective_policy_id}], value: {string_match: {prefix: p-}}}`
	downstreamTLS = `{name: envoy.transport_sockets.tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {tls_certificates: [{certificate_chain: {filename: FOLDER/tls.crt}, private_key: {filename: FOLDER/tls.key}}]}}}`
	upstreamTLS   = `{name: envoy.transport_sockets.tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}`
)

func rbac(permission string) string {
	return filterOf("rbac", "RBAC", `, shadow_rules_stat_prefix: istio_, shadow_rules: {action: DENY, policies: {p-1: {permissions: [{`+permission+`}], principals: [{and_ids: {ids: [{any: true}]}}]}}}`)
}

func proxy(more string) string {
	return `{name: envoy.filters.listener.proxy_protocol, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol, ` + more +
		`rules: [{tlv_type: 0xEA, on_tlv_present: {metadata_namespace: envoy.filters.listener.proxy_protocol, key: aws_vpce}}]}}`
}

func bodyCases() []broken {
	return []broken{
		{rule: rulebook.Unbuffered, breaks: onRoute + `{check_settings: {with_request_body: null, disable_request_body_buffering: true}}}}}`,
			fix: onRoute + `{check_settings: {with_request_body: {max_request_bytes: 1000}, disable_request_body_buffering: null}}}}}`},
		{rule: rulebook.Unbuffered, breaks: `{authz: {with_request_body: null}, route: {typed_per_filter_config: {envoy.filters.http.ext_authz: {check_settings: {with_request_body: null}}}}}`,
			fix: onRoute + `{check_settings: {context_extensions: {portcullis.body: null}}}}}}`},
		{rule: rulebook.FilterBuffered, breaks: onRoute + `{check_settings: {with_request_body: null}}}}}`, fix: onRoute + `{check_settings: {with_request_body: {max_request_bytes: 1000}}}}}}`},
		{rule: rulebook.WideMark, breaks: onHost + `{check_settings: {with_request_body: {max_request_bytes: 1000}, context_extensions: {portcullis.body: buffered}}}}, routes: [{match: {prefix: /}, route: {cluster: upstream}}]}}`,
			fix: onHost + `{check_settings: {with_request_body: null, context_extensions: {portcullis.body: null}}}}}}`},
		{rule: rulebook.Partial, breaks: `{authz: {with_request_body: {allow_partial_message: true}}}`, fix: `{authz: {with_request_body: {allow_partial_message: false}}}`},
		{rule: rulebook.Partial, breaks: onRoute + `{check_settings: {with_request_body: {allow_partial_message: true}}}}}}`, fix: onRoute + `{check_settings: {with_request_body: {allow_partial_message: false}}}}}}`},
		{rule: rulebook.TextBody, breaks: `{authz: {with_request_body: {pack_as_bytes: false}}}`, fix: `{authz: {with_request_body: {pack_as_bytes: true}}}`},
		{rule: rulebook.TextBody, breaks: `{authz: {with_request_body: null}}`, fix: `{authz: {with_request_body: {max_request_bytes: 1000, pack_as_bytes: true}}}`},
		{rule: rulebook.BodyLimit, breaks: `{authz: {with_request_body: {max_request_bytes: 20000000}}}`, fix: `{authz: {with_request_body: {max_request_bytes: 10485760}}}`},
	}
}

func requestCases() []broken {
	one := func(rule, part, field, bad, good string) broken {
		return broken{rule: rule, breaks: `{` + part + `: {` + field + `: ` + bad + `}}`, fix: `{` + part + `: {` + field + `: ` + good + `}}`}
	}
	before := func(filter string) broken {
		return broken{rule: rulebook.Before, breaks: `{before: [` + filter + `]}`, fix: `{before: []}`}
	}
	after := func(filter string) broken {
		return broken{rule: rulebook.After, breaks: `{after: [` + filter + `]}`, fix: `{after: []}`}
	}
	good := func(patch string) broken { return broken{breaks: patch} }
	return []broken{
		one(rulebook.Headers, "authz", "allowed_headers", `{patterns: [{exact: authorization}]}`, "null"),
		one(rulebook.Headers, "authz", "disallowed_headers", `{patterns: [{exact: cookie}]}`, "null"),
		one(rulebook.RawHeaders, "authz", "encode_raw_headers", "false", "true"),
		one(rulebook.Mutations, "authz", "validate_mutations", "false", "true"),
		one(rulebook.MutationRules, "authz", "decoder_header_mutation_rules", "{disallow_all: true}", "null"),
		one(rulebook.ClearRoute, "authz", "clear_route_cache", "true", "false"),
		good(`{authz: {clear_route_cache: true}, route: {match: {dynamic_metadata: [` + byAnswer + `]}}}`),
		{rule: rulebook.UpstreamName, breaks: `{route: {match: {dynamic_metadata: [` + byAnswer + `]}}}`, fix: `{authz: {clear_route_cache: true}}`},
		{rule: rulebook.ClearRoute, breaks: `{authz: {clear_route_cache: true}, route: {match: {dynamic_metadata: [` + byAnswer + `], headers: [{name: x-user, present_match: true}]}}}`, fix: `{route: {match: {headers: null}}}`},
		{rule: rulebook.ClearRoute, breaks: `{authz: {clear_route_cache: true}, route: {match: {dynamic_metadata: [` + byAnswer + `], query_parameters: [{name: q, present_match: true}]}}}`, fix: `{route: {match: {query_parameters: null}}}`},
		good(`{authz: {clear_route_cache: true}, route: {match: {dynamic_metadata: [` + byAnswer + `]}, route: {regex_rewrite: {pattern: {regex: "^/*"}, substitution: /v1/}}}}`),
		{rule: rulebook.Rewritten, breaks: `{authz: {clear_route_cache: true}, route: {match: {dynamic_metadata: [` + byAnswer + `]}, route: {regex_rewrite: {pattern: {regex: "^/(.*)"}, substitution: "/v1/\\1/"}}}}`, fix: `{route: {route: {regex_rewrite: {substitution: /v1/}}}}`},
		one(rulebook.ResponseLimits, "authz", "max_denied_response_body_bytes", "100", "null"),
		one(rulebook.ResponseLimits, "authz", "enforce_response_header_limits", "true", "null"),
		one(rulebook.Normalize, "manager", "normalize_path", "false", "true"),
		one(rulebook.Normalize, "manager", "merge_slashes", "false", "true"),
		one(rulebook.Slashes, "manager", "path_with_escaped_slashes_action", "UNESCAPE_AND_FORWARD", "REJECT_REQUEST"),
		one(rulebook.Slashes, "manager", "path_with_escaped_slashes_action", "UNESCAPE_AND_REDIRECT", "KEEP_UNCHANGED"),
		one(rulebook.Host, "manager", "strip_any_host_port", "true", "null"),
		one(rulebook.Host, "manager", "strip_matching_host_port", "true", "null"),
		one(rulebook.Host, "manager", "strip_trailing_host_dot", "true", "null"),
		one(rulebook.Port, "table", "ignore_port_in_host_matching", "false", "true"),
		one(rulebook.EarlyMutation, "manager", "early_header_mutation_extensions", `[{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: [{remove: x-a}]}}]`, "null"),
		one(rulebook.RequestID, "manager", "preserve_external_request_id", "false", "true"),
		one(rulebook.MaxHeaders, "manager", "common_http_protocol_options", "{max_headers_count: null}", "{max_headers_count: 2000}"),
		one(rulebook.Trailers, "manager", "http_protocol_options", "{enable_trailers: true}", "null"),
		one(rulebook.Address, "manager", "use_remote_address", "false", "true"),
		one(rulebook.Hops, "manager", "xff_num_trusted_hops", "1", "0"),
		one(rulebook.LogQuery, "manager", "access_log", `[{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}]`,
			`[{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null, log_format: {text_format_source: {inline_string: "%PATH(NQ)%"}}}}]`),
		before(mutation), before(lua), before(strings.Replace(fmt.Sprintf(jwt, ""), "forward: true", "forward: false", 1)), before(fmt.Sprintf(jwt, `, forward_payload_header: x-p`)),
		before(filterOf("grpc_web", "GrpcWeb", "")), before(filterOf("basic_auth", "BasicAuth", `, users: {inline_string: "a:{SHA}hWaQ3GA8V4v0pTHeOV4eHU40dNw="}`)),
		before(filterOf("set_metadata", "Config", `, metadata: [{metadata_namespace: envoy.filters.listener.proxy_protocol, value: {aws_vpce: a}}]`)),
		after(mutation), after(lua), after(fmt.Sprintf(jwt, `, forward_payload_header: x-p`)), after(fmt.Sprintf(jwt, `, clear_route_cache: true`)),
		after(fmt.Sprintf(jwt, `, claim_to_headers: [{header_name: x-a, claim_name: sub}]`)),
		{rule: rulebook.UnknownBefore, breaks: `{before: [{name: a, typed_config: {"@type": type.googleapis.com/example.com.Unknown}}]}`, fix: `{before: []}`, synthetic: true},
		{rule: rulebook.UnknownAfter, breaks: `{after: [{name: a, typed_config: {"@type": type.googleapis.com/example.com.Unknown}}]}`, fix: `{after: []}`, synthetic: true},
		good(`{before: [` + filterOf("cors", "Cors", "") + `, ` + filterOf("set_metadata", "Config", `, metadata: [{metadata_namespace: a, value: {b: c}}]`) + `, ` + fmt.Sprintf(jwt, "") + `]}`),
		good(`{after: [` + fmt.Sprintf(jwt, "") + `, ` + filterOf("header_mutation", "HeaderMutation", "") + `]}`),
		good(`{before: [` + strings.Replace(mutation, "{name", "{disabled: true, name", 1) + `]}`),
		good(`{manager: {path_with_escaped_slashes_action: REJECT_REQUEST}}`),
	}
}

func otherCases() []broken {
	cluster := func(rule, bad, good string) broken {
		return broken{rule: rule, breaks: `{cluster: {` + bad + `}}`, fix: `{cluster: {` + good + `}}`}
	}
	far := `load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 192.0.2.1, port_value: 9001}}}}]}]}`
	verified := strings.Replace(upstreamTLS, "UpstreamTlsContext}", `UpstreamTlsContext, sni: a, common_tls_context: {validation_context: {trusted_ca: {filename: FOLDER/ca.crt}, match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}]}}}`, 1)
	return []broken{
		{rule: rulebook.StatusOnError, breaks: `{authz: {status_on_error: null}}`, fix: `{authz: {status_on_error: {code: ServiceUnavailable}}}`},
		{rule: rulebook.Timeout, breaks: `{authz: {grpc_service: {timeout: null}}}`, fix: `{authz: {grpc_service: {timeout: 1s}}}`},
		{rule: rulebook.Timeout, breaks: `{authz: {grpc_service: {timeout: 0s}}}`, fix: `{authz: {grpc_service: {timeout: 1s}}}`},
		{rule: rulebook.OuterTimeout, breaks: `{manager: {request_timeout: 0.5s}}`, fix: `{manager: {request_timeout: 5s}}`},
		{rule: rulebook.OuterTimeout, breaks: `{route: {route: {idle_timeout: 1s}}}`, fix: `{route: {route: {idle_timeout: 5s}}}`},
		{rule: rulebook.OuterTimeout, breaks: `{manager: {common_http_protocol_options: {max_stream_duration: 1s}}}`, fix: `{manager: {common_http_protocol_options: {max_stream_duration: 5s}}}`},
		cluster(rulebook.Breaker, `circuit_breakers: null`, `circuit_breakers: {thresholds: [{max_requests: 8192, max_pending_requests: 8192, max_connections: 8192}]}`),
		cluster(rulebook.Plain, far, `transport_socket: `+verified),
		cluster(rulebook.Unverified, `transport_socket: `+upstreamTLS, `transport_socket: `+verified),
		cluster(rulebook.HTTP2, `typed_extension_protocol_options: null`, `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}`),
		{rule: rulebook.NoCluster, breaks: `{authz: {grpc_service: {envoy_grpc: {cluster_name: portcullis-elsewhere}}}}`, fix: `{authz: {grpc_service: {envoy_grpc: {cluster_name: CLUSTER}}}}`, synthetic: true},
		{rule: rulebook.Plain, breaks: `{authz: {grpc_service: {envoy_grpc: null, google_grpc: {target_uri: "portcullis.example.com:9001", stat_prefix: a}}}}`, fix: `{authz: {grpc_service: {google_grpc: {target_uri: "127.0.0.1:9001"}}}}`},
	}
}

// printedParts returns a bootstrap that portcullis envoy prints, with signed and other routes.
func printedParts(t *testing.T) map[string]any {
	t.Helper()
	text, err := printed()
	if err != nil {
		t.Fatal(err)
	}
	return copied(text).(map[string]any)
}

var printed = sync.OnceValues(func() (any, error) {
	c := &gateway.Config{APIs: []gateway.API{{ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
		Stages: []gateway.Stage{{Name: "prod", Domains: []string{"pets.example.com"}}},
		Routes: []gateway.Route{{Method: "GET", Resource: "/open", Authorization: gateway.None}, {Method: "ANY", Resource: "/{proxy+}", Authorization: gateway.IAM}},
	}}}
	out, err := envoyconf.Generate(c, envoyconf.Options{Admin: "127.0.0.1:0", Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	var v map[string]any
	err = yaml.Unmarshal([]byte(out.Text), &v)
	return v, err
})

// copied returns a copy of a tree.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		n := map[string]any{}
		for name, inner := range v {
			n[name] = copied(inner)
		}
		return n
	case []any:
		l := make([]any, len(v))
		for i, inner := range v {
			l[i] = copied(inner)
		}
		return l
	}
	return v
}

func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return v
}

// merged applies a merge patch: null removes, and lists are replaced.
func merged(to, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	n, ok := to.(map[string]any)
	if !ok {
		n = map[string]any{}
	}
	for name, v := range p {
		if v == nil {
			delete(n, name)
		} else {
			n[name] = merged(n[name], v)
		}
	}
	return n
}

// built is a listener and a cluster of a name, with patches.
func built(t *testing.T, name, dir string, patches ...string) (listener, cluster map[string]any) {
	t.Helper()
	static := printedParts(t)["static_resources"].(map[string]any)
	listener, cluster = static["listeners"].([]any)[0].(map[string]any), static["clusters"].([]any)[0].(map[string]any)
	listener["name"], cluster["name"] = name, "portcullis-"+name
	cluster["load_assignment"].(map[string]any)["cluster_name"] = "portcullis-" + name
	chain := listener["filter_chains"].([]any)[0].(map[string]any)
	manager := chain["filters"].([]any)[0].(map[string]any)["typed_config"].(map[string]any)
	filter, router := manager["http_filters"].([]any)[0].(map[string]any), manager["http_filters"].([]any)[1]
	authz, table := filter["typed_config"].(map[string]any), manager["route_config"].(map[string]any)
	table["name"] = name
	authz["grpc_service"].(map[string]any)["envoy_grpc"].(map[string]any)["cluster_name"] = "portcullis-" + name
	host := table["virtual_hosts"].([]any)[0].(map[string]any)
	routes := host["routes"].([]any)
	parts := map[string]any{"router": router.(map[string]any)["typed_config"], "listener": listener, "chain": chain, "manager": manager, "filter": filter, "authz": authz, "table": table,
		"host": host, "route": routes[len(routes)-1], "cluster": cluster}
	extra := map[string]any{}
	whole, err := json.Marshal(authz)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := json.Marshal(filter)
	if err != nil {
		t.Fatal(err)
	}
	for _, patch := range patches {
		text := strings.NewReplacer("CLUSTER", "portcullis-"+name, "FOLDER", dir, "AUTHZFILTEROPEN", strings.Replace(string(entry), `"failure_mode_allow":false`, `"failure_mode_allow":true`, 1),
			"AUTHZFILTER", string(entry), "AUTHZ", string(whole)).Replace(patch)
		for part, change := range parseYAML(t, text) {
			if own, ok := parts[part]; ok {
				merged(own, change)
			} else {
				extra[part] = change
			}
		}
	}
	manager["http_filters"] = assembled(filter, router, extra)
	return listener, cluster
}

// assembled are the HTTP filters: those before, ext_authz as extra says, those after, and the router.
func assembled(filter map[string]any, router any, extra map[string]any) []any {
	own := []any{filter}
	if extra["drop"] == true {
		own = nil
	}
	if extra["wrap"] == true {
		own = []any{map[string]any{"name": "wrapped", "typed_config": map[string]any{
			"@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher", "extension_config": filter,
			"xds_matcher": map[string]any{"on_no_match": map[string]any{"action": map[string]any{"name": "skip", "typed_config": map[string]any{
				"@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter"}}}},
		}}}
	}
	list := func(v any) []any { l, _ := v.([]any); return l }
	return slices.Concat(list(extra["before"]), own, list(extra["after"]), []any{router})
}

// tested are all cases, broken and fixed, as one bootstrap.
type tested struct {
	listeners, clusters []any
	names               map[string]expectation
}

type expectation struct {
	rules []string
	must  string
}

func assemble(t *testing.T, dir string, all []broken, real bool) *tested {
	t.Helper()
	out := &tested{names: map[string]expectation{}}
	build := func(name, owner string, patches ...string) {
		for i := range patches {
			patches[i] = strings.ReplaceAll(patches[i], "CASE", owner)
		}
		listener, cluster := built(t, name, dir, patches...)
		out.listeners, out.clusters = append(out.listeners, listener), append(out.clusters, cluster)
	}
	add := func(c broken, name string, want expectation, patches ...string) {
		build(name, name, patches...)
		out.names[name] = want
		if want.must != "" && c.more != "" || c.rule == "" && c.more != "" {
			build(name+"-more", name, c.more)
		}
		for _, extra := range c.clusters {
			out.clusters = append(out.clusters, parseYAML(t, strings.ReplaceAll(extra, "CASE", name)))
		}
	}
	for i, c := range all {
		if c.synthetic && real {
			continue
		}
		name := fmt.Sprintf("case%03d", i)
		if c.rule == "" {
			add(c, name+"good", expectation{}, c.breaks)
			continue
		}
		add(c, name+"bad", expectation{append(slices.Clone(c.also), c.rule), c.rule}, c.breaks)
		add(c, name+"fixed", expectation{c.fixedLeave, ""}, c.breaks, c.fix)
	}
	static := printedParts(t)["static_resources"].(map[string]any)
	out.clusters = append(out.clusters, static["clusters"].([]any)...)
	return out
}

// check compares what is found with what is broken.
func (all *tested) check(t *testing.T, d *dump.Dump) {
	t.Helper()
	by := map[string][]string{}
	for _, f := range Examine(d, Options{}) {
		owner := "nobody"
		for name := range all.names {
			if strings.Contains(f.Where, name) {
				owner = name
			}
		}
		if owner == "nobody" {
			t.Errorf("at no case: %+v", f)
		}
		if f.Path == "" || f.Why == "" || f.Fix == "" {
			t.Errorf("incomplete: %+v", f)
		}
		if !slices.Contains(by[owner], f.Rule) {
			by[owner] = append(by[owner], f.Rule)
		}
	}
	for name, want := range all.names {
		got := by[name]
		if want.must != "" && !slices.Contains(got, want.must) {
			t.Errorf("%s: %s is not found, but %v", name, want.must, got)
		}
		for _, rule := range got {
			if !slices.Contains(want.rules, rule) {
				t.Errorf("%s: %s is found, want %v", name, rule, want.rules)
			}
		}
	}
}

// Each rule is found in a configuration that breaks it, and not in the one with the fix, as Envoy dumps them.
func TestRules(t *testing.T) {
	t.Parallel()
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		all := assemble(t, t.TempDir(), cases(), false)
		sections := []any{map[string]any{"static_listeners": wrappedAll("listener", all.listeners)}, map[string]any{"static_clusters": wrappedAll("cluster", all.clusters)}}
		text, err := json.Marshal(map[string]any{"configs": sections})
		if err != nil {
			t.Fatal(err)
		}
		d := dump.New()
		if err := d.Read("dump", strings.NewReader(string(text))); err != nil {
			t.Fatal(err)
		}
		all.check(t, d)
	})
	t.Run("of istioctl", func(t *testing.T) {
		t.Parallel()
		all := assemble(t, t.TempDir(), cases(), false)
		d := dump.New()
		for _, list := range [][]any{all.listeners, all.clusters} {
			text, err := json.Marshal(inCamel(list))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Read("list", strings.NewReader(string(text))); err != nil {
				t.Fatal(err)
			}
		}
		all.check(t, d)
	})
	for group := range slices.Chunk(cases(), 60) { // a small Envoy answers soon, however busy the machine is
		t.Run("dumped", func(t *testing.T) {
			t.Parallel()
			checkDumped(t, group)
		})
	}
}

// checkDumped runs an Envoy with cases, and compares what is found in it.
func checkDumped(t *testing.T, group []broken) {
	t.Helper()
	bin := envoytest.Require(t)
	dir := t.TempDir()
	selfSigned(t, dir)
	all := assemble(t, dir, group, true)
	bootstrap := printedParts(t)
	bootstrap["bootstrap_extensions"] = []any{parseYAML(t, `{name: envoy.bootstrap.internal_listener, typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}}`)}
	bootstrap["static_resources"] = map[string]any{"listeners": all.listeners, "clusters": all.clusters}
	text, err := yaml.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	envoy, err := envoytest.StartEnvoy(ctx, bin, dir, string(text))
	if err != nil {
		t.Fatal(err)
	}
	defer envoy.Stop()
	d := dump.New()
	if err := d.ReadAdmin(ctx, envoy.Admin()); err != nil {
		t.Fatal(err)
	}
	if d.Version != envoytest.Version || d.State != "LIVE" {
		t.Errorf("%q, %q", d.Version, d.State)
	}
	all.check(t, d)
}

func wrappedAll(name string, all []any) []any {
	var out []any
	for _, v := range all {
		out = append(out, map[string]any{name: v})
	}
	return out
}

// selfSigned writes tls.crt, tls.key and ca.crt.
func selfSigned(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"tls.crt": cert, "ca.crt": cert, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
