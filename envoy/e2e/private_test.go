package e2e

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// private is a private API for two endpoints, of which the second has a policy of its own, and tells the upstream how a
// request came. The clients' addresses lie among our proxies'.
const private = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    endpoint: PRIVATE
    executeApiEndpoint: true
    stages:
      - {name: prod, domains: [pets.example.com]}
    upstreamHeaders:
      x-vpce: $context.identity.vpceId
      x-vpc: $context.identity.vpcId
      x-client: $context.identity.sourceIp
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: GET /admin, authorization: NONE}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {StringNotEquals: {aws:SourceVpce: [vpce-1a2b3c4d, vpce-2b3c4d5e]}}}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {IpAddress: {aws:VpcSourceIp: 10.9.9.9/32}}}
  - id: opn0000000
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [open.example.com]}
    routes:
      - {route: GET /pets, authorization: NONE}
vpcEndpoints:
  - {id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d}
  - id: vpce-2b3c4d5e
    policy:
      Statement:
        - {Effect: Allow, Principal: "*", Action: "*", Resource: "*"}
        - {Effect: Deny, Principal: "*", Action: "*", Resource: "arn:aws:execute-api:*:*:*/admin"}
clientAddress: {trustedProxies: [10.0.0.0/8]}
`

// The two virtual hosts of private: the second one has no API of its own to begin with.
var openHost = envoytest.Edit{Old: "            - name: unknown\n", New: `            - name: open
              domains: [open.example.com]
              routes:
              - match: {prefix: /}
                route: {cluster: upstream}
            - name: unknown
