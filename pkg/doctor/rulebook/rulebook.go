// Package rulebook has every rule of the doctor, with its reason and its fix, and the findings that break one.
package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// OldestMinor is the minor version of the oldest Envoy 1.x that is supported.
const OldestMinor = 37

// Rule is something that an Envoy's configuration must not have.
type Rule struct {
	ID       string
	Severity Severity
	// Title says what the rule finds, Why what comes of it, and Fix what to change.
	Title, Why, Fix string
}

// The rules, by what they are about.
const (
	NoFilter         = "no-ext-authz"
	TCP              = "tcp-bypass"
	Tunnel           = "tunnel"
	OtherService     = "other-service"
	Exposed          = "portcullis-exposed"
	AdminOpen        = "admin-open"
	Off              = "filter-off"
	Backstop         = "no-backstop"
	Unpatched        = "unpatched-listener"
	RouteOff         = "route-disabled"
	Enabled          = "filter-enabled"
	Metadata         = "enabled-by-metadata"
	Conditional      = "conditional-filter"
	Optional         = "optional-filter"
	FailOpen         = "failure-mode-allow"
	Shadow           = "shadow-mode"
	Unapplied        = "unapplied-settings"
	ClusterHeader    = "cluster-header"
	HostHeader       = "virtual-host-header"
	ClientRewrite    = "client-rewrite"
	Unseen           = "unseen"
	Draining         = "draining"
	RefusedUpdate    = "refused-update"
	NoAPI            = "missing-api"
	UnknownSetting   = "unknown-setting"
	ListenerMark     = "shared-listener-mark"
	Principal        = "unverified-principal"
	ProxyProtocol    = "optional-proxy-protocol"
	VPCE             = "vpc-endpoint-metadata"
	Unbuffered       = "body-unbuffered"
	FilterBuffered   = "body-by-filter-alone"
	WideMark         = "body-mark-inherited"
	Partial          = "body-partial"
	TextBody         = "body-text"
	BodyLimit        = "body-limit"
	NoMark           = "body-mark-missing"
	NeedlessBody     = "body-needless"
	Headers          = "header-selection"
	RawHeaders       = "joined-headers"
	Mutations        = "validate-mutations"
	MutationRules    = "mutation-rules"
	ClearRoute       = "clear-route-cache"
	UpstreamName     = "upstream-name"
	ResponseLimits   = "answer-limits"
	Normalize        = "path-normalization"
	Slashes          = "escaped-slashes"
	Matching         = "path-matching"
	Rewritten        = "path-rewritten"
	Redirects        = "internal-redirect"
	Host             = "host-changed"
	Port             = "port-in-host"
	EarlyMutation    = "early-mutation"
	Before           = "filter-before"
	UnknownBefore    = "unknown-filter-before"
	After            = "filter-after"
	UnknownAfter     = "unknown-filter-after"
	Mapped           = "mapped-header"
	Underscores      = "underscores-dropped"
	Mirror           = "mirror"
	ClientCert       = "client-certificate-header"
	CheckFilter      = "check-filter"
	RequestID        = "request-id"
	MaxHeaders       = "header-limit"
	HeaderSize       = "header-size"
	Trailers         = "trailers"
	Address          = "client-address"
	Hops             = "trusted-hops"
	Internal         = "internal-addresses"
	StatusOnError    = "status-on-error"
	Answers          = "answers-changed"
	AnswerMetadata   = "answer-metadata"
	Timeout          = "check-timeout"
	OuterTimeout     = "outer-timeout"
	Breaker          = "circuit-breaker"
	Retries          = "check-retries"
	Outlier          = "outlier-detection"
	Plain            = "plaintext"
	Unverified       = "unverified-tls"
	HTTP2            = "not-http2"
	NoCluster        = "missing-cluster"
	CheckTarget      = "check-target"
	HTTPService      = "http-service"
	Old              = "old-envoy"
	NotLive          = "not-live"
	AllowedOnFailure = "allowed-on-failure"
	Failing          = "checks-failing"
	Unhealthy        = "unhealthy-cluster"
	LogQuery         = "log-query"
	Unrouted         = "unrouted-host"
	UnknownHost      = "unknown-host"
	ProbePassed      = "probe-passed"
	ProbeRefused     = "probe-refused"
	ProbeAPI         = "probe-api"
	ProbeBody        = "probe-body"
	ProbeRequest     = "probe-changed"
	NotProbed        = "not-probed"
)

