package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

const unsignedAPI = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-arn: $context.identity.userArn, x-user: $context.identity.user}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Deny, Principal: {AWS: "arn:aws:iam::111122223333:role/other"}, Action: "*", Resource: "*"}
    routes:
      - {route: "GET /orders/{proxy+}", authorization: AWS_IAM}
      - {route: GET /pets, authorization: AWS_IAM}
      - {route: GET /open, authorization: NONE}
`

// issuerOfTokens signs tokens and has its key set in a file.
type issuerOfTokens struct{ key *ecdsa.PrivateKey }

func newIssuer(t *testing.T, file string) *issuerOfTokens {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	write(t, file, fmt.Appendf(nil, `{"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": %q, "y": %q}]}`, encode(point[1:33]), encode(point[33:])))
	return &issuerOfTokens{key}
}

// token signs the claims of a workload, with changes.
func (i *issuerOfTokens) token(t *testing.T, change map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://token.example.com", "sub": "system:serviceaccount:shop:orders", "aud": "portcullis",
		"iat": time.Now().Unix() - 60, "exp": time.Now().Unix() + 600,
	}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature)
}

// unsignedExample is the example of pkg/workload/README.md, with the key set in a file.
func unsignedExample(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../workload/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, ok := strings.Cut(example, "```\n")
	if !ok {
		t.Fatal("no example")
	}
	return strings.Replace(example, "{audiences: [portcullis]}", "{audiences: [portcullis], file: keys.json}", 1)
}

type unsignedCaller struct {
	name, target, principal string
	headers                 []string
	signer                  *sigv4test.Signer
	code                    authz.Code // CodeAllowed passes
	caller, detail          string
}

const (
	shopWorkload = "spiffe://cluster.local/ns/shop/sa/api"
	deepWorkload = "spiffe://cluster.local/ns/batch/sa/nightly"
)

func (c *unsignedCaller) request() *authz.Request {
	r := &authz.Request{
		Method: "GET", Target: c.target, Host: "pets.example.com", Scheme: "https", Protocol: "HTTP/1.1", SourcePrincipal: c.principal,
		Time: time.Now(), Peer: netip.MustParseAddr("192.0.2.9"), Transport: authz.TransportSecure,
	}
	if r.Target == "" {
		r.Target = "/orders/7"
	}
	var fields []authz.Field
	for i := 0; i+1 < len(c.headers); i += 2 {
		fields = append(fields, authz.Field{Name: c.headers[i], Value: c.headers[i+1]})
	}
	r.SetHeaders(fields)
	r.SetBody(nil, authz.BodyComplete)
	if c.signer != nil {
		c.signer.Sign(r)
	}
	return r
}

