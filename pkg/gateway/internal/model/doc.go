// Package model is what package compile makes and package gateway decides by: APIs, stages, routes and authorizers, and the look-ups of
// hosts, VPC endpoints and clients' addresses. It is immutable once it is compiled, and takes no decision.
//
// Start with Gateway.
package model