// Rules returns the rule book.
func Rules() []Rule {
	return slices.Concat(guardRules, nameRules, bodyRules, requestRules, timeRules, connectionRules, stateRules, configRules, probeRules)
}

var guardRules = []Rule{
	{NoFilter, Wrong, "an HTTP connection manager that forwards requests has no ext_authz filter for portcullis",
		"Its requests reach the upstream unchecked.",
		"Add the ext_authz filter of portcullis envoy --for filter as the first of http_filters."},
	{TCP, Wrong, "a tcp_proxy, or another filter that is not for HTTP, leads to an upstream that portcullis guards elsewhere",
		"Connections to this listener reach the upstream unchecked.",
		"Replace the filter by an HTTP connection manager with the ext_authz filter, or remove the filter chain."},
	{Tunnel, Wrong, "a route accepts CONNECT",
		"Only the CONNECT request is checked. What the client then sends through the tunnel reaches the upstream unchecked.",
		"Remove the route with connect_matcher, and CONNECT and CONNECT-UDP from upgrade_configs."},
	{OtherService, Wrong, "a route asks another service than portcullis (grpc_service or http_service in check_settings)",
		"portcullis does not see the route's requests.",
		"Remove grpc_service and http_service from check_settings of ExtAuthzPerRoute."},
	{Exposed, Wrong, "clients reach the port of portcullis through Envoy",
		"A client can send checks of its own. It can try keys and tokens from any address, and invoke the authorizers.",
		"Remove the route or the filter chain that leads to the cluster of portcullis."},
	{AdminOpen, Wrong, "clients may reach Envoy's admin interface",
		"It shows the configuration, changes the runtime, drains listeners and stops Envoy.",
		"Let the admin interface listen on 127.0.0.1, and route only to /stats and /ready of it."},
	{Off, Wrong, "the ext_authz filter is off for a route: it is disabled: true and nothing on the route switches it on",
		"The route's requests reach the upstream unchecked. Envoy Gateway switches its filter on only for routes that a SecurityPolicy covers.",
		"Remove disabled: true from the filter, or give the route an ExtAuthzPerRoute under the filter's name. In Envoy Gateway, target the route or its Gateway with the SecurityPolicy."},
	{Backstop, Wrong, "Envoy Gateway adds an ext_authz filter with each SecurityPolicy, and no filter denies requests that none of them has checked",
		"A connection that is older than a filter does not have it, and uses its new routes at once, unchecked, until the connection is drained.",
		"Apply everything that portcullis envoy --for envoy-gateway prints. Its EnvoyPatchPolicy enables the filter portcullis-unguarded for all routes."},
	{Unpatched, Wrong, "the patches of portcullis did not reach a listener of Envoy Gateway",
		"Its filters lack encode_raw_headers, pack_as_bytes and the filter for connections that are older than a policy. Patches name listeners: those of HTTP/3, of merged Gateways and of the runtime flag XDSNameSchemeV2 have other names.",
		"Remove http3 from the ClientTrafficPolicy, mergeGateways from the EnvoyProxy, or XDSNameSchemeV2 from the runtime flags, or list the listener in the EnvoyPatchPolicy by the name that the dump shows. kubectl get envoypatchpolicy must show True."},
	{RouteOff, Wrong, "a route, its virtual host, its route configuration or a weighted cluster disables ext_authz",
		"The route's requests reach the upstream unchecked.",
		"Remove disabled: true from typed_per_filter_config. Open a route with authorization NONE in portcullis.yaml instead."},
	{Enabled, Wrong, "filter_enabled checks only a share of the requests",
		"The other requests reach the upstream unchecked, and the runtime can change the share.",
		"Remove filter_enabled from the ext_authz filter."},
	{Metadata, Wrong, "filter_enabled_metadata checks only requests with certain metadata",
		"The other requests reach the upstream unchecked. Istio writes this metadata for requests that the AuthorizationPolicy's rules match.",
		"Remove filter_enabled_metadata. In Istio, use rules: [{}] in the AuthorizationPolicy with action CUSTOM."},
	{Conditional, Wrong, "the ext_authz filter is inside another filter, which decides whether it runs",
		"Requests for which it does not run reach the upstream unchecked.",
		"Put the ext_authz filter itself into http_filters."},
	{Optional, Wrong, "the ext_authz filter is optional, or is discovered with a default",
		"An Envoy without this filter, or before it has received it, accepts the configuration and checks nothing.",
		"Remove is_optional, and write typed_config instead of config_discovery."},
	{FailOpen, Wrong, "failure_mode_allow: true",
		"Requests pass while portcullis does not answer, so stopping or overloading it opens every route.",
		"Set failure_mode_allow: false. In Istio, failOpen: false; in Envoy Gateway, failOpen: false."},
	{Shadow, Wrong, "shadow_mode: true",
		"A request that portcullis denies reaches the upstream, with the client's own headers under mapped names.",
		"Remove shadow_mode when the trial ends."},
	{Unapplied, Wrong, "typed_per_filter_config has ext_authz settings under a name that no filter of the listener has",
		"The settings have no effect: the route lacks its API, or is not switched on.",
		"Use the filter's own name as the key."},
	{ClusterHeader, Wrong, "the request selects the upstream: cluster_header, a cluster specifier plugin, or a cluster that takes the address from the request",
		"The client selects the upstream, but not the policy.",
		"Name the cluster on the route, and give it fixed endpoints."},
	{HostHeader, Wrong, "a header other than Host selects the virtual host (vhost_header)",
		"The client selects the API that Envoy names, and with it the upstream, apart from the host that it signs.",
		"Remove vhost_header from the route configuration."},
	{ClientRewrite, Wrong, "a request header becomes the path or the host that the upstream gets",
		"Policies judge the path and host that the client sends, and the upstream serves others that the client also chooses.",
		"Remove %REQ(...)% and other values of the request from path_rewrite and host_rewrite, and remove host_rewrite_header."},
	{Unseen, Wrong, "a part of the configuration is not in the input",
		"What is not seen may be unguarded.",
		"Pass the whole config_dump?include_eds, or all of istioctl proxy-config listeners, routes and clusters -o json."},
}

