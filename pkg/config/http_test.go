package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// What is written is what decides: the kind, the routes with $default, the stage $default, each field of cors.
func TestHTTPAPIIsCompiled(t *testing.T) {
	dir := t.TempDir()
	config := strings.NewReplacer(
		"    stages: [{name: prod", `    kind: HTTP
    upstreamHeaders: {x-route: $context.routeKey, x-stage: $context.stage}
    cors:
      allowOrigins: ["https://app.example.com"]
      allowMethods: [GET, PUT]
      allowHeaders: [authorization, x-a]
      exposeHeaders: [date]
      maxAge: 60
      allowCredentials: true
    stages: [{name: $default`,
		"GET /health", `"$default"`).Replace(good)
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(config))
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, target string, headers ...authz.Field) authz.Decision {
		r := &authz.Request{Method: method, Target: target, Host: "pets.example.com", Time: time.Unix(1, 0)}
		r.SetHeaders(append(headers, authz.Field{Name: "origin", Value: "https://app.example.com"}))
		return s.Gateway.Authorize(t.Context(), r)
	}
	for target, route := range map[string]string{"/pets": "GET /pets", "/other": "$default"} {
		d := ask("GET", target)
		want := []authz.Field{{Name: "x-route", Value: route}, {Name: "x-stage", Value: "$default"}}
		if diff := cmp.Diff(want, d.SetHeaders); diff != "" || !d.Allow {
			t.Errorf("%s: %+v (-want +got):\n%s", target, d.Reason, diff)
		}
		if got := fields(d.ResponseHeaders)["access-control-expose-headers"]; got != "date" {
			t.Errorf("%s: exposes %q", target, got)
		}
	}
	d := ask("OPTIONS", "/pets", authz.Field{Name: "access-control-request-method", Value: "PUT"})
	got := fields(d.Denial.Headers)
	delete(got, "apigw-requestid")
	want := map[string]string{
		"access-control-allow-origin": "https://app.example.com", "access-control-allow-credentials": "true", "vary": "Origin",
		"access-control-allow-methods": "GET,PUT", "access-control-allow-headers": "authorization,x-a", "access-control-max-age": "60",
	}
	if diff := cmp.Diff(want, got); diff != "" || d.Denial.Status != 204 || d.Allow {
		t.Errorf("%+v (-want +got):\n%s", d, diff)
	}
}

func fields(list []authz.Field) map[string]string {
	m := map[string]string{}
	for _, f := range list {
		m[f.Name] = f.Value
	}
	return m
}
