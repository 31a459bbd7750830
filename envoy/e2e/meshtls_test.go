package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// secureGateway is a gateway with three servers: plain text, TLS, and plain text that redirects to TLS.
func secureGateway() node {
	n := nodes()[0]
	n.name, n.tls, n.flags = "gateway with TLS", true, []string{"--secure-transport", "x-forwarded-proto"}
	n.resources = strings.Replace(meshGateway, `bind: 127.0.0.1, hosts: ["*"]}
`, `bind: 127.0.0.1, hosts: ["*"]}
  - {port: {number: REDIRECT, name: http-redirect, protocol: HTTP}, bind: 127.0.0.1, hosts: ["*"], tls: {httpsRedirect: true}}
  - port: {number: SECURE, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [pets.example.com, cats.example.com]
    tls: {mode: SIMPLE, serverCertificate: FOLDER/tls.crt, privateKey: FOLDER/tls.key}
`, 1)
	return n
}

// A gateway that ends TLS: what aws:SecureTransport is, is how the client came, whatever it says of that itself.
func TestMeshTLS(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	config, pool, issuer := allControls(t)
	n := secureGateway()
	m := startMesh(t, n, setup{
		config: strings.Replace(config, "CATS\n", catsAPI, 1), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
	}, "15s")
	secure := *m
	secure.stack = m.withTLS(t, "pets.example.com")
	eventually(t, "the port for TLS is open", func() bool { return secure.get(t, "/open").status == 200 })
	m.upstream.Take()
	t.Run("in the clear", m.inTheClear)
	t.Run("over TLS", func(t *testing.T) {
		t.Run("policies", secure.policies)
		t.Run("signatures", secure.signatures)
		t.Run("bodies", secure.bodies)
		t.Run("tokens", func(t *testing.T) { secure.tokens(t, pool, issuer) })
		t.Run("function", secure.function)
	})
	t.Run("what the client says of TLS", secure.saysOfTLS)
	t.Run("server names", m.serverNames)
	t.Run("redirects", m.redirects)
	t.Run("outages", func(t *testing.T) {
		m.portcullis.Kill()
		m.nothingPasses(t)
		secure.nothingPasses(t)
		m.denied(t, m.on(m.redirectPort).get(t, "/open"), 503)
		m.noneRejected(t)
	})
}

// withTLS is the stack by its port for TLS, for a client that verifies the gateway's certificate for a name.
func (m *meshStack) withTLS(t *testing.T, name string) *stack {
	t.Helper()
	s := *m.stack
	s.addr = overTLS(t, "127.0.0.1:"+m.securePort, m.trusts(name))
	return &s
}

// trusts is how a client connects that verifies the gateway's certificate for a name.
func (m *meshStack) trusts(name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(m.ca.cert)
	return &tls.Config{RootCAs: roots, ServerName: name}
}

// on is the stack by another port.
func (m *meshStack) on(port string) *stack {
	s := *m.stack
	s.addr = "127.0.0.1:" + port
	return &s
}

// saysProto are the ways in which a client may say that it came by TLS, or not.
func saysProto(proto string) [][]string {
	return [][]string{
		nil,
		{"x-forwarded-proto: " + proto},
		{"X-FORWARDED-PROTO: " + proto},
		{"x-forwarded-proto: " + proto, "x-forwarded-proto: " + proto},
		{"x_forwarded_proto: " + proto},
		{"x-forwarded-scheme: " + proto, "x-forwarded-ssl: on", "front-end-https: on", "x-url-scheme: " + proto},
		{"forwarded: for=192.0.2.1;proto=" + proto},
		{"x-forwarded-proto: " + proto, "x-forwarded-for: 127.0.0.1, 10.0.0.1", "x-envoy-external-address: 10.0.0.1", "x-envoy-internal: true"},
		{"portcullis.secureTransport: true"},
	}
}

// inTheClear are requests in plain text, that say otherwise.
func (m *meshStack) inTheClear(t *testing.T) {
	m.sees(t, m.get(t, "/open"), "x-stage: prod")
	for _, says := range saysProto("https") {
		check(t, m.stack, m.get(t, "/secure", says...), 403, accessDenied, strings.Replace(explicitDeny, "/GET/admin", "/GET/secure", 1))
	}
	m.denied(t, m.get(t, "/secure", "connection: x-forwarded-proto", "x-forwarded-proto: https"), 400)
	for _, scheme := range []string{"http", "https"} {
		for _, says := range [][]hpack.HeaderField{nil, {{Name: "x-forwarded-proto", Value: "https"}}} {
			m.denied(t, m.send2(t, slices.Concat(fieldsOf(scheme, "/secure"), says)), 403)
		}
	}
	m.denied(t, m.send(t, strings.Replace(request("GET", "/secure"), "GET /secure", "GET https://pets.example.com/secure", 1)), 403)
}

