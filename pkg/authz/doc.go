// Package authz holds the words that all others share: the request that Envoy asks about, the caller who sent it, and the
// decision with its reason.
//
// # Decisions
//
// 2026-11-23: Request is a struct whose header lines and body are reached through methods only. A decoder that reads
// CheckRequest as views into the received buffer can fill it without a map and without a copy; a consumer never sees which
// decoder stood behind it.
//
// 2026-11-23: there is no "no opinion". The zero Decision denies, and a denial without a response is an internal error, so
// that a path on which somebody forgot to decide closes.
package authz
