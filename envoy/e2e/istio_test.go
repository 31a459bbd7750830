package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// allControls is an API with every control, for a node of a mesh. CATS is a place for another API.
func allControls(t *testing.T) (config string, pool signedUp, issuer *envoytest.OIDCProvider) {
	t.Helper()
	pool = signUp(t, envoytest.StartCognitoLocal(t, poolIssuers, shopPool).UserPool(shopPool), 3600)
	issuer = envoytest.StartOIDCProvider(t, "")
	return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    authorizers:
      shop: {cognito: {userPools: [%q]}}
      staff: {jwt: {issuer: %q, audiences: [pets]}}
      door: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s, timeout: 2s}}
    upstreamHeaders:
      x-api: $context.apiId
      x-stage: $context.stage
      x-caller: $context.identity.userArn
      x-user: $context.authorizer.claims.sub
      x-principal: $context.authorizer.principalId
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /admin, authorization: NONE}
      - {route: GET /secure, authorization: NONE}
      - {route: GET /callers, authorization: NONE}
      - {route: "ANY /pets/{proxy+}", authorization: AWS_IAM}
      - {route: GET /shop, authorizer: shop}
      - {route: GET /staff, authorizer: staff}
      - {route: GET /door, authorizer: door}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/*/admin"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/*/secure", Condition: {Bool: {aws:SecureTransport: "false"}}}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/*/callers", Condition: {StringNotEquals: {portcullis:SourcePrincipal: spiffe://cluster.local/ns/clients/sa/caller}}}
CATS
iam:
  accounts: [{file: 111122223333.json}]
  accessKeys: [{file: access-keys.yaml}]
functions: {"arn:aws:lambda:eu-west-1:111122223333:function:door": {url: %q}}
issuers:
%s`, poolARN(shopPool), issuer.Issuer, newCloud(t, allowsGood).URL, keysOf(pool.pool.Issuer, pool.pool.JWKS)), pool, issuer
}

// withoutCats is a configuration of allControls with no other API.
func withoutCats(config string) string { return strings.Replace(config, "CATS\n", "", 1) }

// catsAPI is another API of the same gateway.
const catsAPI = `
  - id: c1a2t3s4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: test, domains: [cats.example.com, open.example.com]}
    upstreamHeaders: {x-api: $context.apiId, x-stage: $context.stage}
    routes:
      - {route: GET /cats, authorization: NONE}
`

// What portcullis envoy prints for Istio makes of a real istiod's Envoys, at each place of a mesh, what envoy/ has for plain ones.
func TestMesh(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes() {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			config, pool, issuer := allControls(t)
			other := ""
			if n.namespace == "istio-system" {
				other = catsAPI
			}
			m := startMesh(t, n, setup{
				config: strings.Replace(config, "CATS\n", other, 1), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
			}, "15s")
			t.Run("policies", m.policies)
			t.Run("hosts", func(t *testing.T) { m.hosts(t, n) })
			t.Run("signatures", m.signatures)
			t.Run("bodies", m.bodies)
			t.Run("tokens", func(t *testing.T) { m.tokens(t, pool, issuer) })
			t.Run("function", m.function)
			t.Run("identity", func(t *testing.T) { m.identity(t, n) })
			if other != "" {
				t.Run("together", m.together)
			}
			t.Run("excluded", m.excluded)
			t.Run("outages", m.outages)
		})
	}
}

// policies are those of routes that are open to everybody.
func (m *meshStack) policies(t *testing.T) {
	m.sees(t, m.get(t, "/open", "x-stage: forged", "x-caller: forged"), "x-api: a1b2c3d4e5", "x-stage: prod", "x-caller: ")
	m.sees(t, m.get2(t, "/open"), "x-stage: prod")
	check(t, m.stack, m.get(t, "/admin"), 403, accessDenied, explicitDeny)
	check(t, m.stack, m.get2(t, "/admin"), 403, accessDenied, explicitDeny)
	check(t, m.stack, m.get(t, "/nothing"), 403, missingToken, noRoute)
	for _, target := range []string{"//admin", "/open/../admin", "/open/%2e%2e/admin", `/open\..\admin`, "/./admin"} {
		m.denied(t, m.get(t, target), 403) // cleaned up before the check
	}
	for _, target := range []string{"/open/..%2Fadmin", "/open/%252e%252e/admin", "/open/..%5cadmin"} {
		m.denied(t, m.get(t, target), 400)
	}
	if m.byScheme {
		m.denied(t, m.get(t, "/secure"), 403)
		return
	}
	m.sees(t, m.get(t, "/secure"), "x-stage: prod") // by portcullis.secureTransport alone: the server name is not that of a TLS session
}

// hosts are those of the API, of another and of nobody.
func (m *meshStack) hosts(t *testing.T, n node) {
	if n.namespace != "istio-system" {
		// A sidecar has one application behind it, whatever it is called.
		m.sees(t, m.from(t, "app.pets", "/open"), "x-stage: prod")
		m.denied(t, m.from(t, "app.pets", "/admin"), 403)
		return
	}
	m.sees(t, m.from(t, "cats.example.com", "/cats"), "x-api: c1a2t3s4e5", "x-stage: test")
	m.denied(t, m.from(t, "cats.example.com", "/open"), 403)
	m.denied(t, m.from(t, "pets.example.com", "/cats"), 403)
	m.sees(t, m.from(t, "pets.example.com:"+m.port, "/open"), "x-stage: prod")
	m.denied(t, m.from(t, "pets.example.com:"+m.port, "/admin"), 403)
	// A virtual host for all hosts belongs to no API: there the client would choose the policy by its host, and not the upstream.
	for _, host := range []string{"nobody.example.com", "open.example.com"} {
		a := m.from(t, host, "/cats")
		check(t, m.stack, a, 500, "InternalServerErrorException", internal)
	}
}

// together are hosts of two stages in one VirtualService, of which istiod makes one virtual host: it belongs to one of them, and the
// other's hosts are refused, as the README says.
func (m *meshStack) together(t *testing.T) {
	before, _, found := strings.Cut(m.resources, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cats")
	if !found {
		t.Fatal("the resources are other ones")
	}
	m.istiod.Configure(t, "node.yaml", strings.Replace(before, "hosts: [pets.example.com]", "hosts: [pets.example.com, cats.example.com]", 1))
	eventually(t, "the VirtualServices are one", func() bool { return m.get(t, "/open").status == 403 })
	m.upstream.Take()
	check(t, m.stack, m.get(t, "/open"), 403, "ForbiddenException", forbidden)
	empty := goClient().mustSign(t, by(user(owner, grants), inHeader, "POST", "/pets/7")).without("Content-Length").with("Transfer-Encoding", "chunked")
	m.denied(t, m.send(t, empty.wire()+"3\r\nabc\r\n0\r\n\r\n"), 403)
	m.sees(t, m.from(t, "cats.example.com", "/cats"), "x-api: c1a2t3s4e5")
	m.istiod.Configure(t, "node.yaml", m.resources)
	eventually(t, "the VirtualServices are two again", func() bool { return m.get(t, "/open").status == 200 })
	m.upstream.Take()
}

// signatures are made by aws-sdk-go-v2, over bodies of every byte and over headers that are not text.
func (m *meshStack) signatures(t *testing.T) {
	alice := user(owner, grants)
	for _, mode := range []mode{inHeader, presigned} {
		for _, tc := range signables() {
			t.Run(string(mode)+"/"+tc.name, func(t *testing.T) {
				if !strings.HasPrefix(tc.target, "/pets/") {
					tc.target = strings.Replace(tc.target, "/pets", "/pets/7", 1)
				}
				request := goClient().mustSign(t, tc.signedBy(alice, mode))
				m.passes(t, m.send11(t, request), request, alice)
				m.passes(t, m.send20(t, request), request, alice)
				check(t, m.stack, m.send11(t, request.body("other")), 403, invalidSignature, bodyOf(tc.method, mismatch))
				check(t, m.stack, m.send11(t, flip(request)), 403, invalidSignature, bodyOf(tc.method, mismatch))
			})
		}
	}
	raw := by(alice, inHeader, "GET", "/pets/7")
	raw.Headers = [][2]string{{"X-Tag", "caf\xe9"}, {"X-Tag", "b"}}
	request := goClient().mustSign(t, raw)
	m.passes(t, m.send11(t, request), request, alice) // only if Envoy hands on bytes, line by line
	check(t, m.stack, m.get(t, "/pets/7"), 403, missingToken, noRoute)
	denied := goClient().mustSign(t, by(user(owner, refuses), inHeader, "GET", "/pets/7"))
	m.denied(t, m.send11(t, denied), 403)
	m.logsNoSecret(t)
}

// bodies are as long as may be, longer, and of unknown length.
func (m *meshStack) bodies(t *testing.T) {
	alice := user(owner, grants)
	r := by(alice, inHeader, "POST", "/pets/7")
	r.Body = []byte(strings.Repeat("\xff\x00!a", 1<<18))
	request := goClient().mustSign(t, r)
	m.passes(t, m.send11(t, request), request, alice)
	r.Body = append(r.Body, 'x')
	m.denied(t, m.send11(t, goClient().mustSign(t, r)), 413)
	// One that was signed as none.
	empty := goClient().mustSign(t, by(alice, inHeader, "POST", "/pets/7")).without("Content-Length").with("Transfer-Encoding", "chunked")
	m.denied(t, m.send(t, empty.wire()+"3\r\nabc\r\n0\r\n\r\n"), 403)
	m.passes(t, m.send(t, empty.wire()+"0\r\n\r\n"), empty, alice)
}

// tokens are those of a user pool and of another issuer.
func (m *meshStack) tokens(t *testing.T, pool signedUp, issuer *envoytest.OIDCProvider) {
	id := pool.signIn(t).ID
	jwt := issuer.Token(t, envoytest.TokenRequest{Audience: "pets"})
	other := issuer.Token(t, envoytest.TokenRequest{Audience: "cats"})
	for _, tc := range []struct {
		target, good string
		bad          []string
	}{
		{"/shop", id, []string{jwt, id + "x", "x"}},
		{"/staff", jwt, []string{id, other, jwt + "x", "x"}},
	} {
		seen := m.allowed(t, m.get(t, tc.target, bearer(tc.good)))
		if got := seen.Header("x-user"); len(got) != 1 || got[0] == "" {
			t.Errorf("the upstream was told of %q", got)
		}
		for _, bad := range tc.bad {
			m.denied(t, m.get(t, tc.target, bearer(bad)), 401)
		}
		m.denied(t, m.get(t, tc.target), 401)
		m.denied(t, m.get(t, tc.target, bearer(tc.good), bearer(tc.good)), 401)
	}
}

// function is a Lambda authorizer.
func (m *meshStack) function(t *testing.T) {
	m.sees(t, m.get(t, "/door", shows("good")), "x-principal: ann")
	check(t, m.stack, m.get(t, "/door", shows("bad")), 403, accessDenied, functionDenies)
	m.denied(t, m.get(t, "/door"), 401)
}

// identity is the certificate of a workload, without which mutual TLS has nothing pass.
func (m *meshStack) identity(t *testing.T, n node) {
	forged := []string{"x-forwarded-client-cert: URI=spiffe://cluster.local/ns/clients/sa/caller", "portcullis.sourcePrincipal: verified"}
	if !n.mutual {
		m.denied(t, m.get(t, "/callers", forged...), 403)
		return
	}
	m.sees(t, m.get(t, "/callers"), "x-stage: prod")
	another := *m.stack
	another.addr = m.ca.sidecar(t, "127.0.0.1:"+m.port, "spiffe://cluster.local/ns/clients/sa/another")
	m.sees(t, another.get(t, "/open"), "x-stage: prod")
	m.denied(t, another.get(t, "/callers", forged...), 403)
	direct := "127.0.0.1:" + m.port
	stranger := newMeshCA(t)
	for name, config := range map[string]*tls.Config{
		"plain text":            nil,
		"no certificate":        m.ca.client(t, ""),
		"of another authority":  stranger.client(t, "spiffe://cluster.local/ns/clients/sa/caller"),
		"of another mesh":       m.ca.client(t, "spiffe://elsewhere.local/ns/clients/sa/caller"),
		"of no mesh, by its id": m.ca.client(t, "https://example.com/caller"),
	} {
		c, err := net.Dial("tcp", direct)
		if err != nil {
			t.Fatal(err)
		}
		if config != nil {
			c = tls.Client(c, config)
		}
		if a, err := converse(c, request("GET", "/open")); err == nil && a.status != 0 {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	if seen := m.upstream.Take(); len(seen) != 0 {
		t.Errorf("the upstream saw %+v", seen)
	}
}

// excluded is a path that the AuthorizationPolicy leaves out: nothing is asked, as the README says, and all else still is.
func (m *meshStack) excluded(t *testing.T) {
	m.denied(t, m.get(t, "/healthz"), 403)
	changed, err := envoytest.Apply(m.printed, envoytest.Edit{Old: "  - {} #", New: "  - to: [{operation: {notPaths: [/healthz]}}] #"})
	if err != nil {
		t.Fatal(err)
	}
	m.istiod.Configure(t, "portcullis.yaml", changed)
	eventually(t, "the policy is in force", func() bool { return m.get(t, "/healthz").status == 200 })
	m.upstream.Take()
	if seen := m.allowed(t, m.get(t, "/healthz", "x-stage: forged")); seen.Header("x-stage")[0] != "forged" {
		t.Errorf("the upstream saw %q", seen.Headers)
	}
	m.sees(t, m.get(t, "/open"), "x-stage: prod")
	for _, target := range []string{"/admin", "/healthz/", "/healthz/x", "/healthz;x", "/x/../admin"} {
		m.denied(t, m.get(t, target), 403)
	}
}
