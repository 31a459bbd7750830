package doctor

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

const metadataFilter = "envoy.filters.http.ext_authz"

// selections returns how many routes match on the answer of portcullis, and names a route that can be selected by what the check
// changes: by headers, by query parameters or by other metadata.
func selections(m *dump.Manager) (answered int, otherwise string) {
	for _, table := range m.Tables {
		dump.RoutesOf(table, func(r dump.Route) {
			switch {
			case !r.Forwards():
			case isVariable(&r):
				otherwise = ", and " + r.Where + " matches on headers, query parameters or metadata"
			case len(tree.ListAt(r.Own, "match", "dynamic_metadata")) > 0:
				answered++
			}
		})
	}
	return answered, otherwise
}

// isVariable reports whether a route can match after the check although it did not match before, for another reason than the answer
// of portcullis. The check does not change pseudo headers, except for the query.
func isVariable(r *dump.Route) bool {
	for _, h := range tree.ListAt(r.Own, "match", "headers") {
		if name := tree.TextAt(h, "name"); !strings.HasPrefix(name, ":") || name == ":path" {
			return true
		}
	}
	for _, d := range tree.ListAt(r.Own, "match", "dynamic_metadata") {
		if tree.TextAt(d, "filter") != metadataFilter {
			return true
		}
	}
	return len(tree.ListAt(r.Own, "match", "query_parameters")) > 0
}
