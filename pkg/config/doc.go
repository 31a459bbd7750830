// Package config turns portcullis.yaml and the files it names into a Snapshot, or into a list of all faults in them.
//
// It only translates: pkg/config/source reads files into the messages of config.proto, pkg/pool owns what outlives a
// configuration, and pkg/gateway decides. Each step continues after a fault, so that all faults are reported at once.
//
// Start with Load in load.go, which shows the order: read all files, decode, check, compile. compile.go builds the
// gateway's configuration. authorizer.go, lambda.go, function.go, iam.go, accesskey.go, policy.go and cache.go build
// the parts that they are named after. reader.go holds what they share: known values, named files, secrets and times.
package config
