// Package config turns portcullis.yaml and the files it names into a Snapshot that serves, or into the list of everything that is
// wrong with them.
//
// It translates, and no more: pkg/config/source reads files into the messages of config.proto, pkg/pool owns what outlives a
// configuration, and pkg/gateway decides. Each part goes on after a fault, so that all faults are reported at once.
//
// To begin with, read Load in load.go, which shows the order: read all files, decode, check, compile. compile.go makes the gateway's
// configuration; authorizer.go, lambda.go, function.go, iam.go, accesskey.go, policy.go and cache.go make the parts that they are
// named for. reader.go has what all of them use: what is
// known so far, named files, secrets, times.
package config
