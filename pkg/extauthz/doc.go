// Package extauthz is the edge to Envoy: it turns an ext_authz CheckRequest into an authz.Request, asks the authorizer, and
// renders the authz.Decision as a CheckResponse.
//
// # Decisions
//
// 2026-11-23: zero on the wire means Allow: Envoy lets an empty CheckResponse pass, and one whose denied_response came
// without status.code. An OK answer is therefore built in one place (allowed), and everything else, a panic and an undecodable
// message included, goes through denied, which never writes a zero.
//
// 2026-11-23: Check answers and never fails. A gRPC error is left to Envoy's failure_mode_allow, which somebody may have set;
// a CheckResponse is not. A message that cannot be decoded therefore reaches Check too (see Server.Codec) and is denied and
// counted there.
//
// 2026-11-23: what Envoy says twice (attributes and pseudo headers, headers and header_map, body and raw_body) must agree.
// Where it does not, some filter or client found a way to show two faces, and the request is refused.
//
// 2026-11-23: strings of an answer that are not UTF-8 get "!" for each bad stretch, as Envoy writes them towards us: protobuf
// would otherwise refuse the whole answer.
//
// 2026-11-23: dynamic_metadata is written by hand (withMetadata): built and marshalled as a structpb.Struct it cost a quarter of
// decoding the whole request.
package extauthz
