// Package sigv4 verifies AWS Signature Version 4 and 4A on the server's side: in the Authorization header, and presigned in
// the query. Verify takes the steps of "Create a signed AWS API request" in their order and by their names, and compares.
//
// # Decisions
//
// 2026-11-23: one reader finds out both whether a request is signed and whose key it claims, and what it has read is what
// goes into the canonical request. A request that is signed in the header and in the query is refused.
//
// 2026-11-23: whatever is cheap and concerns no secret is checked before a key is looked up. An unknown key id costs what a
// known one does: a dummy secret's signature is calculated, and its result does not count.
//
// 2026-11-23: every x-amz-* header must be signed, for a backend may trust it. The exceptions are x-amz-content-sha256 (its
// value is the payload hash), x-amz-security-token (compared with the key's own) and x-amz-cf-id (CloudFront adds it).
//
// 2026-11-23: AWS leaves open what a "+" in a query means, and clients disagree. It is a space, or a literal where
// PlusLiteral says so, never both: else a signed "%2B" could be changed to "+" on the way.
//
// 2026-11-23: three more readings may be tried where the first does not match. None of them lets one signature stand for more
// than one text: a tab kept in a header's value (always, as Go and Rust clients sign it), a path signed as sent
// (AcceptPathAsSent), a session token added to the query after signing (AcceptUnsignedQueryToken).
//
// 2026-11-28: a presigned request without X-Amz-Expires is good for five minutes, and one with more than MaxExpires as long as
// that. API Gateway is reported to take both, and to end all after five minutes; npm aws4, aws4fetch and PresignHTTP of AWS's SDK
// for Go leave the parameter out unless told otherwise.
//
// 2026-11-23: a session token belongs to the form that carries the signature. One in the other place is as good as a wrong
// one.
//
// 2026-11-23: HMAC is written out over sha256.Sum256, as crypto/hmac allocates five times a signature; a test holds it to
// crypto/hmac.
//
// 2026-11-25: a signature that is not lower-case hexadecimal of its algorithm's length is refused before a key is looked up, so that it is
// answered as one that does not match, whoever's key id comes with it. x-amz-content-sha256 on two lines is not a hash, and is answered
// likewise: Envoy may have joined the lines. A session token header without a value is none.
//
// 2026-11-25: the canonical request that Debug tells has the values of a list of headers only. A client may list any name as
// signed, and would be told what a proxy on the way has put there.
//
// 2026-11-23: messages are API Gateway's of 2025 on: what came in Authorization is told only as the Base64 of its SHA-256.
// The date is told, for AWS does and it holds no secret, unless it does not look like one.
package sigv4
