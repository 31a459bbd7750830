package doctor

import (
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Options are what Examine compares with.
type Options struct {
	// Config is the configuration of portcullis, nil if it is not known.
	Config *gateway.Config
	// CheckTime is how long a check by Config may take, 0 if it is not known.
	CheckTime time.Duration
	// MaxChecks is --max-checks of portcullis, summed over its replicas. Default: 4096.
	MaxChecks int
}

// examination is one run of the rules.
type examination struct {
	*Dump
	findings
	options  Options
	expected *expected
	all      []*manager
	// guarded are the managers that ask portcullis.
	guarded []*manager
	// inbound reports whether a sidecar's inbound listeners are among the guarded ones.
	inbound bool
}

// Examine returns what is wrong with a configuration, the worst first.
func Examine(d *Dump, o Options) []Finding {
	if o.MaxChecks == 0 {
		o.MaxChecks = 4096
	}
	e := &examination{Dump: d, options: o, expected: expect(o.Config)}
	e.all = d.everyManager()
	is := d.recognize(e.all)
	for _, m := range e.all {
		m.choose(is)
		if len(m.ours) > 0 && m.listener.state != "draining" {
			e.guarded = append(e.guarded, m)
			e.inbound = e.inbound || m.direction() == "INBOUND"
		}
	}
	e.state()
	for _, m := range e.all {
		e.guard(m)
	}
	for _, m := range e.guarded {
		for _, f := range m.ours {
			e.filter(m, f)
		}
		e.backstop(m)
		e.connectionManager(m)
		e.order(m)
		e.downstream(m)
		for _, table := range m.tables {
			e.table(m, table)
		}
	}
	e.bypasses()
	e.shared()
	e.upstreamClusters()
	e.compare()
	return e.sorted()
}

// everyManager returns the HTTP connection managers of all listeners.
func (d *Dump) everyManager() []*manager {
	var all []*manager
	for i := range d.listeners {
		all = append(all, d.managers(&d.listeners[i])...)
	}
	return all
}

func (m *manager) direction() string { return textAt(m.listener.tree, "traffic_direction") }

// guardedClusters returns the clusters of the guarded routes.
func (e *examination) guardedClusters() map[string]bool {
	all := map[string]bool{}
	for _, m := range e.guarded {
		for _, table := range m.tables {
			routesOf(table, func(r route) {
				for _, c := range r.clusters {
					all[c] = true
				}
			})
		}
	}
	return all
}

// own are clusters of Istio and Envoy Gateway that lead to Envoy's own statistics and health.
var own = []string{"agent", "prometheus_stats"}

// isOwn reports whether all routes that forward lead to Envoy itself.
func (m *manager) isOwn() bool {
	foreign := false
	for _, table := range m.tables {
		routesOf(table, func(r route) {
			foreign = foreign || r.forwards() && !slices.ContainsFunc(r.clusters, func(c string) bool { return slices.Contains(own, c) })
		})
	}
	return !foreign
}
