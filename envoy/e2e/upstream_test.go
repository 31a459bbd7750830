package e2e

import (
	"slices"
	"strings"
	"testing"
)

// mapped is an API that tells the upstream about its callers.
const mapped = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com], variables: {alias: live}}
    upstreamHeaders:
      x-client-ip: $context.identity.sourceIp
      x-user-agent: $context.identity.userAgent
      X-Alias: $stageVariables.alias
      x-edge: portcullis
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: GET /mine, authorization: NONE, upstreamHeaders: {x-owner: $context.accountId}}
`

// What a client sends under a name that some route maps never reaches an upstream, however it spells the name and on
// whatever route.
func TestUpstreamHeaders(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: mapped, edits: v.edits})
			for _, tc := range []struct {
				name, target string
				sent         []string
				want         map[string][]string
			}{
				{"set", "/pets", nil, map[string][]string{"x-client-ip": {"127.0.0.1"}, "x-alias": {"live"}, "x-edge": {"portcullis"}}},
				{"set for one route", "/mine", nil, map[string][]string{"x-owner": {"111122223333"}, "x-edge": {"portcullis"}}},
				{"sent by the client", "/pets", []string{"x-client-ip: spoof", "x-alias: spoof"}, map[string][]string{"x-client-ip": {"127.0.0.1"}, "x-alias": {"live"}}},
				{"in another case", "/pets", []string{"X-CLIENT-IP: spoof", "X-Edge: spoof"}, map[string][]string{"x-client-ip": {"127.0.0.1"}, "x-edge": {"portcullis"}}},
				{"repeated", "/pets", []string{"x-edge: spoof", "X-Edge: spoof", "x-edge: spoof"}, map[string][]string{"x-edge": {"portcullis"}}},
				{"with underscores", "/pets", []string{"x_client_ip: spoof", "X_Client-IP: spoof"}, map[string][]string{"x-client-ip": {"127.0.0.1"}, "x_client_ip": nil, "x_client-ip": nil}},
				{"with other characters that are no letters", "/pets", []string{"x.client.ip: spoof", "x~client!ip: spoof"}, map[string][]string{"x-client-ip": {"127.0.0.1"}, "x.client.ip": nil, "x~client!ip": nil}},
				{"a name that only another route sets", "/pets", []string{"x-owner: spoof", "X_Owner: spoof"}, map[string][]string{"x-owner": nil, "x_owner": nil}},
				{"a name whose value is absent", "/pets", []string{"x-user-agent: spoof"}, map[string][]string{"x-user-agent": nil}},
				{"a name that Connection lists", "/pets", []string{"Connection: x-edge, x-client-ip"}, map[string][]string{"x-edge": {"portcullis"}, "x-client-ip": {"127.0.0.1"}}},
				{"a method that overrides", "/pets", []string{"X-HTTP-Method-Override: DELETE", "x_http_method_override: DELETE"}, map[string][]string{"x-http-method-override": nil, "x_http_method_override": nil}},
				{"other overrides", "/pets", []string{"X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-URL: /admin", "x_original_url: /admin", "X_Rewrite-Url: /admin"},
					map[string][]string{"x-http-method": nil, "x-method-override": nil, "x-original-url": nil, "x-rewrite-url": nil, "x_original_url": nil, "x_rewrite-url": nil}},
				{"overrides of WSGI servers", "/pets", []string{"SCRIPT_NAME: /pets", "Script-Name: /pets", "PATH_INFO: /admin", "X-Script-Name: /pets"},
					map[string][]string{"script_name": nil, "script-name": nil, "path_info": nil, "x-script-name": nil}},
				{"a header of nobody's concern", "/pets", []string{"x-other: yes"}, map[string][]string{"x-other": {"yes"}}},
			} {
				t.Run(tc.name, func(t *testing.T) {
					seen := s.allowed(t, s.get(t, tc.target, tc.sent...))
					for name, want := range tc.want {
						if got := seen.Header(name); !slices.Equal(got, want) {
							t.Errorf("%s: %q, want %q", name, got, want)
						}
					}
					if strings.Contains(strings.Join(seen.Headers, "\n"), "spoof") {
						t.Errorf("what the client sent reached the upstream: %q", seen.Headers)
					}
				})
			}
		})
	}
}

// A value that the client has a hand in does not end its header line: what a header cannot carry is percent-encoded.
func TestUpstreamHeadersHoldOneLine(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: mapped})
	for sent, want := range map[string]string{
		"agent \"7\"":     "agent \"7\"",
		"agent\t\u00e9":   "agent%09%C3%A9",
		"agent\xff\xfe":   "agent%FF%FE",
		"agent%0d%0aa: b": "agent%0d%0aa: b",
	} {
		seen := s.allowed(t, s.get(t, "/pets", "User-Agent: "+sent))
		if got := seen.Header("x-user-agent"); len(got) != 1 || got[0] != want {
			t.Errorf("User-Agent %q: the upstream was told %q, want %q", sent, got, want)
		}
	}
}

// The query of a presigned request reaches the upstream byte for byte, but for the signature, and the route stays the one that the
// request was judged by.
func TestPresignedQueriesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		for name, c := range map[string]setup{"as shipped": signing(""), "as printed": printedSigning()} {
			t.Run(name, func(t *testing.T) {
				c.envoy = bin
				s := start(t, c)
				for _, target := range []string{
					"/pets?b=1&a=2", "/pets?flag", "/pets?flag=", "/pets?z=1&a=2&z=0&a", "/pets?a=%7E&b=%c3%a9&c=x+y&d=%2f/", "/pets", "/pets/a%2Fb/?q=1", "/pets/7?x=a=b&y=?&z",
				} {
					r := goClient().mustSign(t, by(user(owner, member), presigned, "GET", target))
					for _, a := range []answer{s.send11(t, r), s.send20(t, r)} {
						if a.status != 200 {
							t.Errorf("%s: %d %s", target, a.status, a.body)
						}
						for _, seen := range s.upstream.Take() {
							if want := unspent(t, r.Target); seen.Target != want {
								t.Errorf("%s: the upstream saw %s, want %s", r.Target, seen.Target, want)
							}
							s.keepsSignature(t, seen, r)
						}
					}
				}
			})
		}
	})
}

// printedSigning is signing with the bootstrap that portcullis envoy prints.
func printedSigning() setup {
	c := signing("")
	c.file, c.printed = "", []string{}
	return c
}