var nameRules = []Rule{
	{NoAPI, Wrong, "a route has no portcullis.api or no portcullis.stage in its context_extensions",
		"The host that the client sends selects the policy, but not the upstream: a client can name the most open API. With envoy.requireApi, portcullis answers 500.",
		"Set portcullis.api and portcullis.stage in check_settings.context_extensions of the virtual host or of the route."},
	{UnknownSetting, Wrong, "context_extensions have a setting of portcullis that it does not know",
		"portcullis answers every request of the route with 500.",
		"Correct its name: portcullis.api, portcullis.stage, portcullis.basePath, portcullis.body, portcullis.listener, portcullis.secureTransport or portcullis.sourcePrincipal."},
	{ListenerMark, Wrong, "routes with portcullis.listener are used by more than one listener",
		"Requests of the other listener count as those of the VPC endpoint.",
		"Give each listener with private APIs a route configuration of its own."},
	{Principal, Wrong, "portcullis.sourcePrincipal: verified, although the listener does not verify client certificates",
		"A client can claim any SPIFFE id.",
		"Set a validation_context with trusted_ca in the listener's TLS, without trust_chain_verification: ACCEPT_UNTRUSTED and allow_expired_certificate, or remove portcullis.sourcePrincipal."},
	{ProxyProtocol, Wrong, "the proxy_protocol filter accepts connections without the header",
		"A client that reaches the listener directly is not recognized as one that came past the load balancer.",
		"Remove allow_requests_without_proxy_protocol."},
	{VPCE, Wrong, "the listener reads the VPC endpoint from the PROXY protocol, but ext_authz does not send it",
		"portcullis does not see the endpoint: private APIs answer 403.",
		"Set metadata_context_namespaces: [envoy.filters.listener.proxy_protocol] on the ext_authz filter."},
}