`}

// tlv is one of the PROXY protocol's.
func tlv(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// vpce is the TLV that a Network Load Balancer sends for a connection that came by an endpoint.
func vpce(id string) string { return tlv(0xEA, "\x01"+id) }

// proxied is the PROXY protocol's header, version 2, for a connection from an address to port 443.
func proxied(client string, tlvs ...string) string {
	source, family := net.ParseIP(client), byte(0x21)
	addresses := append(source.To16(), net.IPv6loopback...)
	if v4 := source.To4(); v4 != nil {
		addresses, family = append(slices.Clone(v4), 10, 0, 0, 1), 0x11
	}
	return header(0x21, family, string(addresses)+"\x9c\x40\x01\xbb"+strings.Join(tlvs, ""))
}

// header puts signature, version and command, family and length before what follows.
func header(command, family byte, rest string) string {
	length := binary.BigEndian.AppendUint16([]byte{command, family}, uint16(len(rest)))
	return "\r\n\r\n\x00\r\nQUIT\n" + string(length) + rest
}

// behind is the stack behind a load balancer that puts bytes before what each client sends.
func (s *stack) behind(t *testing.T, header string) *stack {
	t.Helper()
	balancer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			client, err := balancer.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { forward(client.(*net.TCPConn), s.addr, header) })
		}
	})
	t.Cleanup(func() {
		balancer.Close()
		connections.Wait()
	})
	behind := *s
	behind.addr = balancer.Addr().String()
	return &behind
}

// forward passes bytes both ways until both sides have ended. A client that goes on after Envoy has closed is read to its end,
// so that its connection is not reset before it has seen the answer.
func forward(client *net.TCPConn, addr, header string) {
	defer client.Close()
	envoy, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer envoy.Close()
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, envoy) // how a connection ends is for the client to see
		_ = client.CloseWrite()
	})
	if _, err := io.WriteString(envoy, header); err == nil {
		_, _ = io.Copy(envoy, client)
	}
	_, _ = io.Copy(io.Discard, client)
	envoy.Close()
	answers.Wait()
}

const goodEndpoint = "vpce-1a2b3c4d"

func TestPrivateAPIByItsEndpoint(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{file: "private-api.yaml", config: private, edits: v.edits})
			for _, tc := range []struct {
				name, header      string
				vpce, vpc, client string
			}{
				{"listed", proxied("203.0.113.7", vpce(goodEndpoint)), goodEndpoint, "vpc-1a2b3c4d", "203.0.113.7"},
				{"IPv6", proxied("2001:db8::7", vpce(goodEndpoint)), goodEndpoint, "vpc-1a2b3c4d", "2001:db8::7"},
				{"among other TLVs", proxied("203.0.113.7", tlv(0x04, "\x00\x00"), tlv(0x05, "vpce-2b3c4d5e"), vpce(goodEndpoint), tlv(0xEB, "\x01vpce-2b3c4d5e")), goodEndpoint, "vpc-1a2b3c4d", "203.0.113.7"},
				{"an address of our proxies", proxied("10.1.2.3", vpce(goodEndpoint)), goodEndpoint, "vpc-1a2b3c4d", "10.1.2.3"},
				{"with a policy, no VPC", proxied("203.0.113.7", vpce("vpce-2b3c4d5e")), "vpce-2b3c4d5e", "", "203.0.113.7"},
			} {
				t.Run(tc.name, func(t *testing.T) {
					behind := s.behind(t, tc.header)
					claims := []string{"X-Forwarded-For: 203.0.113.99", "x-vpce: vpce-2b3c4d5e", "x-vpc: vpc-2b3c4d5e", "x-amzn-vpce-id: vpce-2b3c4d5e"}
					for name, a := range map[string]answer{"HTTP/1.1": behind.get(t, "/pets", claims...), "HTTP/2": behind.get2(t, "/pets")} {
						if a.status != 200 {
							t.Fatalf("%s: status %d, body %s", name, a.status, a.body)
						}
					}
					seen := s.upstream.Take()
					if len(seen) != 2 {
						t.Fatalf("the upstream saw %d requests, want 2", len(seen))
					}
					for _, r := range seen {
						for name, want := range map[string]string{"x-vpce": tc.vpce, "x-vpc": tc.vpc, "x-client": tc.client} {
							if got := strings.Join(r.Header(name), ","); got != want {
								t.Errorf("%s: %q, want %q", name, got, want)
							}
						}
					}
				})
			}
		})
	}
}

// What the load balancer does not attest in the one TLV, nothing attests: each of these is refused, and the upstream sees
// nothing.
func TestPrivateAPIByNoEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "private-api.yaml", config: private})
	const client = "203.0.113.7"
	for _, tc := range []struct {
		name, header string
		status       int
		errorType    string
	}{
		{"no TLV", proxied(client), 403, "ForbiddenException"},
		{"no TLV, IPv6", proxied("2001:db8::7"), 403, "ForbiddenException"},
		{"an address of our proxies", proxied("10.1.2.3"), 403, "ForbiddenException"},
		{"another TLV", proxied(client, tlv(0x05, "\x01"+goodEndpoint)), 403, "ForbiddenException"},
		{"the TLV of another type", proxied(client, tlv(0xEB, "\x01"+goodEndpoint)), 403, "ForbiddenException"},
		{"the TLV within another", proxied(client, tlv(0x20, vpce(goodEndpoint))), 403, "ForbiddenException"},
		{"a health check of the load balancer", header(0x20, 0x00, ""), 403, "ForbiddenException"},
		{"a health check with the TLV", header(0x20, 0x00, vpce(goodEndpoint)), 403, "ForbiddenException"},

		{"another endpoint", proxied(client, vpce("vpce-ffffffff")), 403, "AccessDeniedException"},
		{"another endpoint, and ours behind it", proxied(client, vpce("vpce-ffffffff"), vpce(goodEndpoint)), 403, "AccessDeniedException"},
		{"an address that is denied", proxied("10.9.9.9", vpce(goodEndpoint)), 403, "AccessDeniedException"},

		{"another subtype", proxied(client, tlv(0xEA, "\x02"+goodEndpoint)), 500, "InternalServerErrorException"},
		{"another subtype, and ours behind it", proxied(client, tlv(0xEA, "\x02"), vpce(goodEndpoint)), 500, "InternalServerErrorException"},
		{"no subtype", proxied(client, tlv(0xEA, goodEndpoint)), 500, "InternalServerErrorException"},
		{"a TLV of length 0", proxied(client, tlv(0xEA, "")), 500, "InternalServerErrorException"},
		{"a subtype alone", proxied(client, tlv(0xEA, "\x01")), 500, "InternalServerErrorException"},
		{"a VPC's id", proxied(client, vpce("vpc-1a2b3c4d")), 500, "InternalServerErrorException"},
		{"upper case", proxied(client, vpce("VPCE-1A2B3C4D")), 500, "InternalServerErrorException"},
		{"a blank behind", proxied(client, vpce(goodEndpoint+" ")), 500, "InternalServerErrorException"},
		{"a NUL behind", proxied(client, vpce(goodEndpoint+"\x00")), 500, "InternalServerErrorException"},
		{"bytes that are not UTF-8", proxied(client, vpce(goodEndpoint+"\xff")), 500, "InternalServerErrorException"},
		{"two ids", proxied(client, vpce(goodEndpoint+"\x01vpce-ffffffff")), 500, "InternalServerErrorException"},

		// Envoy closes these connections without an answer, or cannot read the request.
		{"no header", "", 0, ""},
		{"version 1", "PROXY TCP4 203.0.113.7 10.0.0.1 40000 443\r\n", 0, ""},
		{"version 1, and version 2 behind it", "PROXY TCP4 203.0.113.7 10.0.0.1 40000 443\r\n" + proxied(client, vpce(goodEndpoint)), 0, ""},
		{"version 3", strings.Replace(proxied(client, vpce(goodEndpoint)), "\x21\x11", "\x31\x11", 1), 0, ""},
		{"a connection of an unknown kind", header(0x21, 0x00, vpce(goodEndpoint)), 0, ""},
		{"a TLV that is cut", proxied(client, "\xea\x00\xff\x01"+goodEndpoint), 0, ""},
		{"half a TLV", proxied(client, "\xea"), 0, ""},
		{"a second header, from the client", proxied(client) + proxied("203.0.113.8", vpce(goodEndpoint)), 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.behind(t, tc.header).get(t, "/pets")
			s.denied(t, a, tc.status)
			if got := a.header.Get("x-amzn-ErrorType"); got != tc.errorType {
				t.Errorf("%q, %s; want %q", got, a.body, tc.errorType)
			}
		})
	}
}

// Of two TLVs Envoy hands on the first. There is one of each where only the load balancer writes them.
func TestFirstTLVCounts(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "private-api.yaml", config: private})
	behind := s.behind(t, proxied("203.0.113.7", vpce(goodEndpoint), vpce("vpce-ffffffff")))
	if got := s.allowed(t, behind.get(t, "/pets")).Header("x-vpce"); !slices.Equal(got, []string{goodEndpoint}) {
		t.Errorf("the upstream was told %q", got)
	}
}

// claims are header lines by which a client says that it came by an endpoint, or from an address that may.
var claims = [][]string{
	nil,
	{"x-amzn-vpce-id: vpce-1a2b3c4d", "x-amzn-vpc-id: vpc-1a2b3c4d", "x-amzn-vpce-config: 1"},
	{"x-vpce: vpce-1a2b3c4d", "x-vpc: vpc-1a2b3c4d", "x-client: 10.1.2.3", "aws_vpce: vpce-1a2b3c4d"},
	{"x-apigw-api-id: a1b2c3d4e5"},
	{"X-Forwarded-For: 10.1.2.3", "Forwarded: for=10.1.2.3", "X-Real-IP: 10.1.2.3", "True-Client-IP: 10.1.2.3", "X-Forwarded-Host: " + goodHost},
	{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 192.168.7.7", "X-Forwarded-For: 192.168.7.7, 10.1.2.3"},
	{"X-Envoy-External-Address: 10.1.2.3", "X-Envoy-Internal: true", "X-Envoy-Original-Dst-Host: 10.1.2.3:80", "X-Envoy-Peer-Metadata: vpce-1a2b3c4d"},
	{"portcullis.listener: internal", "portcullis-listener: internal", "x-portcullis-listener: internal"},
	{"Proxy-Protocol: 2", "PROXY: TCP4 10.1.2.3", "Via: vpce-1a2b3c4d"},
}

const goodHost = "a1b2c3d4e5-vpce-1a2b3c4d.execute-api.eu-west-1.amazonaws.com"

// hostOfEndpoint adds the name that an endpoint has for the API to those that Envoy routes.
var hostOfEndpoint = envoytest.Edit{Old: "domains: [pets.example.com]", New: "domains: [pets.example.com, " + goodHost + "]"}

func TestClientsCannotClaimAnEndpoint(t *testing.T) {
	t.Parallel()
	networks := strings.Replace(private, "vpc: vpc-1a2b3c4d}", "vpc: vpc-1a2b3c4d, networks: [192.168.0.0/16], listeners: [internal]}", 1)
	balanced := start(t, setup{file: "private-api.yaml", config: networks, edits: []envoytest.Edit{hostOfEndpoint, anyBasePath}})
	for name, s := range map[string]*stack{
		"behind the load balancer": balanced.behind(t, proxied("203.0.113.7")),
		"on a normal listener":     start(t, setup{config: networks, edits: []envoytest.Edit{hostOfEndpoint, anyBasePath}}),
		"on one with the metadata": start(t, setup{config: networks, edits: []envoytest.Edit{hostOfEndpoint, anyBasePath, {
			Old: "encode_raw_headers: true\n", New: "encode_raw_headers: true\n              metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]\n"}}}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, lines := range claims {
				check(t, s, s.get(t, "/pets", lines...), 403, "ForbiddenException", forbidden)
				check(t, s, s.get(t, "/pets?aws_vpce=vpce-1a2b3c4d", lines...), 403, "ForbiddenException", forbidden)
				raw := "GET /prod/pets HTTP/1.1\r\nHost: " + goodHost + "\r\n" + strings.Join(append(lines, "x-a: b"), "\r\n") + "\r\n\r\n"
				check(t, s, s.send(t, raw), 403, "ForbiddenException", forbidden)
			}
			for _, header := range []string{proxied("192.168.7.7", vpce(goodEndpoint)), "PROXY TCP4 192.168.7.7 10.0.0.1 40000 443\r\n"} {
				s.denied(t, s.behind(t, header).get(t, "/pets"), 400)
			}
		})
	}
}

// One connection has one endpoint, for each of its requests.
func TestEveryRequestOfAConnectionHasItsEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "private-api.yaml", config: private})
	for header, status := range map[string]int{proxied("203.0.113.7", vpce(goodEndpoint)): 200, proxied("203.0.113.7"): 403} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, header); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(c)
		for range 3 {
			if _, err := io.WriteString(c, request("GET", "/pets")); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("status %d, want %d", resp.StatusCode, status)
			}
		}
	}
	if seen := s.upstream.Take(); len(seen) != 3 {
		t.Errorf("the upstream saw %d requests, want 3", len(seen))
	}
}

func TestVPCEndpointPolicyThroughEnvoy(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "private-api.yaml", config: private})
	const v4 = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=0a"
	open, guarded := s.behind(t, proxied("203.0.113.7", vpce(goodEndpoint))), s.behind(t, proxied("203.0.113.7", vpce("vpce-2b3c4d5e")))
	s.allowed(t, open.get(t, "/admin"))
	s.allowed(t, open.get(t, "/pets", v4))
	s.allowed(t, guarded.get(t, "/pets", "Authorization: Bearer x"))
	for _, target := range []string{"/admin", "/admin/", "//admin"} {
		a := guarded.get(t, target)
		s.denied(t, a, 403)
		if !strings.HasSuffix(a.body, ` with an explicit deny in a VPC endpoint policy"}`) {
			t.Errorf("%s: %s", target, a.body)
		}
	}
	// A signature that cannot be verified is denied, whatever the policy says to nobody in particular.
	for _, a := range []answer{guarded.get(t, "/pets", v4), guarded.get(t, "/pets?X-Amz-Signature=0a"), guarded.get(t, "/pets", "Authorization: Bearer x", v4)} {
		s.denied(t, a, 403)
		if a.header.Get("x-amzn-ErrorType") != "IncompleteSignatureException" {
			t.Errorf("%+v", a)
		}
	}
}

