package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// attackedHTTP is an HTTP API whose /admin, /things/{id} and /secret/{proxy+} are guarded beside open routes for everything else.
func attackedHTTP(t testing.TB) *Gateway {
	t.Helper()
	a := httpAPI("GET /admin", "ANY /things/{id}", "ANY /secret/{proxy+}", "GET /open/{id}", "GET /open/{id}/photo", "$default")
	a.CORS = &CORS{AllowOrigins: []string{app}}
	a.ExecuteAPIEndpoint = true
	a.Stages = append(a.Stages, Stage{Name: "prod"})
	for i := range 3 {
		a.Routes[i].Authorization = IAM
	}
	greedy := httpAPI("GET /admin", "ANY /{proxy+}", "ANY /")
	greedy.ID, greedy.Stages[0].Domains = "greedy0000", []string{"greedy.example.com"}
	greedy.Routes[0].Authorization = IAM
	// The other way round: all is guarded but for one route.
	guarded := httpAPI("GET /health", "$default")
	guarded.ID, guarded.Stages[0].Domains = "guarded000", []string{"guarded.example.com"}
	guarded.Routes[1].Authorization = IAM
	return mustNew(t, a, greedy, guarded)
}

// Each row is a way around a guarded route. None may be allowed.
func TestHTTPBypasses(t *testing.T) {
	g := attackedHTTP(t)
	const endpoint = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	greedy := func(r *authz.Request) *authz.Request { return on("greedy.example.com", r) }
	guarded := func(r *authz.Request) *authz.Request { return on("guarded.example.com", r) }
	for _, tt := range []struct {
		name    string
		request *authz.Request
		want    authz.Code
	}{
		{"as it is", get("/admin"), authz.CodeNotSigned},
		// A slash at the end is another route of API Gateway's, and the same one of many upstreams'.
		{"slash at the end, $default open", get("/admin/"), authz.CodeBadPath},
		{"slashes at the end", get("/admin//"), authz.CodeBadPath},
		{"slash at the end, greedy open", greedy(get("/admin/")), authz.CodeBadPath},
		{"encoded letters and a slash", get("/%61dmin/"), authz.CodeBadPath},
		{"slash behind a variable", get("/things/7/"), authz.CodeBadPath},
		{"slash in place of a greedy variable", get("/secret/"), authz.CodeBadPath},
		{"slash behind an open route, all else guarded", guarded(get("/health/")), authz.CodeBadPath},
		{"slash and query", get("/admin/?x"), authz.CodeBadPath},
		{"slash with a stage name", on(endpoint, get("/prod/admin/")), authz.CodeBadPath},
		// Doubled slashes.
		{"double slash", get("//admin"), authz.CodeNotSigned},
		{"doubled slash hides a parameter", get("/open//7/photo"), authz.CodeBadPath},
		{"doubled slash in front of a greedy variable", get("/things//7"), authz.CodeBadPath},
		{"doubled slash behind a stage name", on(endpoint, get("/prod//admin")), authz.CodeNotSigned},
		// Encodings and dots.
		{"encoded letters", get("/%61dmin"), authz.CodeNotSigned},
		{"dots", get("/open/../admin"), authz.CodeBadPath},
		{"encoded slash behind dots", get("/open/..%2fadmin"), authz.CodeBadPath},
		{"backslash", get(`/open/..\admin`), authz.CodeBadPath},
		{"path parameters behind dots", get("/open/..;/admin"), authz.CodeBadPath},
		{"null", get("/admin%00"), authz.CodeBadPath},
		{"fragment", get("/open/1#/admin"), authz.CodeBadPath},
		// Methods, which $default takes all of.
		{"lower case", method("get", get("/admin")), authz.CodeNoRoute},
		{"mixed case", method("Get", get("/admin")), authz.CodeNoRoute},
		{"lower case, greedy", greedy(method("get", get("/admin"))), authz.CodeNoRoute},
		{"no method", method("", get("/admin")), authz.CodeBadRequest},
		{"a blank", method("GET ", get("/admin")), authz.CodeBadRequest},
		{"the route key for a method", method("$default", get("/admin")), authz.CodeBadRequest},
		{"ANY with a variable", method("ANY", get("/things/7")), authz.CodeNotSigned},
		{"an unknown method with a variable", method("PROPFIND", get("/things/7")), authz.CodeNotSigned},
		{"HEAD of a guarded ANY", method("HEAD", get("/things/7")), authz.CodeNotSigned},
		{"OPTIONS that is no preflight", method("OPTIONS", get("/things/7", "origin", app)), authz.CodeNotSigned},
		{"TRACE with a greedy variable", method("TRACE", get("/secret/a/b")), authz.CodeNotSigned},
		{"CONNECT with a greedy variable", method("CONNECT", get("/secret/a/b")), authz.CodeNotSigned},
		// The stage.
		{"stage name", on(endpoint, get("/prod/admin")), authz.CodeNotSigned},
		{"stage name encoded", on(endpoint, get("/pro%64/admin")), authz.CodeBadPath},
		{"no stage name", on(endpoint, get("/admin")), authz.CodeNotSigned},
		// A preflight opens nothing: it is answered here.
		{"preflight", preflight("/admin", app), authz.CodePreflight},
		{"preflight of a guarded ANY", preflight("/things/7", app), authz.CodeNotSigned},
		{"preflight by another method", method("GET", preflight("/admin", app)), authz.CodeNotSigned},
		{"preflight that asks for a method override", preflight("/things/7", app, "x-http-method-override", "GET"), authz.CodeNotSigned},
		{"an origin that is allowed is nobody", get("/admin", "origin", app), authz.CodeNotSigned},
		// Other APIs.
		{"another API's host than Envoy names", as("greedy0000", get("/open/1")), authz.CodeHostMismatch},
		{"x-apigw-api-id", guarded(get("/x", "x-apigw-api-id", "a1b2c3d4e5")), authz.CodeNotSigned},
		{"$default as a path", guarded(get("/$default")), authz.CodeNotSigned},
	} {
		if d := g.Authorize(t.Context(), tt.request); d.Allow || d.Reason.Code != tt.want || d.Denial.Status < 400 && tt.want != authz.CodePreflight {
			t.Errorf("%s: allow %v, %v %+v; want %s", tt.name, d.Allow, d.Denial.Status, d.Reason, tt.want)
		}
	}
}

