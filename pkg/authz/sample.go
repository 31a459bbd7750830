package authz

import "time"

// Sample is one value of a metric.
type Sample struct {
	// Name is a Prometheus name, such as portcullis_cache_hits_total. A name that ends in _total is a counter, any other a gauge, unless
	// Histogram is set.
	Name string
	// Help is one sentence, the same for every sample of a name.
	Help string
	// Labels has the same label names for every sample of a name. Values must not come from clients.
	Labels []Field
	Value  float64
	// Histogram replaces Value unless it is nil.
	Histogram *Histogram
}

// Histogram counts observed values.
type Histogram struct {
	// Count is the number of values, and Sum their sum.
	Count uint64
	Sum   float64
	// Buckets has the number of values up to each bound.
	Buckets map[float64]uint64
}

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