var bodyRules = []Rule{
	{Unbuffered, Wrong, "portcullis.body: buffered on a route where Envoy does not wait for the body",
		"An unsigned chunked body counts as an empty one and reaches the upstream with a valid signature.",
		"Set with_request_body in check_settings of the same route, or remove portcullis.body from it."},
	{FilterBuffered, Wrong, "portcullis.body: buffered on a route that leaves waiting for the body to the filter",
		"A connection that is older than the filter's with_request_body uses the new route at once: an unsigned body passes.",
		"Set with_request_body in check_settings of the same route, in addition to the filter."},
	{WideMark, Note, "portcullis.body: buffered is set for a whole virtual host or route configuration",
		"Routes that are added later inherit it, including those with disable_request_body_buffering.",
		"Set portcullis.body and with_request_body on each route."},
	{Partial, Wrong, "allow_partial_message: true",
		"A longer body is checked by its first bytes. portcullis refuses those with 500.",
		"Set allow_partial_message: false, and max_request_bytes to the longest signed body."},
	{TextBody, Wrong, "the body is sent as text (no pack_as_bytes on the filter)",
		"Bytes that are not UTF-8 become \"!\". portcullis answers signed bodies that contain it with 500.",
		"Set pack_as_bytes: true in with_request_body of the filter. The setting does not exist on routes, so the filter needs with_request_body too."},
	{BodyLimit, Wrong, "max_request_bytes is above 10 MiB",
		"portcullis answers larger bodies with 413, as API Gateway does, after Envoy has buffered them.",
		"Set max_request_bytes to 10485760 or less."},
	{NoMark, Wrong, "a stage has routes with AWS_IAM, and a route of Envoy that leads to it does not buffer and declare the body",
		"Signed requests are answered 500.",
		"Print the configuration again with portcullis envoy, or set portcullis.body: buffered and with_request_body on the route."},
	{NeedlessBody, Note, "Envoy buffers bodies, although no route of portcullis.yaml needs one",
		"Each body uses memory, and one of more than about 1 MiB is answered 413.",
		"Remove with_request_body from the filter and the routes. Envoy Gateway keeps it."},
}

