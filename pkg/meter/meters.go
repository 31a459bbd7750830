package meter

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	// MaxRoutes is how many Meters of its own a configuration gets.
	MaxRoutes = 2000
	// None is the label of a missing part, such as the route of a decision that has none.
	None = "_none"
	// Other is the name of all routes after the first MaxRoutes.
	Other = "_other"

	// lateness is how long after the release of a Meter a decision may still be counted. No check takes as long.
	lateness = time.Minute
)

// Meters are the Meters of a process. Its methods are safe for concurrent use.
type Meters struct {
	mu sync.Mutex
	// known has the Meters of the routes that a Set holds, and those that the last one has left lately.
	known map[authz.MeterKey]*held
	// none counts the decisions that are not for a stage of an API.
	none *Meter
	// others count those of the routes after the first MaxRoutes, by authorization type.
	others map[string]*Meter
	// removed has what the Meters of removed routes have counted.
	removed *Meter
	// latencies are by authorization type.
	latencies map[string]*latency
}

// held is a Meter and the number of Sets that hold it.
type held struct {
	*Meter
	holders int
	left    time.Time
}

// New returns Meters that have counted nothing.
func New() *Meters {
	m := &Meters{known: map[authz.MeterKey]*held{}, others: map[string]*Meter{}, latencies: map[string]*latency{}}
	m.none, m.removed = newMeter(m.latency(None)), newMeter(nil)
	return m
}

// None returns the Meter of the decisions that are not for a stage of an API.
func (m *Meters) None() *Meter { return m.none }

// latency returns the latencies of an authorization type.
func (m *Meters) latency(authorization string) *latency {
	l := m.latencies[authorization]
	if l == nil {
		l = &latency{}
		m.latencies[authorization] = l
	}
	return l
}

// Set is the Meters of one configuration. One goroutine at a time uses it.
type Set struct {
	all  *Meters
	keys map[authz.MeterKey]bool
	// routes and stages are the numbers of keys with and without a route.
	routes, stages int
}

// Set returns an empty Set. Close it after the configuration's last decision.
func (m *Meters) Set() *Set { return &Set{all: m, keys: map[authz.MeterKey]bool{}} }

// Meter returns the Meter of a route, or of a stage if the key has no route. It is the same one for the same key. After MaxRoutes routes it
// returns one for all others, and likewise after as many stages.
func (s *Set) Meter(k authz.MeterKey) authz.Meter {
	n := &s.routes
	if k.Route == "" {
		n = &s.stages
	}
	k.Route, k.Authorizer, k.Authorization = cmp.Or(k.Route, None), cmp.Or(k.Authorizer, None), cmp.Or(k.Authorization, None)
	m := s.all
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.keys[k] && *n >= MaxRoutes {
		return m.other(k.Authorization)
	}
	h := m.known[k]
	if h == nil {
		h = &held{Meter: newMeter(m.latency(k.Authorization))}
		m.known[k] = h
	}
	if !s.keys[k] {
		s.keys[k] = true
		*n++
		h.holders++
	}
	return h.Meter
}

func (m *Meters) other(authorization string) *Meter {
	o := m.others[authorization]
	if o == nil {
		o = newMeter(m.latency(authorization))
		m.others[authorization] = o
	}
	return o
}

// Close releases the Meters. Further calls do nothing.
func (s *Set) Close() {
	m := s.all
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for k := range s.keys {
		h := m.known[k]
		h.holders--
		h.left = now
	}
	clear(s.keys)
	s.routes, s.stages = 0, 0
}

// forget moves the counts of removed routes that no decision is counted in any more.
func (m *Meters) forget(now time.Time) {
	maps.DeleteFunc(m.known, func(_ authz.MeterKey, h *held) bool {
		if h.holders > 0 || now.Sub(h.left) < lateness {
			return false
		}
		h.addTo(m.removed)
		return true
	})
}

// Samples returns the metrics. A removed route has none.
func (m *Meters) Samples() []authz.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(time.Now())
	sum, samples := newMeter(nil), []authz.Sample(nil)
	m.removed.addTo(sum)
	for k, h := range m.known {
		h.addTo(sum)
		if h.holders > 0 {
			samples = appendDecisions(samples, k, h.Meter)
		}
	}
	m.none.addTo(sum)
	samples = appendDecisions(samples, authz.MeterKey{API: None, Stage: None, Route: None, Authorizer: None, Authorization: None}, m.none)
	for authorization, o := range m.others {
		o.addTo(sum)
		samples = appendDecisions(samples, authz.MeterKey{API: Other, Stage: Other, Route: Other, Authorizer: Other, Authorization: authorization}, o)
	}
	return append(append(samples, checks(sum)...), m.latencySamples()...)
}

func appendDecisions(to []authz.Sample, k authz.MeterKey, m *Meter) []authz.Sample {
	for _, c := range *m.counts.Load() {
		to = append(to, authz.Sample{
			Name: "portcullis_decisions_total", Help: "Decisions by route and reason. The routes after the first 2,000 are _other together.",
			Labels: []authz.Field{
				{Name: "api", Value: k.API}, {Name: "stage", Value: k.Stage}, {Name: "route", Value: k.Route},
				{Name: "authorization", Value: k.Authorization}, {Name: "authorizer", Value: k.Authorizer},
				{Name: "decision", Value: authz.Word(c.allow)}, {Name: "reason", Value: c.code.String()},
			},
			Value: float64(c.n.Load()),
		})
	}
	return to
}

func checks(sum *Meter) (samples []authz.Sample) {
	for _, c := range *sum.counts.Load() {
		samples = append(samples, authz.Sample{
			Name: "portcullis_checks_total", Help: "Checks by decision (allow, deny) and reason.",
			Labels: []authz.Field{{Name: "decision", Value: authz.Word(c.allow)}, {Name: "reason", Value: c.code.String()}}, Value: float64(c.n.Load()),
		})
	}
	return samples
}

func (m *Meters) latencySamples() []authz.Sample {
	samples := []authz.Sample{{
		Name: "portcullis_check_duration_seconds", Help: "Time from a decoded check to its decision.",
		Histogram: histogram(slices.Collect(maps.Values(m.latencies))...),
	}}
	for authorization, l := range m.latencies {
		samples = append(samples, authz.Sample{
			Name: "portcullis_authorization_duration_seconds", Help: "Time from a decoded check to its decision, by the authorization type of its route.",
			Labels: []authz.Field{{Name: "authorization", Value: authorization}}, Histogram: histogram(l),
		})
	}
	return samples
}
