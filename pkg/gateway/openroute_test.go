package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// TestOpenRoutesBesideGuardedOnes has routes as "! METHOD path" where they are guarded, and as "key METHOD path" where they require an API
// key alone. A warning is at the open route.
func TestOpenRoutesBesideGuardedOnes(t *testing.T) {
	for _, tt := range []struct {
		http   bool
		routes []string
		at     int    // the open route, -1 for no warning
		want   string // words of the warning
	}{
		{false, []string{"! GET /pets", "ANY /pets"}, 1, "methods other than GET /pets, such as HEAD (write ANY there)"},
		{false, []string{"ANY /pets", "! HEAD /pets"}, 0, "methods other than HEAD /pets, such as DELETE"},
		{false, []string{"! GET /pets", "! HEAD /pets", "ANY /pets"}, 2, "methods other than GET /pets, HEAD /pets, such as DELETE"},
		{false, []string{"! GET /pets/{petId}", "ANY /pets/{petId}"}, 1, "methods other than GET /pets/{petId}"},
		{false, []string{"! GET /pets", "ANY /{x}"}, 1, "methods other than GET /pets"},
		{false, []string{"! GET /pets", "ANY /{proxy+}"}, 1, "methods other than GET /pets, such as HEAD (write ANY there); paths below GET /pets (write /pets/{proxy+}, too)"},
		{false, []string{"! ANY /pets", "GET /{proxy+}"}, 1, "paths below ANY /pets (write /pets/{proxy+}, too)"},
		{false, []string{"! GET /pets", "HEAD /{proxy+}"}, 1, "such as HEAD"},
		{false, []string{"! ANY /pets/{proxy+}", "ANY /{proxy+}"}, 1, "the path before ANY /pets/{proxy+} (write /pets, too)"},
		{false, []string{"! ANY /a/{proxy+}", "! ANY /b/{proxy+}", "! ANY /c/{proxy+}", "! ANY /d/{proxy+}", "ANY /{proxy+}"}, 4, "ANY /c/{proxy+} and 1 more"},
		{true, []string{"! GET /pets", "$default"}, 1, "such as HEAD (write ANY there); paths below GET /pets"},
		{true, []string{"! ANY /pets", "$default"}, 1, "paths below ANY /pets"},
		{true, []string{"! ANY /pets", "! ANY /pets/{proxy+}", "$default"}, -1, ""},

		{false, []string{"key GET /pets", "ANY /pets"}, 1, "methods other than GET /pets"},

		{false, []string{"! GET /pets", "key ANY /pets"}, -1, ""},
		{false, []string{"! GET /pets", "GET /cats"}, -1, ""},
		{false, []string{"! GET /pets", "POST /pets"}, -1, ""},
		{false, []string{"! ANY /pets", "OPTIONS /pets"}, -1, ""},
		{false, []string{"! ANY /pets", "OPTIONS /{proxy+}"}, -1, ""},
		{false, []string{"! ANY /pets", "! ANY /pets/{proxy+}", "ANY /{proxy+}"}, -1, ""},
		{false, []string{"! ANY /{proxy+}", "ANY /health"}, -1, ""},
		{false, []string{"! ANY /{proxy+}", "ANY /"}, -1, ""},
		{false, []string{"! ANY /", "ANY /{proxy+}"}, -1, ""},
		{false, []string{"! GET /pets", "ANY /pets/{petId}"}, -1, ""},
		{true, []string{"! $default", "ANY /health"}, -1, ""},
		{false, []string{"GET /pets", "ANY /{proxy+}"}, -1, ""},
		{false, []string{"! GET /pets", "! ANY /{proxy+}"}, -1, ""},
	} {
		a := testAPI()
		if a.HTTP = tt.http; a.HTTP {
			a.Stages[0].Name = DefaultStage
		}
		a.Authorizers = map[string]Authorizer{"staff": {
			Authorization: Custom, IdentitySource: []string{map[bool]string{true: "$request.header.a", false: "method.request.header.a"}[tt.http]},
			Function: func(context.Context, LambdaCall) (LambdaAnswer, error) { return nil, nil },
		}}
		for _, text := range tt.routes {
			text, guarded := strings.CutPrefix(text, "! ")
			text, needsKey := strings.CutPrefix(text, "key ")
			if needsKey {
				a.APIKeys = keyed(t).APIKeys[:1]
			}
			r := Route{Authorization: None, APIKeyRequired: needsKey}
			if r.Method, r.Resource, _ = strings.Cut(text, " "); guarded {
				r.Authorization, r.Authorizer = Custom, "staff"
			}
			a.Routes = append(a.Routes, r)
		}
		g, faults := New(Config{APIs: []API{a}})
		if g == nil {
			t.Fatalf("%q: %v", tt.routes, faults)
		}
		if tt.at < 0 {
			if len(faults) > 0 {
				t.Errorf("%q: %v", tt.routes, faults)
			}
			continue
		}
		path := fmt.Sprintf("apis[0].routes[%d].route", tt.at)
		if len(faults) != 1 || !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.Warning && f.At.String() == path && strings.Contains(f.Message, tt.want)
		}) {
			t.Errorf("%q: %v, want a warning of %q at %s", tt.routes, faults, tt.want, path)
		}
	}
}
