package authz

// Sample is one number that operators watch.
type Sample struct {
	// Name is a Prometheus name, such as portcullis_cache_hits_total; one that ends in _total is a counter, any other a gauge.
	Name string
	// Help is one sentence; the same for every sample of a name.
	Help string
	// Labels are the same names for every sample of a name. No value is what a client sent.
	Labels []Field
	Value  float64
}
