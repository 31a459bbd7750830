package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const unsignedConfig = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-caller: $context.identity.userArn}
    defaultAuthorization: AWS_IAM
    routes: [{route: "ANY /pets/{proxy+}"}, {route: GET /admin}]
iam:
  principals:
    - {role: "arn:aws:iam::111122223333:role/cart", issuer: %[1]q, claims: {sub: cart}}
    - {role: "arn:aws:iam::111122223333:role/cart", spiffe: "spiffe://cluster.local/ns/shop/*"}
  roles:
    - name: cart
      account: "111122223333"
      trustPolicy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: sts:AssumeRoleWithWebIdentity
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/%[2]s"}
            Condition: {StringEquals: {"%[2]s:sub": cart, "%[2]s:aud": portcullis}}
          - Effect: Allow
            Action: [sts:AssumeRole, sts:TagSession]
            Principal: {Service: rolesanywhere.amazonaws.com}
            Condition: {StringEquals: {"aws:PrincipalTag/x509SAN/URI": spiffe://cluster.local/ns/shop/sa/cart}}
      policies:
        - {Version: "2012-10-17", Statement: {Effect: Allow, Action: execute-api:Invoke, Resource: "arn:aws:execute-api:*:*:*/prod/*/pets/*"}}
issuers:
  %[1]q: {audiences: [portcullis], refresh: 10s}
`

// startUnsigned runs Envoy with TLS, which asks clients for certificates. Of those, it verifies the ones that clients show. With attested,
// it is what portcullis envoy prints, and portcullis is told so.
func startUnsigned(t *testing.T, issuer, dir string, attested bool) *stack {
	t.Helper()
	if attested {
		return start(t, setup{
			file: "https.yaml", config: fmt.Sprintf(unsignedConfig, issuer, issuer[len("http://"):]),
			printed: []string{"--tls-cert", dir + "/tls.crt", "--tls-key", dir + "/tls.key", "--tls-client-ca", dir + "/ca.crt", "--optional-client-certificates"},
		})
	}
	return start(t, setup{
		file: "iam.yaml", config: fmt.Sprintf(unsignedConfig, issuer, issuer[len("http://"):]),
		edits: []envoytest.Edit{
			{Old: "    - filters:\n", New: "    - transport_socket: {name: envoy.transport_sockets.tls, typed_config: " +
				`{"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: ` +
				"{tls_certificates: [{certificate_chain: {filename: " + dir + "/tls.crt}, private_key: {filename: " + dir + "/tls.key}}], " +
				"validation_context: {trusted_ca: {filename: " + dir + "/ca.crt}}}}}\n      filters:\n"},
		},
	})
}

// Callers who do not sign call routes with AWS_IAM: with the token of a real issuer, and with a certificate that Envoy has verified.
func TestCallersWhoDoNotSign(t *testing.T) {
	t.Parallel()
	envoytest.Require(t)
	issuer, dir := envoytest.StartOIDCProvider(t, ""), t.TempDir()
	ca := newAuthority(t, dir)
	ca.issue(t, dir, "tls", "pets.example.com")
	certificate := func(file, id string) *tls.Config {
		ca.issue(t, dir, file, id)
		pair, err := tls.LoadX509KeyPair(dir+"/"+file+".crt", dir+"/"+file+".key")
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: pool(t, dir), ServerName: "pets.example.com", Certificates: []tls.Certificate{pair}}
	}
	cart, nobody := certificate("cart", "spiffe://cluster.local/ns/shop/sa/cart"), certificate("other", "spiffe://cluster.local/ns/shop/sa/other")
	bare := &tls.Config{RootCAs: pool(t, dir), ServerName: "pets.example.com"}
	token := func(audience, subject string, lifetime time.Duration) string {
		return "Authorization: Bearer " + issuer.Token(t, envoytest.TokenRequest{Audience: audience, Claims: map[string]any{"sub": subject, "exp": time.Now().Add(lifetime).Unix()}})
	}
	s := startUnsigned(t, issuer.Issuer, dir, true)
	finds(t, s.dir, nil, "--envoy", s.envoy.Admin(), "--config", "portcullis.yaml")
	good := token("portcullis", "cart", time.Hour)
	for what, a := range map[string]answer{
		"/cart.":                         s.sendTLS(t, bare, request("GET", "/pets/1", good)),
		"/cluster.local-ns-shop-sa-cart": s.sendTLS(t, cart, request("GET", "/pets/1")),
	} {
		if a.status != 200 || strings.Contains(a.body, "message") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	callers := map[string]bool{}
	for _, seen := range s.upstream.Take() {
		arn, _, _ := strings.Cut(strings.Join(seen.Header("x-caller"), ","), ".")
		callers[arn] = true
		if strings.HasSuffix(arn, "/cart") && len(seen.Header("authorization")) != 1 {
			t.Errorf("the upstream does not get the token")
		}
	}
	if role := "arn:aws:sts::111122223333:assumed-role/cart/"; !callers[role+"cart"] || !callers[role+"cluster"] || len(callers) != 2 {
		t.Errorf("callers %v", callers)
	}
	for what, c := range map[string]struct {
		client *tls.Config
		target string
		lines  []string
		status int
	}{
		"no identity":              {bare, "/pets/1", nil, 403},
		"another path":             {bare, "/admin", []string{good}, 403},
		"another path by mTLS":     {cart, "/admin", nil, 403},
		"an untrusted workload":    {nobody, "/pets/1", nil, 403},
		"a header about a client":  {bare, "/pets/1", []string{"x-forwarded-client-cert: URI=spiffe://cluster.local/ns/shop/sa/cart"}, 403},
		"two identities":           {cart, "/pets/1", []string{good}, 403},
		"two tokens":               {bare, "/pets/1", []string{good, good}, 403},
		"another audience":         {bare, "/pets/1", []string{token("pets", "cart", time.Hour)}, 401},
		"another subject":          {bare, "/pets/1", []string{token("portcullis", "intruder", time.Hour)}, 403},
		"expired":                  {bare, "/pets/1", []string{token("portcullis", "cart", -time.Hour)}, 401},
		"a signature and a client": {cart, "/pets/1", []string{"Authorization: AWS4-HMAC-SHA256 Credential=a"}, 403},
		"a signature in the query": {bare, "/pets/1?X-Amz-Signature=a", []string{good}, 403},
	} {
		a := s.sendTLS(t, c.client, request("GET", c.target, c.lines...))
		if s.denied(t, a, c.status); strings.Contains(a.body, "null") {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	stranger := newAuthority(t, t.TempDir())
	stranger.issue(t, dir, "stranger", "spiffe://cluster.local/ns/shop/sa/cart")
	pair, err := tls.LoadX509KeyPair(dir+"/stranger.crt", dir+"/stranger.key")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool(t, dir), ServerName: "pets.example.com", Certificates: []tls.Certificate{pair}}); err == nil {
		if a, err := converse(c, request("GET", "/pets/1")); err == nil && a.status != 0 {
			t.Errorf("a certificate of another authority: %d", a.status)
		}
	}
	unattested := startUnsigned(t, issuer.Issuer, dir, false)
	unattested.denied(t, unattested.sendTLS(t, cart, request("GET", "/pets/1")), 403)
}
