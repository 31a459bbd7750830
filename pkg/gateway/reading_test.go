package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestReadings(t *testing.T) {
	for target, want := range map[string][]string{
		"/caf%C3%A9":           nil,
		"/a%20b":               nil,
		"/100%25":              nil,
		"/.well-known/x":       nil,
		"/a%2Fb":               {"/a/b"},
		"/a%2f":                {"/a/"},
		"/%2Fa":                {"/a"},
		"/a%252Fb":             {"/a%2Fb", "/a/b"},
		"/%2561":               {"/a"},
		"/%252561":             {"/%2561", "/a"},
		"/100%2525":            {"/100%25"},
		"/a;b/c":               {"/a/c"},
		"/a%3Bb":               {"/a"},
		"/a;b/c%3Bd":           {"/a/c;d", "/a/c"},
		"/;a/b":                {"/b"},
		"/a;%2Fb":              {"/a;/b", "/a", "/a/b"},
		"/a%3Fb/c":             {"/a"},
		"/a%23b%3Fc":           {"/a", "/a#b"},
		"/a%253Fb":             {"/a?b", "/a"},
		"/a%20/b":              {"/a/b"},
		"/%20a%20/b":           {"/ a/b", "/a /b", "/a/b"},
		"/a%C2%A0":             {"/a ", "/a"},
		"/a%E3%80%80/b":        {"/a /b", "/a/b"},
		"/a%EF%BB%BF":          {"/a"},
		"/%E1%A0%8Ea%E2%80%8B": {"/a\u200b", "/\u180ea", "/a"},
		"/%EF%BD%81":           {"/a"},
		"/a%EF%BC%8Fb":         {"/a/b"},
		"/a%E2%88%95b":         {"/a/b"},
		"/a%CD%BEb":            {"/a;b", "/a"},
		"/%EF%BC%8561":         {"/%2561", "/a"},
		"/%E2%84%AA":           {"/K"},
		"/caf%65%CC%81":        {"/caf\u00e9"},
		"/a%20/b%20":           {"/a/b", "/a /b"},
		"/a./b":                {"/a/b"},
		"/a.%20.":              {"/a"},
		"/a//b":                {"/a/b"},
		"/a%2F/b":              {"/a//b", "/a%2F/b", "/a/b"},
		"/a;x%20":              {"/a", "/a;x"},
		"/a%2F%20;x//b%252f":   nil,
	} {
		raw := target
		p, err := canonicalPath(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.readings(raw)
		if err != nil || got[0] != p.text {
			t.Errorf("%s: %q, %v", target, got, err)
			continue
		}
		if strings.Contains(target, "//b%252f") { // all of it at once
			if len(got) < 12 || !slices.Contains(got, "/a/b/") || !slices.Contains(got, "/a//b%2F") {
				t.Errorf("%s: %q", target, got)
			}
			continue
		}
		want = append([]string{p.text}, want...)
		slices.Sort(want)
		slices.Sort(got)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestReadingsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   error
	}{
		{"/a/..%20/b", errDotSegment},
		{"/a/%20../b", errDotSegment},
		{"/a/..%3Fb", errDotSegment},
		{"/a/..%23b", errDotSegment},
		{"/a/.%C2%A0", errDotSegment},
		{"/a/%EF%BC%8E%EF%BC%8E/b", errDotSegment},
		{"/a/%E2%80%A5/b", errDotSegment},
		{"/a/%EF%BC%8E%EF%BC%8E%EF%BC%8Fb", errDotSegment},
		{"/a%EF%BC%BCb", errBackslash},
		{"/a/%25252e%25252e/b", errDotSegment},
		{"/" + strings.Repeat("%25", 40) + "25", nil},
		{"/%" + strings.Repeat("25", 70) + "41", errReadings},
		{"/" + strings.Repeat("a", 70_000) + ";", errReadings},
		{"/" + strings.Repeat("a%20;%2F", 10_000), errReadings},
		{"/%20a%20;b%3Fc%23d%2Fe//%252fx./%20a%20;b%3Fc%23d%2Fe//%252f.x", errReadings},
	} {
		p, err := canonicalPath(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := p.readings(tt.target); !errors.Is(err, tt.want) {
			t.Errorf("%.60s: %d readings, %v; want %v", tt.target, len(all), err, tt.want)
		}
	}
}

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

// Fixed path parts with capital letters are found by a path without, and two that differ in case alone are refused.
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
		if strict != (g == nil) || strict && (len(faults) != 1 || !strings.Contains(faults[0].Message, "differs from /Admin/{id} in case alone")) {
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

// Base paths, and stage names on a default endpoint, that differ in case alone are refused.
func TestNeighboursInAnotherCaseAreRefused(t *testing.T) {
	for i, tt := range []struct {
		domains  [2]string
		endpoint bool
		want     string
	}{
		{[2]string{"api.example.com/pets", "api.example.com/Pets"}, false, "apis[1].stages[0].domains[0]: api.example.com/Pets differs in case alone"},
		{[2]string{"api.example.com/Pets/v1", "API.example.com/pets/V1"}, false, "differs in case alone from a base path of stage prod of API a1b2c3d4e5"},
		{[2]string{"api.example.com/Pets", "api.example.com/pets"}, false, "differs in case alone"},
		{[2]string{"api.example.com/pets", "api.example.com/pets2"}, false, ""},
		{[2]string{"api.example.com/pets", "api.example.org/Pets"}, false, ""},
		{[2]string{"a.example.com", "b.example.com"}, true, "apis[1].stages[1].name: the stage PROD differs from prod in case alone"},
	} {
		a, b := testAPI("GET /"), testAPI("GET /")
		b.ID, b.ExecuteAPIEndpoint = "other", tt.endpoint
		a.Stages[0].Domains, b.Stages = tt.domains[:1], []Stage{{Name: "prod", Domains: tt.domains[1:]}, {Name: "PROD"}}
		g, faults := New(Config{APIs: []API{a, b}})
		var text string
		for _, f := range faults {
			text += fmt.Sprintf("%s: %s\n", f.Path, f.Message)
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
