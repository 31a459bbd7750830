// Package gateway is API Gateway: it finds the API, stage and route of a request, lets the route's guard decide, and answers
// with the gateway response or with the headers that the upstream gets. authorize.go shows the order.
//
// # Decisions
//
// 2026-11-23: a path has one canonical form for routing and ARNs. Each segment is decoded once, but for %2F and %25. What two
// parsers could read differently is refused with 400: dot segments, backslashes and control characters as they are and after
// one and two decodings, text that is not UTF-8 after one or two, a broken escape, a number sign. Three of these are stricter
// than API Gateway and than RFC 3986: "..;x" counts as a dot segment, since servers cut path parameters off before they
// resolve dots; escapes that decode twice to something that is not UTF-8 are refused, since overlong forms hide dots from
// this check and not from a lenient decoder; and a path with doubled slashes is refused if merging them would lead to another
// route. Where the path as it stands has no route at all, the answer is API Gateway's, merged or not.
//
// 2026-11-28: nothing that a client names becomes a pattern. A function gets path, method and host, and returns a policy whose Resource it
// copies or builds from them; the answer may be kept and judged for other requests. So a route with a Lambda authorizer refuses a path that
// holds "*", "?" or "${" as it stands and after one and two decodings, whether or not its answers are kept. A method consists of letters and
// hyphens, a host of letters, digits, dots, hyphens and underscores, on every route. On other routes a path's "*" is text.
//
// 2026-11-28: what a function answers to a path that it may take for another one is kept for that method ARN alone. AWS' blueprints split the
// ARN at its colons, so that they return the ARN of "/admin" to whoever asks for "/admin:x"; others decode path parameters, or cut at a
// semicolon. Judged for every path, as API Gateway does, the answer would open "/admin". It costs a call for each path that has a colon or
// another reading.
//
// 2026-11-28: a server behind Envoy may read a path in other ways than its canonical form. reading.go has them: path parameters cut off;
// %2F, %3F and %23 decoded, the last two as the path's end; what is encoded twice decoded again; characters in their plain form (Unicode's
// NFKC: a fullwidth slash is a slash); blanks trimmed, and as Windows does it dots
// at a segment's end; slashes merged. All of them are taken, in any order. The answer is 400 where one leads to a route that is guarded
// otherwise, or to another stage on the same host. A reading that leads to no route does no harm, one with a dot segment is refused. So is a
// path with more than 64 readings, for the time that they take is the sender's choice. Under strictPaths routes are looked up as if case
// did not count too; base paths, and stage names in a path, always are, for which stage answers is not a server's to choose. Two
// that differ in case alone are a fault, as are two such resources under strictPaths.
//
// 2026-11-28: policies are asked about the path as it came, and a path's other readings, with and without a slash at the end, can only
// take away: a Deny on one holds, and so does a NotResource in an Allow. A wildcard of an Allow must take in each reading that has a route,
// whatever the slash at its end: "*.css" is not for "/admin;.css", which a servlet container serves as "/admin". So must the NotResource of
// a Deny. A Resource that spells out the whole path is about that path. Under strictPaths they are in lower case too: a Deny that is to
// hold whatever the case is written in lower case.
//
// 2026-11-28: a base path, or a stage's name in a path, counts where it stands in the path as it came. Envoy compares bytes: "/%70ets" and
// "//pets" are no paths of the base path "pets" to its routes, and would go to whichever upstream the rest of the host has. The answer is
// 400, and so it is where Envoy's own normalisation leaves such a path.
//
// 2026-11-23: of a path behind a base path or a stage name, leading slashes collapse again: "/pets//7" under the base path
// "pets" is "/7".
//
// 2026-11-28: a request that would pass is refused with 400 if X-Forwarded-Host, or a header like it, names a host of another stage and none of
// its own. Two stages may share an upstream that tells them apart by the host, and frameworks take the host from that header. Hosts that are
// no stage's pass, for a proxy in front of Envoy may have written them.
//
// 2026-11-23: a host that is known but does not serve the path (no such base path, no such stage, execute-api endpoint off)
// is refused even where Envoy's configuration names the API: only a host that nobody owns is served whole.
//
// 2026-11-28: a host that nobody owns is refused where each host of the stage that Envoy's configuration names has a base path, or the
// stage's name in the path. Served whole, "/v1/admin" would be another path of the API than the same one on the stage's own host, and
// the upstream gets one path. Where a host of the stage has no base path, an unknown host is read as that one is.
//
// 2026-11-25: a host that is no authority is refused whatever Envoy's configuration names. It is not one that nobody owns: where Envoy
// ignores ports it reads "api.example.com:+80" as api.example.com, with "-0", "0x50" and "_80" alike, and served whole, with the base path
// for a part of the API's path, the request would be judged as another one than the upstream gets.
//
// 2026-11-23: X-Forwarded-For is read when a policy or a mapping asks for the client's address. If it cannot be read then, the
// request is denied (403 Forbidden), whatever the policy says. So it is with Referer and User-Agent of several lines (400) and
// with a request without a time (500): a condition on a value that cannot be told never decides.
//
// 2026-11-23: a request of a private API came by a VPC endpoint if the load balancer in front of Envoy says so (the PROXY
// protocol's TLV), or else the listener's name in Envoy's configuration, or else the client's network: the most exact first,
// and no header at all. Where the load balancer speaks, the client's address is the one it names. There, and where the listener or a
// certificate speaks, X-Forwarded-For is not read: addresses of a customer's VPC may be those of our trusted proxies. Without an endpoint the answer is 403 Forbidden
// before any routing, so that from outside one private API looks like another. An API that is not private answers so to what
// load balancer and listener attest, and does not look at networks: people call public APIs from mapped networks too.
//
// 2026-11-26: between the listener and the network stands the workload's verified SPIFFE id (vpcEndpoints[].principals): a certificate is
// surer than an address, and says less of the request than what the owner of Envoy wrote about a listener. As with networks, it says
// nothing about a public API, which the same workloads may call. Its wildcard is for whole segments at the end alone.
//
// 2026-11-25: portcullis:SourcePrincipal is the one condition key that is not AWS': the SPIFFE id of the workload that has connected to
// Envoy. A CheckRequest names the peer of any certificate, also of one that Envoy was told to accept unverified, so that it counts only
// where Envoy's configuration attests it (portcullis.sourcePrincipal: verified), and is absent otherwise. No header has a part in it.
// Like any key it can be absent: allow by StringEquals or StringLike, or deny by StringNotEquals, never deny by StringEquals alone.
//
// 2026-11-23: of a VPC endpoint that the configuration does not list, aws:SourceVpce is known, and no more. A Deny on
// aws:SourceVpc can therefore hold for listed endpoints only, and is a fault where none has a VPC.
//
// 2026-11-25: a VPC endpoint policy is asked about who has signed, whatever the route's authorization, and about the anonymous caller
// where nobody claims to have. A signature that does not count is denied before the policy is asked: taken for anonymous, the request
// would be let in by a policy that denies the very user whose key id it names.
//
// 2026-11-23: the name that an endpoint has for a private API (<id>-<endpoint>.execute-api…) belongs to the API, and is
// refused to requests that came by another endpoint. For other APIs the form means nothing.
//
// 2026-11-25: a request that would pass is refused with 400 if its Connection header lists a header that an API maps. It comes with a
// protocol upgrade only, where Envoy hands Connection on as it is, and the next proxy would take the mapped header away. Cut out of the
// list it could not be: Envoy takes an upgrade from what the client wrote.
//
// 2026-11-23: the resource tree is searched depth-first, literal before {name} before {name+}, going back where the verb is
// missing. Each node is visited at most once and no more segments are cut off than the tree is deep, so that the time is
// bounded by the configuration.
//
// 2026-11-23: a resource may have a {name} and a {name+} child, but no two variables of one kind. A part of a resource path
// may hold letters, digits and ._:,~@$-, a little more than API Gateway lets in.
//
// 2026-11-23: an unmatched path is answered as AWS_IAM answers, down to a signature that does not match; one that does is
// told Missing Authentication Token, as API Gateway does. A signature is looked at on a route with AWS_IAM, without a route,
// and where a VPC endpoint policy asks who calls; wherever one was verified, it is taken out of the upstream's request.
//
// 2026-11-28: a signature counts if the host that was signed leads to the stage, or is an alias of its API. Envoy hands on any host where
// its virtual host has a wildcard, as sidecars have, and what was signed for another service would be good for this one. The client is
// told that the signature does not match, as API Gateway would, which calculates it over its own host: an answer of its own would tell
// who has a good key from who has none. An alias that leads to a stage of the API counts for that stage alone.
//
// 2026-11-23: aws:RequestedRegion and aws:ResourceAccount are there for signed requests only. API Gateway's list of keys for
// resource policies has neither; service control policies lean on the first.
//
// 2026-11-23: IncompleteSignatureException is customized as INVALID_SIGNATURE; API Gateway does not say.
//
// 2026-11-25: an identity source that is a header with several lines counts as missing, at any TTL. A query parameter with
// several values identifies by all of them, for a function sees them all, and what it answers is kept under what identifies.
//
// 2026-11-25: identityValidationExpression has to match the whole value, and is no Java expression but one of Go's: what that
// cannot say (look-around, back-references) is a fault. So is a character class that both take and read differently: one within
// another, and &&.
//
// 2026-11-25: the resource policy of a route with a Lambda authorizer is asked once, for both phases of API Gateway's flow: the
// caller stays anonymous to it, so that the second answer could be no other. A token's caller is anonymous to it too, and needs
// an explicit Allow where a policy is attached, with a JWT authorizer as with a user pool.
//
// 2026-11-25: where the resource policy has an Allow that names AWS principals, "authorization will fail for all resources not secured
// with AWS_IAM" ("Create and attach an API Gateway resource policy to an API"), which Table A does not say of Lambda authorizers. So
// their Allow is not enough there: the resource policy must allow the request for "*" as well, in another statement. The answer is
// the resource policy's implicit deny. The function is asked before, as phase one looks for explicit denies only.
//
// 2026-11-25: a function is not asked about a request whose client address or user agent cannot be told: it would decide on less
// than it asks for, and the answer may be kept for others.
//
// 2026-11-25: x-amz-apigw-id, which is $context.extendedRequestId, is the request id again: one id finds everything.
//
// 2026-11-25: $context.identity.apiKey, apiKeyId and what is said there of Cognito identities are variables, and are never there:
// no method here needs an API key, and nobody who signs is an identity of an identity pool.
//
// 2026-11-23: answers given before an API is known (400, 403 Forbidden for a host, 414) and internal errors are no gateway
// responses and cannot be customized. A customized status of 200 to 399 is legal in API Gateway: it changes what the client
// is told, and the decision stays a denial.
//
// 2026-11-23: a variable in a body is escaped for the body's content type, and one that a header cannot carry is left out of
// an answer. Toward an upstream such a value is percent-encoded, for leaving it out could mean "no value".
//
// 2026-11-25: of what an authorizer says ($context.authorizer), a percent sign that begins an escape is encoded too, as %25: the
// user "Zo%C3%AB" must not get the header of "Zoë". Decoding a value once gives what the authorizer said.
//
// 2026-11-25: HTTP APIs. The routes that match fully come before the greedy ones, those before $default, as API Gateway documents
// it; among greedy ones the order is that of REST APIs, literal from the left and then the longest. ANY and $default stand for
// every method, but for those with a small letter, which match nothing: an upstream that takes "get" for GET would serve a
// guarded route to whom $default lets in.
//
// 2026-11-25: of an HTTP API's path that ends in a slash, reports about API Gateway differ: some see the route of the path
// without it, some 404, some a {proxy+} that is empty. The route is that of the path without the slash if that is a full match, or
// else the one that takes the slash for an empty segment. Whichever is taken, the other one must be guarded in the same way, or
// the answer is 400: a slash is no way around a guarded "GET /admin" beside an open $default. Routes are guarded
// in the same way if type, authorizer, scopes and the options of signatures are the same.
//
// 2026-11-25: the stage $default has no name in a path: "/$default/pets" on the default endpoint is a path of that stage.
//
// 2026-11-25: an HTTP API has no resource policy, so that AWS_IAM is Tables A and B with a resource side that says nothing. A
// caller of the API's own account needs an Allow of its policies (rows A2, A5, A8), a caller of another account is always denied
// (B2, B5, B8). The ARN's limit of 1600 bytes, documented for REST APIs, holds, with 414.
//
// 2026-11-25: an HTTP API answers with the name of the status and nothing else, whatever was wrong; an internal error of an
// authorizer is 500, a timeout 503. apigw-requestid is the request id that is a REST API's x-amzn-RequestId, a UUID, by which a
// log line is found: API Gateway's own looks otherwise (16 letters of Base64), and its form is not documented. Answers given before an API is known (400, 403 for
// a host) have the REST form; a default endpoint without such a stage answers 404.
//
// 2026-11-25: a preflight is answered where CORS is configured and no guarded route catches it. API Gateway documents that a
// $default with an authorizer does, and users report the same of ANY; so it does here, with AWS_IAM too. With an open route the
// answer is ours, and the upstream is not asked. The answer is 204 whatever the origin, method and headers asked for, and it is
// for the browser to compare them; an origin that is not allowed gets no CORS header. An origin is compared byte for byte.
//
// 2026-11-25: API Gateway ignores CORS headers of integrations. Envoy's ext_authz can set and overwrite an answer's headers, not
// remove them: what the upstream must not say is overwritten with nothing, which browsers take for a refusal. The
// upstream's headers for a request without an Origin are left alone. Vary: Origin is ours, for caches, and there unless every
// origin gets the same: a cache must not answer who is allowed with what it kept for who is not.
//
// 2026-11-25: $request.header, $request.querystring and $request.path, with which HTTP APIs map parameters, are refused in
// upstreamHeaders: the upstream gets them from the client anyway, and a header that looks like ours should hold nothing of theirs.
//
// 2026-11-25: an open route that takes what guarded ones leave over (other methods of their path, what lies below it, the path
// before a greedy variable) is routed as on API Gateway, and warned of. No warning where the open route is written for just that:
// one method on one path, or OPTIONS, by which browsers ask.
//
// 2026-11-28: a REST API's function is told path and path parameters as the client sent them, as on API Gateway. Only the method ARN
// is canonical. A path with a pattern's characters is refused before, in every form that two decodings lead to.
//
// 2026-11-28: what signatures broke is told to an HTTP API's client after the fixed message, where explainSignatures is on: there is
// no other place for it, and it is not on for long.
package gateway
