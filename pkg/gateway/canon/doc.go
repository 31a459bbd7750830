// Package canon has the canonical form of paths and hosts, which routing and ARNs use. ParsePath and Host return it, and refuse input that
// two parsers could read differently. Path.Readings returns the other paths that servers may read. Nothing here depends on an API.
//
// Start with ParsePath.
package canon
