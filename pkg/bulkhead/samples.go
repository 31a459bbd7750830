package bulkhead

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Samples returns the metrics of the tree.
func (t *Tree) Samples() []authz.Sample {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	labels := []authz.Field{{Name: "share", Value: t.name}}
	samples := []authz.Sample{
		{Name: "portcullis_share_held", Help: "Places in use by checks, calls or bytes.", Labels: labels, Value: float64(t.root.held)},
		{Name: "portcullis_share_limit", Help: "Total number of places.", Labels: labels, Value: float64(t.limit)},
	}
	for i, level := range append([]string{"total"}, t.levels...) {
		samples = append(samples, authz.Sample{
			Name: "portcullis_share_refused_total", Help: "Refusals for lack of a place, by the level that had none left.",
			Labels: []authz.Field{labels[0], {Name: "level", Value: level}}, Value: float64(t.refused[i]),
		})
	}
	return samples
}

// Held returns how many places are held.
func (t *Tree) Held() int64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.root.held
}
