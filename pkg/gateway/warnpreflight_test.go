package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// A guarded route that catches preflights beside cors is warned of, and a request shows that it does.
func TestPreflightsThatAreRefused(t *testing.T) {
	app := &CORS{AllowOrigins: []string{"https://app.example.com"}, AllowMethods: []string{"*"}}
	for name, c := range map[string]struct {
		routes []string // the first is guarded
		cors   *CORS
		path   string
		warned string
	}{
		"ANY":                     {[]string{"ANY /pets"}, app, "/pets", `write {route: "OPTIONS /pets", authorization: NONE}`},
		"ANY, greedy":             {[]string{"ANY /{proxy+}"}, app, "/x/y", `write {route: "OPTIONS /{proxy+}", authorization: NONE}`},
		"OPTIONS":                 {[]string{"OPTIONS /pets"}, app, "/pets", `write {route: "OPTIONS /pets", authorization: NONE}`},
		"$default":                {[]string{"$default"}, app, "/x", `write {route: "OPTIONS /{proxy+}", authorization: NONE}`},
		"GET":                     {[]string{"GET /pets"}, app, "/pets", ""},
		"ANY beside open OPTIONS": {[]string{"ANY /pets", "OPTIONS /pets"}, app, "/pets", ""},
		"$default beside OPTIONS": {[]string{"$default", "OPTIONS /{proxy+}"}, app, "/x", ""},
		"without cors":            {[]string{"ANY /pets"}, nil, "/pets", ""},
	} {
		api := testAPI()
		api.HTTP, api.CORS = true, c.cors
		for i, key := range c.routes {
			method, resource, _ := strings.Cut(key, " ")
			r := Route{Method: method, Resource: resource, Authorization: None}
			if i == 0 {
				r.Authorization = IAM
			}
			api.Routes = append(api.Routes, r)
		}
		g, faults := New(Config{APIs: []API{api}, Signatures: signatures(callers{statement: statement("Allow", "*")}.builder(t))})
		if g == nil {
			t.Fatalf("%s: %v", name, faults)
		}
		warned := slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.Warning && f.At.String() == "apis[0].routes[0].route" && strings.Contains(f.Message, c.warned) && strings.Contains(f.Message, "preflights")
		})
		if warned != (c.warned != "") {
			t.Errorf("%s: %v", name, faults)
		}
		r := method("OPTIONS", get(c.path, "origin", "https://app.example.com", "access-control-request-method", "GET"))
		if d := g.Authorize(t.Context(), r); c.cors != nil && (d.Denial.Status == 204) == (c.warned != "") {
			t.Errorf("%s: the preflight is answered %d", name, d.Denial.Status)
		}
	}
}
