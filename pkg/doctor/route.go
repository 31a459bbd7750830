package doctor

import (
	"fmt"
	"maps"
	"slices"
)

// level is a level of a route table that may have settings of a filter.
type level struct {
	tree        any
	where, path string
}

// route is a way of a request through a route table, with the levels of its settings, the most specific one last.
type route struct {
	level
	table, host, own any
	// target is one of the clusters of weighted_clusters, nil if there are none.
	levels []level
	// clusters are the names of the upstreams.
	clusters []string
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// levelsOf calls f with each level of a route table.
func levelsOf(table entry, f func(level)) {
	f(tableLevel(table))
	routesOf(table, func(r route) {
		for _, at := range r.levels[1:] {
			f(at)
		}
	})
}

func tableLevel(table entry) level {
	return level{table.tree, "routes " + textAt(table.tree, "name"), table.path}
}

// routesOf calls f with each route of a table, and once for each of its weighted clusters.
func routesOf(table entry, f func(route)) {
	base := tableLevel(table)
	for i, host := range listAt(table.tree, "virtual_hosts") {
		at := level{host, base.where + " / virtual host " + textAt(host, "name"), fmt.Sprintf("%s.virtual_hosts[%d]", base.path, i)}
		all := listAt(host, "routes")
		if matcher := get(host, "matcher"); matcher != nil {
			find(matcher, "config.route.v3.Route", maxDepth, func(n node) { all = append(all, n) })
			find(matcher, "config.route.v3.RouteList", maxDepth, func(n node) { all = append(all, listAt(n, "routes")...) })
		}
		for j, own := range all {
			r := route{table: table.tree, host: host, own: own}
			r.level = level{own, fmt.Sprintf("%s / route %s", at.where, routeName(own, j)), fmt.Sprintf("%s.routes[%d]", at.path, j)}
			r.levels = []level{base, at, r.level}
			weighted(r, f)
		}
	}
}

// weighted calls f for each weighted cluster of a route, or once if it has none.
func weighted(r route, f func(route)) {
	action := get(r.own, "route")
	clusters := listAt(action, "weighted_clusters", "clusters")
	if len(clusters) == 0 {
		if name := textAt(action, "cluster"); name != "" {
			r.clusters = []string{name}
		}
		f(r)
		return
	}
	for i, c := range clusters {
		one := r
		name := textAt(c, "name")
		one.level = level{c, r.where + " / weighted cluster " + name, fmt.Sprintf("%s.route.weighted_clusters.clusters[%d]", r.path, i)}
		one.levels = append(slices.Clone(r.levels), one.level)
		one.clusters = []string{name}
		f(one)
	}
}

// routeName returns a route's name, or its number and what it matches.
func routeName(r any, i int) string {
	if name := textAt(r, "name"); name != "" {
		return name
	}
	for _, kind := range []string{"prefix", "path", "path_separated_prefix"} {
		if text := textAt(r, "match", kind); text != "" {
			return fmt.Sprintf("%d (%s %s)", i, kind, text)
		}
	}
	if template := textAt(r, "match", "path_match_policy", "typed_config", "path_template"); template != "" {
		return fmt.Sprintf("%d (template %s)", i, template)
	}
	return fmt.Sprint(i)
}

// forwards reports whether requests of the route reach an upstream. Redirects and direct responses do not.
func (r *route) forwards() bool {
	return get(r.own, "redirect") == nil && get(r.own, "direct_response") == nil && get(r.own, "non_forwarding_action") == nil
}

// settings are the ext_authz settings of a route.
type settings struct {
	// off names the level at which the filter is switched off; nil if it runs. set reports whether a level mentions the
	// filter.
	off *level
	set bool
	// disabled is the level whose ExtAuthzPerRoute disables the check; nil if it is made.
	disabled *level
	// check are the check_settings that count for the body, and at is their level.
	check any
	at    level
	// extensions are the levels of the context extensions.
	extensions map[string]level
}

// unwrapped returns what a FilterConfig wraps, and whether it disables the filter.
func unwrapped(config any) (disabled bool, _ any) {
	if isType(config, typeFlag) {
		return isTrue(config, "disabled"), get(config, "config")
	}
	return false, config
}

// settings returns the settings of a route for a filter, as Envoy finds them.
func (r *route) settings(name string) settings {
	s := settings{extensions: map[string]level{}}
	for _, at := range r.levels {
		config, found := objectAt(at.tree, perFilter)[name]
		if !found {
			continue
		}
		off, config := unwrapped(config)
		s.set, s.off = true, nil
		if off {
			s.off = &at
		}
		if !isType(config, typePerRoute) {
			continue
		}
		s.disabled = nil
		if isTrue(config, "disabled") {
			s.disabled = &at
		}
		s.check, s.at = get(config, "check_settings"), at
		for key := range objectAt(config, "check_settings", extensionPath) {
			s.extensions[key] = at
		}
	}
	return s
}

// buffered reports whether Envoy waits for the body, and whether the route itself says so.
func (s *settings) buffered(config any) (waits, byRoute bool) {
	switch {
	case isTrue(s.check, "disable_request_body_buffering"):
		return false, false
	case get(s.check, "with_request_body") != nil:
		return true, true
	default:
		return get(config, "with_request_body") != nil, false
	}
}

// has reports whether a context extension is set.
func (s *settings) has(name string) bool { _, ok := s.extensions[name]; return ok }
