package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const (
	forbiddenScope = `{"message":"Forbidden"}`
	// namedIssuer is an issuer whose keys are elsewhere than it says.
	namedIssuer = "https://id.example.com/"
	// ownIssuer is one whose keys are in a file: the test signs whatever it likes.
	ownIssuer = "https://own.example.com"
)

// issuers is what the tests of JWT authorizers share: an issuer that is found by discovery, one by its jwksUri and one by a file.
type issuers struct {
	*stack
	found, named *envoytest.OIDCProvider
	own          *signer
}

func startIssuers(t *testing.T) *issuers {
	t.Helper()
	envoytest.Require(t)
	i := &issuers{found: envoytest.StartOIDCProvider(t, ""), named: envoytest.StartOIDCProvider(t, namedIssuer), own: newSigner(t)}
	i.stack = start(t, setup{
		config: i.config(), files: map[string]string{"keys.json": i.own.set}, edits: append(byHost("pets.example.com", "test.example.com", "cats.example.com"), closeSoon),
	})
	return i
}

func (i *issuers) config() string {
	return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
      - {name: test, domains: [test.example.com]}
    authorizers:
      staff: {jwt: {issuer: %[1]q, audiences: [pets, dogs]}}
      ed: {jwt: {issuer: %[1]q, audiences: [pets], algorithms: [EdDSA]}}
      rs: {jwt: {issuer: %[1]q, audiences: [pets], algorithms: [RS256]}}
      cats: {jwt: {issuer: %[1]q, audiences: [cats]}}
      own: {jwt: {issuer: %[3]q, audiences: [pets]}}
      header: {jwt: {issuer: %[3]q, audiences: [pets], identitySource: method.request.header.X-Auth}}
      both:
        jwt:
          issuers:
            - {issuer: %[1]q, audiences: [pets]}
            - issuer: %[2]q
              audiences: [cats]
              additionalClaims:
                - {claimName: tenant, required: true, expectedValues: [t1, t2]}
                - {claimName: plan, expectedValues: [gold]}
    upstreamHeaders: {x-user: $context.authorizer.claims.sub, x-tenant: $context.authorizer.claims.tenant, x-list: $context.authorizer.claims.list}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /staff, authorizer: staff}
      - {route: GET /scoped, authorizer: staff, scopes: [pets/read, pets/write]}
      - {route: GET /ed, authorizer: ed}
      - {route: GET /rs, authorizer: rs}
      - {route: GET /cats, authorizer: cats}
      - {route: GET /both, authorizer: both}
      - {route: GET /own, authorizer: own}
      - {route: GET /header, authorizer: header}
  - id: c1a2t3s4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [cats.example.com]}
    authorizers:
      staff: {jwt: {issuer: %[1]q, audiences: [cats]}}
    routes:
      - {route: GET /staff, authorizer: staff}
issuers:
  %[2]q: {jwksUri: %[4]q}
  %[3]q: {file: keys.json}