var requestRules = []Rule{
	{Headers, Wrong, "allowed_headers or disallowed_headers on the ext_authz filter",
		"portcullis does not see the other headers: signatures and tokens fail, and client headers with mapped names are not removed.",
		"Remove both. In Envoy Gateway, remove headersToExtAuth."},
	{RawHeaders, Wrong, "encode_raw_headers is not true",
		"Repeated headers are joined, and bytes that are not UTF-8 become \"!\": signatures over them are answered 500 or 403.",
		"Set encode_raw_headers: true on the ext_authz filter."},
	{Mutations, Note, "validate_mutations is not true",
		"A header that HTTP does not allow would be forwarded.",
		"Set validate_mutations: true on the ext_authz filter."},
	{MutationRules, Wrong, "decoder_header_mutation_rules keep portcullis from changing headers",
		"Headers with mapped names stay as the client sent them, and signatures reach the upstream.",
		"Remove decoder_header_mutation_rules."},
	{ClearRoute, Wrong, "clear_route_cache, or clear_route_cache_headers",
		"The route is selected again after the check: headers can lead to another upstream than the one that was judged.",
		"Remove both from the ext_authz filter. With upstreams in portcullis.yaml, keep clear_route_cache, and let no route match on headers, query parameters or other metadata."},
	{UpstreamName, Wrong, "routes match on the upstream that portcullis names, and clear_route_cache is not true",
		"Envoy does not select the route again after the check, so these routes get no requests.",
		"Set clear_route_cache: true on the ext_authz filter, as portcullis envoy prints it."},
	{ResponseLimits, Wrong, "the answers of portcullis are cut or refused (max_denied_response_body_bytes below 8192, enforce_response_header_limits, max_receive_message_length below 65536)",
		"Clients get a part of the error body, 500 or 503.",
		"Remove max_denied_response_body_bytes, enforce_response_header_limits and max_receive_message_length."},
	{Normalize, Wrong, "normalize_path or merge_slashes is not true",
		"portcullis refuses dot segments and backslashes with 400, and an inner // reaches the upstream, which may read another path than the policies.",
		"Set normalize_path: true and merge_slashes: true. In Istio, pathNormalization: MERGE_SLASHES."},
	{Slashes, Wrong, "path_with_escaped_slashes_action changes the path",
		"UNESCAPE_AND_FORWARD and UNESCAPE_AND_REDIRECT make another path of %2F than the client signed and than API Gateway sees.",
		"Set path_with_escaped_slashes_action: KEEP_UNCHANGED. In Envoy Gateway, escapedSlashesAction: KeepUnchanged in a ClientTrafficPolicy; in Istio, not DECODE_AND_MERGE_SLASHES."},
	{Matching, Note, "a route matches paths in another way than portcullis (case_sensitive: false, or ignore_path_parameters_in_path_matching)",
		"Envoy gives /Pets or /pets;a the settings of the route for /pets. For portcullis they are other paths.",
		"Remove case_sensitive: false from the match, and ignore_path_parameters_in_path_matching from the route configuration."},
	{Rewritten, Note, "a route rewrites the path into another part of the upstream",
		"Policies judge the path that the client sends. Another route may guard the path that the upstream gets.",
		"Guard both paths alike, or remove prefix_rewrite, regex_rewrite, path_rewrite and path_rewrite_policy. Removing a base path, with the substitution \"/\", is not reported."},
	{Redirects, Wrong, "Envoy follows redirects of the upstream itself (internal_redirect_policy)",
		"The second request is checked again, with another path and without the signature that the first check removed: it is denied.",
		"Remove internal_redirect_policy and internal_redirect_action, so that the client follows the redirect and signs again."},
	{Host, Wrong, "strip_any_host_port, strip_matching_host_port or strip_trailing_host_dot",
		"Signatures over a host with a port or a dot do not verify.",
		"Remove them, and set ignore_port_in_host_matching in the route configuration."},
	{Port, Note, "hosts without a port, and ignore_port_in_host_matching is not set",
		"A request whose Host header has a port does not match its virtual host.",
		"Set ignore_port_in_host_matching: true in the route configuration."},
	{EarlyMutation, Wrong, "early_header_mutation_extensions change headers before the check",
		"portcullis decides about another request than the client sent, and signatures over the headers fail.",
		"Remove early_header_mutation_extensions. In Envoy Gateway, remove headers.earlyRequestHeaders."},
	{Before, Wrong, "a filter before ext_authz changes requests, or answers them",
		"portcullis decides about another request than the client sent. Signatures fail, and clients may get answers that nobody authorized.",
		"Move the filter behind ext_authz, or remove it."},
	{UnknownBefore, Note, "a filter before ext_authz is unknown to portcullis doctor",
		"It may change requests before they are checked.",
		"Move it behind ext_authz unless it changes nothing."},
	{After, Wrong, "a filter after ext_authz changes what was judged",
		"The upstream gets other headers, another body or another route than portcullis allowed. Headers that portcullis sets can be overwritten.",
		"Remove the filter from these routes, or make sure that it touches no header that portcullis sets or removes, and move it to the upstream."},
	{UnknownAfter, Note, "a filter after ext_authz is unknown to portcullis doctor",
		"It may change requests after they were allowed.",
		"Check that it changes neither headers that portcullis sets nor the route."},
	{Mapped, Wrong, "a route adds or removes a request header that portcullis sets for the upstream",
		"The upstream gets another value than portcullis wrote.",
		"Remove the header from request_headers_to_add and request_headers_to_remove."},
	{Underscores, Wrong, "headers with underscores are dropped (headers_with_underscores_action: DROP_HEADER)",
		"Signatures over them do not verify.",
		"Set headers_with_underscores_action to ALLOW, or to REJECT_REQUEST if no client needs underscores."},
	{Mirror, Note, "requests are mirrored (request_mirror_policies)",
		"Another upstream gets copies of the requests that portcullis allowed, with the headers that it set.",
		"Remove request_mirror_policies when the trial ends."},
	{ClientCert, Note, "forward_client_cert_details: ALWAYS_FORWARD_ONLY",
		"The upstream gets X-Forwarded-Client-Cert as the client wrote it.",
		"Set forward_client_cert_details to SANITIZE or SANITIZE_SET."},
	{CheckFilter, Wrong, "the cluster of portcullis has a filter that can change checks or their answers",
		"The filter, and not portcullis, may decide.",
		"Remove the filter from http_filters of the cluster's HttpProtocolOptions."},
	{RequestID, Note, "Envoy changes the X-Request-Id of clients",
		"Signatures over X-Request-Id do not verify.",
		"Set preserve_external_request_id: true, and pack_trace_reason: false in request_id_extension."},
	{MaxHeaders, Note, "max_headers_count is below 1100 (100 if it is not set)",
		"A request whose headers exceed it after the check is answered 500, without a body.",
		"Set common_http_protocol_options: {max_headers_count: 2000}."},
	{HeaderSize, Note, "max_request_headers_kb is below 11",
		"Envoy answers 431 to requests that API Gateway accepts: their headers may have 10,240 bytes.",
		"Remove max_request_headers_kb. Its default is 60."},
	{Trailers, Note, "trailers of clients are forwarded (enable_trailers, or HTTP/2 to the upstream)",
		"The upstream gets fields that portcullis has not seen.",
		"Remove enable_trailers, and http2_protocol_options from the cluster of the upstream, unless the upstream ignores trailers."},
	{Address, Wrong, "use_remote_address is not true",
		"The client writes its own X-Forwarded-For and X-Forwarded-Proto, which aws:SourceIp and aws:SecureTransport may depend on.",
		"Set use_remote_address: true, and remove original_ip_detection_extensions. In Envoy Gateway, remove clientIPDetection.customHeader."},
	{Hops, Note, "xff_num_trusted_hops is above 0",
		"Envoy takes X-Forwarded-Proto from the peer. Whoever bypasses the proxy in front can claim TLS.",
		"Let only that proxy reach the listener, and have it overwrite X-Forwarded-Proto, or set portcullis.secureTransport to \"true\" or \"false\"."},
	{Internal, Note, "internal_address_config covers a large part of the Internet",
		"Clients in these networks control retries and timeouts with X-Envoy headers. Envoy removes those of all other clients.",
		"List only networks without clients in internal_address_config."},
	{LogQuery, Note, "an access log or a trace contains the query, or a header that authenticates clients",
		"A reader of the log can replay presigned requests, or use the tokens.",
		"Use %PATH(NQ)% instead of %PATH%, %REQ(:PATH)% and the default format. Remove the headers and the query parameters. A gRPC access log cannot leave out the query."},
}

