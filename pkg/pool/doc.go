// Package pool owns what outlives a configuration: the keys of issuers, running functions, what is remembered of tokens and answers,
// keys that were derived of secrets, and how many checks wait for something outside.
//
// A process has one Pool. Each configuration takes a Lease of it while it is compiled, starts it when it is to serve, and closes it
// when its last request has ended. A reload so finds again what has not changed, and what only the old configuration needed ends.
//
// To begin with, read Pool in pool.go; then Lease, which is all that a configuration sees; then functions.go and memories.go, which
// count who holds what.
package pool