// The name of an endpoint leads to the API by that endpoint only, and an API that is not private is reached by none.
func TestHostsByAnEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, setup{file: "private-api.yaml", config: private, edits: []envoytest.Edit{hostOfEndpoint, openHost, anyBasePath}})
	named := "GET /prod/pets HTTP/1.1\r\nHost: " + goodHost + "\r\n\r\n"
	open := "GET /pets HTTP/1.1\r\nHost: open.example.com\r\n\r\n"
	without := s.behind(t, proxied("203.0.113.7"))
	by := func(id string) *stack { return s.behind(t, proxied("203.0.113.7", vpce(id))) }
	s.allowed(t, by(goodEndpoint).send(t, named))
	check(t, s, by("vpce-2b3c4d5e").send(t, named), 403, "ForbiddenException", forbidden)
	check(t, s, without.send(t, named), 403, "ForbiddenException", forbidden)
	s.allowed(t, without.send(t, open))
	check(t, s, by(goodEndpoint).send(t, open), 403, "ForbiddenException", forbidden)
}

// Where no load balancer attests an endpoint, a listener's name or the client's network does.
func TestEndpointsByListenerAndNetwork(t *testing.T) {
	t.Parallel()
	byListener := strings.Replace(private, "vpc: vpc-1a2b3c4d}", "vpc: vpc-1a2b3c4d, listeners: [internal]}", 1)
	byNetwork := strings.Replace(private, "vpc: vpc-1a2b3c4d}", "vpc: vpc-1a2b3c4d, networks: [127.0.0.0/8]}", 1)
	named := func(name string) envoytest.Edit {
		return envoytest.Edit{Old: "portcullis.stage: prod\n", New: "portcullis.stage: prod\n                      portcullis.listener: " + name + "\n"}
	}
	told := func(t *testing.T, s *stack) {
		t.Helper()
		seen := s.allowed(t, s.get(t, "/pets", "X-Forwarded-For: 10.9.9.9", "x-amzn-vpce-id: vpce-ffffffff"))
		for name, want := range map[string]string{"x-vpce": goodEndpoint, "x-vpc": "vpc-1a2b3c4d", "x-client": "127.0.0.1"} {
			if got := strings.Join(seen.Header(name), ","); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	t.Run("listener", func(t *testing.T) {
		told(t, start(t, setup{config: byListener, edits: []envoytest.Edit{named("internal")}}))
	})
	t.Run("network", func(t *testing.T) { told(t, start(t, setup{config: byNetwork})) })
	t.Run("listener of nobody", func(t *testing.T) {
		s := start(t, setup{config: byNetwork, edits: []envoytest.Edit{named("internal")}})
		check(t, s, s.get(t, "/pets"), 500, "InternalServerErrorException", `{"message":"Internal server error"}`)
	})
	t.Run("listener, and the load balancer's word before it", func(t *testing.T) {
		s := start(t, setup{file: "private-api.yaml", config: byListener, edits: []envoytest.Edit{named("internal")}})
		s.denied(t, s.behind(t, proxied("203.0.113.7", vpce("vpce-ffffffff"))).get(t, "/pets"), 403)
		s.denied(t, s.behind(t, proxied("203.0.113.7", tlv(0xEA, "\x02"))).get(t, "/pets"), 500)
		s.allowed(t, s.behind(t, proxied("203.0.113.7")).get(t, "/pets"))
	})
}

// A listener that lets in connections without the header takes them for what they are.
func TestConnectionWithoutTheHeaderHasNoEndpoint(t *testing.T) {
	t.Parallel()
	const versions = "disallowed_versions: [V1]"
	s := start(t, setup{file: "private-api.yaml", config: private, edits: []envoytest.Edit{{Old: versions, New: "allow_requests_without_proxy_protocol: true"}}})
	for _, header := range []string{"", "PROXY TCP4 203.0.113.7 10.0.0.1 40000 443\r\n"} {
		check(t, s, s.behind(t, header).get(t, "/pets"), 403, "ForbiddenException", forbidden)
	}
}

// An Envoy that keeps the metadata to itself closes the private API.
func TestMetadataThatIsNotHandedOn(t *testing.T) {
	t.Parallel()
	const handedOn = "metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]"
	for _, edit := range []envoytest.Edit{
		{Old: handedOn, New: "metadata_context_namespaces: [envoy.filters.http.lua]"},
		{Old: handedOn, New: "route_metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]"},
		{Old: handedOn, New: "typed_metadata_context_namespaces: [envoy.filters.listener.proxy_protocol]"},
		{Old: "tlv_type: 0xEA", New: "tlv_type: 0xEB"},
		{Old: "key: aws_vpce}", New: "key: PP2_TYPE_AWS}"},
	} {
		t.Run(edit.New, func(t *testing.T) {
			t.Parallel()
			s := start(t, setup{file: "private-api.yaml", config: private, edits: []envoytest.Edit{edit}})
			check(t, s, s.behind(t, proxied("203.0.113.7", vpce(goodEndpoint))).get(t, "/pets"), 403, "ForbiddenException", forbidden)
		})
	}
}
