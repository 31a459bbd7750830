package authz

import "time"

// Meter counts the decisions of one route. Its methods are safe for concurrent use.
type Meter interface {
	// Count counts a decision and the time that it took. It keeps nothing of the decision.
	Count(d *Decision, took time.Duration)
}

// MeterKey names what a Meter counts. All names are from the configuration.
type MeterKey struct {
	// API and Stage are ids, Route is a route key, such as "GET /pets/{petId}".
	API, Stage, Route string
	// Authorizer is the name of the route's authorizer; empty for none. Authorization is the route's authorization type.
	Authorizer, Authorization string
}
