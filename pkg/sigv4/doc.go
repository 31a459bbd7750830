// Package sigv4 verifies AWS Signature Version 4 and 4A in the Authorization header and in the query of presigned
// requests. Verify follows the steps of "Create a signed AWS API request", in their order and with their names, and
// compares the result.
//
// # Decisions
//
// 2026-11-23: one reader decides whether a request is signed and which key it claims, and the same values go into the
// canonical request. A request that is signed both in the header and in the query is refused.
//
// 2026-11-23: cheap checks that need no secret come before the key look-up. An unknown key id costs the same as a known
// one: the signature is computed with a dummy secret, and the result is ignored.
//
// 2026-11-23: every x-amz-* header must be signed, because a backend may trust it. The exceptions are
// x-amz-content-sha256 (its value is the payload hash), x-amz-security-token (it is compared with the key's own) and
// x-amz-cf-id (CloudFront adds it).
//
// 2026-11-23: AWS does not define what "+" means in a query, and clients disagree. It is a space, or a plus sign with
// PlusLiteral, but never both. Otherwise a signed "%2B" could be changed to "+" on the way.
//
// 2026-11-23: three more readings may be tried if the first does not match: a tab kept in a header's value (always, as
// Go and Rust clients sign it), a path signed as sent (AcceptPathAsSent), and a session token added to the query after
// signing (AcceptUnsignedQueryToken). With none of them does one signature match more than one text.
//
// 2026-11-28: a presigned request without X-Amz-Expires is valid for five minutes, and one that asks for more than
// MaxExpires is valid for MaxExpires. API Gateway is reported to accept both, and to end all after five minutes. npm
// aws4, aws4fetch and PresignHTTP of the AWS SDK for Go omit the parameter by default.
//
// 2026-11-28: Config.Key sees the session token, because a key may be derived from it. The token is the one in the place of the signature:
// with AcceptUnsignedQueryToken it need not be signed, and a secret that is derived from the whole token then binds it. A second token, in
// the same place or in the other one, is never accepted.
//
// 2026-11-23: a session token must be in the same place as the signature. In the other place it counts as a wrong one.
//
// 2026-11-23: HMAC is implemented with sha256.Sum256, because crypto/hmac allocates five times for each signature. A
// test compares it with crypto/hmac.
//
// 2026-11-25: a signature that is not lower-case hexadecimal of its algorithm's length is refused before the key
// look-up, with the answer for a signature that does not match, whether or not the key exists. x-amz-content-sha256 on
// two lines is not a hash and gets the same answer, because Envoy may have joined the lines. An empty session token
// header counts as absent.
//
// 2026-11-25: the canonical request in Debug has values only for a list of headers. A client may list any name as
// signed, and would otherwise see what a proxy has added.
//
// 2026-11-23: messages are those of API Gateway since 2025: parts of Authorization appear only as the Base64 of their
// SHA-256. The date appears as it is, as in AWS, because it is not a secret, unless it does not look like a date.
package sigv4
