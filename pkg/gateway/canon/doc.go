// Package canon has the one form of paths and hosts that routing and ARNs use. ParsePath and Host make it, and refuse what two parsers
// could read differently. Readings are the other paths that servers may make of one. Nothing here knows of an API.
//
// Start with ParsePath.
package canon