// The example of pkg/workload/README.md loads without a warning, and decides about callers who do not sign.
func TestUnsignedCallers(t *testing.T) {
	dir := t.TempDir()
	issuer, foreign := newIssuer(t, filepath.Join(dir, "keys.json")), newIssuer(t, filepath.Join(dir, "foreign.json"))
	write(t, filepath.Join(dir, "keys.yaml"), []byte(`accessKeys: [{id: AKIAALICE, secret: {value: abc}, user: "arn:aws:iam::111122223333:user/alice"}]`))
	example := strings.Replace(unsignedExample(t), "iam:\n", "iam:\n  users: [{name: alice, account: \"111122223333\"}]\n  accessKeys: [{file: keys.yaml}]\n", 1)
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(unsignedAPI+example))
	s := mustLoad(t, dir)
	t.Cleanup(s.Close)
	if len(s.Warnings) > 0 {
		t.Error(s.Warnings)
	}
	s.Start(t.Context())
	s.Wait(t.Context())
	good := "Bearer " + issuer.token(t, nil)
	bearer := func(name string, value any) []string {
		return []string{"authorization", "Bearer " + issuer.token(t, map[string]any{name: value})}
	}
	alice := &sigv4test.Signer{KeyID: "AKIAALICE", Secret: "wrong", Region: "eu-west-1", At: time.Now()}
	ofOrders := "arn:aws:sts::111122223333:assumed-role/orders/"
	for _, c := range []unsignedCaller{
		{name: "a token", headers: []string{"authorization", good}, code: authz.CodeAllowed, caller: ofOrders + "system-serviceaccount-shop-orders."},
		{name: "in another case", headers: []string{"authorization", "b" + good[1:]}, code: authz.CodeAllowed, caller: ofOrders},
		{name: "a workload", principal: shopWorkload, code: authz.CodeAllowed, caller: ofOrders + "cluster.local-ns-shop-sa-api."},
		{name: "a workload below", principal: deepWorkload, code: authz.CodeAllowed, caller: ofOrders + "cluster.local-ns-batch-sa-nightly."},
		{name: "another path", target: "/pets", headers: []string{"authorization", good}, code: authz.CodeImplicitDeny, caller: ofOrders},
		{name: "another path of a workload", target: "/pets", principal: shopWorkload, code: authz.CodeImplicitDeny, caller: ofOrders},
		{name: "an open route", target: "/open", headers: []string{"authorization", good}, code: authz.CodeImplicitDeny},

		{name: "no identity", code: authz.CodeNotSigned},
		{name: "another scheme", headers: []string{"authorization", "Basic" + good[6:]}, code: authz.CodeBadSignature},
		{name: "a longer scheme", headers: []string{"authorization", "Bearers" + good[6:]}, code: authz.CodeBadSignature},
		{name: "no scheme", headers: []string{"authorization", good[7:]}, code: authz.CodeBadSignature},
		{name: "a header with a SPIFFE id", headers: []string{"x-forwarded-client-cert", "URI=" + shopWorkload}, code: authz.CodeNotSigned},
		{name: "an unmapped workload", principal: "spiffe://cluster.local/ns/shop/sa/apis", code: authz.CodeNotSigned, detail: "no entry for the client's certificate spiffe://cluster.local/ns/shop/sa/apis"},
		{name: "another trust domain", principal: "spiffe://other/ns/shop/sa/api", code: authz.CodeNotSigned},
		{name: "an unmapped workload with a token", principal: "spiffe://other/a", headers: []string{"authorization", good}, code: authz.CodeAllowed, caller: ofOrders},
		{name: "mapped and not trusted", principal: "spiffe://cluster.local/ns/batch/sa/daily", code: authz.CodeUntrustedCaller,
			detail: "arn:aws:iam::111122223333:role/orders does not admit spiffe://cluster.local/ns/batch/sa/daily: "},

		{name: "expired", headers: bearer("exp", time.Now().Unix()-1), code: authz.CodeExpiredToken},
		{name: "not yet", headers: bearer("nbf", time.Now().Unix()+600), code: authz.CodeUnauthorized},
		{name: "another audience", headers: bearer("aud", "sts.amazonaws.com"), code: authz.CodeUnauthorized},
		{name: "no audience", headers: bearer("aud", nil), code: authz.CodeUnauthorized},
		{name: "two audiences", headers: bearer("aud", []string{"portcullis", "other"}), code: authz.CodeUntrustedCaller},
		{name: "another subject", headers: bearer("sub", "system:serviceaccount:shop:orders2"), code: authz.CodeUnmappedCaller},
		{name: "a subject with a blank", headers: bearer("sub", "system:serviceaccount:shop:orders "), code: authz.CodeUnmappedCaller},
		{name: "no subject", headers: bearer("sub", nil), code: authz.CodeUnauthorized},
		{name: "another issuer", headers: bearer("iss", "https://token.example.com/"), code: authz.CodeUnauthorized},
		{name: "bad claim", headers: bearer("azp", 1), code: authz.CodeUnauthorized},
		{name: "another party", headers: bearer("azp", "other"), code: authz.CodeUntrustedCaller},
		{name: "another key", headers: []string{"authorization", "Bearer " + foreign.token(t, nil)}, code: authz.CodeUnauthorized},
		{name: "altered", headers: []string{"authorization", good[:len(good)-4] + "AAAA"}, code: authz.CodeUnauthorized},
		{name: "empty", headers: []string{"authorization", "Bearer "}, code: authz.CodeUnauthorized},

		{name: "two tokens", headers: []string{"authorization", good, "authorization", good}, code: authz.CodeAmbiguousCaller},
		{name: "two tokens in one line", headers: []string{"authorization", good + ", " + good}, code: authz.CodeAmbiguousCaller},
		{name: "a workload with a token", principal: shopWorkload, headers: []string{"authorization", good}, code: authz.CodeAmbiguousCaller},
		{name: "a workload with a password", principal: shopWorkload, headers: []string{"authorization", "Basic YTpi"}, code: authz.CodeAmbiguousCaller},

		{name: "a wrong signature of a workload", principal: shopWorkload, signer: alice, code: authz.CodeBadSignature},
		{name: "a wrong signature and a token", headers: []string{"authorization", good}, signer: alice, code: authz.CodeBadSignature},
		{name: "a part of a signature", target: "/orders/7?X-Amz-Signature=a", principal: shopWorkload, code: authz.CodeBadSignature},
		{name: "a part of a signature and a token", target: "/orders/7?x-amz-%63redential=a", headers: []string{"authorization", good}, code: authz.CodeBadSignature},
		{name: "a token and a signature in one line", headers: []string{"authorization", good + ", AWS4-HMAC-SHA256 Credential=a"}, code: authz.CodeBadSignature},
	} {
		d := s.Gateway.Authorize(t.Context(), c.request())
		if d.Allow != (c.code == authz.CodeAllowed) || d.Reason.Code != c.code || !strings.HasPrefix(d.Caller.Principal, c.caller) || !strings.Contains(d.Reason.Detail, c.detail) {
			t.Errorf("%s: %v %s (%s), caller %s", c.name, d.Allow, d.Reason.Code, d.Reason.Detail, d.Caller.Principal)
		}
		if refused := c.code == authz.CodeUnmappedCaller || c.name == "another party"; refused && d.Caller.Issuer != "https://token.example.com" {
			t.Errorf("%s: the log does not name the issuer: %+v", c.name, d.Caller)
		}
	}
}

