// Package authz has the types that the other packages share: the request that Envoy asks about, its caller, a refusal, and the decision with
// its reason.
//
// # Decisions
//
// 2026-11-23: Request gives access to header lines and body through methods only. So a decoder can fill it with views into the received
// CheckRequest, without a map and without a copy.
//
// 2026-11-23: a decision is never "no opinion". The zero Decision denies, and a denial without a response is an internal error, so
// code that does not decide denies.
//
// 2026-11-28: Refusal is the one type of a refusal, from an authenticator to the answer. Its ResponseType is a type of its own, so that a
// refusal with an unknown type is an internal error and never tells the client more.
package authz
