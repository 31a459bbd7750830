package dump

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

const (
	typeManager  = ".HttpConnectionManager"
	typeExtAuthz = "http.ext_authz.v3.ExtAuthz"
	TypePerRoute = "http.ext_authz.v3.ExtAuthzPerRoute"
	typeFlag     = "route.v3.FilterConfig"
	PerFilter    = "typed_per_filter_config"
	// ProxyProtocol is the listener filter of the PROXY protocol, and the namespace of what it reads.
	ProxyProtocol = "envoy.filters.listener.proxy_protocol"
	extensionPath = "context_extensions"
)

// Manager is an HTTP connection manager.
type Manager struct {
	Tree        any
	Where, Path string
	Listener    *Listener
	// Chain is the filter chain.
	Chain any
	// Upgrade is the type of the upgrade that has filters of its own, empty for all other requests.
	Upgrade string
	// Filters are the HTTP filters.
	Filters []Filter
	// Ours are the ext_authz filters for portcullis. Envoy Gateway makes one for each SecurityPolicy.
	Ours []*Filter
	// Tables are the route configurations.
	Tables []Entry
	// Unseen names route configurations that are not in the dump.
	Unseen []string
}

// Chains calls f with each filter chain of a listener.
func (l *Listener) Chains(f func(chain any, where, path string)) {
	name := "listener " + tree.TextAt(l.Tree, "name")
	if l.State == "draining" {
		name += " (draining)"
	}
	for i, chain := range tree.ListAt(l.Tree, "filter_chains") {
		label := fmt.Sprint(i)
		if own := tree.TextAt(chain, "name"); own != "" {
			label = own
		}
		f(chain, name+" / filter chain "+label, fmt.Sprintf("%s.filter_chains[%d]", l.Path, i))
	}
	if chain := tree.Get(l.Tree, "default_filter_chain"); chain != nil {
		f(chain, name+" / default filter chain", l.Path+".default_filter_chain")
	}
	if api := tree.Get(l.Tree, "api_listener", "api_listener"); api != nil {
		f(tree.Object{"filters": []any{tree.Object{"typed_config": api}}}, name+" / api_listener", l.Path+".api_listener")
	}
}

// NetworkFilter is a network filter of a filter chain. Its Config is nil if it is discovered and not in the dump.
type NetworkFilter struct {
	Name, Path string
	Config     any
}

// NetworkFilters returns the network filters of a filter chain at a path.
func (d *Dump) NetworkFilters(chain any, path string) []NetworkFilter {
	var all []NetworkFilter
	for i, f := range tree.ListAt(chain, "filters") {
		one := NetworkFilter{tree.TextAt(f, "name"), fmt.Sprintf("%s.filters[%d]", path, i), tree.Get(f, "typed_config")}
		if discovery := tree.Get(f, "config_discovery"); discovery != nil {
			found := d.discovered[one.Name]
			if len(found) == 0 {
				found = []any{tree.Get(discovery, "default_config")}
			}
			for _, config := range found {
				one.Config = config
				all = append(all, one)
			}
			continue
		}
		all = append(all, one)
	}
	return all
}

// FindManagers calls f with the HTTP connection manager that a network filter is, or with those that it chooses among.
func FindManagers(config any, f func(tree.Object)) { tree.Find(config, typeManager, maxDepth, f) }

// managersOf returns the HTTP connection managers of a listener. An upgrade that has filters of its own is one more.
func (d *Dump) managersOf(l *Listener) []*Manager {
	var all []*Manager
	l.Chains(func(chain any, where, path string) {
		for _, f := range d.NetworkFilters(chain, path) {
			FindManagers(f.Config, func(config tree.Object) {
				m := &Manager{Tree: config, Where: where, Path: f.Path + ".typed_config", Listener: l, Chain: chain}
				m.Filters = d.filters(m, tree.ListAt(m.Tree, "http_filters"), m.Path+".http_filters")
				d.addTables(m)
				all = append(all, m)
				all = append(all, d.upgrades(m)...)
			})
		}
	})
	return all
}

// upgrades returns the upgrades of a manager that have filters of their own, as managers.
func (d *Dump) upgrades(m *Manager) []*Manager {
	var all []*Manager
	for i, u := range tree.ListAt(m.Tree, "upgrade_configs") {
		filters := tree.ListAt(u, "filters")
		if len(filters) == 0 {
			continue
		}
		own := *m
		own.Upgrade = tree.TextAt(u, "upgrade_type")
		own.Where += " / upgrade " + own.Upgrade
		own.Filters = d.filters(&own, filters, fmt.Sprintf("%s.upgrade_configs[%d].filters", m.Path, i))
		all = append(all, &own)
	}
	return all
}

