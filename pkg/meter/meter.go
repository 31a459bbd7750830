package meter

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Meter counts the decisions of one route, by reason. It implements authz.Meter.
type Meter struct {
	latency *latency
	// counts has the reasons that occurred, a few of the fixed codes. A new slice replaces it if one is added.
	counts atomic.Pointer[[]*count]
	adding sync.Mutex
}

// count is the number of decisions with a reason.
type count struct {
	allow bool
	code  authz.Code
	n     atomic.Uint64
}

func newMeter(l *latency) *Meter {
	m := &Meter{latency: l}
	m.counts.Store(&[]*count{})
	return m
}

// Count implements authz.Meter.
func (m *Meter) Count(d *authz.Decision, took time.Duration) {
	m.of(d.Allow, d.Reason.Code).n.Add(1)
	m.latency.observe(took)
}

// of returns the count of a reason.
func (m *Meter) of(allow bool, code authz.Code) *count {
	if c := find(*m.counts.Load(), allow, code); c != nil {
		return c
	}
	m.adding.Lock()
	defer m.adding.Unlock()
	known := *m.counts.Load()
	if c := find(known, allow, code); c != nil {
		return c
	}
	c := &count{allow: allow, code: code}
	known = append(slices.Clone(known), c)
	m.counts.Store(&known)
	return c
}

func find(counts []*count, allow bool, code authz.Code) *count {
	for _, c := range counts {
		if c.code == code && c.allow == allow {
			return c
		}
	}
	return nil
}

// addTo adds what the meter has counted to the counts of another one.
func (m *Meter) addTo(sum *Meter) {
	for _, c := range *m.counts.Load() {
		sum.of(c.allow, c.code).n.Add(c.n.Load())
	}
}