// What the mappings are refused for, and warned about.
func TestFaultsOfPrincipals(t *testing.T) {
	for _, c := range []struct{ name, entry, want string }{
		{"nobody", `{role: R}`, "names nobody"},
		{"no role", `{spiffe: spiffe://a/b}`, "has no role"},
		{"unknown role", `{role: "arn:aws:iam::111122223333:role/none", spiffe: spiffe://a/b}`, "no account has the role"},
		{"not an id", `{role: R, spiffe: "spiffe://a"}`, "is not a SPIFFE id"},
		{"everybody", `{role: R, spiffe: "spiffe://*"}`, "is not a SPIFFE id"},
		{"wildcard in a segment", `{role: R, spiffe: "spiffe://a/b*"}`, "is not a SPIFFE id"},
		{"a trust domain", `{role: R, spiffe: "spiffe://a/*"}`, "warning: \"spiffe://a/*\" contains every workload"},
		{"twice", `{role: R, spiffe: "spiffe://cluster.local/ns/shop/sa/api"}`, "given twice"},
		{"both", `{role: R, spiffe: "spiffe://a/b", issuer: "https://token.example.com"}`, "spiffe excludes issuer"},
		{"no claims", `{role: R, issuer: "https://token.example.com"}`, "has no claims"},
		{"unknown issuer", `{role: R, issuer: "https://other.example.com", claims: {sub: a}}`, "has no audiences"},
		{"a wildcard", `{role: R, issuer: "https://token.example.com", claims: {sub: "a*"}}`, "compared exactly"},
		{"aud", `{role: R, issuer: "https://token.example.com", claims: {sub: a, aud: b}}`, "cannot be mapped"},
		{"an empty claim", `{role: R, issuer: "https://token.example.com", claims: {sub: ""}}`, "is empty"},
		{"two roles", `{role: R, issuer: "https://token.example.com", claims: {repository: a}}`, "could fit this entry and another"},
		{"no subject", `{role: R, issuer: "https://token.example.com", claims: {repository: a}}`, "warning: the entry does not name sub"},
		{"no trust", `{role: R, issuer: "https://token.example.com", claims: {sub: other}}`, "warning: the role's trust policy does not seem to admit"},
		{"no trust in a workload", `{role: R, spiffe: "spiffe://cluster.local/ns/other/sa/api"}`, "warning: the role's trust policy does not seem to admit"},
	} {
		dir := t.TempDir()
		newIssuer(t, filepath.Join(dir, "keys.json"))
		entry := strings.Replace(c.entry, "role: R", `role: "arn:aws:iam::111122223333:role/orders"`, 1)
		example := strings.Replace(unsignedExample(t), "  principals:\n", "  principals:\n    - "+entry+"\n", 1)
		write(t, filepath.Join(dir, "portcullis.yaml"), []byte(unsignedAPI+example))
		s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		found := fmt.Sprint(err)
		if err == nil {
			found = fmt.Sprint(s.Warnings)
			s.Close()
		}
		if !strings.Contains(found, c.want) {
			t.Errorf("%s: %s, want %q", c.name, found, c.want)
		}
	}
}
