package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// office is an API for clients in one network.
const office = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    upstreamHeaders: {x-client-ip: $context.identity.sourceIp}
    routes:
      - {route: GET /pets, authorization: NONE}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {NotIpAddress: {aws:SourceIp: [203.0.113.0/24, "2001:db8::/32"]}}}
`

// believed are client addresses as X-Forwarded-For may spell them.
var believed = []struct {
	name    string
	headers []string
	client  string // empty: the request is denied
}{
	{"an address of the network", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
	{"with a port", []string{"X-Forwarded-For: 203.0.113.7:4711"}, "203.0.113.7"},
	{"IPv6", []string{"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7"},
	{"IPv6 with a port", []string{"X-Forwarded-For: [2001:db8::7]:4711"}, "2001:db8::7"},
	{"what the client wrote before its own address", []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
	{"what cannot be read before it", []string{"X-Forwarded-For: nonsense, 203.0.113.7"}, "203.0.113.7"},
	{"in two lines", []string{"X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
	{"behind two proxies", []string{"X-Forwarded-For: 203.0.113.7, 127.0.0.9"}, "203.0.113.7"},
	{"another address behind the one of the network", []string{"X-Forwarded-For: 203.0.113.7, 198.51.100.1"}, ""},
	{"the same in two lines", []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.1"}, ""},
	{"a last entry that cannot be read", []string{"X-Forwarded-For: 203.0.113.7, nonsense"}, ""},
	{"an empty last entry", []string{"X-Forwarded-For: 203.0.113.7,"}, ""},
	{"a name", []string{"X-Forwarded-For: localhost"}, ""},
	{"another header", []string{"X-Real-IP: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Envoy-External-Address: 203.0.113.7", "True-Client-IP: 203.0.113.7"}, ""},
	{"nothing", nil, ""},
}

func TestTrustedProxiesNameTheClient(t *testing.T) {
	t.Parallel()
	// The test's own connection comes from 127.0.0.1, and where that is the peer Envoy appends an address of its machine in place of it.
	trusted := strings.Join(append(ownAddresses(t), "127.0.0.0/8"), ", ")
	for _, v := range []variant{
		{"as shipped", nil},
		{"headers joined", []envoytest.Edit{joinedHeaders}},
		{"not the edge", []envoytest.Edit{remoteAddressOff}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: office + "clientAddress: {trustedProxies: [" + trusted + "]}\n", edits: v.edits})
			for _, tc := range believed {
				t.Run(tc.name, func(t *testing.T) {
					a := s.get(t, "/pets", tc.headers...)
					if tc.client == "" {
						s.refused(t, a)
						return
					}
					if got := s.allowed(t, a).Header("x-client-ip"); len(got) != 1 || got[0] != tc.client {
						t.Errorf("the upstream was told %q, want %q", got, tc.client)
					}
				})
			}
		})
	}
}

// Without trusted proxies nothing that a client writes changes its address, whether or not Envoy believes it.
func TestForwardedForIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, v := range []variant{{"as shipped", nil}, {"not the edge", []envoytest.Edit{remoteAddressOff}}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{config: office, edits: v.edits})
			for _, tc := range believed {
				t.Run(tc.name, func(t *testing.T) { s.refused(t, s.get(t, "/pets", tc.headers...)) })
			}
		})
	}
}

// ownAddresses are the machine's.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			own = append(own, n.IP.String()+"/32")
		}
	}
	return own
}

// refused fails if the upstream saw anything or the client was told that all is well.
func (s *stack) refused(t *testing.T, a answer) {
	t.Helper()
	if seen := s.upstream.Take(); len(seen) != 0 || a.status < 400 {
		t.Errorf("status %d, and the upstream saw %+v: want a denial", a.status, seen)
	}
}
