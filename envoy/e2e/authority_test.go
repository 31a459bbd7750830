package e2e

import (
	"strings"
	"testing"
)

// based are two APIs below base paths of one host. /admin of the first is guarded, and everything else is open.
const based = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [api.example.com/pets]}]
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/admin"}
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
  - id: opn0000000
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [api.example.com/open]}]
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
`

// Envoy, where it ignores ports, takes more for a port than a URI may have: +80, -0, 0x50. portcullis must not take such a host for
// one that nobody owns, and the base path for a part of the API's path.
func TestPortsThatAreNone(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: based, printed: []string{"--upstream", "opn0000000=another"}})
	for _, host := range []string{
		"api.example.com:+80", "api.example.com:-0", "api.example.com:0x50", "api.example.com:_80", "api.example.com:+00080", "API.EXAMPLE.COM:+1",
		"api.example.com", "api.example.com:80", "api.example.com:", "api.example.com.", "api.example.com.:80", "api.example.com:99999999999999",
		"api.example.com::80", "api.example.com:80:80", "api.example.com,api.example.com", "api.example.com%00", "x@api.example.com", "[::1]:+80",
	} {
		if a := s.send(t, "GET /pets/admin HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); a.status != 403 {
			t.Errorf("%s: %d %s", host, a.status, a.body)
		}
		if a := s.send2(t, h2("GET", host, "/pets/admin")); a.status != 403 && !strings.Contains(host, "@") { // Envoy closes the stream itself
			t.Errorf("%s, HTTP/2: %d %s", host, a.status, a.body)
		}
	}
	if seen := s.upstream.Take(); len(seen) > 0 {
		t.Errorf("the upstream saw %v", seen)
	}
	if a := s.send(t, "GET /pets/open HTTP/1.1\r\nHost: api.example.com:80\r\n\r\n"); a.status != 200 {
		t.Errorf("an open path: %d %s", a.status, a.body)
	}
}
