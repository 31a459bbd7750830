// Package envoyconf writes the configuration of Envoy, or of Istio, that fits a portcullis.yaml, with comments that say why each
// setting is as it is. The files of envoy/ are what it prints.
//
// The way of a configuration: options.go checks what was asked for, plan.go shares the APIs out among listeners, hosts.go finds what
// each of them serves, routes.go says which requests' bodies Envoy waits for, readings.go refuses what reads one path of an upstream in two
// ways, and the templates, one for each target, say it in YAML; istio.go says it in the terms of a mesh first.
//
// # Decisions
//
// 2026-11-25: the YAML is made by text/template, so that the configuration and its comments can be read as one text. Whatever
// comes from portcullis.yaml or from a flag goes through quote, or, in a comment, through comment.
//
// 2026-11-25: Envoy buffers all requests of a stage as soon as one of its routes is signed. Routes that need no body are taken
// out again, by matches that are no wider than portcullis' own, after the signed routes that come first in portcullis; where a
// match could not be that exact, the route stays buffered. So a signed route is never unbuffered (exceptions has the proof), and
// what Envoy and portcullis see otherwise costs memory and the limit of max_request_bytes, no more. Were it the other way
// round, portcullis would answer 500.
//
// 2026-11-25: matches are exact paths and URI templates. Regular expressions would say the same, but Envoy refuses one whose
// program is longer than 100 instructions, which is two or three path parameters.
//
// 2026-11-25: of an HTTP API with a signed route all requests are buffered: its order of routes is another.
//
// 2026-11-25: a private API gets a listener of its own where others are public: the PROXY protocol's header says for a whole
// listener who comes by which VPC endpoint.
//
// 2026-11-25: the check's time limit is one second, or more than an authorizer takes. It is Envoy's to end a check that
// portcullis does not answer.
//
// 2026-11-25: what a target cannot say is an error that names the setting. Istio cannot hand on the PROXY protocol's TLV, and
// cannot tell base paths of one host apart, for it names routes by what the mesh's owner wrote. At a gateway it has no
// virtual host for an IPv6 address, for a label with an underscore, or for a name without a dot, which it takes for a service: a patch for
// one of those would be of no effect.
//
// 2026-11-25: in a mesh, all virtual hosts of the gateway belong to no API before the patches of single hosts say whose they are. What
// istiod calls otherwise than we think (one for "*", one on another port) is then answered 500, where it would have had the client choose
// the policy by its host. Hosts of two stages that istiod makes one virtual host of belong to one, and the other's are refused: matched by
// domain names, the stages would overwrite what the other said of bodies.
//
// 2026-11-25: MeshConfig gets an access log format too, though it is the whole mesh's: Istio's own has the query, and a presigned
// request's signature in it.
//
// 2026-11-25: portcullis' own place in a mesh is printed only where it is said who may ask it (--istio-callers). Without, nothing is known of
// its sidecar, and a DestinationRule with mutual TLS would end every check of a portcullis that has none. Callers are whole SPIFFE
// ids, for Istio would take a wildcard.
//
// 2026-11-28: connections keep the filters of the listener that they were opened on, and see new routes at once. What a route tells portcullis
// of a request is therefore true by the route itself: a route that says that the body is waited for has with_request_body, x-forwarded-proto is
// what Envoy writes for each connection, and routes of private APIs are not those of a listener that was public. The filter has
// with_request_body too, for pack_as_bytes stands there alone; a body that an older filter hands on as text is refused if it may be another.
//
// 2026-11-28: a path of an upstream has one reading, whatever the host. Base paths, and stages' names on default endpoints, are taken off on
// the way to the upstream, with the slashes behind them: by regular expressions, for prefix_rewrite leaves those. Two stages of one host need two
// upstreams then. With --keep-base-path, and in a mesh, whose routes are not ours, what two hosts read in two ways is refused
// (readings.go). Upstreams are told apart by what --upstream says, for no other target prints them.
//
// 2026-11-28: the base path is in portcullis.yaml and in Envoy's routes, and one of them is read before the other. Each route, or its virtual
// host, tells portcullis its base path (portcullis.basePath), and portcullis refuses a request if it takes off another one. The value is what
// policies are asked without, whether Envoy takes it off or leaves it, so that --keep-base-path and meshes have no form of their own. A virtual
// host says it for all its routes only if they have one mapping, so that no route inherits another's.
//
// 2026-11-28: X-Request-Id is the client's if it sends one, for it may be signed. Clients can so give two requests one id, as at API Gateway,
// whose documentation says that they can override $context.requestId. portcullis takes UUIDs alone, and Envoy's log has 36 characters of it.
//
// 2026-11-28: Envoy's own answers have API Gateway's words and keep their status, so that graphs tell them apart as before. One set of them
// holds for a listener: it is a REST API's wherever there is one. What portcullis answered is told by the details ext_authz_denied.
package envoyconf
