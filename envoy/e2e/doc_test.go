// Package e2e tests portcullis through the real Envoy, with the configuration files that users copy.
//
// # Decisions
//
// 2026-11-23: each test has its own upstream, portcullis and Envoy; together they are up in a fifth of a second. The files of
// envoy/ are used as they are but for addresses and ports, the time limit of a check (which a busy machine would exceed) and
// what a test is about, and each replacement must hit.
//
// 2026-11-23: requests are written to the socket byte by byte: a client library would tidy up the very things that are tried.
package e2e
