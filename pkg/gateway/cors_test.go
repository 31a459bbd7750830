package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

const app = "https://app.example.com"

// browsed is an HTTP API for browsers: /open and /pets are open, /admin and what no route matches are guarded, and there is no
// route with the method OPTIONS but for /form.
func browsed(t *testing.T, c CORS, more ...string) *Gateway {
	t.Helper()
	a := httpAPI(append([]string{"GET /pets", "POST /pets", "ANY /open", "ANY /admin", "OPTIONS /form"}, more...)...)
	a.CORS = &c
	for i, r := range a.Routes {
		if r.Resource == "/admin" || r.Method == DefaultRoute {
			a.Routes[i].Authorization = IAM
		}
	}
	return mustNew(t, a)
}

func full() CORS {
	return CORS{
		AllowOrigins: []string{app, "http://localhost:3000"}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"authorization", "content-type"},
		ExposeHeaders: []string{"date", "x-api-id"}, MaxAge: 300, AllowCredentials: true,
	}
}

func preflight(target, origin string, lines ...string) *authz.Request {
	return method("OPTIONS", get(target, append([]string{"origin", origin, "access-control-request-method", "PUT"}, lines...)...))
}

// headersOf are the headers of an answer but for the first, which is checked.
func headersOf(t *testing.T, d authz.Decision) []authz.Field {
	t.Helper()
	if len(d.Denial.Headers) == 0 || d.Denial.Headers[0] != (authz.Field{Name: "apigw-requestid", Value: d.RequestID}) {
		t.Fatalf("headers %v of request %q", d.Denial.Headers, d.RequestID)
	}
	return d.Denial.Headers[1:]
}

