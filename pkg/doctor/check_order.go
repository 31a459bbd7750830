package doctor

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/filters"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// order applies the rules of the filters before and after ext_authz.
func (e *examination) order(m *dump.Manager) {
	first, last := m.Ours[0].Index, m.Ours[len(m.Ours)-1].Index
	for i := range m.Filters {
		f := &m.Filters[i]
		if slices.Contains(m.Ours, f) || f.Missing || !m.Runs(f) {
			continue
		}
		known := filters.IsKnown(f)
		before, after := f.Index < last, f.Index > first // or both
		switch {
		case before && !known:
			e.Report(rulebook.UnknownBefore, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case !known:
			e.Report(rulebook.UnknownAfter, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		case before && filters.ChangesBefore(m, f):
			e.Report(rulebook.Before, f.Where, f.Path, "%s comes before ext_authz", f.Kind())
		case after && filters.ChangesAfter(m, f):
			e.Report(rulebook.After, f.Where, f.Path, "%s comes after ext_authz", f.Kind())
		}
	}
	e.upstreamFilters(m)
}

// upstreamFilters finds filters of the router, which also run after the check.
func (e *examination) upstreamFilters(m *dump.Manager) {
	for _, f := range m.Filters {
		for _, item := range tree.ListAt(f.Config, "upstream_http_filters") {
			inner := dump.Filter{Name: tree.TextAt(item, "name"), Config: tree.Get(item, "typed_config"), Disabled: tree.IsTrue(item, "disabled")}
			if !inner.Disabled && filters.IsKnown(&inner) && filters.ChangesAfter(m, &inner) {
				e.Report(rulebook.After, f.Where, f.Path, "%s is among upstream_http_filters of the router", inner.Kind())
			}
		}
	}
}

// clusterFilters finds filters of a cluster that do more than send requests.
func (e *examination) clusterFilters(rule, name string) {
	c := e.Clusters[name]
	for _, options := range tree.ObjectAt(c.Tree, "typed_extension_protocol_options") {
		for _, item := range tree.ListAt(options, "http_filters") {
			f := dump.Filter{Name: tree.TextAt(item, "name"), Config: tree.Get(item, "typed_config"), Disabled: tree.IsTrue(item, "disabled")}
			if !f.Disabled && filters.IsKnown(&f) && filters.ChangesAfter(&dump.Manager{}, &f) {
				e.Report(rule, "cluster "+name, c.Path, "%s is among the http_filters of the cluster", f.Kind())
			}
		}
	}
}
