// Package configv1 is the schema of portcullis.yaml: config.proto, the Go code generated from it, and its reference
// (README.md).
//
// # Decisions
//
// 2026-11-23: the generated files are committed, so that building needs no protobuf tools, and `make check` generates them
// again and compares.
package configv1
