package authz

// Sample is one value of a metric.
type Sample struct {
	// Name is a Prometheus name, such as portcullis_cache_hits_total. A name that ends in _total is a counter, any other a gauge.
	Name string
	// Help is one sentence, the same for every sample of a name.
	Help string
	// Labels has the same label names for every sample of a name. Values must not come from clients.
	Labels []Field
	Value  float64
}
