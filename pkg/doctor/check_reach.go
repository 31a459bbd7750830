package doctor

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// reach is a set of upstreams: the names of clusters, and the addresses of their endpoints.
type reach struct{ names, addresses map[string]bool }

// reachOf returns what clusters lead to, past clusters of clusters and internal listeners.
func (e *examination) reachOf(clusters []string) reach {
	r := reach{map[string]bool{}, map[string]bool{}}
	for len(clusters) > 0 {
		name := clusters[0]
		if clusters = clusters[1:]; r.names[name] {
			continue
		}
		r.names[name] = true
		for _, address := range e.Endpoints[name] {
			r.addresses[addressOf(address)] = true
			clusters = append(clusters, e.behind(tree.TextAt(address, "envoy_internal_address", "server_listener_name"))...)
		}
		clusters = append(clusters, members(e.Clusters[name].Tree)...)
	}
	delete(r.addresses, "")
	return r
}

// members returns the clusters of which a cluster consists, such as one of the type envoy.clusters.aggregate.
func members(cluster any) []string {
	var names []string
	for _, c := range tree.ListAt(cluster, "cluster_type", "typed_config", "clusters") {
		name, _ := c.(string)
		names = append(names, name+nameOf(c))
	}
	return names
}

// behind returns the clusters to which an internal listener leads.
func (e *examination) behind(listener string) []string {
	var names []string
	for _, m := range e.all {
		if listener == "" || nameOf(m.Listener.Tree) != listener {
			continue
		}
		for _, table := range m.Tables {
			dump.RoutesOf(table, func(r dump.Route) { names = append(names, r.Clusters...) })
		}
	}
	return names
}

// isInner reports whether a listener is an internal one, which only other listeners of Envoy reach.
func isInner(l *dump.Listener) bool { return tree.Get(l.Tree, "internal_listener") != nil }

// has reports whether a cluster is in the set, or has an endpoint of it.
func (e *examination) has(r reach, cluster string) bool {
	return r.names[cluster] || slices.ContainsFunc(e.Endpoints[cluster], func(address any) bool { return r.addresses[addressOf(address)] })
}

