package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// readAPI is an API with open routes beside guarded ones, all of them reached by other readings of each other's paths.
func readAPI(http bool) API {
	a := testAPI("GET /users/{id}", "GET /users/admin", "GET /users/{id}/keys", "GET /open", "GET /{proxy+}", "GET /files/{name}", "GET /files/{name}/raw", "GET /")
	if http {
		a.HTTP, a.Stages[0].Name = true, DefaultStage
	}
	for _, i := range []int{1, 2, 7} {
		a.Routes[i].Authorization = IAM
	}
	return a
}

func TestOtherReadings(t *testing.T) {
	for _, http := range []bool{false, true} {
		strict := readAPI(http)
		strict.StrictPaths = true
		lax := mustNew(t, readAPI(http))
		for _, target := range []string{
			"/users/admin%2F", "/users/admin%2f", "/users/admin;", "/users/admin;a=b", "/users/admin%3B", "/users/admin%3Bx", "/users/admin;/", "/users;x/admin",
			"/users%2Fadmin", "/users%2fadmin", "/users/7%2Fkeys", "/users/7%2Fkeys%2F", "/users%2F7%2Fkeys", "/users/%2Fadmin",
			"/users/%2561dmin", "/users/adm%2569n", "/%2575sers/admin", "/users%252Fadmin", "/users/admin%252F", "/users/admin%253B", "/users/%252561dmin",
			"/users/%EF%BD%81dmin", "/users%EF%BC%8Fadmin", "/users%E2%81%84admin", "/users/admin%EF%BC%9Bx", "/users/admin%E1%A0%8E", "/users/%E2%80%8Badmin", "/users/%F0%9D%90%9Admin",
			"/users/admin%3F", "/users/admin%3Fx", "/users/admin%23", "/users/admin%23x/y", "/users/admin%253F",
			"/users/admin%20", "/users/%20admin", "/users/%20admin%20", "/users%20/admin", "/%20users/admin", "/users/admin%C2%A0", "/users/admin%E2%80%83", "/users/admin%EF%BB%BF",
			"/users/admin.", "/users/admin...", "/users./admin", "/users/admin.%20", "/users/admin%2E", "/users/admin%20.",
			"/users/admin%20;x", "/users/admin;x%20", "/users;x%2Fadmin%20", "/users;/%20admin%2F%3Fx", "/users%3B%2Fadmin", "/users/admin%252F%253Bx",
			"/users;x/7/keys", "/users/7/keys;x", "/users/7/keys%20",
			"/;x", "/;", "/%2F", "/%20", "/%3F", "/%23", "/x/..%20/users/admin",
		} {
			d := lax.Authorize(t.Context(), get(target))
			if d.Allow || d.Denial.Status != 400 || d.Reason.Code != authz.CodeBadPath {
				t.Errorf("HTTP API %v, %s: %v %+v", http, target, d.Allow, d.Reason)
			}
		}
		for _, target := range []string{
			"/users/a;b", "/users/a%2Fb", "/users/7", "/users/caf%C3%A9", "/users/a%20b", "/users/100%25", "/users/admin2;x", "/users/a.b", "/users/v1.",
			"/users/ADMIN", "/Users/admin", "/open;x", "/open%2F", "/open%20", "/open.", "/files/a%2Fb", "/files/a;b", "/files/a%2Fraw", "/files/a%3Fb", "/.well-known/a",
			"/users/x%252Fy", "/users/Kelvin\u212a", "/x//y",
		} {
			if d := lax.Authorize(t.Context(), get(target)); !d.Allow {
				t.Errorf("HTTP API %v, %s: %+v", http, target, d.Reason)
			}
		}
		g := mustNew(t, strict)
		for _, target := range []string{"/users/ADMIN", "/users/Admin", "/USERS/admin", "/users/7/KEYS", "/U%73ers/admin", "/users/adm%C4%B1n", "/U\u017fers/admin", "/users/Admin%20"} {
			if d := g.Authorize(t.Context(), get(target)); d.Allow || d.Denial.Status != 400 {
				t.Errorf("strictPaths, HTTP API %v, %s: %v %+v", http, target, d.Allow, d.Reason)
			}
		}
		for _, target := range []string{"/users/ADMINS", "/users/7", "/OPEN", "/Open/x", "/files/A/RAW", "/users/caf%C3%89"} {
			if d := g.Authorize(t.Context(), get(target)); !d.Allow {
				t.Errorf("strictPaths, HTTP API %v, %s: %+v", http, target, d.Reason)
			}
		}
	}
}