// The same without the attack passes.
func TestHTTPBypassesAreNotTooWide(t *testing.T) {
	g := attackedHTTP(t)
	for _, r := range []*authz.Request{
		get("/"), get("/open/1"), get("/open/1/"), get("/open"), get("/open/"), get("/other/"), get("/other//"), get("/adminx/"), get("/Admin"), get("/Admin/"),
		get("/admin/x"), method("POST", get("/admin")), method("PROPFIND", get("/x")), get("/secret"), get("/open/a%2Fb"), get("/x//y"),
		on("greedy.example.com", get("/other/")), on("greedy.example.com", get("/")), on("guarded.example.com", get("/health")),
		method("OPTIONS", get("/admin", "origin", app)),
	} {
		if d := g.Authorize(t.Context(), r); !d.Allow {
			t.Errorf("%s %s%s: %+v", r.Method, r.Host, r.Target, d.Reason)
		}
	}
}

// Routes are guarded alike if nothing of their guards differs.
func TestSameGuard(t *testing.T) {
	staff, partners := &model.Authorizer{Name: "staff"}, &model.Authorizer{Name: "partners"}
	routes := []*model.Route{
		{Guard: model.Open}, {Guard: model.ByIAM}, {Guard: model.ByToken, Authorizer: staff}, {Guard: model.ByToken, Authorizer: partners},
		{Guard: model.ByToken, Authorizer: staff, Scopes: []string{"read"}}, {Guard: model.ByToken, Authorizer: staff, Scopes: []string{"write"}},
		{Guard: model.ByFunction, Authorizer: staff},
	}
	for i, a := range routes {
		for j, b := range routes {
			twin := *b
			if model.SameGuard(a, &twin) != (i == j) {
				t.Errorf("routes %d and %d: %v", i, j, i != j)
			}
		}
	}
}

// No unsigned request that passes has a guarded path for a parser that decodes once, ignores the case of methods, merges slashes and
// cuts off the one at the end.
func FuzzHTTPAuthorize(f *testing.F) {
	for _, seed := range []string{"/admin", "/admin/", "//admin//", "/%61dmin/", "/things/7/", "/secret/x", "/secret/", "/open//7", "/things//7", "/x/../admin", "/admin?x", "/admin;x/"} {
		f.Add(seed, "GET", "origin", app)
	}
	a := httpAPI("GET /admin", "ANY /things/{id}", "ANY /secret/{proxy+}", "GET /open/{id}", "$default")
	a.StrictPaths, a.CORS = true, &CORS{AllowOrigins: []string{"*"}}
	for i := range 3 {
		a.Routes[i].Authorization = IAM
	}
	g := mustNew(f, a)
	f.Fuzz(func(t *testing.T, target, verb, name, value string) {
		r := get(target, strings.ToLower(name), value)
		r.Method = verb
		d := g.Authorize(t.Context(), r)
		if !d.Allow {
			if d.Denial.Status < 400 && d.Reason.Code != authz.CodePreflight || d.Denial.Status == 0 || d.Reason.Code == authz.CodeInternal {
				t.Fatalf("%+v", d)
			}
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		segments := slices.DeleteFunc(strings.Split(decodeOnce(raw), "/"), func(s string) bool { return s == "" })
		closed := len(segments) == 1 && segments[0] == "admin" && strings.EqualFold(verb, "GET") ||
			len(segments) == 2 && segments[0] == "things" || len(segments) > 1 && segments[0] == "secret"
		if closed {
			t.Fatalf("%s %q is allowed: %+v", verb, target, d)
		}
	})
}
