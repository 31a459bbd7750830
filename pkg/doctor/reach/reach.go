// Package reach finds what the listeners of an Envoy lead to: the upstreams that portcullis guards, portcullis itself, and
// Envoy's admin interface. Clusters are compared by their names and by the addresses of their endpoints.
package reach

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// Map is what the listeners of an Envoy lead to.
type Map struct {
	dump *dump.Dump
	all  []*dump.Manager
	// guarded are the managers that ask portcullis.
	guarded []*dump.Manager
	// upstreams are guarded, and answering are those of portcullis.
	upstreams, answering, admin set
	// domains are those of guarded virtual hosts, except for "*".
	domains map[string]bool
}

// set is a set of upstreams: the names of clusters, and the addresses of their endpoints.
type set struct{ names, addresses map[string]bool }

// New returns the map of a dump with its managers, and those of them that ask portcullis.
func New(d *dump.Dump, all, guarded []*dump.Manager) *Map {
	m := &Map{dump: d, all: all, guarded: guarded, admin: set{map[string]bool{}, map[string]bool{}}, domains: map[string]bool{}}
	var upstreams, asked []string
	for _, g := range guarded {
		for _, f := range g.Ours {
			asked = append(asked, dump.ClusterOf(f.ExtAuthz()))
		}
		eachRoute(g, func(r dump.Route) {
			upstreams = append(upstreams, r.Clusters...)
			for _, domain := range domainsOf(&r) {
				m.domains[domain] = true
			}
		})
	}
	delete(m.domains, "*")
	m.upstreams, m.answering = m.setOf(upstreams), m.setOf(asked)
	for _, target := range asked { // of Google's gRPC client
		m.answering.addresses[strings.TrimPrefix(target, "dns:")] = true
	}
	if address := addressOf(tree.Get(d.Admin, "address")); address != "" {
		m.admin.addresses[address] = true
	}
	return m
}

// eachRoute calls f with each route of a manager.
func eachRoute(m *dump.Manager, f func(dump.Route)) {
	for _, table := range m.Tables {
		dump.RoutesOf(table, f)
	}
}

func domainsOf(r *dump.Route) []string {
	var all []string
	for _, d := range tree.ListAt(r.Host, "domains") {
		if domain, ok := d.(string); ok {
			all = append(all, domain)
		}
	}
	return all
}

// setOf returns what clusters lead to, past clusters of clusters and internal listeners.
func (m *Map) setOf(clusters []string) set {
	s := set{map[string]bool{}, map[string]bool{}}
	for len(clusters) > 0 {
		name := clusters[0]
		if clusters = clusters[1:]; s.names[name] {
			continue
		}
		s.names[name] = true
		for _, address := range m.dump.Endpoints[name] {
			s.addresses[addressOf(address)] = true
			clusters = append(clusters, m.behind(tree.TextAt(address, "envoy_internal_address", "server_listener_name"))...)
		}
		clusters = append(clusters, members(m.dump.Clusters[name].Tree)...)
	}
	delete(s.addresses, "")
	return s
}

// members returns the clusters of which a cluster consists, such as one of the type envoy.clusters.aggregate.
func members(cluster any) []string {
	var names []string
	for _, c := range tree.ListAt(cluster, "cluster_type", "typed_config", "clusters") {
		name, _ := c.(string)
		names = append(names, name+tree.TextAt(c, "name"))
	}
	return names
}

