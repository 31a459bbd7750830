// Package model has the data that package compile produces and package gateway decides by: APIs, stages, routes and authorizers, and the
// look-ups of hosts, VPC endpoints and clients' addresses. The data is immutable once it is compiled. Decisions are not made here.
//
// Start with Gateway.
package model
