package doctor

import (
	"fmt"
	"strings"
)

const (
	typeManager   = ".HttpConnectionManager"
	typeTCP       = ".TcpProxy"
	typeExtAuthz  = "http.ext_authz.v3.ExtAuthz"
	typePerRoute  = "http.ext_authz.v3.ExtAuthzPerRoute"
	typeFlag      = "route.v3.FilterConfig"
	perFilter     = "typed_per_filter_config"
	extensionPath = "context_extensions"
)

// manager is an HTTP connection manager.
type manager struct {
	tree        any
	where, path string
	listener    *listenerEntry
	// chain is the filter chain.
	chain any
	// filters are the HTTP filters.
	filters []filter
	// ours are the ext_authz filters for portcullis. Envoy Gateway makes one for each SecurityPolicy.
	ours []*filter
	// tables are the route configurations.
	tables []entry
	// unseen names route configurations that are not in the dump.
	unseen []string
}

// filter is an HTTP filter.
type filter struct {
	name        string
	config      any
	index       int
	where, path string
	disabled    bool
	optional    bool
	// inner is the ext_authz configuration inside another filter, nil if there is none.
	inner node
	// missing reports whether the filter is discovered and not in the dump.
	missing bool
}

// kind returns the name of the filter's type without package and version, such as ext_authz.
func (f *filter) kind() string {
	parts := strings.Split(typeOf(f.config), ".")
	for i, part := range parts {
		if len(part) >= 2 && part[0] == 'v' && part[1] >= '0' && part[1] <= '9' && i > 0 {
			return parts[i-1]
		}
	}
	return f.name
}

// chains calls f with each filter chain of a listener.
func (l *listenerEntry) chains(f func(chain any, where, path string)) {
	name := "listener " + textAt(l.tree, "name")
	if l.state == "draining" {
		name += " (draining)"
	}
	for i, chain := range listAt(l.tree, "filter_chains") {
		label := fmt.Sprint(i)
		if own := textAt(chain, "name"); own != "" {
			label = own
		}
		f(chain, name+" / filter chain "+label, fmt.Sprintf("%s.filter_chains[%d]", l.path, i))
	}
	if chain := get(l.tree, "default_filter_chain"); chain != nil {
		f(chain, name+" / default filter chain", l.path+".default_filter_chain")
	}
	if api := get(l.tree, "api_listener", "api_listener"); api != nil {
		f(node{"filters": []any{node{"typed_config": api}}}, name+" / api_listener", l.path+".api_listener")
	}
}

// managers returns the HTTP connection managers of a listener.
func (d *Dump) managers(l *listenerEntry) []*manager {
	var all []*manager
	l.chains(func(chain any, where, path string) {
		for i, f := range listAt(chain, "filters") {
			config := get(f, "typed_config")
			if !isType(config, typeManager) {
				continue
			}
			m := &manager{tree: config, where: where, path: fmt.Sprintf("%s.filters[%d].typed_config", path, i), listener: l, chain: chain}
			m.filters = d.filters(m)
			d.addTables(m)
			all = append(all, m)
		}
	})
	return all
}

// filters returns the HTTP filters of a manager.
func (d *Dump) filters(m *manager) []filter {
	var all []filter
	for i, tree := range listAt(m.tree, "http_filters") {
		f := filter{name: textAt(tree, "name"), config: get(tree, "typed_config"), index: i, disabled: isTrue(tree, "disabled"), optional: isTrue(tree, "is_optional")}
		f.where, f.path = m.where+" / filter "+f.name, fmt.Sprintf("%s.http_filters[%d]", m.path, i)
		if discovery := get(tree, "config_discovery"); discovery != nil {
			f.config = d.discovered[f.name]
			f.missing = f.config == nil
			f.optional = f.optional || get(discovery, "default_config") != nil
		}
		if !isType(f.config, typeExtAuthz) {
			find(f.config, typeExtAuthz, maxDepth, func(n node) { f.inner = n })
		}
		all = append(all, f)
	}
	return all
}