// addressOf returns an endpoint's address as text, "" if it has none.
func addressOf(address any) string {
	if path := tree.TextAt(address, "pipe", "path"); path != "" {
		return "unix:" + path
	}
	port, _ := tree.NumberAt(address, "socket_address", "port_value")
	host := tree.TextAt(address, "socket_address", "address")
	if host == "" || port == 0 {
		return ""
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// setReach finds what is guarded, what answers checks, and Envoy's admin interface.
func (e *examination) setReach() {
	e.domains = map[string]bool{}
	var guarded, asked []string
	for _, m := range e.guarded {
		for _, f := range m.Ours {
			asked = append(asked, dump.ClusterOf(f.ExtAuthz()))
		}
		for _, table := range m.Tables {
			dump.RoutesOf(table, func(r dump.Route) {
				guarded = append(guarded, r.Clusters...)
				for _, d := range tree.ListAt(r.Host, "domains") {
					domain, _ := d.(string)
					e.domains[domain] = true
				}
			})
		}
	}
	delete(e.domains, "*")
	e.upstreams, e.answering = e.reachOf(guarded), e.reachOf(asked)
	e.adminReach = reach{map[string]bool{}, map[string]bool{}}
	if address := addressOf(tree.Get(e.Admin, "address")); address != "" {
		e.adminReach.addresses[address] = true
	}
}

// isOutbound reports whether a manager is for requests that the workload of a sidecar sends.
func (e *examination) isOutbound(m *dump.Manager) bool {
	return m.Direction() == "OUTBOUND" && (e.inbound || strings.HasPrefix(e.Node, "sidecar~"))
}

// concerns reports whether a manager that does not ask can lead to what portcullis guards elsewhere: it has an upstream, a
// domain or a listener in common with a guarded one, or it is not known where it leads. Without any guarded manager,
// each is one that should be.
func (e *examination) concerns(m *dump.Manager) bool {
	if len(e.guarded) == 0 || len(m.Unseen) > 0 || slices.ContainsFunc(m.Filters, func(f dump.Filter) bool { return f.Missing }) {
		return true
	}
	if isInner(m.Listener) {
		return false // what leads to it counts
	}
	if slices.ContainsFunc(e.guarded, func(g *dump.Manager) bool { return nameOf(g.Listener.Tree) == nameOf(m.Listener.Tree) && !e.isOwn(m) }) {
		return true
	}
	found := false
	for _, table := range m.Tables {
		dump.RoutesOf(table, func(r dump.Route) {
			if !r.Forwards() {
				return
			}
			found = found || len(r.Clusters) == 0 // a header or a plugin selects it
			for _, c := range append(mirrors(&r), r.Clusters...) {
				found = found || e.leads(c) || isOpenTarget(e.Clusters[c].Tree)
			}
			for _, d := range tree.ListAt(r.Host, "domains") {
				domain, _ := d.(string)
				found = found || e.domains[domain]
			}
		})
	}
	return found
}

func nameOf(v any) string { return tree.TextAt(v, "name") }

// leads reports whether a cluster leads to a guarded upstream.
func (e *examination) leads(cluster string) bool {
	for name := range e.reachOf([]string{cluster}).names {
		if e.has(e.upstreams, name) {
			return true
		}
	}
	return false
}

// mirrors returns the clusters that get copies of a route's requests.
func mirrors(r *dump.Route) []string {
	var names []string
	for _, at := range append([]dump.Level{{Tree: tree.Get(r.Own, "route")}}, r.Levels...) {
		for _, policy := range tree.ListAt(at.Tree, "request_mirror_policies") {
			names = append(names, tree.TextAt(policy, "cluster"))
		}
	}
	return names
}

// own are clusters of Istio and Envoy Gateway that lead to Envoy's own statistics and health.
var own = []string{"agent", "prometheus_stats"}

// isOwn reports whether all routes that forward lead to Envoy itself.
func (e *examination) isOwn(m *dump.Manager) bool {
	foreign := false
	for _, table := range m.Tables {
		dump.RoutesOf(table, func(r dump.Route) {
			foreign = foreign || r.Forwards() && !slices.ContainsFunc(r.Clusters, func(c string) bool { return slices.Contains(own, c) && !e.isRemote(c) })
		})
	}
	return !foreign
}

// isRemote reports whether an endpoint of a cluster is on another machine.
func (e *examination) isRemote(cluster string) bool {
	return slices.ContainsFunc(e.Endpoints[cluster], func(address any) bool {
		host := tree.TextAt(address, "socket_address", "address")
		return host != "" && !isLocal(host)
	})
}

// isOpenTarget reports whether requests choose the endpoint of a cluster.
func isOpenTarget(cluster any) bool {
	return strings.Contains(tree.TextAt(cluster, "cluster_type", "name")+tree.TypeOf(tree.Get(cluster, "cluster_type", "typed_config")), "dynamic_forward_proxy") ||
		tree.IsTrue(cluster, "original_dst_lb_config", "use_http_header")
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
				if !hasManager(f.Config) && !asked && !isInner(l) {
					e.passes(f.Config, where, path)
				}
			}
		})
		if tree.Get(l.Tree, "fcds_config") != nil {
			e.Report(rulebook.Unseen, "listener "+nameOf(l.Tree), l.Path, "its filter chains are discovered one by one (fcds_config)")
		}
		for _, f := range tree.ListAt(l.Tree, "listener_filters") {
			e.passes(tree.Get(f, "typed_config"), "listener "+nameOf(l.Tree), l.Path)
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
	for _, name := range clustersIn(config) {
		if e.leads(name) {
			e.Report(rulebook.TCP, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
		if e.has(e.answering, name) {
			e.Report(rulebook.Exposed, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
		if e.has(e.adminReach, name) {
			e.Report(rulebook.AdminOpen, where, path, "%s leads to the cluster %q", shortType(config), name)
		}
	}
}

// shortType returns the last part of the name of a type.
func shortType(config any) string {
	name := tree.TypeOf(config)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// clustersIn returns the clusters that the settings of a network filter name.
func clustersIn(v any) []string {
	var all []string
	switch v := v.(type) {
	case tree.Object:
		for _, key := range dump.SortedKeys(v) {
			if name, ok := v[key].(string); ok && key == "cluster" {
				all = append(all, name)
			}
			all = append(all, clustersIn(v[key])...)
		}
		for _, name := range []string{"weighted_clusters", "weightedClusters"} {
			for _, c := range tree.ListAt(v[name], "clusters") {
				all = append(all, tree.TextAt(c, "name"))
			}
		}
	case []any:
		for _, inner := range v {
			all = append(all, clustersIn(inner)...)
		}
	}
	return all
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
					if e.has(e.answering, c) {
						e.Report(rulebook.Exposed, r.Where, r.Path, "the route leads to the cluster %q", c)
					}
					if e.has(e.adminReach, c) && !showsStatistics(&r) {
						e.Report(rulebook.AdminOpen, r.Where, r.Path, "the route leads to the cluster %q", c)
					}
				}
			})
		}
	}
	host := tree.TextAt(e.Admin, "address", "socket_address", "address")
	if host != "" && !isLocal(host) {
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
			if name := nameOf(m.Listener.Tree); m.Listener.State != "draining" && !slices.Contains(users[table.Path], name) {
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