`, i.found.Issuer, namedIssuer, ownIssuer, i.named.JWKS)
}

// token is one of the issuer that is found by discovery.
func (i *issuers) token(t *testing.T, alg, audience string, scopes ...string) string {
	t.Helper()
	return i.found.Token(t, envoytest.TokenRequest{Alg: alg, Audience: audience, Scopes: scopes})
}

// Whoever has a token of an issuer is let in where the authorizer names it.
func TestIssuers(t *testing.T) {
	t.Parallel()
	i := startIssuers(t)
	good := i.token(t, "RS256", "pets")
	t.Run("algorithms", i.algorithms)
	t.Run("authorizers", i.authorizers)
	t.Run("additional claims", i.additionalClaims)
	t.Run("scopes", i.scopes)
	t.Run("claims", i.toldUpstream)
	t.Run("attacks", i.attacks)
	t.Run("signed oddities", i.signedOddities)
	i.logsNoToken(t, good)
}

func (i *issuers) algorithms(t *testing.T) {
	for alg, passes := range map[string]map[string]bool{
		"RS256": {"/staff": true, "/rs": true, "/ed": false},
		"RS384": {"/staff": true, "/rs": false, "/ed": false},
		"RS512": {"/staff": true, "/rs": false, "/ed": false},
		"ES256": {"/staff": true, "/rs": false, "/ed": false},
		"ES384": {"/staff": true, "/rs": false, "/ed": false},
		"EdDSA": {"/staff": false, "/rs": false, "/ed": true},
		"PS256": {"/staff": false, "/rs": false, "/ed": false},
	} {
		t.Run(alg, func(t *testing.T) {
			token := i.token(t, alg, "pets")
			for target, pass := range passes {
				if r := ask(target, bearer(token)); pass {
					i.takes(t, r)
				} else {
					i.isUnauthorized(t, r)
				}
			}
		})
	}
}

// A token is good for the authorizers that name its issuer and its audience, and for no other.
func (i *issuers) authorizers(t *testing.T) {
	pets, cats := i.token(t, "RS256", "pets"), i.token(t, "ES256", "cats")
	for range 2 {
		for _, r := range []asked{
			ask("/staff", bearer(pets)), ask("/staff", "Authorization: "+pets), ask("/cats", bearer(cats)), ask("/both", bearer(pets)),
			{"test.example.com", "/staff", []string{bearer(pets)}}, {"cats.example.com", "/staff", []string{bearer(cats)}},
			ask("/staff", bearer(i.token(t, "RS256", "dogs"))),
		} {
			i.takes(t, r)
		}
		for _, r := range []asked{
			ask("/staff", bearer(cats)), ask("/cats", bearer(pets)), ask("/both", bearer(cats)), ask("/own", bearer(pets)),
			{"test.example.com", "/cats", []string{bearer(pets)}}, {"cats.example.com", "/staff", []string{bearer(pets)}},
			ask("/staff", bearer(i.token(t, "RS256", "Pets"))), ask("/staff", bearer(i.token(t, "RS256", "pets dogs"))),
			ask("/staff"), ask("/staff", bearer(pets), bearer(pets)), ask("/staff", bearer(pets)+", "+pets), ask("/staff", bearer(" "+pets)),
			ask("/staff?access_token=" + pets), ask("/header", bearer(pets)), ask("/staff", "X-Auth: "+pets),
		} {
			i.isUnauthorized(t, r)
		}
	}
	// client_id is no audience on a REST API.
	i.isUnauthorized(t, ask("/staff", bearer(i.found.Token(t, envoytest.TokenRequest{Audience: "x", Claims: map[string]any{"client_id": "pets"}}))))
	i.takes(t, ask("/staff", bearer(i.found.Token(t, envoytest.TokenRequest{Audience: "x", Claims: map[string]any{"aud": []string{"x", "dogs"}}}))))
}

func (i *issuers) additionalClaims(t *testing.T) {
	for _, tc := range []struct {
		name     string
		audience string
		claims   map[string]any
		passes   bool
	}{
		{"as expected", "cats", map[string]any{"tenant": "t1"}, true},
		{"the second value", "cats", map[string]any{"tenant": "t2", "plan": "gold"}, true},
		{"without the required one", "cats", nil, false},
		{"another value", "cats", map[string]any{"tenant": "t3"}, false},
		{"in another case", "cats", map[string]any{"tenant": "T1"}, false},
		{"a list", "cats", map[string]any{"tenant": []string{"t1"}}, false},
		{"an optional one of another value", "cats", map[string]any{"tenant": "t1", "plan": "silver"}, false},
		{"an optional one that is not text", "cats", map[string]any{"tenant": "t1", "plan": 7}, false},
		{"the other issuer's audience", "pets", map[string]any{"tenant": "t1"}, false},
		{"the other issuer's name", "pets", map[string]any{"tenant": "t1", "iss": i.found.Issuer}, false},
		{"without the slash", "cats", map[string]any{"tenant": "t1", "iss": strings.TrimSuffix(namedIssuer, "/")}, false},
		{"nobody's name", "cats", map[string]any{"tenant": "t1", "iss": "https://evil.example.com"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := ask("/both", bearer(i.named.Token(t, envoytest.TokenRequest{Audience: tc.audience, Claims: tc.claims})))
			if tc.passes {
				i.takes(t, r)
			} else {
				i.isUnauthorized(t, r)
			}
		})
	}
}

// A JWT without the scopes is answered with 403, unlike a user pool's token.
func (i *issuers) scopes(t *testing.T) {
	for _, scopes := range [][]string{{"pets/read"}, {"pets/write", "x"}} {
		i.takes(t, ask("/scoped", bearer(i.token(t, "RS256", "pets", scopes...))))
	}
	list := i.found.Token(t, envoytest.TokenRequest{Audience: "pets", Claims: map[string]any{"scp": []string{"x", "pets/read"}}})
	i.takes(t, ask("/scoped", bearer(list)))
	for _, scopes := range [][]string{nil, {"pets"}, {"PETS/READ"}, {"pets/reads", "read"}} {
		token := i.token(t, "RS256", "pets", scopes...)
		i.refuses(t, ask("/scoped", bearer(token)), 403, "AccessDeniedException", forbiddenScope)
		i.takes(t, ask("/staff", bearer(token)))
	}
	i.isUnauthorized(t, ask("/scoped", bearer(i.token(t, "RS256", "cats", "pets/read"))))
}

func (i *issuers) toldUpstream(t *testing.T) {
	token := i.found.Token(t, envoytest.TokenRequest{Audience: "pets", Claims: map[string]any{
		"sub": "ann", "tenant": "é\r\nx-list: spoof", "list": []any{"a", 7, true, []string{"b"}},
	}})
	seen := i.takes(t, ask("/staff", bearer(token), "x-user: spoof", "X_List: spoof"))
	for name, want := range map[string]string{"x-user": "ann", "x-tenant": "%C3%A9%0D%0Ax-list: spoof", "x-list": `a,7,true,["b"]`} {
		if got := seen.Header(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := seen.Header("x_list"); len(got) != 0 {
		t.Errorf("x_list: %q", got)
	}
	if got := i.logged(t, "/staff").Portcullis["decision"]; got == nil {
		t.Error("the access log says no decision")
	}
}

func (i *issuers) attacks(t *testing.T) {
	var forged []asked
	for alg, target := range map[string]string{"RS256": "/staff", "ES256": "/staff", "EdDSA": "/ed"} {
		token := i.token(t, alg, "pets")
		i.takes(t, ask(target, bearer(token)))
		for _, f := range append(forgeries(t, token, i.found.JWKS), flipped(token, 70)...) {
			forged = append(forged, ask(target, bearer(f)))
		}
		i.hugeTokens(t, target, token)
	}
	i.noneTaken(t, forged, unauthorizedException)
	now := time.Now().Unix()
	for name, claims := range map[string]map[string]any{
		"expired": {"exp": now - 1}, "no expiry": {"exp": nil}, "from the future": {"iat": now + 60}, "not valid yet": {"nbf": now + 60},
		"an expiry as text": {"exp": "9999999999"}, "no issuer": {"iss": nil}, "issuer as a list": {"iss": []string{i.found.Issuer}}, "aud as a number": {"aud": 7},
		"aud as an object": {"aud": map[string]any{"pets": true}}, "scope as a list": {"scope": []string{"pets/read"}},
	} {
		t.Run(name, func(t *testing.T) {
			i.isUnauthorized(t, ask("/staff", bearer(i.found.Token(t, envoytest.TokenRequest{Audience: "pets", Claims: claims}))))
		})
	}
}

// What the issuer itself has signed, and two readers could read in two ways.
func (i *issuers) signedOddities(t *testing.T) {
	header, payload := i.own.header, fmt.Sprintf(`{"iss":%q,"aud":"pets","sub":"ann","exp":%d}`, ownIssuer, time.Now().Add(time.Hour).Unix())
	i.takes(t, ask("/own", bearer(i.own.sign(t, header, payload))))
	i.takes(t, ask("/header", "X-Auth: "+i.own.sign(t, header, payload)))
	head, tail := strings.TrimSuffix(header, "}"), strings.TrimSuffix(payload, "}")
	for name, token := range map[string][2]string{
		"sub twice": {header, tail + `,"sub":"admin"}`}, "aud twice": {header, tail + `,"aud":"pets"}`}, "aud twice, escaped": {header, tail + `,"\u0061ud":"pets"}`},
		"exp twice": {header, tail + `,"exp":99999999999}`}, "a member of a member twice": {header, tail + `,"x":{"a":1,"a":2}}`},
		"two objects": {header, payload + payload}, "a list": {header, "[" + payload + "]"}, "null": {header, "null"}, "no JSON": {header, "iss=own"},
		"alg twice": {head + `,"alg":"RS256"}`, payload}, "kid twice": {head + `,"kid":"own"}`, payload},
		"crit": {head + `,"crit":["exp"]}`, payload}, "b64": {head + `,"b64":true}`, payload}, "jku": {head + `,"jku":"https://own.example.com/keys"}`, payload},
		"x5u": {head + `,"x5u":"https://own.example.com/keys"}`, payload}, "a logout token": {head + `,"typ":"logout+jwt"}`, payload},
		"nested": {head + `,"cty":"JWT"}`, payload}, "another key's name": {strings.Replace(header, `"own"`, `"owN"`, 1), payload},
		"another algorithm's name": {strings.Replace(header, "RS256", "RS384", 1), payload}, "no kid": {`{"alg":"RS256"}`, payload},
		"Alg": {strings.Replace(header, `"alg"`, `"Alg"`, 1), payload},
	} {
		t.Run(name, func(t *testing.T) {
			i.noneTaken(t, []asked{ask("/own", bearer(i.own.sign(t, token[0], token[1])))}, unauthorizedException)
		})
	}
	// Short of the limit a large token is as good as a small one.
	large := i.own.sign(t, header, tail+`,"x":"`+strings.Repeat("x", 10<<10)+`"}`)
	i.takes(t, ask("/own", bearer(large)))
	i.isUnauthorized(t, ask("/own", bearer(i.own.sign(t, header, tail+`,"x":"`+strings.Repeat("x", 20<<10)+`"}`))))
}

// However Envoy hands headers on, two tokens are none.
func TestTwoTokens(t *testing.T) {
	t.Parallel()
	for _, v := range []variant{{"line by line", nil}, {"headers joined", []envoytest.Edit{joinedHeaders}}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			own := newSigner(t)
			s := start(t, setup{
				config: jwtAPI(map[string]string{"own": ownIssuer}, fmt.Sprintf("  %q: {file: keys.json}\n", ownIssuer)),
				files:  map[string]string{"keys.json": own.set}, edits: v.edits,
			})
			token := own.sign(t, own.header, fmt.Sprintf(`{"iss":%q,"aud":"pets","exp":9999999999}`, ownIssuer))
			s.takes(t, ask("/own", bearer(token)))
			for _, headers := range [][]string{
				{bearer(token), bearer(token)}, {bearer(token), "Authorization: x"}, {"Authorization: x", bearer(token)}, {bearer(token) + "," + token},
				{bearer(token), "authorization: Basic YTpi"}, {"Authorization: " + token, "Authorization: " + token},
			} {
				s.isUnauthorized(t, ask("/own", headers...))
			}
		})
	}
}
