package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// state applies the rules of the process and its statistics.
func (e *examination) state() {
	var major, minor int
	if n, _ := fmt.Sscanf(e.Version, "%d.%d", &major, &minor); n == 2 && (major < 1 || major == 1 && minor < OldestMinor) {
		e.report(ruleOld, "envoy", "", "Envoy is %s", e.Version)
	}
	if e.State != "" && e.State != "LIVE" {
		e.report(ruleNotLive, "envoy", "", "the state is %s", e.State)
	}
	if len(e.listeners) == 0 {
		e.report(ruleUnseen, "envoy", "", "the input has no listener")
	}
	for _, refused := range e.errors {
		e.report(ruleRefusedUpdate, refusedName(refused.tree), refused.path+".error_state", "%s", textAt(refused.tree, "error_state", "details"))
	}
	e.draining()
	e.statistics()
}

// refusedName names a resource that has an error_state.
func refusedName(v any) string {
	for _, path := range [][]string{{"name"}, {"route_config", "name"}, {"cluster", "name"}, {"error_state", "failed_configuration", "name"}} {
		if name := textAt(v, path...); name != "" {
			return name
		}
	}
	return "unknown"
}

// draining finds listeners and filter chains of older configurations that still have connections.
func (e *examination) draining() {
	drains := false
	for _, m := range e.all {
		if m.listener.state != "draining" {
			continue
		}
		drains = true
		severity, what := Note, "it asks portcullis too"
		if len(m.ours) == 0 && !m.isOwn() {
			severity, what = Wrong, "it does not ask portcullis"
		}
		e.as(severity, ruleDraining, m.where, m.path, "an older version of the listener drains; %s", what)
	}
	for _, name := range []string{"listener_manager.total_filter_chains_draining", "listener_manager.total_listeners_draining"} {
		if n := e.stats[name]; n > 0 && !drains {
			e.report(ruleDraining, "envoy", "stats "+name, "%.0f drain; the dump does not show what they guard", n)
		}
	}
}

// isSkipped reports whether a counter is that of the requests for which a backstop does not run.
func (e *examination) isSkipped(name string) bool {
	return slices.ContainsFunc(e.askers(), func(f *filter) bool {
		prefix := textAt(f.extAuthz(), "stat_prefix")
		return prefix != "" && isBackstop(f.extAuthz()) && strings.HasSuffix(name, ".ext_authz."+prefix+".disabled")
	})
}

// statistics applies the rules of counters.
func (e *examination) statistics() {
	for _, name := range sortedKeys(e.stats) {
		n := e.stats[name]
		switch {
		case n == 0 || !strings.Contains(name, ".ext_authz.") || e.isSkipped(name):
		case strings.HasSuffix(name, ".failure_mode_allowed"):
			e.report(ruleAllowedOnFailure, "envoy", "stats "+name, "%.0f requests", n)
		case strings.HasSuffix(name, ".error"), strings.HasSuffix(name, ".timeout"), strings.HasSuffix(name, ".invalid"):
			e.report(ruleFailing, "envoy", "stats "+name, "%.0f requests", n)
		}
	}
	for _, f := range e.askers() {
		cluster := clusterOf(f.extAuthz())
		name := cluster
		if alt := textAt(e.clusters[cluster].tree, "alt_stat_name"); alt != "" {
			name = strings.TrimSuffix(alt, ";")
		}
		total, known := e.stats["cluster."+name+".membership_total"]
		if healthy := e.stats["cluster."+name+".membership_healthy"]; known && healthy == 0 {
			e.report(ruleUnhealthy, "cluster "+cluster, "stats cluster."+name+".membership_healthy", "%.0f of %.0f endpoints are healthy", healthy, total)
		}
		if n := e.stats["cluster."+name+".upstream_rq_pending_overflow"]; n > 0 {
			e.report(ruleFailing, "cluster "+cluster, "stats cluster."+name+".upstream_rq_pending_overflow", "%.0f checks exceeded a circuit breaker", n)
		}
	}
}
