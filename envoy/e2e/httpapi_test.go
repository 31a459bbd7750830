package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// httpAPI is an HTTP API for browsers, with a guarded path beside open ones.
const httpAPI = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages:
      - {name: $default, domains: [pets.example.com]}
    cors:
      allowOrigins: ["https://app.example.com"]
      allowMethods: [GET, PUT]
      allowHeaders: [authorization]
      exposeHeaders: [x-total]
      maxAge: 300
      allowCredentials: true
    upstreamHeaders: {x-caller: $context.identity.userArn, x-route: $context.routeKey}
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: "GET /pets/{petId}", authorization: NONE}
      - {route: "GET /pets/{proxy+}", authorization: NONE}
      - {route: PUT /pets, authorization: NONE}
      - {route: GET /signed, authorization: AWS_IAM}
      - {route: "ANY /signed/{proxy+}", authorization: AWS_IAM}
      - {route: "ANY /other/{proxy+}", authorization: NONE}
      - {route: GET /other, authorization: AWS_IAM}
iam:
  accounts: [{file: 111122223333.json}, {file: 444455556666.json}]
  accessKeys: [{file: access-keys.yaml}]
`

// onHTTP is iam.yaml with the HTTP API.
func onHTTP() setup {
	c := signing("")
	c.config = httpAPI
	c.edits = []envoytest.Edit{{Old: "portcullis.stage: prod", New: "portcullis.stage: $default"}}
	for name, text := range c.files {
		c.files[name] = strings.ReplaceAll(text, "a1b2c3d4e5/prod/", "a1b2c3d4e5/$default/")
	}
	return c
}

const origin = "Origin: https://app.example.com"

// checkHTTPAnswer fails unless a denial is an HTTP API's.
func checkHTTPAnswer(t *testing.T, s *stack, a answer, status int, body string) {
	t.Helper()
	s.denied(t, a, status)
	if a.body != body || a.header.Get("Content-Type") != "application/json" || !requestID.MatchString(a.header.Get("Apigw-Requestid")) {
		t.Errorf("body %s, headers %v: want %s", a.body, a.header, body)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "X-Amzn") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
}

func TestHTTPAPI(t *testing.T) {
	t.Parallel()
	s := start(t, onHTTP())
	t.Run("routes", func(t *testing.T) {
		for target, key := range map[string]string{
			"/pets": "GET /pets", "/pets/": "GET /pets", "/pets/7": "GET /pets/{petId}", "/pets/7/": "GET /pets/{petId}", "/pets/7/photos": "GET /pets/{proxy+}",
			"/other/x": "ANY /other/{proxy+}",
		} {
			if seen := s.allowed(t, s.get(t, target)); !slices.Equal(seen.Header("x-route"), []string{key}) || seen.Target != target {
				t.Errorf("%s: route %q, target %s; want %s", target, seen.Header("x-route"), seen.Target, key)
			}
			if seen := s.allowed(t, s.get2(t, target)); !slices.Equal(seen.Header("x-route"), []string{key}) {
				t.Errorf("%s over HTTP/2: route %q, want %s", target, seen.Header("x-route"), key)
			}
		}
		checkHTTPAnswer(t, s, s.get(t, "/nothing"), 404, `{"message":"Not Found"}`)
		checkHTTPAnswer(t, s, s.get2(t, "/nothing"), 404, `{"message":"Not Found"}`)
		checkHTTPAnswer(t, s, s.send(t, request("DELETE", "/pets")), 404, `{"message":"Not Found"}`)
		// The slash would lead around the guard.
		checkHTTPAnswer(t, s, s.get(t, "/other/"), 400, `{"message":"Bad Request"}`)
		if seen := s.allowed(t, s.send(t, request("PROPFIND", "/other/x"))); seen.Method != "PROPFIND" {
			t.Errorf("%+v", seen)
		}
	})
	t.Run("IAM", func(t *testing.T) { signedHTTP(t, s) })
	t.Run("preflights", func(t *testing.T) { preflights(t, s) })
	t.Run("browsers", func(t *testing.T) { browsers(t, s) })
}

func signedHTTP(t *testing.T, s *stack) {
	c := goClient()
	for _, m := range []mode{inHeader, presigned} {
		for name, tc := range map[string]struct {
			who   who
			allow bool
		}{
			"a user whose policies allow":          {user(owner, grants), true},
			"a session whose policies allow":       {session(owner, grants), true},
			"a user of whom no policy speaks":      {user(owner, silent), false},
			"a user whose policies deny":           {user(owner, refuses), false},
			"a user of another account":            {user(other, grants), false},
			"a session of another account's role":  {session(other, grants), false},
			"a user of another account, unallowed": {user(other, silent), false},
		} {
			t.Run(name+" "+string(m), func(t *testing.T) {
				r := c.mustSign(t, by(tc.who, m, "GET", "/signed"))
				if a := s.send11(t, r); tc.allow {
					s.passes(t, a, r, tc.who)
				} else {
					checkHTTPAnswer(t, s, a, 403, forbidden)
				}
			})
		}
		wrong := user(owner, grants)
		wrong.secret = "another"
		checkHTTPAnswer(t, s, s.send11(t, c.mustSign(t, by(wrong, m, "GET", "/signed"))), 403, forbidden)
	}
	checkHTTPAnswer(t, s, s.get(t, "/signed"), 403, forbidden)
	checkHTTPAnswer(t, s, s.get(t, "/signed", "Authorization: Bearer abc"), 403, forbidden)
	checkHTTPAnswer(t, s, s.get(t, "/nothing", "Authorization: Bearer abc"), 404, `{"message":"Not Found"}`)
}

// ours are the headers of an answer that CORS is about.
func ours(h http.Header) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return !strings.HasPrefix(name, "Access-Control-") && name != "Vary"
	})
	return h
}

func preflights(t *testing.T, s *stack) {
	answered := http.Header{
		"Access-Control-Allow-Origin": {"https://app.example.com"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Origin"},
		"Access-Control-Allow-Methods": {"GET,PUT"}, "Access-Control-Allow-Headers": {"authorization"}, "Access-Control-Max-Age": {"300"},
	}
	for _, target := range []string{"/pets", "/signed", "/nothing", "/other/x"} {
		a := s.send(t, request("OPTIONS", target, origin, "Access-Control-Request-Method: PUT"))
		s.denied(t, a, 204)
		if diff := cmp.Diff(answered, ours(a.header)); diff != "" || a.body != "" || !requestID.MatchString(a.header.Get("Apigw-Requestid")) {
			t.Errorf("%s: body %q, headers %v (-want +got):\n%s", target, a.body, a.header, diff)
		}
		a = s.send(t, request("OPTIONS", target, "Origin: https://evil.example", "Access-Control-Request-Method: PUT"))
		s.denied(t, a, 204)
		if diff := cmp.Diff(http.Header{"Vary": {"Origin"}}, ours(a.header)); diff != "" {
			t.Errorf("%s for another origin (-want +got):\n%s", target, diff)
		}
	}
	// A guarded route that OPTIONS leads to guards a preflight.
	a := s.send(t, request("OPTIONS", "/signed/x", origin, "Access-Control-Request-Method: PUT"))
	checkHTTPAnswer(t, s, a, 403, forbidden)
	checkHTTPAnswer(t, s, s.send(t, request("OPTIONS", "/pets")), 404, `{"message":"Not Found"}`)
}

func browsers(t *testing.T, s *stack) {
	own := []string{
		"X-Answer: access-control-allow-origin: *", "X-Answer: access-control-allow-credentials: no", "X-Answer: access-control-expose-headers: x-internal",
		"X-Answer: vary: accept",
	}
	readable := http.Header{
		"Access-Control-Allow-Origin": {"https://app.example.com"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"x-total"},
	}
	for _, tc := range []struct {
		name    string
		headers []string
		want    http.Header
		vary    string
	}{
		{"an origin that is allowed", []string{origin}, readable, "Origin"},
		{"the same, and an upstream with CORS of its own", append([]string{origin}, own...), readable, "accept,Origin"},
		{"another origin", []string{"Origin: https://evil.example"}, http.Header{}, "Origin"},
		{"another origin, and an upstream with CORS of its own", append([]string{"Origin: https://evil.example"}, own...), http.Header{
			"Access-Control-Allow-Origin": {""}, "Access-Control-Allow-Credentials": {""}, "Access-Control-Expose-Headers": {""},
		}, "accept,Origin"},
		{"no origin", nil, http.Header{}, "Origin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.get(t, "/pets", tc.headers...)
			s.allowed(t, a)
			got := ours(a.header)
			vary := strings.ReplaceAll(strings.Join(got.Values("Vary"), ","), ", ", ",")
			got.Del("Vary")
			if diff := cmp.Diff(tc.want, got); diff != "" || vary != tc.vary {
				t.Errorf("vary %q, want %q (-want +got):\n%s", vary, tc.vary, diff)
			}
		})
	}
	a := s.get(t, "/signed", origin)
	checkHTTPAnswer(t, s, a, 403, forbidden)
	if a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Errorf("a denial cannot be read: %v", a.header)
	}
}
