package envoyconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// staged is an API with one open route and stages, each by its name and its domains.
func staged(id string, endpoint bool, stages ...string) gateway.API {
	a := api(id, nil, "GET /pets")
	a.Stages, a.ExecuteAPIEndpoint = nil, endpoint
	for _, text := range stages {
		words := strings.Fields(text)
		a.Stages = append(a.Stages, gateway.Stage{Name: words[0], Domains: words[1:]})
	}
	return a
}

// Each row is a configuration in which a path of an upstream has one or several readings: with base paths removed, kept, and in
// a mesh, which keeps them. A row's answers are what the errors say, empty for none.
func TestReadings(t *testing.T) {
	const a, b = "a.example.com", "b.example.com"
	for name, tc := range map[string]struct {
		apis                    []gateway.API
		upstreams               map[string]string
		stripped, kept, mesh, n string
	}{
		"one host":                 {apis: []gateway.API{staged("api1", false, "prod "+a)}},
		"one base path":            {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1 b.example.com/v1")}},
		"a base path and none":     {apis: []gateway.API{staged("api1", false, "prod a.example.com b.example.com/v1")}, kept: "a.example.com .api1/prod. and b.example.com/v1 .api1/prod. .* /v1/x is the resource /v1/x for the first and /x for the second", mesh: "give both the same base path, or use an Envoy of your own"},
		"a default endpoint":       {apis: []gateway.API{staged("api1", true, "prod "+a)}, kept: "a.example.com .* and api1.execute-api.eu-west-1.amazonaws.com/prod", mesh: "api1.execute-api.eu-west-1.amazonaws.com/prod"},
		"$default at its endpoint": {apis: []gateway.API{staged("api1", true, "$default "+a)}},
		"unrelated base paths":     {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1 b.example.com/v2 c.example.com/v11")}},
		"the longer one is on both": {apis: []gateway.API{staged("api1", false, "prod a.example.com a.example.com/v1 b.example.com/v1")},
			mesh: "domains: a.example.com has several base paths"},
		"both on one host":         {apis: []gateway.API{staged("api1", false, "prod a.example.com a.example.com/v1")}, mesh: "has several base paths"},
		"two stages on one host":   {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")}, stripped: "a.example.com/v1 .api1/prod. and a.example.com/v2 .api1/test. lead to one upstream.* --upstream api1/test=ADDRESS", mesh: "has several base paths", n: "api1/prod.*api1/test"},
		"two APIs on one host":     {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1"), staged("api2", false, "prod "+a)}, stripped: "--upstream api2=ADDRESS", mesh: "has several base paths", n: "api1/prod.*api2/prod"},
		"stages of an endpoint":    {apis: []gateway.API{staged("api1", true, "prod", "test")}, stripped: "--upstream api1/test=ADDRESS", mesh: "executeApiEndpoint", n: "."},
		"two APIs on two hosts":    {apis: []gateway.API{staged("api1", false, "prod "+a), staged("api2", false, "prod "+b)}, n: "a.example.com .api1/prod., b.example.com .api2/prod. lead to one upstream, which must tell them apart by the host"},
		"and one with a base path": {apis: []gateway.API{staged("api1", false, "prod "+a), staged("api2", false, "prod b.example.com/v1")}, kept: "--upstream api2=ADDRESS", mesh: "--upstream api2=ADDRESS", n: "."},
		"with upstreams of their own": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2"), staged("api2", false, "prod "+b)},
			upstreams: map[string]string{"api1/test": "127.0.0.1:1", "api2": "127.0.0.1:2"}, mesh: "has several base paths"},
		"in a mesh": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1"), staged("api2", false, "prod "+b)}, upstreams: map[string]string{"api2": "127.0.0.1:2"}},
		"localhost and its address": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "localhost:1", "api1/prod": "127.0.0.1:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"an address with zeros": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "[::1]:1", "api1/prod": "[0:0:0:0:0:0:0:1]:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"both loopback addresses": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "LOCALHOST:1", "api1/prod": "[::1]:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"a mapped address": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "192.0.2.1:1", "api1/prod": "[::ffff:192.0.2.1]:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"a port with zeros": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "192.0.2.1:80", "api1/prod": "192.0.2.1:080"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"all addresses": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "0.0.0.0:1", "api1/prod": "127.0.0.1:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"a socket": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "unix:/run/pets", "api1/prod": "unix:/run//x/../pets"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"with upstreams at one address": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1", "test a.example.com/v2")},
			upstreams: map[string]string{"api1/test": "Pets.internal:1", "api1/prod": "pets.internal:1"}, stripped: "lead to one upstream", mesh: "has several base paths", n: "."},
		"the host leads elsewhere below": {apis: []gateway.API{staged("api1", false, "prod a.example.com b.example.com/v1/x"), staged("api2", false, "prod a.example.com/v1")},
			upstreams: map[string]string{"api2": "127.0.0.1:2"}, mesh: "has several base paths"},
		"deeper base paths": {apis: []gateway.API{staged("api1", false, "prod a.example.com/v1 b.example.com/v1/x")}, kept: "/v1/x/x is the resource /x/x for the first", mesh: "/v1/x/x is"},
	} {
		for target, want := range map[string]string{"stripped": tc.stripped, "kept": tc.kept, "mesh": tc.mesh} {
			o := Options{UpstreamOf: tc.upstreams, KeepBasePath: target == "kept"}
			if target == "mesh" {
				o.Target = Istio
			}
			out, err := Generate(config(tc.apis...), o)
			if (err == nil) != (want == "") || err != nil && !matches(want, err.Error()) {
				t.Errorf("%s, %s: %v; want %q", name, target, err, want)
			}
			if err == nil && (len(out.Notes) > 0 != (tc.n != "") || tc.n != "" && !matches(tc.n, out.Notes[0])) {
				t.Errorf("%s, %s: %q", name, target, out.Notes)
			}
		}
	}
}

// A sidecar has the same paths for all hosts of its stage.
func TestSidecarBasePaths(t *testing.T) {
	o := Options{Target: Istio, Mesh: Mesh{Sidecar: true, Selector: "app=pets"}}
	for domains, want := range map[string]string{
		"a.example.com b.example.com": "", "a.example.com/v1 b.example.com/v1": "",
		"a.example.com/v1 b.example.com/v2": "--istio-sidecar: a.example.com/v1 (api1/prod) and b.example.com/v2 (api1/prod) have different base paths",
		"a.example.com b.example.com/v2":    "--istio-sidecar: a.example.com (api1/prod) and b.example.com/v2 (api1/prod)",
	} {
		_, err := Generate(config(staged("api1", false, "prod "+domains)), o)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", domains, err)
		}
	}
}

// A kept base path has the same setting as a removed one, because portcullis checks the path without it.
func TestKeptBasePathIsToldOf(t *testing.T) {
	c := config(staged("api1", false, "prod a.example.com/v1 b.example.com/v1"))
	for name, o := range map[string]Options{"kept": {KeepBasePath: true}, "gateway": {Target: Istio}, "sidecar": {Target: Istio, Mesh: Mesh{Sidecar: true, Selector: "app=pets"}}} {
		text := mustGenerate(t, c, o)
		if strings.Contains(text, "portcullis.basePath: /\n") || !strings.Contains(text, "portcullis.basePath: /v1\n") || strings.Contains(text, "regex_rewrite: {") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// The base path and the slashes after it are removed from a path; a long one by its number of segments.
func TestStripped(t *testing.T) {
	long := "/" + strings.Repeat("x", 200) + "/y"
	p := &plan{}
	for _, base := range []string{"/pets", "/a+b.c/$d", "/prod", long} {
		taken := regexp.MustCompile(p.stripped(base))
		for rest, want := range map[string]string{"": "/", "/": "/", "/7": "/7", "//7": "/7", "/7//8": "/7//8", "/%2F7": "/%2F7", "/;7": "/;7", base + "/7": base + "/7"} {
			if got := taken.ReplaceAllString(base+rest, "/"); got != want {
				t.Errorf("%s of %s%s leaves %s, want %s", taken, base, rest, got, want)
			}
		}
		if size := len(taken.String()); size > 100 {
			t.Errorf("%d characters", size)
		}
	}
	if p.stripped("") != "" || (&plan{Options: Options{KeepBasePath: true}}).stripped("/pets") != "" {
		t.Error("a missing or kept base path is removed")
	}
}

// Exactly the routes below a base path remove it.
func TestRoutesStrip(t *testing.T) {
	signed := api("a1b2c3d4e5", on("pets.example.com", "api.example.com/v1", "odd.example.com/a+b"), "GET /health", "GET /pets/{id}", "POST /pets/mine AWS_IAM", "ANY /{proxy+} AWS_IAM")
	for _, keep := range []bool{false, true} {
		text := mustGenerate(t, config(api("a1b2c3d4e5", on("api.example.com/v1", "odd.example.com/v1"), "GET /pets")), Options{KeepBasePath: keep})
		if strings.Contains(text, "regex_rewrite: {") == keep {
			t.Errorf("kept %v:\n%s", keep, text)
		}
	}
	p, err := newPlan(config(signed), Options{}.withDefaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", `^/v1/*`, `^/a\+b/*`} {
		routes := p.Listeners[0].Hosts[i].Routes
		if slices.ContainsFunc(routes, func(r route) bool { return r.Strip != want }) {
			t.Errorf("%+v; want %s", routes, want)
		}
		if only := len(routes) == 1; only != (i == 2) {
			t.Errorf("base path %d: %s", i, fmt.Sprint(routes))
		}
	}
}