var timeRules = []Rule{
	{StatusOnError, Note, "status_on_error is not a server error",
		"Clients are told 403, as for a denial, or even success, while portcullis does not answer.",
		"Set status_on_error: {code: ServiceUnavailable}."},
	{Answers, Wrong, "Envoy changes the answers of portcullis (local_reply_config, custom_response)",
		"Clients get another status or another body than portcullis decided.",
		"Limit the mapper to other answers, as portcullis envoy prints it: response.code_details != \"ext_authz_denied\". Remove body_format without a mapper, and custom_response."},
	{AnswerMetadata, Note, "enable_dynamic_metadata_ingestion: false",
		"Envoy drops the decision and its reason, which the access log, upstreams per route and the filter portcullis-unguarded use.",
		"Remove enable_dynamic_metadata_ingestion."},
	{Timeout, Wrong, "the timeout of a check is too short, or there is none",
		"Envoy answers 503 to requests whose authorizers take longer. Without a timeout, or with one of minutes, requests wait.",
		"Set grpc_service.timeout to what portcullis envoy prints: a second more than the slowest function."},
	{OuterTimeout, Wrong, "another timeout of the request is shorter than that of the check",
		"Envoy ends the request with 408 or 504 before portcullis may answer.",
		"Raise request_timeout, stream_idle_timeout, idle_timeout and max_stream_duration, of the listener, the route and the cluster of portcullis, above the timeout of ext_authz."},
	{Breaker, Wrong, "a circuit breaker of the cluster of portcullis is below the number of checks that portcullis accepts",
		"One hanging function makes every API fail. portcullis would refuse the excess by share.",
		"Set max_requests, max_pending_requests and max_connections to twice --max-checks: 8192 by default. In Istio, use a DestinationRule; in Envoy Gateway, backendSettings.circuitBreaker."},
	{Retries, Note, "a check is retried (retry_policy of grpc_service)",
		"One request can invoke an authorizer several times, and a portcullis that is busy gets more checks.",
		"Remove retry_policy from grpc_service and envoy_grpc of the ext_authz filter."},
	{Outlier, Note, "outlier_detection of the cluster of portcullis",
		"Checks that time out, as with a function that hangs, take replicas out of service for every API.",
		"Remove outlier_detection from the cluster, and use health_checks."},
}

var connectionRules = []Rule{
	{Plain, Wrong, "the connection to portcullis leaves the machine unencrypted",
		"Who answers in place of portcullis allows every request.",
		"Print the configuration with --portcullis-ca, use mutual TLS of the mesh, or a loopback address or Unix socket."},
	{Unverified, Wrong, "the certificate of portcullis is not verified, or not its name",
		"Another server can answer in place of portcullis.",
		"Set validation_context with trusted_ca and match_typed_subject_alt_names in the cluster's TLS, without allow_expired_certificate."},
	{CheckTarget, Wrong, "the cluster of portcullis takes its address from the request (ORIGINAL_DST, or a dynamic forward proxy)",
		"The server that the client names decides in place of portcullis.",
		"Set the type of the cluster to STATIC, STRICT_DNS or EDS, with the address of portcullis."},
	{HTTP2, Wrong, "the cluster of portcullis does not use HTTP/2",
		"Every check fails.",
		"Set explicit_http_config: {http2_protocol_options: {}} in the cluster's HttpProtocolOptions."},
	{NoCluster, Wrong, "the cluster of portcullis does not exist",
		"Every check fails.",
		"Add the cluster. In Istio, a Sidecar resource with egress hosts must list the namespace of portcullis."},
	{HTTPService, Wrong, "an ext_authz filter for portcullis uses http_service",
		"portcullis answers the gRPC service only.",
		"Use grpc_service."},
}