// addTables adds the route configurations of a manager.
func (d *Dump) addTables(m *manager) {
	named := func(name string) {
		if table, ok := d.routes[name]; ok {
			m.tables = append(m.tables, table)
		} else {
			m.unseen = append(m.unseen, name)
		}
	}
	if inline := get(m.tree, "route_config"); inline != nil {
		m.tables = append(m.tables, entry{inline, m.path + ".route_config"})
	}
	if rds := get(m.tree, "rds"); rds != nil {
		named(textAt(rds, "route_config_name"))
	}
	scoped := get(m.tree, "scoped_routes")
	if scoped == nil {
		return
	}
	for i, s := range listAt(scoped, "scoped_route_configurations_list", "scoped_route_configurations") {
		if inline := get(s, "route_configuration"); inline != nil {
			m.tables = append(m.tables, entry{inline, fmt.Sprintf("%s.scoped_routes[%d]", m.path, i)})
		} else {
			named(textAt(s, "route_configuration_name"))
		}
	}
	if get(scoped, "scoped_rds") != nil { // any of them
		for _, name := range sortedKeys(d.routes) {
			m.tables = append(m.tables, d.routes[name])
		}
	}
}

// asPortcullis returns whether an ext_authz configuration is one for portcullis.
type asPortcullis func(name string, config any) bool

// recognize returns what tells filters for portcullis from those for other services: their cluster has its name, or
// routes have context extensions of portcullis under the filter's name. If neither holds for any filter, all of them
// count.
func (d *Dump) recognize(all []*manager) asPortcullis {
	marked, some := map[string]bool{}, false
	for _, m := range all {
		for _, table := range m.tables {
			levelsOf(table, func(at level) {
				for name, config := range objectAt(at.tree, perFilter) {
					if marks(config) {
						marked[name] = true
					}
				}
			})
		}
	}
	known := func(name string, config any) bool {
		return marked[name] || strings.Contains(strings.ToLower(clusterOf(config)), "portcullis")
	}
	for _, m := range all {
		for i := range m.filters {
			f := &m.filters[i]
			some = some || f.extAuthz() != nil && known(f.name, f.extAuthz())
		}
	}
	return func(name string, config any) bool { return !some || known(name, config) }
}

// marks reports whether settings of a route have a context extension of portcullis.
func marks(config any) bool {
	_, config = unwrapped(config)
	for name := range objectAt(config, "check_settings", extensionPath) {
		if strings.HasPrefix(strings.ToLower(name), "portcullis") {
			return true
		}
	}
	return false
}

// extAuthz returns the configuration of ext_authz, or nil.
func (f *filter) extAuthz() any {
	switch {
	case isType(f.config, typeExtAuthz):
		return f.config
	case f.inner != nil:
		return f.inner
	default:
		return nil
	}
}

// clusterOf returns the cluster, or the address, that an ext_authz filter asks.
func clusterOf(config any) string {
	if name := textAt(config, "grpc_service", "envoy_grpc", "cluster_name"); name != "" {
		return name
	}
	if uri := textAt(config, "grpc_service", "google_grpc", "target_uri"); uri != "" {
		return uri
	}
	return textAt(config, "http_service", "server_uri", "cluster")
}

// choose sets the filters for portcullis.
func (m *manager) choose(is asPortcullis) {
	m.ours = nil
	for i := range m.filters {
		if f := &m.filters[i]; f.extAuthz() != nil && is(f.name, f.extAuthz()) {
			m.ours = append(m.ours, f)
		}
	}
}

// check is a filter for portcullis that runs for a route, and its settings there.
type check struct {
	*filter
	settings
}

// checks returns the checks of a route. Without any, it also returns the settings that switch them off, of the filter
// that says so most clearly. A backstop counts if nothing else checks the route.
func (m *manager) checks(r *route) (all []check, off check) {
	var backstops []check
	for _, f := range m.ours {
		c := check{f, r.settings(f.name)}
		switch {
		case c.runs() && isBackstop(f.extAuthz()):
			backstops = append(backstops, c)
		case c.runs():
			all = append(all, c)
		case off.filter == nil || c.off != nil || c.settings.disabled != nil:
			off = c
		}
	}
	if len(all) == 0 {
		all = backstops
	}
	return all, off
}

// runs reports whether the filter runs for the route.
func (c *check) runs() bool {
	return c.off == nil && c.settings.disabled == nil && (c.set || !c.filter.disabled)
}

// isBackstop reports whether a filter asks about each request that no filter for portcullis before it has allowed.
func isBackstop(config any) bool {
	want := get(config, "filter_enabled_metadata")
	path := listAt(want, "path")
	return textAt(want, "filter") == "envoy.filters.http.ext_authz" && len(path) == 1 && textAt(path[0], "key") == "decision" &&
		textAt(want, "value", "string_match", "exact") == "allow" && isTrue(want, "invert")
}