// fieldsOf are a request's over HTTP/2.
func fieldsOf(scheme, target string) []hpack.HeaderField {
	return []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: "pets.example.com"}, {Name: ":path", Value: target}}
}

// saysOfTLS are requests over TLS: what the upstream is told is how the client came, whatever it says.
func (m *meshStack) saysOfTLS(t *testing.T) {
	for _, says := range saysProto("http") {
		m.sees(t, m.get(t, "/secure", says...), "x-stage: prod", "x-forwarded-proto: https")
	}
	for _, scheme := range []string{"http", "https"} {
		m.sees(t, m.send2(t, fieldsOf(scheme, "/secure")), "x-forwarded-proto: https")
	}
	check(t, m.stack, m.get(t, "/admin"), 403, accessDenied, explicitDeny)
}

// serverNames are those of the TLS session: one that the gateway has not reaches no upstream, nor does a host of another server.
func (m *meshStack) serverNames(t *testing.T) {
	cats := m.withTLS(t, "cats.example.com")
	m.sees(t, cats.from(t, "cats.example.com", "/cats"), "x-api: c1a2t3s4e5")
	m.sees(t, cats.from(t, "pets.example.com", "/secure"), "x-api: a1b2c3d4e5") // one server: the host chooses, for policy and upstream
	for _, host := range []string{"open.example.com", "nobody.example.com"} {
		m.denied(t, cats.from(t, host, "/cats"), 404) // Envoy's own answer
	}
	for _, name := range []string{"open.example.com", ""} {
		if err := m.handshake(t, name); err == nil {
			t.Errorf("server name %q: a handshake", name)
		}
	}
	if err := m.handshake(t, "pets.example.com"); err != nil {
		t.Errorf("the gateway's own name: %v", err)
	}
}

// handshake is one with a server name, by a client that takes any certificate.
func (m *meshStack) handshake(t *testing.T, name string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+m.securePort)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).HandshakeContext(ctx)
}

// redirects are a port that leads to TLS: nothing reaches an upstream by it, whatever the policies allow and the client says.
func (m *meshStack) redirects(t *testing.T) {
	first := m.on(m.redirectPort)
	for _, says := range saysProto("https") {
		a := first.get(t, "/open", says...)
		m.denied(t, a, 301)
		if got := a.header.Get("Location"); got != "https://pets.example.com/open" {
			t.Errorf("%q: redirected to %q", says, got)
		}
	}
	for _, scheme := range []string{"http", "https"} {
		m.denied(t, first.send2(t, slices.Concat(fieldsOf(scheme, "/open"), []hpack.HeaderField{{Name: "x-forwarded-proto", Value: "https"}})), 301)
	}
	// Envoy asks before it redirects, and says nothing of the route: the host alone chooses the policy, and a signature is not verified.
	m.denied(t, first.send11(t, goClient().mustSign(t, by(user(owner, grants), inHeader, "GET", "/pets/7"))), 500)
	m.denied(t, first.get(t, "/admin"), 403)
	m.denied(t, first.get(t, "/secure"), 403)
	m.denied(t, first.from(t, "nobody.example.com", "/open"), 403)
}

// With numTrustedProxies, Envoy takes X-Forwarded-Proto for that of a proxy in front, whoever sends it: the README says so.
func TestMeshTrustedProxies(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	n := nodes()[0]
	n.flags, n.proxyConfig = []string{"--secure-transport", "x-forwarded-proto"}, "gatewayTopology: {numTrustedProxies: 1}"
	rules, _, _ := strings.Cut(strings.ReplaceAll(pets, "/pets", "/open"), "    resourcePolicy:")
	config := rules + `    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {Bool: {aws:SecureTransport: "false"}, StringLike: {aws:UserAgent: "secure*"}}}
`
	m := startMesh(t, n, setup{config: config}, "15s")
	m.sees(t, m.get(t, "/open"))
	m.denied(t, m.get(t, "/open", "User-Agent: secure"), 403)
	m.sees(t, m.get(t, "/open", "User-Agent: secure", "x-forwarded-proto: https"))
	m.denied(t, m.get(t, "/open", "User-Agent: secure", "x-forwarded-proto: https", "x-forwarded-proto: https"), 403)
}
