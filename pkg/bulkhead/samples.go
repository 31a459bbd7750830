package bulkhead

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Samples are the tree's numbers.
func (t *Tree) Samples() []authz.Sample {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	labels := []authz.Field{{Name: "share", Value: t.name}}
	samples := []authz.Sample{
		{Name: "portcullis_share_held", Help: "Checks, calls or bytes that hold a place.", Labels: labels, Value: float64(t.root.held)},
		{Name: "portcullis_share_limit", Help: "Places that there are, for all together.", Labels: labels, Value: float64(t.limit)},
	}
	for i, level := range append([]string{"total"}, t.levels...) {
		samples = append(samples, authz.Sample{
			Name: "portcullis_share_refused_total", Help: "Refusals because something had no place left, by what had none.",
			Labels: []authz.Field{labels[0], {Name: "level", Value: level}}, Value: float64(t.refused[i]),
		})
	}
	return samples
}

// Held is how many places are held.
func (t *Tree) Held() int64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.root.held
}
