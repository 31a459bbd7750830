package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// state applies the rules of the process and its statistics.
func (e *examination) state() {
	var major, minor int
	if n, _ := fmt.Sscanf(e.Version, "%d.%d", &major, &minor); n == 2 && (major < 1 || major == 1 && minor < rulebook.OldestMinor) {
		e.Report(rulebook.Old, "envoy", "", "Envoy is %s", e.Version)
	}
	if e.State != "" && e.State != "LIVE" {
		e.Report(rulebook.NotLive, "envoy", "", "the state is %s", e.State)
	}
	if len(e.Listeners) == 0 {
		e.Report(rulebook.Unseen, "envoy", "", "the input has no listener")
	}
	for _, refused := range e.Errors {
		e.Report(rulebook.RefusedUpdate, refusedName(refused.Tree), refused.Path+".error_state", "%s", tree.TextAt(refused.Tree, "error_state", "details"))
	}
	e.draining()
	e.statistics()
}

// refusedName names a resource that has an error_state.
func refusedName(v any) string {
	for _, path := range [][]string{{"name"}, {"route_config", "name"}, {"cluster", "name"}, {"error_state", "failed_configuration", "name"}} {
		if name := tree.TextAt(v, path...); name != "" {
			return name
		}
	}
	return "unknown"
}

// draining finds listeners and filter chains of older configurations that still have connections.
func (e *examination) draining() {
	drains := false
	for _, m := range e.all {
		if m.Listener.State != "draining" || len(m.Ours) == 0 && !e.reach.Concerns(m) {
			continue
		}
		drains = true
		severity, what := rulebook.Note, "it asks portcullis too"
		if len(m.Ours) == 0 && !e.reach.IsOwn(m) {
			severity, what = rulebook.Wrong, "it does not ask portcullis"
		}
		e.ReportAs(severity, rulebook.Draining, m.Where, m.Path, "an older version of the listener drains; %s", what)
	}
	for _, name := range []string{"listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining"} {
		if n := e.Stats[name]; n > 0 && !drains {
			e.Report(rulebook.Draining, "envoy", "stats "+name, "%.0f drain; the dump does not show what they guard", n)
		}
	}
}

// isSkipped reports whether a counter is that of the requests for which a backstop does not run.
func (e *examination) isSkipped(name string) bool {
	return slices.ContainsFunc(e.askers(), func(f *dump.Filter) bool {
		prefix := tree.TextAt(f.ExtAuthz(), "stat_prefix")
		return prefix != "" && dump.IsBackstop(f.ExtAuthz()) && strings.HasSuffix(name, ".ext_authz."+prefix+".disabled")
	})
}

// statistics applies the rules of counters.
func (e *examination) statistics() {
	for _, name := range dump.SortedKeys(e.Stats) {
		n := e.Stats[name]
		switch {
		case n == 0 || !strings.Contains(name, ".ext_authz.") || e.isSkipped(name):
		case strings.HasSuffix(name, ".failure_mode_allowed"):
			e.Report(rulebook.AllowedOnFailure, "envoy", "stats "+name, "%.0f requests", n)
		case strings.HasSuffix(name, ".error"), strings.HasSuffix(name, ".timeout"), strings.HasSuffix(name, ".invalid"):
			e.Report(rulebook.Failing, "envoy", "stats "+name, "%.0f requests", n)
		}
	}
	for _, f := range e.askers() {
		cluster := dump.ClusterOf(f.ExtAuthz())
		name := cluster
		if alt := tree.TextAt(e.Clusters[cluster].Tree, "alt_stat_name"); alt != "" {
			name = strings.TrimSuffix(alt, ";")
		}
		total, known := e.Stats["cluster."+name+".membership_total"]
		if healthy := e.Stats["cluster."+name+".membership_healthy"]; known && healthy == 0 {
			e.Report(rulebook.Unhealthy, "cluster "+cluster, "stats cluster."+name+".membership_healthy", "%.0f of %.0f endpoints are healthy", healthy, total)
		}
		if n := e.Stats["cluster."+name+".upstream_rq_pending_overflow"]; n > 0 {
			e.Report(rulebook.Failing, "cluster "+cluster, "stats cluster."+name+".upstream_rq_pending_overflow", "%.0f checks exceeded a circuit breaker", n)
		}
	}
}
