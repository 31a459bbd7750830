// Package dump is a model of what an Envoy says of its configuration.
//
// Read and ReadAdmin add documents to a Dump: a config_dump, statistics, or what istioctl prints. A Manager is an HTTP
// connection manager with its filters and route tables. RoutesOf returns the ways of a request through a table, and
// Manager.Checks the filters for portcullis that run for a route, as Envoy 1.40 finds them.
package dump
