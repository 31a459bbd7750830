package e2e

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// guard is a way to keep callers from /admin and from POST /danger while all else is open.
type guard struct {
	name, settings, statements string
	// strict is set where no path may pass that some upstream could read as a guarded one.
	strict bool
	// names tells whether some upstream could read a request as a guarded one.
	names func(envoytest.Seen) bool
}

var guards = []guard{
	{"denied by pattern", "", denyByPattern, false, namesBelowAdmin},
	{"denied by pattern, strictPaths", "strictPaths: true", denyByPattern, true, namesBelowAdmin},
	{"denied by name, strictPaths", "strictPaths: true", denyByName, true, namesAdmin},
	{"the rest allowed by name", "", allowByName, true, namesBelowAdmin},
}

const denyByPattern = `
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/*/admin", "execute-api:/prod/*/admin/*", "execute-api:/prod/POST/danger"]}`

// What lies below /admin is open here.
const denyByName = `
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - Effect: Deny
          Principal: "*"
          Action: execute-api:Invoke
          Resource: ["execute-api:/prod/GET/admin", "execute-api:/prod/HEAD/admin", "execute-api:/prod/OPTIONS/admin", "execute-api:/prod/POST/admin", "execute-api:/prod/POST/danger"]`

const allowByName = `
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/GET/open", "execute-api:/prod/POST/open", "execute-api:/prod/GET/x/*", "execute-api:/prod/POST/x/*", "execute-api:/prod/GET/danger"]}`

