// Package jwt verifies JSON Web Tokens: it fetches the issuers' keys, checks signature and time, and is API Gateway's JWT
// authorizer for HTTP APIs and for REST APIs.
//
// The order of a check: read the token strictly; its alg has to be one of the authorizer's, its iss one of the issuers; kid and
// alg name one of the issuer's keys; the signature; exp, nbf and iat. A verified token is remembered together with the generation
// of the keys that verified it. What depends on authorizer and route (audience, additional claims, scopes) and on the time is
// checked on every request.
//
// # Decisions
//
// 2026-11-25: a token is read here, and only the signature is checked by the library, over the very bytes that were read. Two
// parsers that disagree cannot be played against each other. Refused are: other than three segments, padding, line breaks and
// spare bits in base64url, a member that is there twice in any object, strings that are no Unicode text, more than 16 KiB, and
// crit, jku, jwk, x5u, zip, enc, b64 in the header. x5c and the like are not looked at.
//
// 2026-11-25: a typ that ends in +jwt and is not at+jwt is refused (RFC 8725, section 3.11): a logout token is signed by the same
// issuer for the same client and identifies nobody.
//
// 2026-11-25: exp is required, and has passed when it is now. nbf and iat, where there are any, must not be in the future. All
// three have to be numbers. There is no leeway unless one is configured, of at most ten minutes.
//
// 2026-11-25: a registered claim of another type than its own (iss, sub, aud, exp, nbf, iat, scope, scp, client_id, token_use)
// makes the token one that counts for nothing. With both scope and scp, all count.
//
// 2026-11-28: scp is a text or a list; scope is a text, and on HTTP APIs it may be a list. Some issuers write scope as a list, against RFC 8693, section 4.2; what API Gateway
// makes of that is not known. What the issuer has granted is told by a list as well as by a text.
// Nothing but blanks parts the scopes of a text (RFC 6749, section 3.3).
//
// 2026-11-25: an authorizer without audiences is refused: every token of the issuer would count. client_id stands in for aud on
// HTTP APIs only, and only where the token has no aud at all; an empty aud is one.
//
// 2026-11-25: an additional claim that is there has to be a string, also where it is not required, for its format says so. One that
// is not required and expects no values is therefore no fault: it holds tokens to that.
//
// 2026-11-28: keys that are not for us are passed over: of another use than sig, without verify among their operations, without
// kid, symmetric, private, of other kinds or curves, RSA keys under 2,048 and over 8,192 bits. A key is
// found by its kid and the token's algorithm; one that says no algorithm serves every one of its family. Of two different keys for
// one kid and algorithm neither is used, for which is meant cannot be told.
//
// 2026-11-28: the members of a key are read by their exact names. A key with a member such as KID or Use is passed over: readers
// that do not tell case apart take it for kid or use. Numbers are held to RFC 7518: base64url without padding, no leading zero,
// coordinates of their curve's length. An RSA exponent is odd, at least 3 and at most 31 bits long, which is what crypto/rsa
// takes; the library would cut a longer one to 64 bits.
//
// 2026-11-25: the keys of an issuer are used up to 24 hours after the last good fetch, and five minutes after the issuer has
// answered with a set in which there is none for us. What is not a key set is an outage: the good keys stay.
//
// 2026-11-25: an unknown kid brings the next fetch forward, to three seconds after the one before at the earliest. Who asks waits
// for it as long as the check may take, but for the last 250 ms, so that a key that nobody has is answered with 401 and not, by
// Envoy, with 503. Where there are no keys at all only a fetch that is under way is waited for.
//
// 2026-11-28: the requests that wait for keys are bounded in all, for each API and for each key set (package bulkhead): a token with a
// kid that nobody has costs a client nothing, and every issuer can be asked for one. Beyond the bound such a token is answered with
// 401 at once. Where an issuer's keys are not there yet nothing can be said of the token, and the answer is AUTHORIZER_FAILURE, on an HTTP
// API 503.
//
// 2026-11-25: redirects are followed on the same host only, three at most. http is believed on this machine only.
//
// 2026-11-25: jwk.Cache of the library is not used: an empty key set replaces good keys there, a failed first fetch never
// recovers, and a refresh on demand has no limit.
//
// 2026-11-25: the series of an issuer end with its last key set, the counters too: Prometheus takes what begins again at zero for
// a restart, and else a name that was written once would always be exported.
//
// 2026-11-25: of the texts in www-authenticate only two are known from API Gateway ("the token does not have a valid audience",
// "token contains an invalid number of segments"). All are fixed: nothing of a token is in them.
//
// 2026-11-25: claims in REST APIs: an array is written with commas, an object, and an array in an array, as JSON. Claims in HTTP
// APIs: [a b], also in each other; an object as JSON.
package jwt
