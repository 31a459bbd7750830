package e2e

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// anyHost hands every host to the upstream, as a sidecar does.
var anyHost = []envoytest.Edit{
	{Old: "domains: [pets.example.com]", New: `domains: ["*"]`},
	{Old: `domains: ["*"]` + "\n              routes:\n              - match: {prefix: /}\n                direct_response", New: "domains: [elsewhere.example.com]\n              routes:\n              - match: {prefix: /}\n                direct_response"},
}

// belowV1 is an API that is below a base path alone: /admin takes signatures, all else is open.
const belowV1 = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com/v1]}
    routes:
      - {route: "ANY /admin/{proxy+}", authorization: AWS_IAM}
      - {route: "ANY /{proxy+}", authorization: NONE}
`

// toHost is a GET request for a host.
func toHost(host, target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
}

// A host that Envoy hands on and no API owns does not choose how the path is read: with the base path on it, /v1/admin/x is no open
// route's.
func TestUnknownHostDoesNotChooseTheReading(t *testing.T) {
	t.Parallel()
	c := signing("")
	c.config = belowV1 + signedAPI[strings.Index(signedAPI, "\niam:"):]
	c.edits = append([]envoytest.Edit{{Old: "portcullis.basePath: /", New: "portcullis.basePath: /v1"}}, anyHost...)
	s := start(t, c)
	s.allowed(t, s.send(t, toHost("pets.example.com", "/v1/open/x")))
	for _, host := range []string{"pets.example.com", "other", "PETS.example.org", "127.0.0.1:8080", "v1", "[::1]"} {
		for _, target := range []string{"/v1/admin/x", "/admin/x", "//v1/admin/x"} {
			s.refused(t, s.send(t, toHost(host, target)))
		}
	}
	check(t, s, s.send(t, toHost("other", "/v1/admin/x")), 403, "ForbiddenException", forbidden)
}

// A signature for a host that leads to another service is none, whatever host Envoy hands on.
func TestSignatureForAnotherHost(t *testing.T) {
	t.Parallel()
	c := signing("    signatures: {hostAliases: [public.example.com, pets.internal]}\n")
	c.edits = anyHost
	s := start(t, c)
	alice := user(owner, grants)
	for host, allow := range map[string]bool{
		"pets.example.com": true, "pets.example.com:8080": true, "public.example.com": true, "pets.internal:80": true,
		"orders.other-team.internal": false, "127.0.0.1": false, "example.com": false, "pets.internal.evil.example": false,
	} {
		for _, m := range []mode{inHeader, presigned} {
			request := by(alice, m, "GET", "/pets")
			request.URL = strings.Replace(request.URL, "https://pets.example.com", "http://"+host, 1)
			r := goClient().mustSign(t, request)
			a := s.send(t, strings.Replace(r.wire(), "Host: pets.example.com", "Host: "+strings.TrimSuffix(host, ":80"), 1))
			if allow {
				s.allowed(t, a)
			} else {
				check(t, s, a, 403, "InvalidSignatureException", mismatch)
			}
		}
	}
}

// neighbours share a host and an upstream: /pets/admin is closed to everybody, and all that is not below /pets is open.
const neighbours = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    strictPaths: true
    stages:
      - {name: prod, domains: [api.example.com/pets]}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/*/admin", "execute-api:/prod/*/admin/*"]}
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
  - id: opn0000000
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [api.example.com]}
    routes:
      - {route: "ANY /{proxy+}", authorization: NONE}
`

