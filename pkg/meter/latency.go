package meter

import (
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// bounds are those of the buckets of latencies.
var bounds = [...]time.Duration{
	25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// latency is a histogram of the time that decisions took.
type latency struct {
	// buckets counts the decisions up to each bound that are above the bound before it. The last one counts those above all bounds.
	buckets [len(bounds) + 1]atomic.Uint64
	// sum is the time of all decisions together.
	sum atomic.Int64
}

func (l *latency) observe(took time.Duration) {
	i := 0
	for i < len(bounds) && took > bounds[i] {
		i++
	}
	l.buckets[i].Add(1)
	l.sum.Add(int64(took))
}

// histogram returns the sum of latencies.
func histogram(all ...*latency) *authz.Histogram {
	h := &authz.Histogram{Buckets: make(map[float64]uint64, len(bounds))}
	for i := range len(bounds) + 1 {
		for _, l := range all {
			h.Count += l.buckets[i].Load()
		}
		if i < len(bounds) {
			h.Buckets[bounds[i].Seconds()] = h.Count
		}
	}
	for _, l := range all {
		h.Sum += time.Duration(l.sum.Load()).Seconds()
	}
	return h
}