// behind returns the clusters to which an internal listener leads.
func (m *Map) behind(listener string) []string {
	var names []string
	for _, other := range m.all {
		if listener != "" && other.Listener.Name() == listener {
			eachRoute(other, func(r dump.Route) { names = append(names, r.Clusters...) })
		}
	}
	return names
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

// has reports whether a cluster is in a set, or has an endpoint of it.
func (m *Map) has(s set, cluster string) bool {
	return s.names[cluster] || slices.ContainsFunc(m.dump.Endpoints[cluster], func(address any) bool { return s.addresses[addressOf(address)] })
}

// Upstreams returns the clusters that are guarded, in order.
func (m *Map) Upstreams() []string { return dump.SortedKeys(m.upstreams.names) }

// IsGuarded reports whether a cluster leads to an upstream that portcullis guards.
func (m *Map) IsGuarded(cluster string) bool {
	for name := range m.setOf([]string{cluster}).names {
		if m.has(m.upstreams, name) {
			return true
		}
	}
	return false
}

// IsPortcullis reports whether a cluster leads to portcullis.
func (m *Map) IsPortcullis(cluster string) bool { return m.has(m.answering, cluster) }

// IsAdmin reports whether a cluster leads to Envoy's admin interface.
func (m *Map) IsAdmin(cluster string) bool { return m.has(m.admin, cluster) }

// Concerns reports whether a manager that does not ask can lead to what portcullis guards elsewhere: it has an upstream, a
// domain or a listener in common with a guarded one, or it is not known where it leads. Without any guarded manager,
// each is one that should be.
func (m *Map) Concerns(open *dump.Manager) bool {
	switch {
	case len(m.guarded) == 0, len(open.Unseen) > 0, slices.ContainsFunc(open.Filters, func(f dump.Filter) bool { return f.Missing }):
		return true
	case open.Listener.IsInternal():
		return false // what leads to it counts
	case m.besides(open) && !m.IsOwn(open):
		return true
	}
	found := false
	eachRoute(open, func(r dump.Route) { found = found || r.Forwards() && m.shares(&r) })
	return found
}

// besides reports whether a manager is in a listener with guarded ones, and is not selected by server names of its own.
func (m *Map) besides(open *dump.Manager) bool {
	return len(tree.ListAt(open.Chain, "filter_chain_match", "server_names")) == 0 &&
		slices.ContainsFunc(m.guarded, func(g *dump.Manager) bool { return g.Listener.Name() == open.Listener.Name() })
}

// shares reports whether a route has an upstream or a domain in common with a guarded one, or the request selects the upstream.
func (m *Map) shares(r *dump.Route) bool {
	return len(r.Clusters) == 0 ||
		slices.ContainsFunc(append(mirrors(r), r.Clusters...), func(c string) bool { return m.IsGuarded(c) || IsOpen(m.dump.Clusters[c].Tree) }) ||
		slices.ContainsFunc(domainsOf(r), func(domain string) bool { return m.domains[domain] })
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

// IsOwn reports whether all routes of a manager that forward lead to Envoy itself.
func (m *Map) IsOwn(open *dump.Manager) bool {
	foreign := false
	eachRoute(open, func(r dump.Route) {
		foreign = foreign || r.Forwards() && !slices.ContainsFunc(r.Clusters, func(c string) bool { return slices.Contains(own, c) && !m.isRemote(c) })
	})
	return !foreign
}

// isRemote reports whether an endpoint of a cluster is on another machine.
func (m *Map) isRemote(cluster string) bool {
	return slices.ContainsFunc(m.dump.Endpoints[cluster], func(address any) bool {
		host := tree.TextAt(address, "socket_address", "address")
		return host != "" && !IsLocal(host)
	})
}

// IsLocal reports whether a host is this machine.
func IsLocal(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// IsOpen reports whether requests choose the endpoint of a cluster.
func IsOpen(cluster any) bool {
	return strings.Contains(tree.TextAt(cluster, "cluster_type", "name")+tree.TypeOf(tree.Get(cluster, "cluster_type", "typed_config")), "dynamic_forward_proxy") ||
		tree.IsTrue(cluster, "original_dst_lb_config", "use_http_header")
}

// ClustersIn returns the clusters that the settings of a network filter name.
func ClustersIn(v any) []string {
	var all []string
	switch v := v.(type) {
	case tree.Object:
		for _, key := range dump.SortedKeys(v) {
			if name, ok := v[key].(string); ok && key == "cluster" {
				all = append(all, name)
			}
			all = append(all, ClustersIn(v[key])...)
		}
		for _, c := range tree.ListAt(v, "weighted_clusters", "clusters") {
			all = append(all, tree.TextAt(c, "name"))
		}
	case []any:
		for _, inner := range v {
			all = append(all, ClustersIn(inner)...)
		}
	}
	return all
}
