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
//
// 2026-11-25: what Envoy sends is read off the wire by hand (decode): the edge makes 14 allocations where it made 177, and the generated
// decoder, with its garbage, was the largest part of a check. decode understands one tidy form: the fields that Envoy fills, each with its wire type and once where it
// is not repeated, map keys once, texts that are UTF-8. A message with anything else (an unknown field, messages to be merged, groups,
// typed metadata, more than 64 headers in the map) is left to the generated decoder as a whole, so that decode need not know protobuf's
// rules for it, a newer Envoy costs time and not answers (within the limits of weigh, below), and what is not a CheckRequest is still denied by the same code. What decode
// understands, it has to read as the generated decoder does (agree, FuzzDecode, TestDecodeAgreesOnAnyShape), down to the strings that
// nobody asks for.
//
// 2026-11-25: no view into gRPC's receive buffer leaves decode, which copies the texts together into chunks of at most 4 KiB (arena) and
// bodies by themselves. Views would have saved one copy of some 2 KB, and made every cache, flight and log line that keeps a header a
// hole. What is kept for long is cloned by its keeper all the same, or it keeps a chunk: the parts of cache keys (pkg/cache), decision
// lines (pkg/server).
//
// 2026-11-25: a message of no more than a chunk is copied as a whole, and its texts are cut from the copy (arena): one copy where there were
// sixty. Whether a text is a piece of the message is looked up by its address, so that a mistake costs a copy and is no wrong text.
//
// 2026-11-25: Register describes the service itself, since the generated handler makes a CheckRequest of every message. Answers are
// still generated messages. Those that allow and change nothing share what they have in common, which nobody writes to: the edge makes 10 allocations
// where it made 14. Only what grpc-go marshals at once shares; Check, and an interceptor, get answers of their own.
//
// 2026-11-28: the generated decoder has no limits: 15 MiB of empty header lines became 2.3 GB. What it would allocate is therefore added
// up before it is asked (weigh), along the descriptors and without allocating, and a message that would take more than six times
// its size and 1 MiB is denied, as is one with more than 1000 headers or with fields more than 200 deep. Nothing that is denied so falls back to
// another decoder. The weights are upper bounds of what was measured (TestWeightIsNoLessThanTheCost).
//
// 2026-11-28: a message may have 1 MiB, and 10 MiB more for the body, which is API Gateway's quota, if the configuration verifies
// signatures: no other authorizer is shown a body. A larger one is answered 413, as API Gateway answers a payload beyond its quota.
//
// 2026-11-25: portcullis.body: buffered says nothing of a request for a WebSocket. Envoy's filter asks about such a request at once,
// whatever with_request_body says, and Istio's listeners let it pass: anyone who had somebody else's signature over an empty body could
// add Upgrade, which clients do not sign, and a body of his own. Its body is unknown, so that no signature over it is verified.
//
// 2026-11-28: what is taken out of a query is taken out by setting :path. query_parameters_to_remove has Envoy write the whole query
// anew, sorted and with equal signs that were not there, and an upstream may read it otherwise. The path is not changed, and the
// route does not depend on the query, also where Envoy chooses it again (clear_route_cache).
package extauthz
