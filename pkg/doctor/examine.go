package doctor

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/reach"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/stages"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Options are the values that Examine compares with.
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
	*dump.Dump
	rulebook.Findings
	options  Options
	expected *stages.Hosts
	all      []*dump.Manager
	// guarded are the managers that ask portcullis.
	guarded []*dump.Manager
	// inbound reports whether a sidecar's inbound listeners are among the guarded ones.
	inbound bool
	// reach is what the listeners lead to.
	reach *reach.Map
}

// Examine returns what is wrong with a configuration, the worst first.
func Examine(d *dump.Dump, o Options) []rulebook.Finding {
	if o.MaxChecks == 0 {
		o.MaxChecks = 4096
	}
	e := &examination{Dump: d, options: o, expected: stages.Of(o.Config)}
	e.all = d.Managers()
	for _, m := range e.all {
		if len(m.Ours) > 0 && m.Listener.State != "draining" {
			e.guarded = append(e.guarded, m)
			e.inbound = e.inbound || m.IsInbound()
		}
	}
	e.reach = reach.New(d, e.all, e.guarded)
	e.state()
	for _, m := range e.all {
		e.guard(m)
	}
	for _, m := range e.guarded {
		for _, f := range m.Ours {
			e.filter(m, f)
		}
		e.order(m)
		if m.Upgrade == "" {
			e.patches(m)
			e.backstop(m)
			e.connectionManager(m)
			e.answers(m)
			e.downstream(m)
		}
		for _, table := range m.Tables {
			e.table(m, table)
		}
	}
	e.bypasses()
	e.exposes()
	e.shared()
	for _, name := range e.reach.Upstreams() {
		e.upstream(name)
	}
	e.askedClusters()
	e.compare()
	return e.Sorted()
}
