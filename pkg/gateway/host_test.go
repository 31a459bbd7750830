package gateway

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestFindByHost(t *testing.T) {
	pets := testAPI("ANY /", "ANY /{proxy+}")
	pets.Stages = []Stage{
		{Name: "prod", Domains: []string{"pets.example.com", "api.example.com/pets", "[2001:db8::1]"}},
		{Name: "beta", Domains: []string{"api.example.com/pets/v2/beta"}},
	}
	pets.ExecuteAPIEndpoint = true
	orders := testAPI("ANY /", "ANY /{proxy+}")
	orders.ID, orders.Region = "f6g7h8i9j0", "cn-north-1"
	orders.Stages = []Stage{{Name: "v1", Domains: []string{"Orders.Example.com", "api.example.com/orders"}}}
	china := orders
	china.ID, china.ExecuteAPIEndpoint, china.Stages = "china00000", true, []Stage{{Name: "v1"}}
	g := mustNew(t, pets, orders, china)

	const petsHost = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	for _, tt := range []struct{ host, target, want string }{
		{"pets.example.com", "/x", "a1b2c3d4e5/prod /x"},
		{"PETS.example.com.:8443", "/x/", "a1b2c3d4e5/prod /x/"},
		{"[2001:db8:0::1]:443", "/x", "a1b2c3d4e5/prod /x"},
		{"orders.example.com", "/", "f6g7h8i9j0/v1 /"},
		{"api.example.com", "/pets", "a1b2c3d4e5/prod /"},
		{"api.example.com", "/pets/", "a1b2c3d4e5/prod /"},
		{"api.example.com", "/pets//", "a1b2c3d4e5/prod /"},
		{"api.example.com", "/pets/v2", "a1b2c3d4e5/prod /v2"},
		{"api.example.com", "/pets/v2/beta", "a1b2c3d4e5/beta /"},
		{"api.example.com", "/pets/v2/beta/x", "a1b2c3d4e5/beta /x"},
		{"api.example.com", "/pets/v2/betamax", "a1b2c3d4e5/prod /v2/betamax"},
		{"api.example.com", "/orders/7", "f6g7h8i9j0/v1 /7"},
		{petsHost, "/prod", "a1b2c3d4e5/prod /"},
		{petsHost, "/beta/x", "a1b2c3d4e5/beta /x"},
		{"china00000.execute-api.cn-north-1.amazonaws.com.cn", "/v1/x", "china00000/v1 /x"},
		// Not served.
		{"api.example.com", "/", ""},
		{"api.example.com", "/petshop", ""},
		{"api.example.com", "/PETS", ""},
		{"api.example.com", "/pets%2Fv2", ""},
		{petsHost, "/", ""},
		{petsHost, "/Prod/x", ""},
		{petsHost, "/x", ""},
		{"f6g7h8i9j0.execute-api.cn-north-1.amazonaws.com.cn", "/v1/x", ""},
		{"f6g7h8i9j0.execute-api.cn-north-1.amazonaws.com", "/v1/x", ""},
		{"china00000.execute-api.cn-north-1.amazonaws.com", "/v1/x", ""},
		{"other.example.com", "/x", ""},
		{"example.com", "/x", ""},
		{"", "/x", ""},
		{"pets.example.com..", "/x", ""},
		{"pets.example.com:x", "/x", ""},
	} {
		r := get(tt.target, "x-apigw-api-id", "a1b2c3d4e5")
		r.Host = tt.host
		d := g.Authorize(t.Context(), r)
		if tt.want == "" {
			checkDenial(t, d, 403, authz.CodeUnknownHost, "ForbiddenException", `{"message":"Forbidden"}`)
			continue
		}
		in := &invocation{gateway: g.model, request: r}
		if err := in.find(); err != nil {
			t.Errorf("%s%s: %v", tt.host, tt.target, err)
			continue
		}
		if got := d.API + "/" + d.Stage + " " + in.path; !d.Allow || got != tt.want {
			t.Errorf("%s%s: %s, allow %v; want %s", tt.host, tt.target, got, d.Allow, tt.want)
		}
	}
}