// A path that a server may read as a neighbour's is not judged as one of the open API.
func TestNeighboursOnOneHost(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: neighbours, printed: []string{"--upstream", "opn0000000=another"}})
	s.allowed(t, s.send(t, toHost("api.example.com", "/pets/open")))
	s.allowed(t, s.send(t, toHost("api.example.com", "/open;x/a%2Fb%20")))
	for _, target := range []string{
		"/pets/admin", "/pets;x/admin", "/pets;/admin", "/pets%3Bx/admin", "/;x/pets/admin", "/pets%2fadmin", "/pets%2Fadmin", "/%2Fpets/admin", "/pets%2F/admin",
		"/pets%20/admin", "/%20pets/admin", "/pets%C2%A0/admin", "/pets./admin", "/PETS/admin", "/Pets/ADMIN", "/%2570ets/admin", "/pets%252Fadmin", "/pets%3F/admin", "/pets%23",
		"/pets%20;x/admin", "/PETS%2Fadmin", "/%70ets/admin", "//pets/admin",
	} {
		s.refused(t, s.send(t, toHost("api.example.com", target)))
		s.refused(t, s.send2(t, h2("GET", "api.example.com", target)))
	}
	check(t, s, s.send(t, toHost("api.example.com", "/pets;x/admin")), 400, "BadRequestException", `{"message":"Bad Request"}`)
}

// A base path that Envoy hands on as it was spelled is one of the configuration's or none: its routes compare bytes.
func TestBasePathSpelledOtherwise(t *testing.T) {
	t.Parallel()
	asSent := func(_, bootstrap string) string {
		for _, e := range []envoytest.Edit{normalizeOff, mergeOff} {
			bootstrap = strings.ReplaceAll(bootstrap, e.Old, e.New)
		}
		return bootstrap
	}
	s := start(t, setup{config: neighbours, printed: []string{"--upstream", "opn0000000=another"}, change: asSent})
	s.allowed(t, s.send(t, toHost("api.example.com", "/pets/open")))
	s.allowed(t, s.send(t, toHost("api.example.com", "/%6Fpen")))
	for _, target := range []string{"/%70ets/admin", "/%70ets/open", "/pet%73/open", "//pets/admin", "//pets/open", "///pets/admin"} {
		s.refused(t, s.send(t, toHost("api.example.com", target)))
		s.refused(t, s.send2(t, h2("GET", "api.example.com", target)))
	}
}

// openBesideGuarded is an API whose open routes take what is not spelled exactly as a guarded one.
const openBesideGuarded = `
apis:
  - id: a1b2c3d4e5
    %s
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: %s, domains: [pets.example.com]}
    routes:
      - {route: "GET /users/{id}", authorization: NONE}
      - {route: GET /users/admin, authorization: AWS_IAM}
      - {route: "GET /users/{id}/keys", authorization: AWS_IAM}
      - {route: "GET /{proxy+}", authorization: NONE}
`

// A path that a server may read as a guarded route's is not judged as an open one's.
func TestOpenRouteBesideAGuardedOne(t *testing.T) {
	t.Parallel()
	for kind, stage := range map[string]string{"REST": "prod", "HTTP": "$default"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := signing("")
			if kind == "HTTP" {
				c = onHTTP()
			}
			api := strings.Replace(strings.Replace(openBesideGuarded, "%s", "kind: "+kind, 1), "%s", stage, 1)
			c.config = api + signedAPI[strings.Index(signedAPI, "\niam:"):]
			s := start(t, c)
			for _, target := range []string{"/users/7", "/users/a;b", "/users/a%2Fb", "/users/a%20b", "/users/caf%C3%A9", "/open;x%2F"} {
				s.allowed(t, s.get(t, target))
			}
			for _, target := range []string{
				"/users/admin", "/users/admin/", "/users/admin%2F", "/users/admin;", "/users/admin;x", "/users/admin%3B", "/users;x/admin", "/users%2Fadmin", "/users/7%2Fkeys",
				"/users/%2561dmin", "/users/admin%252F", "/users/admin%3F", "/users/admin%23x", "/users/admin%20", "/users/%20admin", "/users%20/admin", "/users/admin%C2%A0",
				"/users/admin.", "/users/admin%20;x%2F", "/users;/%20admin%3F", "/users/x/..%20/admin",
			} {
				s.refused(t, s.get(t, target))
				s.refused(t, s.get2(t, target))
			}
		})
	}
}
