package doctor

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/stages"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// expectBody finds routes of a stage that needs every body and does not get it. A stage of which only some routes need
// it has routes that do not.
func (e *examination) expectBody(r *dump.Route, s dump.Check) {
	if e.expected == nil {
		return
	}
	for _, st := range e.expected.OfDomains(r.Host) {
		if st.All && !s.Has("portcullis.body") && strings.HasPrefix(st.Base, prefixOf(r.Own)) {
			e.Report(rulebook.NoMark, r.Where, r.Path, "every route of %s/%s needs the body, and portcullis.body is not set", st.API, st.Name)
		}
	}
	waits, _ := s.Buffered(s.ExtAuthz())
	if waits && !e.expected.Signs {
		e.Report(rulebook.NeedlessBody, r.Where, r.Path, "Envoy waits for the body")
	}
}

// prefixOf returns the base path that a route can be of: its prefix without a trailing slash.
func prefixOf(r any) string {
	for _, kind := range []string{"path_separated_prefix", "prefix"} {
		if text := tree.TextAt(r, "match", kind); text != "" {
			return strings.TrimSuffix(text, "/")
		}
	}
	return ""
}

// mapped finds headers that routes change and portcullis sets.
func (e *examination) mapped(r *dump.Route) {
	if e.expected == nil {
		return
	}
	for _, at := range r.Levels {
		var names []string
		for _, h := range tree.ListAt(at.Tree, "request_headers_to_add") {
			names = append(names, tree.TextAt(h, "header", "key"))
		}
		for _, h := range tree.ListAt(at.Tree, "request_headers_to_remove") {
			name, _ := h.(string)
			names = append(names, name)
		}
		for _, name := range names {
			if e.expected.Mapped[strings.ToLower(name)] {
				e.Report(rulebook.Mapped, at.Where, at.Path, "%s is a header that portcullis sets", name)
			}
		}
	}
}

// compare finds hosts of one side that the other does not have, and stages without a buffered route.
func (e *examination) compare() {
	if e.expected == nil || len(e.guarded) == 0 {
		return
	}
	routed, marked, wild := map[string]bool{}, map[string]bool{}, false
	for _, m := range e.guarded {
		for _, table := range m.Tables {
			dump.RoutesOf(table, func(r dump.Route) {
				if !r.Forwards() {
					return
				}
				checks, _ := m.Checks(&r)
				for _, d := range tree.ListAt(r.Host, "domains") {
					domain, _ := d.(string)
					host := stages.HostOf(domain)
					routed[host], wild = true, wild || strings.Contains(host, "*")
					marked[host] = marked[host] || slices.ContainsFunc(checks, func(c dump.Check) bool { return c.Has("portcullis.body") })
					if e.expected.ByName[host] == nil && !strings.Contains(host, "*") {
						e.Report(rulebook.UnknownHost, r.Levels[1].Where, r.Levels[1].Path, "%q is not a domain of portcullis.yaml", domain)
					}
				}
			})
		}
	}
	for _, host := range dump.SortedKeys(e.expected.ByName) {
		if !routed[host] && !wild {
			e.Report(rulebook.Unrouted, "envoy", "", "no virtual host has the domain %q", host)
		}
		needs := slices.ContainsFunc(e.expected.ByName[host], func(s stages.Stage) bool { return s.Some })
		if routed[host] && needs && !marked[host] {
			e.Report(rulebook.NoMark, "virtual host of "+host, "", "routes of %s have AWS_IAM, and no route of Envoy has portcullis.body", host)
		}
	}
}