// The base path that Envoy's configuration names is the one that is taken off, or the request is refused: Envoy may take it off on the way
// to the upstream.
func TestAttestedBasePath(t *testing.T) {
	pets := testAPI("ANY /", "ANY /{proxy+}")
	pets.ExecuteAPIEndpoint = true
	pets.Stages = []Stage{{Name: "prod", Domains: []string{"pets.example.com", "api.example.com/pets", "api.example.com/pets/v2", "other.example.com/v1"}}}
	g := mustNew(t, pets)
	const endpoint = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	for _, tt := range []struct{ host, target, is string }{
		{"pets.example.com", "/pets/x", "/"},
		{"api.example.com", "/pets/x", "/pets"},
		{"api.example.com", "/pets", "/pets"},
		{"api.example.com", "/pets//x", "/pets"},
		{"api.example.com", "/pets/v2/x", "/pets/v2"},
		{"other.example.com", "/v1/v1/x", "/v1"},
		{endpoint, "/prod/x", "/prod"},
		{"unknown.example.com", "/pets/x", "/"},
	} {
		for _, attested := range []string{"", "/", "/pets", "/pets/v2", "/v1", "/v1/v1", "/prod", "/Pets", "/pets/x"} {
			for _, api := range []string{"", "a1b2c3d4e5"} {
				r := get(tt.target)
				r.Host, r.API, r.BasePath = tt.host, api, attested
				d := g.Authorize(t.Context(), r)
				switch {
				case tt.host == "unknown.example.com" && api == "":
					checkDenial(t, d, 403, authz.CodeUnknownHost, "ForbiddenException", `{"message":"Forbidden"}`)
				case attested == "" || attested == tt.is:
					if !d.Allow {
						t.Errorf("%s%s with base path %q: %+v", tt.host, tt.target, attested, d.Reason)
					}
				default:
					checkDenial(t, d, 500, authz.CodeEnvoyConfig, "InternalServerErrorException", `{"message":"Internal server error"}`)
				}
			}
		}
	}
}

// With requireApi, no host leads to an API that Envoy's configuration does not name. A host of nobody's is answered as ever.
func TestRequireAPI(t *testing.T) {
	g := mustCompile(t, Config{APIs: []API{testAPI("ANY /{proxy+}")}, RequireAPI: true})
	for _, tt := range []struct {
		host, api string
		status    int
	}{{"pets.example.com", "a1b2c3d4e5", 0}, {"pets.example.com", "", 500}, {"other.example.com", "", 403}, {"other.example.com", "a1b2c3d4e5", 0}} {
		r := get("/x")
		r.Host, r.API = tt.host, tt.api
		d := g.Authorize(t.Context(), r)
		if d.Allow != (tt.status == 0) || !d.Allow && d.Denial.Status != tt.status {
			t.Errorf("%s, API %q: %+v", tt.host, tt.api, d)
		}
	}
}

// Envoy's routes read a path as it came: a base path or stage name that only decoding or collapsing slashes shows is none to them.
func TestBasePathSpelledOtherwise(t *testing.T) {
	pets := testAPI("ANY /{proxy+}")
	pets.ExecuteAPIEndpoint = true
	pets.Stages = []Stage{{Name: "prod", Domains: []string{"api.example.com/pets", "api.example.com/pets/v2/a-b"}}}
	rest := testAPI("ANY /{proxy+}")
	rest.ID, rest.Stages = "f6g7h8i9j0", []Stage{{Name: "v1", Domains: []string{"api.example.com"}}}
	g := mustNew(t, pets, rest)
	const endpoint = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	for _, tt := range []struct {
		host, target string
		want         authz.Code
	}{
		{"api.example.com", "/pets/x", authz.CodeAllowed},
		{"api.example.com", "/pets//x", authz.CodeAllowed},
		{"api.example.com", "/pets/%78", authz.CodeAllowed},
		{"api.example.com", "/pets/v2/a-b/x%20y", authz.CodeAllowed},
		{"api.example.com", "/other/%78", authz.CodeAllowed},
		{"api.example.com", "//other/x", authz.CodeAllowed},
		{endpoint, "/prod/%78", authz.CodeAllowed},
		{"api.example.com", "/%70ets/x", authz.CodeBadPath},
		{"api.example.com", "/%70ets", authz.CodeBadPath},
		{"api.example.com", "/pet%73?x", authz.CodeBadPath},
		{"api.example.com", "//pets/x", authz.CodeBadPath},
		{"api.example.com", "///pets", authz.CodeBadPath},
		{"api.example.com", "/pets/%762/a-b/x", authz.CodeBadPath},
		{"api.example.com", "/pets/v2/a%2Db/x", authz.CodeBadPath},
		{"api.example.com", "//pets/v2/a-b/x", authz.CodeBadPath},
		{endpoint, "/%70rod/x", authz.CodeBadPath},
		{endpoint, "//prod/x", authz.CodeBadPath},
	} {
		for _, api := range []string{"", "a1b2c3d4e5", "f6g7h8i9j0"} {
			d := g.Authorize(t.Context(), as(api, on(tt.host, get(tt.target))))
			if tt.want == authz.CodeBadPath {
				checkDenial(t, d, 400, authz.CodeBadPath, "BadRequestException", `{"message":"Bad Request"}`)
			} else if !d.Allow && (api == "" || d.Reason.Code != authz.CodeHostMismatch) {
				t.Errorf("%s %s%s: %+v", api, tt.host, tt.target, d.Reason)
			}
		}
	}
}

