// Package reader reads values of a configuration: named files, secrets, times and policies.
//
// A Reader reads one document, portcullis.yaml or a file of access keys, and reports faults at the places of that
// document. The packages that compile a section of the configuration all use it. reader.go reads named files, and
// secret.go, time.go and policy.go read the kinds of values that they are named after. schema.go lists what
// config.proto does not say about its fields.
package reader
