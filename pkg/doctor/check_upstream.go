package doctor

import "strings"

const metadataFilter = "envoy.filters.http.ext_authz"

// selections returns how many routes match on the answer of portcullis, and names a route that can be selected by what the check
// changes: by headers, by query parameters or by other metadata.
func (m *manager) selections() (answered int, otherwise string) {
	for _, table := range m.tables {
		routesOf(table, func(r route) {
			switch {
			case !r.forwards():
			case r.isVariable():
				otherwise = ", and " + r.where + " matches on headers, query parameters or metadata"
			case len(listAt(r.own, "match", "dynamic_metadata")) > 0:
				answered++
			}
		})
	}
	return answered, otherwise
}

// isVariable reports whether a route can match after the check although it did not match before, for another reason than the answer
// of portcullis. The check does not change pseudo headers, except for the query.
func (r *route) isVariable() bool {
	for _, h := range listAt(r.own, "match", "headers") {
		if name := textAt(h, "name"); !strings.HasPrefix(name, ":") || name == ":path" {
			return true
		}
	}
	for _, d := range listAt(r.own, "match", "dynamic_metadata") {
		if textAt(d, "filter") != metadataFilter {
			return true
		}
	}
	return len(listAt(r.own, "match", "query_parameters")) > 0
}
