// Package config turns portcullis.yaml and the files it names into a Snapshot, or into a list of all faults in them.
//
// It only translates: pkg/config/source reads files into the messages of config.proto, pkg/pool owns what outlives a
// configuration, and pkg/gateway decides. Each step continues after a fault, so that all faults are reported at once.
//
// Start with Load in load.go, which shows the order: read all files, merge definitions, decode, check, compile.
// compile.go builds the gateway's configuration, and apikey.go, cache.go, decisionlog.go and policy.go the parts that
// they are named after. The larger sections are packages:
//
//   - internal/reader reads named files, secrets, times and policies for all of them.
//   - internal/merge puts API definitions in the place of the APIs that name them.
//   - internal/issuer, internal/authorizer and internal/identity compile the sections issuers, functions and
//     authorizers, and iam.
//
// A section's package has a function Gather, which reads the files that the section names before anything is compiled.
package config
