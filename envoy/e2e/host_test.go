package e2e

import (
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// two APIs: one that is guarded, whose upstream Envoy knows, and an open one of the same portcullis.
const two = pets + `
  - id: opn0000000
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [open.example.com, pets.example.com/open]}
      - {name: test, domains: [test.example.com]}
    executeApiEndpoint: true
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
      - {route: ANY /, authorization: NONE}
`

// The host that a client names must not choose an open API's policy for a guarded upstream, not even where Envoy sends every
// host there.
func TestHostOfAnotherAPI(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"portcullis.stage: prod", "unrelated: setting"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			testHostOfAnotherAPI(t, envoytest.Edit{Old: "portcullis.stage: prod", New: stage})
		})
	}
}

func testHostOfAnotherAPI(t *testing.T, stage envoytest.Edit) {
	s := start(t, setup{config: two, edits: []envoytest.Edit{
		stage,
		{Old: "domains: [pets.example.com]", New: `domains: ["*"]`},
		{Old: `domains: ["*"]` + "\n              routes:\n              - match: {prefix: /}\n                direct_response", New: "domains: [elsewhere.example.com]\n              routes:\n              - match: {prefix: /}\n                direct_response"},
	}})
	for _, tc := range []struct {
		name, host, target string
		headers            []string
	}{
		{"another API's host", "open.example.com", "/admin", nil},
		{"in upper case", "OPEN.example.COM", "/admin", nil},
		{"with a trailing dot", "open.example.com.", "/admin", nil},
		{"with a port", "open.example.com:443", "/admin", nil},
		{"another API's other stage", "test.example.com", "/admin", nil},
		{"another API's execute-api host", "opn0000000.execute-api.eu-west-1.amazonaws.com", "/prod/admin", nil},
		{"another API's base path on our host", "pets.example.com", "/open/../admin", nil},
		{"our host with the other API's id in a header", "pets.example.com", "/admin", []string{"x-apigw-api-id: opn0000000"}},
		{"our host with the other host forwarded", "pets.example.com", "/admin", []string{"X-Forwarded-Host: open.example.com", "Forwarded: host=open.example.com", "X-Host: open.example.com"}},
		{"nobody's host with the other API's id in a header", "nobody.example.com", "/admin", []string{"x-apigw-api-id: opn0000000"}},
		{"an address", "127.0.0.1", "/admin", nil},
		{"no host", "", "/admin", nil},
		{"a name within the name", "open.example.com@pets.example.com", "/admin", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw := "GET " + tc.target + " HTTP/1.1\r\nHost: " + tc.host + "\r\n"
			for _, h := range tc.headers {
				raw += h + "\r\n"
			}
			s.refused(t, s.send(t, raw+"\r\n"))
		})
	}
	a := s.send(t, "GET /pets HTTP/1.1\r\nHost: open.example.com\r\n\r\n")
	check(t, s, a, 403, "ForbiddenException", forbidden)
	s.allowed(t, s.get(t, "/pets"))
	// A host that nobody owns is Envoy's to route, and has the policies that Envoy names.
	s.allowed(t, s.send(t, "GET /pets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
}

// A rewrite changes what the upstream gets, not what the policies are asked about: the README warns of it.
func TestRewritesComeAfterTheCheck(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets, edits: []envoytest.Edit{{Old: "route: {cluster: upstream}", New: "route: {cluster: upstream, prefix_rewrite: /admin/}"}}})
	if got := s.allowed(t, s.get(t, "/pets")).Target; got != "/admin/pets" {
		t.Errorf("the upstream saw %s", got)
	}
	check(t, s, s.get(t, "/admin"), 403, "AccessDeniedException", explicitDeny)
}