func TestPreflightIsAnswered(t *testing.T) {
	g := browsed(t, full())
	for _, target := range []string{"/pets", "/open", "/form", "/nothing/at/all", "/", "/pets/"} {
		d := g.Authorize(t.Context(), preflight(target, app, "access-control-request-headers", "authorization"))
		if d.Allow || d.Denial.Status != 204 || d.Denial.Body != "" || d.Reason.Code != authz.CodePreflight {
			t.Errorf("%s: allow %v, %+v %+v", target, d.Allow, d.Denial, d.Reason)
		}
		want := []authz.Field{
			{Name: "access-control-allow-origin", Value: app}, {Name: "access-control-allow-credentials", Value: "true"}, {Name: "vary", Value: "Origin"},
			{Name: "access-control-allow-methods", Value: "GET,POST"}, {Name: "access-control-allow-headers", Value: "authorization,content-type"},
			{Name: "access-control-max-age", Value: "300"},
		}
		if diff := cmp.Diff(want, headersOf(t, d)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// A route that is guarded and that OPTIONS leads to is guarded for a preflight too: API Gateway asks its authorizer.
func TestGuardedRouteCatchesPreflight(t *testing.T) {
	d := browsed(t, full()).Authorize(t.Context(), preflight("/admin", app))
	if d.Allow || d.Denial.Status != 403 || d.Reason.Code != authz.CodeNotSigned || header(d, "access-control-allow-origin") != app {
		t.Errorf("ANY /admin: %+v %+v", d.Denial, d.Reason)
	}
	d = browsed(t, full(), "$default").Authorize(t.Context(), preflight("/nothing", app))
	if d.Allow || d.Denial.Status != 403 || d.Reason.Code != authz.CodeNotSigned {
		t.Errorf("$default: %+v %+v", d.Denial, d.Reason)
	}
	// The route that API Gateway's documentation recommends.
	d = browsed(t, full(), "$default", "OPTIONS /{proxy+}").Authorize(t.Context(), preflight("/nothing", app))
	if d.Allow || d.Denial.Status != 204 {
		t.Errorf("OPTIONS /{proxy+}: %+v %+v", d.Denial, d.Reason)
	}
}

// What is no preflight goes to its route, if there is one.
func TestNoPreflight(t *testing.T) {
	g := browsed(t, full())
	for name, r := range map[string]*authz.Request{
		"no origin":      method("OPTIONS", get("/pets", "access-control-request-method", "PUT")),
		"no method":      method("OPTIONS", get("/pets", "origin", app)),
		"another method": method("PUT", get("/pets", "origin", app, "access-control-request-method", "PUT")),
		"lower case":     method("options", get("/pets", "origin", app, "access-control-request-method", "PUT")),
	} {
		if d := g.Authorize(t.Context(), r); d.Allow || d.Denial.Status != 404 || d.Reason.Code != authz.CodeNoRoute {
			t.Errorf("%s: %+v %+v", name, d.Denial, d.Reason)
		}
	}
	if d := g.Authorize(t.Context(), method("OPTIONS", get("/open", "origin", app))); !d.Allow {
		t.Errorf("a route with the method: %+v", d.Reason)
	}
	plain := mustNew(t, httpAPI("GET /pets", "$default"))
	if d := plain.Authorize(t.Context(), preflight("/pets", app)); !d.Allow || d.ResponseHeaders != nil {
		t.Errorf("without cors: %+v", d)
	}
	// What comes before routing comes before preflights.
	for _, r := range []*authz.Request{preflight("/../pets", app), on("other.example.com", preflight("/pets", app)), as("other", preflight("/pets", app))} {
		if d := g.Authorize(t.Context(), r); d.Allow || d.Denial.Status < 400 {
			t.Errorf("%s%s: %+v", r.Host, r.Target, d.Denial)
		}
	}
}

func TestOrigins(t *testing.T) {
	type answer struct{ origin, vary string }
	none := answer{"", "Origin"} // a cache must not hand to who is allowed what it kept for others
	https, http, star := CORS{AllowOrigins: []string{"https://*"}}, CORS{AllowOrigins: []string{"http://*", app}}, CORS{AllowOrigins: []string{"*"}}
	native := CORS{AllowOrigins: []string{"capacitor://localhost", "https://[2001:db8::1]:8443"}}
	for _, tt := range []struct {
		cors   CORS
		origin string
		want   answer
	}{
		{full(), app, answer{app, "Origin"}},
		{full(), "http://localhost:3000", answer{"http://localhost:3000", "Origin"}},
		{full(), "http://localhost:3001", none},
		{full(), "https://app.example.com.evil.example", none},
		{full(), "https://app.example.com:443", none},
		{full(), "https://app.example.com/", none},
		{full(), "HTTPS://app.example.com", none},
		{full(), "https://APP.example.com", none},
		{full(), "http://app.example.com", none},
		{full(), "null", none},
		{full(), "", none},
		{full(), app + ", https://evil.example", none},
		{https, "https://anything.example:8443", answer{"https://anything.example:8443", "Origin"}},
		{https, "http://anything.example", none},
		{https, "https://", none},
		{https, "https://a.example/path", none},
		{https, "https://a.example, https://b.example", none},
		{https, "https://a b", none},
		{https, "https://a\x7f", none},
		{https, "https://café.example", none},
		{https, "https://user@a.example", none},
		{http, "http://a.example", answer{"http://a.example", "Origin"}},
		{http, app, answer{app, "Origin"}},
		{http, "https://other.example", none},
		{star, "https://anything.example", answer{"*", ""}},
		{star, "null", answer{"*", ""}},
		{native, "capacitor://localhost", answer{"capacitor://localhost", "Origin"}},
		{native, "https://[2001:db8::1]:8443", answer{"https://[2001:db8::1]:8443", "Origin"}},
	} {
		g := browsed(t, tt.cors)
		for name, fields := range map[string][]authz.Field{
			"preflight":    g.Authorize(t.Context(), preflight("/pets", tt.origin)).Denial.Headers,
			"allowed":      g.Authorize(t.Context(), get("/pets", "origin", tt.origin)).ResponseHeaders,
			"not found":    g.Authorize(t.Context(), get("/nothing", "origin", tt.origin)).Denial.Headers,
			"guarded":      g.Authorize(t.Context(), get("/admin", "origin", tt.origin)).Denial.Headers,
			"cannot judge": g.Authorize(t.Context(), preflight("/admin", tt.origin)).Denial.Headers,
		} {
			var got answer
			for _, f := range fields {
				switch f.Name {
				case "access-control-allow-origin":
					got.origin = f.Value
				case "vary":
					got.vary = f.Value
				}
			}
			if got != tt.want {
				t.Errorf("%q for %q, %s: %+v, want %+v", tt.origin, tt.cors.AllowOrigins, name, got, tt.want)
			}
		}
	}
	// Two lines of Origin are no origin that is allowed.
	d := browsed(t, full()).Authorize(t.Context(), get("/pets", "origin", app, "origin", app))
	if !d.Allow || d.ResponseHeaders[0].Value != "" {
		t.Errorf("%+v", d)
	}
}

// The answer of an upstream gets the API's headers in place of its own; whatever is not allowed is emptied.
func TestUpstreamsAnswerGetsCORS(t *testing.T) {
	g := browsed(t, full())
	for _, tt := range []struct {
		name    string
		request *authz.Request
		want    []authz.Field
	}{
		{"no origin", get("/pets"), []authz.Field{{Name: "vary", Value: "Origin"}}},
		{"allowed", get("/pets", "origin", app), []authz.Field{
			{Name: "access-control-allow-origin", Value: app}, {Name: "access-control-allow-credentials", Value: "true"}, {Name: "vary", Value: "Origin"},
			{Name: "access-control-expose-headers", Value: "date,x-api-id"},
		}},
		{"other", get("/pets", "origin", "https://evil.example"), []authz.Field{
			{Name: "access-control-allow-origin"}, {Name: "access-control-allow-credentials"}, {Name: "access-control-expose-headers"}, {Name: "vary", Value: "Origin"},
		}},
	} {
		d := g.Authorize(t.Context(), tt.request)
		if diff := cmp.Diff(tt.want, d.ResponseHeaders); diff != "" || !d.Allow {
			t.Errorf("%s: allow %v (-want +got):\n%s", tt.name, d.Allow, diff)
		}
	}
	bare := browsed(t, CORS{AllowOrigins: []string{"*"}}).Authorize(t.Context(), get("/pets", "origin", app))
	want := []authz.Field{{Name: "access-control-allow-origin", Value: "*"}, {Name: "access-control-allow-credentials"}, {Name: "access-control-expose-headers"}}
	if diff := cmp.Diff(want, bare.ResponseHeaders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	minimal := browsed(t, CORS{AllowOrigins: []string{"*"}, MaxAge: -1}).Authorize(t.Context(), preflight("/pets", app))
	want = []authz.Field{{Name: "access-control-allow-origin", Value: "*"}, {Name: "access-control-max-age", Value: "-1"}}
	if diff := cmp.Diff(want, headersOf(t, minimal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A denial of ours is readable for a page of an origin that is allowed, and nothing else changes about it.
func TestDenialGetsCORS(t *testing.T) {
	d := browsed(t, full()).Authorize(t.Context(), get("/admin", "origin", app))
	want := []authz.Field{
		{Name: "Content-Type", Value: "application/json"}, {Name: "apigw-requestid", Value: testID},
		{Name: "access-control-allow-origin", Value: app}, {Name: "access-control-allow-credentials", Value: "true"}, {Name: "vary", Value: "Origin"},
		{Name: "access-control-expose-headers", Value: "date,x-api-id"},
	}
	if diff := cmp.Diff(want, d.Denial.Headers); diff != "" || d.Denial.Status != 403 || d.Denial.Body != `{"message":"Forbidden"}` || d.ResponseHeaders != nil {
		t.Errorf("%+v (-want +got):\n%s", d, diff)
	}
}

func TestCORSWarning(t *testing.T) {
	a := httpAPI("GET /")
	a.CORS = &CORS{AllowOrigins: []string{"https://*"}, AllowCredentials: true}
	g, faults := New(Config{APIs: []API{a}})
	if g == nil || len(faults) != 1 || !faults[0].Warning || !strings.Contains(faults[0].Message, "every site") {
		t.Errorf("%v", faults)
	}
}

// No origin makes a preflight pass, or a header that breaks.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{app, "https://a.example", "null", "https://a\r\nb", "https://*", "*", ""} {
		f.Add(seed, "/pets")
	}
	a := httpAPI("GET /pets", "$default")
	a.CORS = &CORS{AllowOrigins: []string{"https://*", "http://localhost:3000"}, AllowMethods: []string{"*"}, AllowCredentials: true}
	g := mustNew(f, a)
	f.Fuzz(func(t *testing.T, origin, target string) {
		asked := g.Authorize(t.Context(), preflight(target, origin))
		if asked.Allow || asked.Reason.Code == authz.CodePreflight && asked.Denial.Status != 204 || asked.Denial.Status == 0 {
			t.Fatalf("%+v", asked)
		}
		allowed := g.Authorize(t.Context(), get("/pets", "origin", origin))
		for _, h := range append(asked.Denial.Headers, allowed.ResponseHeaders...) {
			if !authz.IsToken(h.Name) || !answer.IsHeaderValue(h.Value) {
				t.Fatalf("%q: %q", h.Name, h.Value)
			}
			if h.Name == "access-control-allow-origin" && h.Value != "" && h.Value != origin {
				t.Fatalf("%q for %q", h.Value, origin)
			}
		}
	})
}