// Fixed path parts with capital letters are found by a path without, and two that differ only in case are refused.
func TestStrictPathsIgnoreCase(t *testing.T) {
	a := testAPI("ANY /{proxy+}", "GET /Admin/{id}/Keys", "GET /admin/{Id}/x")
	a.StrictPaths = true
	a.Routes[1].Authorization = IAM
	g := mustNew(t, a)
	for target, want := range map[string]authz.Code{
		"/Admin/7/Keys": authz.CodeNotSigned, "/admin/7/keys": authz.CodeBadPath, "/ADMIN/7/Keys/": authz.CodeBadPath, "/Admin/7": authz.CodeNoPolicy,
		"/admin/7/x": authz.CodeNoPolicy, "/ADMIN/7/X": authz.CodeNoPolicy,
	} {
		if d := g.Authorize(t.Context(), get(target)); d.Reason.Code != want {
			t.Errorf("%s: %+v", target, d.Reason)
		}
	}
	for _, strict := range []bool{false, true} {
		a := testAPI("GET /Admin/{id}", "GET /admin/{name}", "GET /Admin", "POST /Admin")
		a.StrictPaths = strict
		g, faults := New(Config{APIs: []API{a}})
		if strict != (g == nil) || strict && (len(faults) != 1 || !strings.Contains(faults[0].Message, "differs from /Admin/{id} only in case")) {
			t.Errorf("strictPaths %v: %v", strict, faults)
		}
	}
}

// An owner's Deny on a path holds for whatever a server may read as that path, in each kind of policy.
func TestDenyOnOtherReadings(t *testing.T) {
	const deny = `{"Sid":"No","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/GET/users/admin"}`
	a := guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(deny))
	strict := a
	strict.ID, strict.StrictPaths, strict.Stages = "strict0000", true, []Stage{{Name: "prod", Domains: []string{"strict.example.com"}}}
	strict = guardedBy(t, strict, allowBut(deny))
	g := mustNew(t, a, strict)
	signedBy := func(statement string) *Gateway { return callers{statement: statement}.gateway(t, "") }
	identity := signedBy(`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"No","Effect":"Deny","Action":"*","Resource":"arn:aws:execute-api:*:*:*/GET/users/admin"}]`)
	allowed := signedBy(`{"Effect":"Allow","Action":"*","NotResource":"arn:aws:execute-api:*:*:*/GET/users/admin"}`)
	for _, target := range []string{
		"/users/admin", "/users/admin/", "/users/admin;x", "/users/admin;x/", "/users/admin%2F", "/users%2Fadmin", "/users/%2561dmin", "/users/admin%3Fx", "/users/admin%23",
		"/users/admin%20", "/users/%20admin", "/users/admin.", "/users//admin", "/users;x%2F/admin%20%2F", "/users%252Fadmin%253B",
	} {
		if d := g.Authorize(t.Context(), get(target)); d.Reason.Code != authz.CodeExplicitDeny {
			t.Errorf("resource policy, %s: %+v", target, d.Reason)
		}
		if target == "/users//admin" {
			continue // the signer merges slashes
		}
		if d := identity.Authorize(t.Context(), signed(signerOf(owner), target)); d.Reason.Code != authz.CodeExplicitDeny {
			t.Errorf("identity policy, %s: %+v", target, d.Reason)
		}
		if d := allowed.Authorize(t.Context(), signed(signerOf(owner), target)); d.Allow {
			t.Errorf("NotResource, %s: %+v", target, d.Reason)
		}
	}
	for _, target := range []string{"/users/ADMIN", "/Users/admin/", "/users/Admin%20", "/users/adm%C4%B1n"} {
		if d := g.Authorize(t.Context(), on("strict.example.com", get(target))); d.Reason.Code != authz.CodeExplicitDeny {
			t.Errorf("strictPaths, %s: %+v", target, d.Reason)
		}
		if d := g.Authorize(t.Context(), get(target)); !d.Allow {
			t.Errorf("%s: %+v", target, d.Reason)
		}
	}
}

