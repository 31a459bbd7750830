package routes

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// Warning is about requests that an open route answers although a route of their path is guarded.
type Warning struct {
	API     string `json:"api"`
	Stage   string `json:"stage"`
	Message string `json:"message"`
}

// Warnings returns what is probably open by mistake: a method of a guarded route's path that an open route with {name+} answers. On a
// REST API, a request for a resource that does not have its method goes to the next resource that has. A browser sends no credentials
// with OPTIONS, so that method alone is no reason for a Warning.
func Warnings(all []Route) []Warning {
	var found []Warning
	for _, s := range stages(all) {
		t := s.table()
		for _, r := range s.routes {
			if r.Open() || r.Path == "" {
				continue
			}
			if w, ok := undermined(t, r); ok {
				found = append(found, Warning{r.API, r.Stage, w})
			}
		}
	}
	return found
}

// undermined says which methods of a guarded route's path an open route answers.
func undermined(t *routing.Table[Route], r Route) (string, bool) {
	path := lengths(r.parts(), 0, false)[0]
	var methods []string
	var by *Route
	for _, method := range routing.Methods {
		o := t.Find(path, method)
		if o != nil && o.Open() && o.Path != r.Path && (greedy(o.Path) || o.Path == "") {
			methods, by = append(methods, method), o
		}
	}
	if by == nil || len(methods) == 1 && methods[0] == "OPTIONS" {
		return "", false
	}
	return r.Key() + " is guarded (" + r.GuardedBy() + "), and " + by.Key() + " answers " + strings.Join(methods, ", ") + " " + r.Path +
		" without a guard: give the path a guarded ANY, or guard " + by.Key(), true
}
