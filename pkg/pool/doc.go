// Package pool owns what outlives a configuration: the keys of issuers, running functions, caches of tokens, answers
// and derived keys, and the limits on checks that wait for remote answers.
//
// A process has one Pool. Each configuration takes a Lease while it is compiled, starts it before it serves, and closes
// it after its last request. So a reload keeps what has not changed, and stops what only the old configuration needed.
//
// Start with Pool in pool.go; then Lease, which is all that a configuration sees; then functions.go and memories.go,
// which count holders.
package pool