// Where APIs and stages share a host, no server may read a path as another one's.
func TestNeighbours(t *testing.T) {
	pets := guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/*/admin"}`))
	pets.StrictPaths, pets.Stages[0].Domains = true, []string{"api.example.com/pets", "api.example.com/V2/Cats"}
	rest := testAPI("ANY /{proxy+}", "ANY /")
	rest.ID, rest.Stages = "f6g7h8i9j0", []Stage{{Name: "v1", Domains: []string{"api.example.com", "rest.example.com"}}}
	stages := testAPI("ANY /{proxy+}")
	stages.ID, stages.HTTP, stages.ExecuteAPIEndpoint = "stages0000", true, true
	stages.Stages = []Stage{{Name: DefaultStage}, {Name: "Beta"}}
	g := mustNew(t, pets, rest, stages)
	const endpoint = "stages0000.execute-api.eu-west-1.amazonaws.com"
	for _, tt := range []struct{ host, target string }{
		{"api.example.com", "/pets;x/admin"}, {"api.example.com", "/pets;/admin"}, {"api.example.com", "/pets%3Bx/admin"}, {"api.example.com", "/;x/pets/admin"},
		{"api.example.com", "/pets%2fadmin"}, {"api.example.com", "/pets%2Fadmin"}, {"api.example.com", "/%2Fpets/admin"}, {"api.example.com", "/pets%2F/admin"},
		{"api.example.com", "/pets%20/admin"}, {"api.example.com", "/%20pets/admin"}, {"api.example.com", "/pets%C2%A0/admin"}, {"api.example.com", "/pets./admin"},
		{"api.example.com", "/PETS/admin"}, {"api.example.com", "/Pets/x"}, {"api.example.com", "/PETS"}, {"api.example.com", "/pet\u017f/admin"},
		{"api.example.com", "/%2570ets/admin"}, {"api.example.com", "/pets%252Fadmin"}, {"api.example.com", "/pets%3Fadmin"}, {"api.example.com", "/pets%23"},
		{"api.example.com", "/PETS;x%20/admin"}, {"api.example.com", "/v2/cats/admin"}, {"api.example.com", "/V2/cats"}, {"api.example.com", "/V2//Cats/admin"},
		{"api.example.com", "/V2%2FCats/admin"}, {"api.example.com", "/V2;x/Cats;x/admin"}, {"api.example.com", "/v2;x/cats/admin"},
		{endpoint, "/beta/x"}, {endpoint, "/BETA"}, {endpoint, "/Beta;x/x"}, {endpoint, "/Beta%2Fx"}, {endpoint, "/beta%20/x"}, {endpoint, "/%2Fbeta/x"},
	} {
		for _, api := range []string{"", "f6g7h8i9j0", "stages0000"} {
			d := g.Authorize(t.Context(), as(api, on(tt.host, get(tt.target))))
			if d.Allow || d.Reason.Code != authz.CodeBadPath && d.Reason.Code != authz.CodeHostMismatch {
				t.Errorf("%s %s%s: %v %+v", api, tt.host, tt.target, d.Allow, d.Reason)
			}
		}
		if d := g.Authorize(t.Context(), on(tt.host, get(tt.target))); d.Denial.Status != 400 {
			t.Errorf("%s%s: %d %+v", tt.host, tt.target, d.Denial.Status, d.Reason)
		}
	}
	for _, tt := range []struct{ host, target string }{
		{"api.example.com", "/pets/x"}, {"api.example.com", "/pets/X%20"}, {"api.example.com", "/V2/Cats/x"}, {"api.example.com", "/V2/x"}, {"api.example.com", "/petshop"},
		{"api.example.com", "/x;pets/admin"}, {"api.example.com", "/x%2Fpets"}, {"api.example.com", "/a%20b"}, {"api.example.com", "/"},
		{"rest.example.com", "/pets;x/admin"}, {"rest.example.com", "/PETS/admin"}, {endpoint, "/Beta/x"}, {endpoint, "/x/beta"}, {endpoint, "/betas;x"},
	} {
		if d := g.Authorize(t.Context(), on(tt.host, get(tt.target))); !d.Allow {
			t.Errorf("%s%s: %+v", tt.host, tt.target, d.Reason)
		}
	}
}

// Base paths, and stage names on a default endpoint, that differ only in case are refused.
func TestNeighboursInAnotherCaseAreRefused(t *testing.T) {
	for i, tt := range []struct {
		domains  [2]string
		endpoint bool
		want     string
	}{
		{[2]string{"api.example.com/pets", "api.example.com/Pets"}, false, "apis[1].stages[0].domains[0]: api.example.com/Pets differs only in case"},
		{[2]string{"api.example.com/Pets/v1", "API.example.com/pets/V1"}, false, "differs only in case from a base path of stage prod of API a1b2c3d4e5"},
		{[2]string{"api.example.com/Pets", "api.example.com/pets"}, false, "differs only in case"},
		{[2]string{"api.example.com/pets", "api.example.com/pets2"}, false, ""},
		{[2]string{"api.example.com/pets", "api.example.org/Pets"}, false, ""},
		{[2]string{"a.example.com", "b.example.com"}, true, "apis[1].stages[1].name: the stage PROD differs from prod only in case"},
	} {
		a, b := testAPI("GET /"), testAPI("GET /")
		b.ID, b.ExecuteAPIEndpoint = "other", tt.endpoint
		a.Stages[0].Domains, b.Stages = tt.domains[:1], []Stage{{Name: "prod", Domains: tt.domains[1:]}, {Name: "PROD"}}
		g, faults := New(Config{APIs: []API{a, b}})
		var text string
		for _, f := range faults {
			text += fmt.Sprintf("%s: %s\n", f.At.String(), f.Message)
		}
		if (g == nil) != (tt.want != "") || !strings.Contains(text, tt.want) {
			t.Errorf("%d: %s", i, text)
		}
	}
	a := testAPI("GET /{proxy+}")
	a.Stages[0].Domains = []string{"api.example.com/Pets", "api.example.com/pets"}
	if d := mustNew(t, a).Authorize(t.Context(), on("api.example.com", get("/Pets/x"))); !d.Allow {
		t.Errorf("two cases of one stage's base path: %+v", d.Reason)
	}
}
