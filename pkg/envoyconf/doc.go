// Package envoyconf generates the configuration of Envoy, Istio or Envoy Gateway for a portcullis.yaml, with comments
// that explain each setting. The files in envoy/ are its output.
//
// options.go checks the options. plan.go assigns APIs to listeners. hosts.go finds what each listener serves. routes.go
// decides for which requests Envoy buffers the body. readings.go refuses configurations in which one path of an
// upstream has two meanings. The templates, one for each target, write the YAML; istio.go and envoygateway.go first
// convert the plan to the terms of a mesh and of the Gateway API.
//
// # Decisions
//
// 2026-11-25: text/template writes the YAML, so that the configuration and its comments can be read as one text. Every
// value from portcullis.yaml or from a flag passes through quote or, in a comment, through comment.
//
// 2026-11-25: Envoy buffers all requests of a stage if one of its routes is signed. Routes that need no body are
// excluded by matches that are no wider than those of portcullis, after the signed routes that come first in
// portcullis. If a match cannot be that exact, the route stays buffered. So a signed route is never unbuffered
// (exceptions has the proof). Where Envoy and portcullis match differently, the cost is memory and the limit of
// max_request_bytes. The opposite default would make portcullis answer 500.
//
// 2026-11-25: matches are exact paths and URI templates. Envoy refuses a regular expression whose program is longer
// than 100 instructions, which is two or three path parameters.
//
// 2026-11-25: for an HTTP API with a signed route, all requests are buffered, because its routes have a different
// order.
//
// 2026-11-25: a private API gets its own listener if there are public ones, because the PROXY protocol header applies
// to a whole listener.
//
// 2026-11-25: the check's time limit is one second, or more than the authorizers may take. Envoy ends a check that
// portcullis does not answer.
//
// 2026-11-25: a setting that a target cannot express is an error that names it. Istio cannot forward the TLV of the
// PROXY protocol. It cannot distinguish base paths of one host, because its route names come from VirtualServices. At a
// gateway it has no virtual host for an IPv6 address, for a label with an underscore, or for a name without a dot,
// which it reads as a service. A patch for one of those would have no effect.
//
// 2026-11-25: in a mesh, all virtual hosts of the gateway first belong to no API, and then patches assign single hosts.
// A virtual host that istiod names differently (one for "*", one on another port) therefore answers 500. Otherwise the
// client would select the policy with its host. If istiod merges hosts of two stages into one virtual host, it belongs
// to one stage and the other's requests are refused. Matching by domain names would let one stage overwrite the body
// settings of the other.
//
// 2026-11-25: MeshConfig also gets an access log format, although it applies to the whole mesh, because Istio's default
// logs the query and with it the signatures of presigned requests.
//
// 2026-11-25: resources for portcullis itself in a mesh are printed only with --istio-callers. Without it, nothing is
// known about its sidecar, and a DestinationRule with mutual TLS would break every check if portcullis has none.
// Callers are complete SPIFFE ids, because Istio would accept a wildcard.
//
// 2026-11-28: a connection keeps the filters of its listener and sees new routes at once. So everything that a route
// tells portcullis must hold without the filters: a route that declares a buffered body has with_request_body, Envoy
// writes x-forwarded-proto for each connection, and routes of private APIs are not shared with a listener that was
// public. The filter also has with_request_body, because only there pack_as_bytes can be set. A body that an older
// filter sends as text is refused if it may be altered.
//
// 2026-11-28: a path of an upstream has one meaning, whatever the host. Base paths, and stage names on default
// endpoints, are removed on the way to the upstream, with the slashes after them. This takes regular expressions,
// because prefix_rewrite leaves those slashes. Two stages of one host then need two upstreams. With --keep-base-path,
// and in a mesh, whose routes are not generated here, two hosts that give a path different meanings are refused
// (readings.go). Upstreams are identified by --upstream, because no other target prints them.
//
// 2026-11-28: the base path is in portcullis.yaml and in Envoy's routes, and one of them is reloaded before the other.
// Each route, or its virtual host, sends its base path (portcullis.basePath), and portcullis refuses a request if its
// own base path differs. The value is what policies do not see, whether Envoy removes it or not, so --keep-base-path
// and meshes use the same form. A virtual host sets it for all its routes only if they have one mapping, so that no
// route inherits the base path of another.
//
// 2026-11-28: X-Request-Id is the client's if it sends one, because it may be signed. Clients can thus give two
// requests one id, as in API Gateway, where they can override $context.requestId. portcullis accepts only UUIDs, and
// Envoy's log has its first 36 characters.
//
// 2026-11-28: Envoy's own answers use API Gateway's messages and keep their status, so that graphs do not change. A
// listener has one set of them: that of REST APIs if it has a REST API. The details ext_authz_denied mark answers of
// portcullis.
//
// 2026-11-28: for Envoy Gateway, HTTPRoutes are printed too, because a route and its SecurityPolicy must name the same
// stage, and a policy whose targetRef is misspelt guards nothing. They are only on the listeners that have patches.
//
// 2026-11-28: Envoy Gateway gives each SecurityPolicy a filter of its own, which is disabled and enabled per route.
// Connections that are older than the policy do not have its filter, but use the new route: tried, they reached the
// upstream without a check until they were drained. So the filter portcullis-unguarded of the Gateway's policy is
// always in Envoy, because one route uses it, and is enabled for all routes. filter_enabled_metadata skips it for what
// another filter of portcullis has allowed, and it denies everything else. It must come last: Envoy Gateway orders the
// filters by name. A single SecurityPolicy with a patch for each route would need no such filter, but Envoy Gateway
// reads and writes all routes for each patch, which takes too long for hundreds of APIs. Here the number of patches
// does not depend on the APIs.
//
// 2026-11-28: the routes of a stage are not told apart for Envoy Gateway. The Gateway API orders matches by its own
// rules, for which the proof of exceptions does not hold.
//
// 2026-11-28: policies of Envoy Gateway declare raw headers, and portcullis refuses other ones. encode_raw_headers comes from the
// EnvoyPatchPolicy, as does the enabled portcullis-unguarded. A user's own SecurityPolicy replaces the printed one of its route, and
// only portcullis-unguarded refuses the route then. Envoy Gateway ignores patches for names that it does not have, which happens with
// shared ports, merged Gateways, HTTP/3 and XDSNameSchemeV2, and only reports it. Without the declaration nobody would notice until a
// route is open. Flags name what is to be patched, because these settings are not in portcullis.yaml.
//
// 2026-11-28: Envoy Gateway makes the filter portcullis-unguarded only while a route has its policy. A user's SecurityPolicy for all routes
// that is older, or whose name comes first, takes them all, and then Envoy has no filter of portcullis. So the patches also
// add an RBAC filter before the router, which needs neither policies nor clusters: it denies what no check has allowed.
//
// 2026-11-28: resources of a Gateway that is not called eg begin with its name. With the same names, applying those of a second Gateway of
// a namespace would take the policy that refuses unguarded routes from the first.
//
// 2026-11-28: SPIFFE ids are declared as verified only together with what verifies them: trusted_ca, or clientValidation with
// VerifyIfGiven or RequireAndVerify. --for filter prints no listener, so it does not declare them.
//
// 2026-11-28: Envoy selects the upstream of a route by the name in the answer of portcullis, and not by the path. Routes that match
// paths would have to match as portcullis does, and cannot: Envoy reads %61 and a as different characters, its templates cannot
// express fall-through between methods, and readings of HTTP APIs have another order. A request for which the two differ would reach an
// upstream whose route was not checked. With the name, Envoy's matching of paths selects only the stage, as before. The name is in
// dynamic metadata and not in a header, because clients can send headers: without clear_route_cache, a header would let them choose,
// while metadata is absent and the request is answered 500. Each name is one cluster, so a request cannot reach the cluster of another
// route by any match. Envoy selects again only if the check changes a header, so portcullis also sets x-portcullis-upstream.
package envoyconf