func guarded(settings, statements string) string {
	return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:%s
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
      - {route: ANY /, authorization: NONE}
      - {route: POST /admin, authorization: NONE}
    %s
`, statements, settings)
}

// targets are request targets that somebody, somewhere, reads as the guarded path. Literal says why API Gateway, and
// portcullis without strictPaths, takes it for another one.
var targets = []struct{ target, literal string }{
	{"/admin", ""},
	{"/admin/", ""},
	{"/admin//", ""},
	{"/admin///", ""},
	{"/admin/users", ""},
	{"/admin//users", ""},
	{"/admin?x", ""},
	{"/admin?", ""},
	{"/admin/?x=/open", ""},
	{"/admin#x", ""},
	{"//admin", ""},
	{"///admin", ""},
	{"////admin", ""},
	{"//pets.example.com/admin", ""},
	{"/./admin", ""},
	{"/././admin", ""},
	{"//./admin", ""},
	{"/.//admin", ""},
	{"/a/../admin", ""},
	{"/a/b/../../admin", ""},
	{"/a/..//admin", ""},
	{"/a//../admin", ""},
	{"/a//../../admin", ""},
	{"/../admin", ""},
	{"/admin/.", ""},
	{"/admin/a/..", ""},
	{"/open/../admin", ""},
	{"/open/..//admin/", ""},
	{"/open?/../admin", ""},
	{"/open?/../../admin", ""},
	{"/x/%2e%2e/admin", ""},
	{"/x/%2E%2E/admin", ""},
	{"/x/.%2e/admin", ""},
	{"/x/%2e./admin", ""},
	{"/%2e/admin", ""},
	{"/%2e%2fadmin", ""},
	{"/..%2Fadmin", ""},
	{"/x/..%2Fadmin", ""},
	{"/x/..%2fadmin", ""},
	{"/x/%2e%2e%2Fadmin", ""},
	{"/x%2F..%2F..%2Fadmin", ""},
	{"/x/..%5cadmin", ""},
	{"/x/..%5Cadmin", ""},
	{"/x/%2e%2e%5cadmin", ""},
	{`/x/..\admin`, ""},
	{`/x\..\admin`, ""},
	{`/\admin`, ""},
	{`\admin`, ""},
	{"/%5Cadmin", ""},
	{"/%5cadmin", ""},
	{"/admin%5C", ""},
	{"/admin%5Cusers", ""},
	{"/%255cadmin", ""},
	{"/x/%252e%252e/admin", ""},
	{"/x/%252E%252E/admin", ""},
	{"/x/%252e%252e%252fadmin", ""},
	{"/x/..%252fadmin", ""},
	{"/x/..%255cadmin", ""},
	{"/x/%25%32%65%25%32%65/admin", ""},
	{"/x/%%32%65%%32%65/admin", ""},
	{"/admin%00", ""},
	{"/admin%00.png", ""},
	{"/admin%2500", ""},
	{"/admin%0a", ""},
	{"/admin%0d%0a", ""},
	{"/admin%09", ""},
	{"/admin%7f", ""},
	{"/%61dmin", ""},
	{"/%61%64%6d%69%6e", ""},
	{"/%61dmin/users", ""},
	{"/;x/admin", ""},
	{"/x/..;/admin", ""},
	{"/x/..;a=b/admin", ""},
	{"/x/.;/../admin", ""},
	{"/x/%2e%2e;/admin", ""},
	{"/x/..%3b/admin", ""},
	{"/x/..%3B/admin", ""},
	{"/x/;/../../admin", ""},
	{"/x/%c0%ae%c0%ae/admin", ""},
	{"/%e0%80%afadmin", ""},
	{"/x/%u002e%u002e/admin", ""},
	{"/%u0061dmin", ""},
	{"/adm%zzin", ""},
	{"/admin%", ""},
	{"/admin\xff", ""},
	{"/admin\u00a0", ""},
	{"/admin%ff", ""},
	{"http://pets.example.com/admin", ""},
	{"HTTP://PETS.example.com/admin", ""},
	{"http://pets.example.com//admin", ""},
	{"http://pets.example.com/x/../admin", ""},
	{"http://pets.example.com:80/%61dmin", ""},
	{"http:///admin", ""},
	{"admin", ""},
	{"*", ""},
	{"", ""},
	{"pets.example.com/admin", ""},

	{"/admin;x", ""},
	{"/admin;x=y/", ""},
	{"/admin;/users", ""},
	{"/admin%3Bx", ""},
	{"/admin%253Bx", ""},
	{"/%2Fadmin", ""},
	{"/%2fadmin", ""},
	{"/admin%2F", ""},
	{"/admin%2Fusers", ""},
	{"/admin%2fusers", ""},
	{"/admin%252Fusers", ""},
	{"/admin%3F", ""},
	{"/admin%3fx/y", ""},
	{"/admin%23", ""},
	{"/admin%2523x", ""},
	{"/%2561dmin", ""},
	{"/admin%20", ""},
	{"/%20admin/users", ""},
	{"/admin%20;x/users", ""},
	{"/admin;x%20%2F", ""},
	{"/admin.", ""},
	{"/admin%C2%A0", ""},
	{"/ADMIN", "API Gateway's paths have a case"},
	{"/Admin/users", "API Gateway's paths have a case"},
}

// closeSoon has Envoy close a connection that it turned away at once, where it would wait a second for the client to do so.
var closeSoon = envoytest.Edit{Old: "stat_prefix: http\n", New: "stat_prefix: http\n          delayed_close_timeout: 0.01s\n"}

// envoys are the settings of paths and headers: each pair of two of them occurs in all four ways.
func envoys() []variant {
	return []variant{
		{"as shipped", []envoytest.Edit{closeSoon}},
		{"slashes kept, headers joined", []envoytest.Edit{closeSoon, mergeOff, joinedHeaders}},
		{"dots kept, headers joined", []envoytest.Edit{closeSoon, normalizeOff, joinedHeaders}},
		{"paths as sent", []envoytest.Edit{closeSoon, normalizeOff, mergeOff}},
	}
}

// No request that an upstream could read as the guarded one passes without the guard's consent.
func TestGuardedPathIsNotReached(t *testing.T) {
	t.Parallel()
	for _, v := range envoys() {
		for _, g := range guards {
			t.Run(v.name+"/"+g.name, func(t *testing.T) {
				t.Parallel()
				g.isHeld(t, setup{edits: v.edits})
			})
		}
	}
}

// isHeld sends all that is made to look like the guarded requests, or unlike them.
func (g guard) isHeld(t *testing.T, c setup) {
	c.config = guarded(g.settings, g.statements)
	s := start(t, c)
	s.allowed(t, s.get(t, "/open"))
	s.allowed(t, s.get2(t, "/open"))
	s.allowed(t, s.get(t, "/danger"))
	for _, tc := range targets {
		literal := tc.literal != "" && !g.strict
		for _, method := range []string{"GET", "POST"} {
			a := s.send(t, request(method, tc.target))
			s.guardHolds(t, g.names, method+" "+tc.target, a, literal)
		}
		if tc.target != "" {
			s.guardHolds(t, g.names, "HTTP/2 "+tc.target, s.get2(t, tc.target), literal)
		}
	}
	for _, tc := range attacks {
		s.guardHolds(t, g.names, tc.name, s.send(t, tc.raw), false)
	}
	for _, tc := range attacks2 {
		s.guardHolds(t, g.names, tc.name, s.send2(t, tc.fields), false)
	}
}

// guardHolds fails if the upstream has seen what it could read as the guarded request.
func (s *stack) guardHolds(t *testing.T, names func(envoytest.Seen) bool, name string, a answer, literal bool) {
	t.Helper()
	for _, seen := range s.upstream.Take() {
		if names(seen) && !literal {
			t.Errorf("%q: status %d, the upstream saw %s %q", name, a.status, seen.Method, seen.Target)
		}
	}
}

// What is documented as literal passes indeed, under its own name: otherwise the rows above would excuse nothing.
func TestLiteralPathsPass(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: guarded("", denyByPattern)})
	for _, tc := range targets {
		if tc.literal == "" {
			continue
		}
		t.Run(tc.target, func(t *testing.T) {
			if got := s.allowed(t, s.get(t, tc.target)).Target; got != tc.target {
				t.Errorf("the upstream saw %s", got)
			}
		})
	}
}

// attacks are whole requests for the guarded path, or for one that is made to look like it.
var attacks = []struct{ name, raw string }{
	{"host in upper case", "GET /admin HTTP/1.1\r\nHost: PETS.EXAMPLE.COM\r\n\r\n"},
	{"host with a trailing dot", "GET /admin HTTP/1.1\r\nHost: pets.example.com.\r\n\r\n"},
	{"host with a trailing dot and a port", "GET /admin HTTP/1.1\r\nHost: Pets.Example.com.:443\r\n\r\n"},
	{"host with a port", "GET /admin HTTP/1.1\r\nHost: pets.example.com:8080\r\n\r\n"},
	{"host with an odd port", "GET /admin HTTP/1.1\r\nHost: pets.example.com:0x1F90\r\n\r\n"},
	{"host with two ports", "GET /admin HTTP/1.1\r\nHost: pets.example.com:80:80\r\n\r\n"},
	{"host with a user", "GET /admin HTTP/1.1\r\nHost: open@pets.example.com\r\n\r\n"},
	{"host with a path", "GET /admin HTTP/1.1\r\nHost: pets.example.com/open\r\n\r\n"},
	{"host with a comma", "GET /admin HTTP/1.1\r\nHost: pets.example.com,open.example.com\r\n\r\n"},
	{"host with a blank", "GET /admin HTTP/1.1\r\nHost: pets.example.com \t\r\n\r\n"},
	{"host with a NUL", "GET /admin HTTP/1.1\r\nHost: pets.example.com\x00.open\r\n\r\n"},
	{"no host", "GET /admin HTTP/1.1\r\n\r\n"},
	{"an empty host", "GET /admin HTTP/1.1\r\nHost:\r\n\r\n"},
	{"two hosts", "GET /admin HTTP/1.1\r\nHost: pets.example.com\r\nHost: open.example.com\r\n\r\n"},
	{"two hosts, the other way round", "GET /admin HTTP/1.1\r\nHost: open.example.com\r\nHost: pets.example.com\r\n\r\n"},
	{"absolute form with another host", "GET http://pets.example.com/admin HTTP/1.1\r\nHost: open.example.com\r\n\r\n"},
	{"absolute form of another host", "GET http://open.example.com/admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"absolute form with a user", "GET http://a@pets.example.com/admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"absolute form of https", "GET https://pets.example.com/admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"absolute form of another scheme", "GET ftp://pets.example.com/admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"HTTP/1.0", "GET /admin HTTP/1.0\r\nHost: pets.example.com\r\n\r\n"},
	{"HTTP/1.0 without a host", "GET /admin HTTP/1.0\r\n\r\n"},
	{"X-Forwarded-Host", request("GET", "/admin", "X-Forwarded-Host: open.example.com", "Forwarded: host=open.example.com", "X-Host: open.example.com")},
	{"X-Original-URL", request("GET", "/admin", "X-Original-URL: /open", "X-Rewrite-URL: /open", "X-Forwarded-Path: /open", "X-Forwarded-Uri: /open", "X-Envoy-Original-Path: /open")},
	{"X-HTTP-Method-Override away from the guarded method", request("POST", "/danger", "X-HTTP-Method-Override: GET")},
	{"X-HTTP-Method-Override", request("GET", "/danger", "X-HTTP-Method-Override: POST")},
	{"X-HTTP-Method-Override with underscores", request("GET", "/danger", "X_HTTP_METHOD_OVERRIDE: POST")},
	{"X-HTTP-Method-Override twice", request("GET", "/danger", "X-HTTP-Method-Override: GET", "x-http-method-override: POST")},
	{"x-apigw-api-id", request("GET", "/admin", "x-apigw-api-id: opn0000000")},
	{"headers that steer ext_authz", request("GET", "/admin", "x-envoy-auth-partial-body: true", "x-envoy-internal: true", "x-envoy-original-path: /open", "x-envoy-decorator-operation: open")},
	{"pseudo headers in HTTP/1.1", request("GET", "/admin", ":path: /open", ":method: OPTIONS")},
	{"another verb, the route of which is open", request("GET", "/admin", "Content-Length: 0")},
	{"HEAD", request("HEAD", "/admin")},
	{"OPTIONS", request("OPTIONS", "/admin", "Origin: https://a.example", "Access-Control-Request-Method: GET")},
	{"TRACE", request("TRACE", "/admin")},
	{"a method of nobody", request("FOO", "/admin")},
	{"a method in lower case", request("get", "/admin")},
	{"CONNECT", "CONNECT pets.example.com:80 HTTP/1.1\r\nHost: pets.example.com:80\r\n\r\n"},
	{"an upgrade", request("GET", "/admin", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13")},
	{"an upgrade to HTTP/2", request("GET", "/admin", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")},
	{"Expect", request("POST", "/admin", "Expect: 100-continue", "Content-Length: 1")},
	{"a body in chunks", request("POST", "/admin", "Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n\r\n"},
	{"a body that does not end", request("POST", "/admin", "Transfer-Encoding: chunked") + "1\r\na\r\n"},
	{"a body that is shorter than said", request("POST", "/admin", "Content-Length: 10") + "abc"},
	{"a request within a body", request("POST", "/open", "Content-Length: 47", "Connection: close") + "GET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"a request within a body in chunks", request("POST", "/open", "Transfer-Encoding: chunked", "Connection: close") + "2f\r\nGET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n0\r\n\r\n"},
	{"length and chunks", request("POST", "/open", "Content-Length: 4", "Transfer-Encoding: chunked", "Connection: close") + "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"two lengths", request("POST", "/open", "Content-Length: 0", "Content-Length: 47", "Connection: close") + "GET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"chunks spelled oddly", request("POST", "/open", "Transfer-Encoding: xchunked", "Connection: close") + "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"chunks twice", request("POST", "/open", "Transfer-Encoding: chunked, identity", "Connection: close") + "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"a request behind an open one", request("GET", "/open") + request("GET", "/admin")},
	{"a header that goes on in the next line", request("GET", "/admin", "X-A: b\r\n Host: open.example.com")},
	{"lines that end in LF alone", "GET /admin HTTP/1.1\nHost: pets.example.com\n\n"},
	{"blanks in the request line", "GET  /admin  HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"a second target in the request line", "GET /open HTTP/1.1 /admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
	{"a line break in the request line", "GET /open\r/admin HTTP/1.1\r\nHost: pets.example.com\r\n\r\n"},
}

// h2 is an HTTP/2 request: method, authority, path, and further fields as name and value by turns.
func h2(method, authority, target string, more ...string) []hpack.HeaderField {
	fields := []hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: authority}, {Name: ":path", Value: target},
	}
	for i := 0; i < len(more); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: more[i], Value: more[i+1]})
	}
	return fields
}

var attacks2 = []struct {
	name   string
	fields []hpack.HeaderField
}{
	{"a host header beside :authority", h2("GET", "pets.example.com", "/admin", "host", "open.example.com")},
	{"a host header beside another :authority", h2("GET", "open.example.com", "/admin", "host", "pets.example.com")},
	{"a host header alone", []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/admin"}, {Name: "host", Value: "pets.example.com"}}},
	{":authority in upper case", h2("GET", "PETS.example.com", "/admin")},
	{":authority with a trailing dot", h2("GET", "pets.example.com.:443", "/admin")},
	{":authority with a user", h2("GET", "open@pets.example.com", "/admin")},
	{"two paths", h2("GET", "pets.example.com", "/open", ":path", "/admin")},
	{"two paths, the other way round", h2("GET", "pets.example.com", "/admin", ":path", "/open")},
	{"a path without a slash", h2("GET", "pets.example.com", "admin")},
	{"absolute form", h2("GET", "pets.example.com", "http://pets.example.com/admin")},
	{"an empty path", h2("GET", "pets.example.com", "")},
	{"another scheme", []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "pets.example.com"}, {Name: ":path", Value: "/admin"}}},
	{"header names in upper case", h2("GET", "pets.example.com", "/admin", "X-Forwarded-Host", "open.example.com")},
	{"a blank in the path", h2("GET", "pets.example.com", "/open /admin")},
	{"a line break in the path", h2("GET", "pets.example.com", "/open HTTP/1.1\r\nhost: pets.example.com\r\n\r\nGET /admin")},
	{"a line break in a header", h2("GET", "pets.example.com", "/open", "x-a", "b\r\n\r\nGET /admin HTTP/1.1\r\nhost: pets.example.com\r\n\r\n")},
	{"a method with a target", h2("GET /admin HTTP/1.1\r\nhost: a\r\n\r\nGET", "pets.example.com", "/open")},
	{"a transfer-encoding", h2("POST", "pets.example.com", "/admin", "transfer-encoding", "chunked")},
	{"extended CONNECT", h2("CONNECT", "pets.example.com", "/admin", ":protocol", "websocket")},
	{"X-HTTP-Method-Override", h2("GET", "pets.example.com", "/danger", "x-http-method-override", "POST")},
}
