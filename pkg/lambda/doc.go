// Package lambda is the Lambda authorizer: it tells a function of a request in API Gateway's event formats, invokes the
// function (on AWS Lambda, at an address, or in whatever else is an Invoker), and reads the function's answer.
//
// authorizer.go shows the order. What is kept of an answer is the answer itself, never the decision: each caller evaluates
// its policy for each request against that request's own ARN. Every error is a refusal; an Answer that cannot be read to its
// last value is none.
//
// # Decisions
//
// 2026-11-25, events. Envoy hands header names on in lower case. API Gateway's REST events, and format 1.0, show names as the
// client wrote them: here a header has the spelling of the identity source that names it, or else the usual one
// (Content-Type). Format 2.0 has lower case, as API Gateway's own.
//
// 2026-11-25, events. In formats that hold single values the last value of a repeated header or query parameter counts, and
// all of them stand in the multi-value maps; format 2.0 joins them with commas. Query names and values are decoded, a plus
// is a space; an escape that cannot be decoded stays as it is. Cookies of format 2.0 stand in cookies and not in headers.
// Bytes that are not UTF-8 become U+FFFD, so that every event is valid JSON. The key of the cache has the bytes as they came.
//
// 2026-11-25, events. Maps without entries are {} in REST events and format 1.0 and absent in format 2.0, and
// requestContext.identity has its nulls: so they are in events that were recorded on AWS. clientCert, apiKey and deploymentId
// are absent, as where AWS has none. A function finds an API key in the header alone, also on a route that requires one: nobody has
// looked at the key yet. resourceId is an id of our own that is the same for one resource of one API always. On an
// HTTP API it is the route key, and of the route $default resource and resourcePath are $default: so it was recorded there.
// extendedRequestId is the request id. rawPath and http.path of format 2.0 hold the stage's name.
//
// 2026-11-28, events. path, requestContext.path and pathParameters of a REST API's events are as the client sent them; an HTTP API's
// are decoded once, in both formats. path has the base path of a domain; resource and methodArn have not. So captures of API
// Gateway have it. methodArn is canonical, always.
//
// 2026-11-25, events. The identity values of an event are those of the cache's key, not read anew.
//
// 2026-11-28, answers. principalId has to be text, or a number, whose spelling is the text, and not empty. A context value that is null is as good as absent: it is
// neither of the three types that a REST API takes, nor a list or an object. A number keeps its spelling. Lists and objects,
// which an HTTP API takes, are rendered as JSON. Keys that mean nothing are passed over, but isAuthorized beside a
// policyDocument is refused: one of them would decide, and nobody could say which. A Resource of more than 512 characters,
// any fault of the policy, a key that stands twice, and text that is not Unicode are errors of the configuration: 500.
//
// 2026-11-28, answers. A policy without statements grants nothing, and is no fault: AWS answers 403. A statement whose Action or
// Resource is an empty list matches nothing. An empty NotAction or NotResource is a fault, because it would match everything.
//
// 2026-11-25, failures. A function that does not answer in time, is throttled, or cannot be reached is AUTHORIZER_FAILURE; one
// that may not be invoked, ends with an error, or answers what cannot be read is AUTHORIZER_CONFIGURATION_ERROR. Only the
// message Unauthorized, in this spelling and whole, is 401, on HTTP APIs too.
//
// 2026-11-28, failures. A function at an address that answers 200 with errorMessage or errorType, and without policyDocument and
// isAuthorized, has ended with an error: AWS's runtime interface emulator does not mark errors otherwise. A function on AWS
// Lambda that returns such an object has not failed; it is 500 as there.
//
// 2026-11-25, cache. A key that is not there is invoked for once, however many ask; the flight is nobody's, so that a caller who
// leaves takes nothing from the others. An event is built before the flight, because it is made of a buffer that the caller gets
// back. The key has a digest of the authorizer, so that a changed one finds nothing of the old one.
// A flush names API, stage and, if it is to be one authorizer's, its name, and not the digest: it covers the answers of that
// authorizer as it was before, which would count again if it were changed back within the TTL.
//
// 2026-11-25, invocations. There are no retries: one request, one invocation, as the function's own logs and bill say. The
// breaker counts failures to reach a function and nothing else. A slow function is no such failure, nor one that errs for
// some token: else one client could close an API for all. Nor is, for the same reason, a connection that breaks once it was
// there, a status from 500 on, or a process of our own that has crashed.
//
// 2026-11-28, waiting. A request that waits for a function takes places in two divisions of what may wait (Waits): by API, authorizer and
// caller, and by function and authorizer. So a function that hangs, a token that it hangs for, and an API whose clients send many
// leave places to the rest. A caller is the digest of the identity values; without any there is no such level, because all requests would
// be one caller's. What exceeds its share is AUTHORIZER_FAILURE at once, on HTTP APIs with 503. An answer that is remembered takes no place.
//
// 2026-11-28, waiting. A function's own places, those of invocations that run and those in the queue, are shared by authorizer and
// caller too (gate). The only authorizer of a function has all of them. A caller that asks alone leaves a quarter and not a half, for it
// may be the only one. Of those who wait the first runs that may: one who has used up a share does not hold up the next.
//
// 2026-11-28, waiting. A flight has a place of its own, by API and authorizer, as long as it goes on: it outlives those who asked, whose
// places are free then.
package lambda