var stateRules = []Rule{
	{Old, Wrong, "Envoy is older than the oldest supported version",
		"It lacks settings and fixes that portcullis depends on.",
		fmt.Sprintf("Use Envoy 1.%d or newer.", OldestMinor)},
	{NotLive, Note, "Envoy is not live",
		"It starts, drains, or does not pass its health check.",
		"Run the doctor again when it is."},
	{Draining, Wrong, "connections of an older configuration are still open",
		"They keep the filters that they were opened with, which may be none, and use new routes at once.",
		"Wait until they have drained (--drain-time-s), or restart Envoy."},
	{RefusedUpdate, Wrong, "Envoy has refused an update of its configuration",
		"It serves the last version that it accepted, which may guard less.",
		"Correct what error_state names in the dump."},
	{AllowedOnFailure, Wrong, "Envoy has let requests pass because their checks failed",
		"These requests reached the upstream unchecked.",
		"Set failure_mode_allow: false."},
	{Failing, Note, "checks have failed since Envoy started",
		"These requests were answered 503.",
		"Compare with the log of portcullis, the timeout and the circuit breakers."},
	{Unhealthy, Wrong, "the cluster of portcullis has no healthy endpoint",
		"Every check fails.",
		"Start portcullis, and correct the cluster's addresses and TLS."},
}

var configRules = []Rule{
	{Unrouted, Note, "a domain of portcullis.yaml has no virtual host",
		"Its requests do not reach an upstream.",
		"Print the configuration again with portcullis envoy."},
	{UnknownHost, Note, "a virtual host has a domain that portcullis.yaml does not have",
		"portcullis answers its requests with 403.",
		"Add the domain to a stage, or remove it."},
}

var probeRules = []Rule{
	{ProbePassed, Wrong, "a probe was not answered by portcullis",
		"The route is unguarded, or its checks go elsewhere, such as to another replica.",
		"Compare the route with portcullis envoy. Probe one replica at a time."},
	{ProbeRefused, Wrong, "portcullis could not judge a probe",
		"It answers every request of the route like that.",
		"Correct what the message names."},
	{ProbeAPI, Wrong, "a context extension has another value than portcullis.yaml",
		"Requests are answered by the policies of another API or stage, or 403 or 500.",
		"Print the configuration again with portcullis envoy."},
	{ProbeBody, Wrong, "a body did not arrive as it was sent",
		"Signatures over bodies fail.",
		"Set with_request_body with pack_as_bytes: true and allow_partial_message: false."},
	{ProbeRequest, Wrong, "method, path, host or headers did not arrive as they were sent",
		"portcullis decides about another request than the client sent, and signatures fail.",
		"Remove what changes requests before ext_authz."},
	{NotProbed, Note, "a route was not probed",
		"Its values are not known.",
		"Check the route by hand."},
}

// byID has the rules by id.
var byID = sync.OnceValue(func() map[string]Rule {
	all := map[string]Rule{}
	for _, r := range Rules() {
		all[r.ID] = r
	}
	return all
})

// Explain prints what a rule means; all of them for "all". It returns false for an unknown rule.
func Explain(w io.Writer, id string) (bool, error) {
	var b strings.Builder
	for _, r := range Rules() {
		if id != r.ID && id != "all" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (%s)\n  finds  %s\n  why    %s\n  fix    %s\n", r.ID, r.Severity, r.Title, r.Why, r.Fix)
	}
	_, err := io.WriteString(w, b.String())
	return b.Len() > 0, err
}

// IDs returns the ids of all rules, sorted.
func IDs() []string {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}

// Table returns the rule book in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| rule | | finds | because | fix |\n|---|---|---|---|---|\n")
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.ID, r.Severity, r.Title, r.Why, r.Fix)
	}
	return b.String()
}
