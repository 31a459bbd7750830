package dump

import (
	"fmt"
	"maps"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// Level is a level of a route table that may have settings of a filter.
type Level struct {
	Tree        any
	Where, Path string
}

// Route is a way of a request through a route table, with the levels of its settings, the most specific one last.
type Route struct {
	Level
	table, Host, Own any
	Levels           []Level
	// Clusters are the names of the upstreams.
	Clusters []string
}

// SortedKeys returns the keys of a map in order.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// LevelsOf calls f with each level of a route table.
func LevelsOf(table Entry, f func(Level)) {
	f(TableLevel(table))
	RoutesOf(table, func(r Route) {
		for _, at := range r.Levels[1:] {
			f(at)
		}
	})
}

// TableLevel returns the level of a whole table.
func TableLevel(table Entry) Level {
	return Level{table.Tree, "routes " + tree.TextAt(table.Tree, "name"), table.Path}
}

// RoutesOf calls f with each route of a table, and once for each of its weighted clusters.
func RoutesOf(table Entry, f func(Route)) {
	base := TableLevel(table)
	for i, host := range tree.ListAt(table.Tree, "virtual_hosts") {
		at := Level{host, base.Where + " / virtual host " + tree.TextAt(host, "name"), fmt.Sprintf("%s.virtual_hosts[%d]", base.Path, i)}
		all := tree.ListAt(host, "routes")
		if matcher := tree.Get(host, "matcher"); matcher != nil {
			tree.Find(matcher, "config.route.v3.Route", maxDepth, func(n tree.Object) { all = append(all, n) })
			tree.Find(matcher, "config.route.v3.RouteList", maxDepth, func(n tree.Object) { all = append(all, tree.ListAt(n, "routes")...) })
		}
		for j, own := range all {
			r := Route{table: table.Tree, Host: host, Own: own}
			r.Level = Level{own, fmt.Sprintf("%s / route %s", at.Where, routeName(own, j)), fmt.Sprintf("%s.routes[%d]", at.Path, j)}
			r.Levels = []Level{base, at, r.Level}
			weighted(r, f)
		}
	}
}

// weighted calls f for each weighted cluster of a route, or once if it has none.
func weighted(r Route, f func(Route)) {
	action := tree.Get(r.Own, "route")
	clusters := tree.ListAt(action, "weighted_clusters", "clusters")
	if len(clusters) == 0 {
		if name := tree.TextAt(action, "cluster"); name != "" {
			r.Clusters = []string{name}
		}
		f(r)
		return
	}
	for i, c := range clusters {
		one := r
		name := tree.TextAt(c, "name")
		one.Level = Level{c, r.Where + " / weighted cluster " + name, fmt.Sprintf("%s.route.weighted_clusters.clusters[%d]", r.Path, i)}
		one.Levels = append(slices.Clone(r.Levels), one.Level)
		if name != "" {
			one.Clusters = []string{name}
		}
		f(one)
	}
}

// routeName returns a route's name, or its number and what it matches.
func routeName(r any, i int) string {
	if name := tree.TextAt(r, "name"); name != "" {
		return name
	}
	for _, kind := range []string{"prefix", "path", "path_separated_prefix"} {
		if text := tree.TextAt(r, "match", kind); text != "" {
			return fmt.Sprintf("%d (%s %s)", i, kind, text)
		}
	}
	if template := tree.TextAt(r, "match", "path_match_policy", "typed_config", "path_template"); template != "" {
		return fmt.Sprintf("%d (template %s)", i, template)
	}
	return fmt.Sprint(i)
}

// Forwards reports whether requests of the route reach an upstream. Redirects and direct responses do not.
func (r *Route) Forwards() bool {
	return tree.Get(r.Own, "redirect") == nil && tree.Get(r.Own, "direct_response") == nil && tree.Get(r.Own, "non_forwarding_action") == nil
}

// Settings are the ext_authz settings of a route.
type Settings struct {
	// Off names the level at which the filter is switched off; nil if it runs. Set reports whether a level mentions the
	// filter.
	Off *Level
	set bool
	// Disabled is the level whose ExtAuthzPerRoute disables the check; nil if it is made.
	Disabled *Level
	// Check are the check_settings that count for the body, and At is their level.
	Check any
	At    Level
	// Extensions are the levels of the context extensions.
	Extensions map[string]Level
}

// Unwrapped returns what a FilterConfig wraps, and whether it disables the filter.
func Unwrapped(config any) (disabled bool, _ any) {
	if tree.IsType(config, typeFlag) {
		return tree.IsTrue(config, "disabled"), tree.Get(config, "config")
	}
	return false, config
}

// Settings returns the settings of a route for a filter, as Envoy finds them.
func (r *Route) settings(name string) Settings {
	s := Settings{Extensions: map[string]Level{}}
	for _, at := range r.Levels {
		config, found := tree.ObjectAt(at.Tree, PerFilter)[name]
		if !found {
			continue
		}
		off, config := Unwrapped(config)
		s.set, s.Off = true, nil
		if off {
			s.Off = &at
		}
		if !tree.IsType(config, TypePerRoute) {
			continue
		}
		s.Disabled = nil
		if tree.IsTrue(config, "disabled") {
			s.Disabled = &at
		}
		s.Check, s.At = tree.Get(config, "check_settings"), at
		for key := range tree.ObjectAt(config, "check_settings", extensionPath) {
			s.Extensions[key] = at
		}
	}
	return s
}

// Buffered reports whether Envoy waits for the body, and whether the route itself says so.
func (s *Settings) Buffered(config any) (waits, byRoute bool) {
	switch {
	case tree.IsTrue(s.Check, "disable_request_body_buffering"):
		return false, false
	case tree.Get(s.Check, "with_request_body") != nil:
		return true, true
	default:
		return tree.Get(config, "with_request_body") != nil, false
	}
}

// Has reports whether a context extension is set.
func (s *Settings) Has(name string) bool { _, ok := s.Extensions[name]; return ok }