func TestFindByContextExtensions(t *testing.T) {
	pets := testAPI("ANY /{proxy+}")
	pets.Stages = []Stage{
		{Name: "prod", Domains: []string{"pets.example.com", "api.example.com/pets"}},
		{Name: "beta", Domains: []string{"beta.example.com"}},
	}
	pets.ExecuteAPIEndpoint = true
	orders := testAPI("ANY /{proxy+}")
	orders.ID = "f6g7h8i9j0"
	orders.Stages = []Stage{{Name: "v1", Domains: []string{"orders.example.com", "api.example.com/orders"}}}
	g := mustNew(t, pets, orders)

	const ok, mismatch, unknown, envoy = "", string(authz.CodeHostMismatch), string(authz.CodeUnknownHost), string(authz.CodeEnvoyConfig)
	for _, tt := range []struct{ api, stage, host, target, code, want string }{
		{"a1b2c3d4e5", "prod", "pets.example.com", "/x", ok, "prod /x"},
		{"a1b2c3d4e5", "", "pets.example.com", "/x", ok, "prod /x"},
		{"a1b2c3d4e5", "", "beta.example.com", "/x", ok, "beta /x"},
		{"a1b2c3d4e5", "prod", "api.example.com", "/pets/x", ok, "prod /x"},
		{"a1b2c3d4e5", "prod", "10.0.0.7:8080", "/pets/x", ok, "prod /pets/x"},
		{"a1b2c3d4e5", "beta", "10.0.0.7:8080", "/x", ok, "beta /x"},
		{"a1b2c3d4e5", "beta", "", "/x", ok, "beta /x"},
		{"a1b2c3d4e5", "beta", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/beta/x", ok, "beta /x"},
		{"f6g7h8i9j0", "", "10.0.0.7", "/x", ok, "v1 /x"},
		{"f6g7h8i9j0", "v1", "10.0.0.7", "/x", ok, "v1 /x"},

		{"a1b2c3d4e5", "beta", "pets.example.com", "/x", mismatch, ""},
		{"a1b2c3d4e5", "prod", "orders.example.com", "/x", mismatch, ""},
		{"a1b2c3d4e5", "prod", "Orders.Example.com.:443", "/x", mismatch, ""},
		{"a1b2c3d4e5", "prod", "api.example.com", "/orders/x", mismatch, ""},
		{"a1b2c3d4e5", "prod", "f6g7h8i9j0.execute-api.eu-west-1.amazonaws.com", "/v1/x", mismatch, ""},
		{"a1b2c3d4e5", "prod", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/beta/x", mismatch, ""},
		{"f6g7h8i9j0", "v1", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/prod/x", mismatch, ""},
		{"f6g7h8i9j0", "v1", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/nowhere", mismatch, ""},
		{"f6g7h8i9j0", "", "pets.example.com", "/x", mismatch, ""},

		{"a1b2c3d4e5", "prod", "api.example.com", "/x", unknown, ""},
		{"a1b2c3d4e5", "prod", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "/x", unknown, ""},
		{"f6g7h8i9j0", "v1", "f6g7h8i9j0.execute-api.eu-west-1.amazonaws.com", "/v1/x", unknown, ""},

		{"a1b2c3d4e5", "", "10.0.0.7", "/x", envoy, ""},
		{"a1b2c3d4e5", "gamma", "10.0.0.7", "/x", envoy, ""},
		{"a1b2c3d4e5", "gamma", "pets.example.com", "/x", envoy, ""},
		{"nowhere", "prod", "pets.example.com", "/x", envoy, ""},
		{"A1B2C3D4E5", "prod", "pets.example.com", "/x", envoy, ""},
		{"", "prod", "pets.example.com", "/x", envoy, ""},
	} {
		r := get(tt.target)
		r.API, r.Stage, r.Host = tt.api, tt.stage, tt.host
		d := g.Authorize(t.Context(), r)
		switch tt.code {
		case ok:
			in := &invocation{gateway: g.model, request: r}
			if err := in.find(); err != nil || !d.Allow || d.API != tt.api || d.Stage+" "+in.path != tt.want {
				t.Errorf("%q/%q on %s%s: %+v, %v; want %s", tt.api, tt.stage, tt.host, tt.target, d, err, tt.want)
			}
		case envoy:
			checkDenial(t, d, 500, authz.CodeEnvoyConfig, "InternalServerErrorException", `{"message":"Internal server error"}`)
		default:
			checkDenial(t, d, 403, authz.Code(tt.code), "ForbiddenException", `{"message":"Forbidden"}`)
		}
	}
}

// A host that is no authority is nobody's, and not one that Envoy's configuration may name an API for: the base path would count as a
// part of the API's path.
func TestNoAuthorityIsRefusedWhateverEnvoyNames(t *testing.T) {
	a := guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/admin"}`))
	a.Stages = []Stage{{Name: "prod", Domains: []string{"api.example.com/pets"}}}
	g := mustNew(t, a)
	for _, host := range []string{
		"api.example.com", "api.example.com:80", "api.example.com.", "api.example.com:+80", "api.example.com:-0", "api.example.com:0x50",
		"api.example.com:_80", "API.example.com:+1", "api.example.com:80:+80", ".:+80", "[::1]:+80", "[::1", "[api.example.com]",
	} {
		r := on(host, get("/pets/admin"))
		r.API, r.Stage = a.ID, "prod"
		if d := g.Authorize(t.Context(), r); d.Allow || d.Denial.Status != 403 {
			t.Errorf("%s: %+v", host, d)
		}
	}
}

// A host that nobody owns has no base path to take off. It is served where the stage has a host without a base path, or no host at all.
func TestUnknownHostOfAStageBelowABasePath(t *testing.T) {
	http := func(a *API) { a.HTTP, a.Stages[0].Name = true, DefaultStage }
	endpoint := func(a *API) { a.ExecuteAPIEndpoint = true }
	for _, tt := range []struct {
		name    string
		domains []string
		change  func(*API)
		want    authz.Code
	}{
		{"one base path", []string{"pets.example.com/v1"}, nil, authz.CodeUnknownHost},
		{"a base path of two segments", []string{"pets.example.com/v1/pets"}, nil, authz.CodeUnknownHost},
		{"two base paths", []string{"pets.example.com/v1", "api.example.com/pets"}, nil, authz.CodeUnknownHost},
		{"a base path, and the endpoint", []string{"pets.example.com/v1"}, endpoint, authz.CodeUnknownHost},
		{"the endpoint alone", nil, endpoint, authz.CodeUnknownHost},
		{"a base path of the stage $default", []string{"pets.example.com/v1"}, http, authz.CodeUnknownHost},
		{"a base path of the stage $default, and its endpoint", []string{"pets.example.com/v1"}, func(a *API) { http(a); endpoint(a) }, authz.CodeUnknownHost},
		{"one with, one without", []string{"pets.example.com/v1", "pets.example.org"}, nil, authz.CodeNotSigned},
		{"one without, the endpoint", []string{"pets.example.org"}, endpoint, authz.CodeNotSigned},
		{"no domain", nil, nil, authz.CodeNotSigned},
		{"no domain, the endpoint of the stage $default", nil, func(a *API) { http(a); endpoint(a) }, authz.CodeNotSigned},
	} {
		a := testAPI("ANY /admin/{proxy+}", "ANY /{proxy+}")
		a.Routes[0].Authorization = IAM
		a.Stages[0].Domains = tt.domains
		if tt.change != nil {
			tt.change(&a)
		}
		g := mustNew(t, a)
		for _, host := range []string{"other", "10.0.0.7:8080", "v1.pets.example.com", ""} {
			r := on(host, get("/admin/x"))
			r.API, r.Stage = a.ID, a.Stages[0].Name
			if d := g.Authorize(t.Context(), r); d.Allow || d.Denial.Status != 403 || d.Reason.Code != tt.want {
				t.Errorf("%s, host %q: %+v", tt.name, host, d)
			}
			r.Target = "/v1/admin/x"
			if d := g.Authorize(t.Context(), r); d.Allow != (tt.want != authz.CodeUnknownHost) {
				t.Errorf("%s, host %q, with the base path: %+v", tt.name, host, d)
			}
		}
	}
}