// addTables adds the route configurations of a manager.
func (d *Dump) addTables(m *Manager) {
	named := func(name string) {
		if table, ok := d.routes[name]; ok {
			m.Tables = append(m.Tables, table)
		} else {
			m.Unseen = append(m.Unseen, name)
		}
	}
	if inline := tree.Get(m.Tree, "route_config"); inline != nil {
		m.Tables = append(m.Tables, Entry{inline, m.Path + ".route_config"})
	}
	if rds := tree.Get(m.Tree, "rds"); rds != nil {
		named(tree.TextAt(rds, "route_config_name"))
	}
	scoped := tree.Get(m.Tree, "scoped_routes")
	if scoped == nil {
		return
	}
	for i, s := range tree.ListAt(scoped, "scoped_route_configurations_list", "scoped_route_configurations") {
		if inline := tree.Get(s, "route_configuration"); inline != nil {
			m.Tables = append(m.Tables, Entry{inline, fmt.Sprintf("%s.scoped_routes[%d]", m.Path, i)})
		} else {
			named(tree.TextAt(s, "route_configuration_name"))
		}
	}
	if tree.Get(scoped, "scoped_rds") == nil {
		return
	}
	scopes := tree.TextAt(scoped, "name")
	if len(d.scopes[scopes]) == 0 {
		m.Unseen = append(m.Unseen, "scoped routes "+scopes)
	}
	for _, name := range d.scopes[scopes] {
		named(name)
	}
}

// choose sets the filters for portcullis.
func (m *Manager) choose(is func(config any) bool) {
	m.Ours = nil
	for i := range m.Filters {
		if f := &m.Filters[i]; f.ExtAuthz() != nil && is(f.ExtAuthz()) {
			m.Ours = append(m.Ours, f)
		}
	}
}

// Checks returns the checks of a route. Without any, it also returns the settings that switch them off, of the filter
// that says so most clearly. A backstop counts if nothing else checks the route.
func (m *Manager) Checks(r *Route) (all []Check, off Check) {
	var backstops []Check
	for _, f := range m.Ours {
		c := Check{f, r.settings(f.Name)}
		switch {
		case c.runs() && IsBackstop(f.ExtAuthz()):
			backstops = append(backstops, c)
		case c.runs():
			all = append(all, c)
		case off.Filter == nil || c.Off != nil || c.Settings.Disabled != nil:
			off = c
		}
	}
	if len(all) == 0 {
		all = backstops
	}
	return all, off
}

// Managers returns the HTTP connection managers of all listeners.
func (d *Dump) Managers() []*Manager {
	var all []*Manager
	for i := range d.Listeners {
		all = append(all, d.managersOf(&d.Listeners[i])...)
	}
	is := recognize(all)
	for _, m := range all {
		m.choose(is)
	}
	return all
}

// Direction returns the traffic_direction of the listener.
func (m *Manager) Direction() string { return tree.TextAt(m.Listener.Tree, "traffic_direction") }

// IsInbound reports whether requests come to the workload of a sidecar of a mesh. Other proxies may set the direction too.
func (m *Manager) IsInbound() bool {
	return m.Direction() == "INBOUND" && strings.HasPrefix(tree.TextAt(m.Tree, "stat_prefix"), "inbound_")
}

// Runs reports whether a filter runs for a request at all.
func (m *Manager) Runs(f *Filter) bool {
	if !f.Disabled {
		return true
	}
	on := false
	for _, table := range m.Tables {
		RoutesOf(table, func(r Route) {
			s := r.settings(f.Name)
			on = on || s.set && s.Off == nil
		})
	}
	return on
}

// Overrides reports whether a route has settings of its own for a filter.
func (m *Manager) Overrides(name string) bool {
	found := false
	for _, table := range m.Tables {
		LevelsOf(table, func(at Level) {
			_, own := tree.ObjectAt(at.Tree, PerFilter)[name]
			found = found || own
		})
	}
	return found
}

// HasBackstop reports whether a backstop runs for all routes of a table that forward.
func (m *Manager) HasBackstop(table Entry) bool {
	return slices.ContainsFunc(m.Ours, func(f *Filter) bool {
		runs := IsBackstop(f.ExtAuthz())
		RoutesOf(table, func(r Route) {
			c := Check{f, r.settings(f.Name)}
			runs = runs && (!r.Forwards() || c.runs())
		})
		return runs
	})
}

// OverridesWith reports whether settings of a route for a filter contain one of the texts.
func (m *Manager) OverridesWith(filter string, texts ...string) bool {
	found := false
	for _, table := range m.Tables {
		LevelsOf(table, func(at Level) {
			text := tree.Compact(tree.ObjectAt(at.Tree, PerFilter)[filter])
			found = found || slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(text, t) })
		})
	}
	return found
}
