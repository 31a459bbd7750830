package doctor

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/reach"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// isOutbound reports whether a manager is for requests that the workload of a sidecar sends.
func (e *examination) isOutbound(m *dump.Manager) bool {
	return m.Direction() == "OUTBOUND" && (e.inbound || strings.HasPrefix(e.Node, "sidecar~"))
}

// bypasses finds filter chains that pass bytes to an upstream that is guarded elsewhere, or to portcullis.
func (e *examination) bypasses() {
	for i := range e.Listeners {
		l := &e.Listeners[i]
		l.Chains(func(chain any, where, path string) {
			asked := false
			for _, f := range e.NetworkFilters(chain, path) {
				asked = asked || strings.Contains(tree.TypeOf(f.Config), ".network.ext_authz.")
				if f.Config == nil {
					e.Report(rulebook.Unseen, where, f.Path, "the configuration of the network filter %q is not in the input", f.Name)
				}
				if !hasManager(f.Config) && !asked && !l.IsInternal() {
					e.passes(f.Config, where, path)
				}
			}
		})
		if tree.Get(l.Tree, "fcds_config") != nil {
			e.Report(rulebook.Unseen, "listener "+l.Name(), l.Path, "its filter chains are discovered one by one (fcds_config)")
		}
		for _, f := range tree.ListAt(l.Tree, "listener_filters") {
			e.passes(tree.Get(f, "typed_config"), "listener "+l.Name(), l.Path)
		}
	}
}

// hasManager reports whether a network filter is an HTTP connection manager, or chooses one.
func hasManager(config any) bool {
	found := false
	dump.FindManagers(config, func(tree.Object) { found = true })
	return found
}

// passes reports a filter that passes bytes to an upstream that is guarded elsewhere.
func (e *examination) passes(config any, where, path string) {
	for _, name := range reach.ClustersIn(config) {
		if e.reach.IsGuarded(name) {
			e.Report(rulebook.TCP, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
		if e.reach.IsPortcullis(name) {
			e.Report(rulebook.Exposed, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
		if e.reach.IsAdmin(name) {
			e.Report(rulebook.AdminOpen, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
	}
}

// shortType returns the last part of the name of a type.
func shortType(config any) string {
	name := tree.TypeOf(config)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// exposes finds routes that lead to portcullis itself, or to Envoy's admin interface.
func (e *examination) exposes() {
	for _, m := range e.all {
		if e.isOutbound(m) || m.Listener.State == "draining" {
			continue
		}
		for _, table := range m.Tables {
			dump.RoutesOf(table, func(r dump.Route) {
				for _, c := range r.Clusters {
					if e.reach.IsPortcullis(c) {
						e.Report(rulebook.Exposed, r.Where, r.Path, "the route leads to the cluster %q", c)
					}
					if e.reach.IsAdmin(c) && !showsStatistics(&r) {
						e.Report(rulebook.AdminOpen, r.Where, r.Path, "the route leads to the cluster %q", c)
					}
				}
			})
		}
	}
	host := tree.TextAt(e.Admin, "address", "socket_address", "address")
	if host != "" && !reach.IsLocal(host) {
		e.Report(rulebook.AdminOpen, "envoy", "bootstrap.admin.address", "the admin interface listens on %s", host)
	}
}

// showsStatistics reports whether a route to the admin interface gives only pages that change nothing.
func showsStatistics(r *dump.Route) bool {
	page := tree.TextAt(r.Own, "route", "prefix_rewrite")
	if page == "" {
		page = tree.TextAt(r.Own, "match", "path") + tree.TextAt(r.Own, "match", "prefix")
	}
	return strings.HasPrefix(page, "/stats") || page == "/ready"
}

// shared finds routes that attest a VPC endpoint to more than one listener.
func (e *examination) shared() {
	users := map[string][]string{}
	for _, m := range e.all {
		for _, table := range m.Tables {
			if name := m.Listener.Name(); m.Listener.State != "draining" && !slices.Contains(users[table.Path], name) {
				users[table.Path] = append(users[table.Path], name)
			}
		}
	}
	for _, m := range e.guarded {
		for _, table := range m.Tables {
			if len(users[table.Path]) < 2 {
				continue
			}
			dump.RoutesOf(table, func(r dump.Route) {
				checks, _ := m.Checks(&r)
				for _, c := range checks {
					if at, ok := c.Extensions["portcullis.listener"]; ok {
						e.Report(rulebook.ListenerMark, at.Where, at.Path, "portcullis.listener is used by the listeners %s", strings.Join(users[table.Path], ", "))
					}
				}
			})
		}
	}
}
