package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// httpJWT is an HTTP API with JWT authorizers: one that looks at the Authorization header, one at the query.
const httpJWT = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages:
      - {name: $default, domains: [pets.example.com]}
    cors: {allowOrigins: ["https://app.example.com"], allowMethods: [GET], allowHeaders: [authorization]}
    authorizers:
      staff: {jwt: {issuer: %[1]q, audiences: [pets, dogs]}}
      query: {jwt: {issuer: %[1]q, audiences: [pets], identitySource: $request.querystring.access_token}}
      late: {jwt: {issuer: https://late.example.com, audiences: [pets]}}
    upstreamHeaders: {x-user: $context.authorizer.claims.sub, x-list: $context.authorizer.claims.list}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /pets, authorizer: staff}
      - {route: "GET /pets/{proxy+}", authorizer: staff, scopes: [pets/read, pets/write]}
      - {route: GET /query, authorizer: query}
      - {route: GET /late, authorizer: late}
      - {route: $default, authorizer: staff}
issuers:
  https://late.example.com: {jwksUri: "http://127.0.0.1:1/keys"}
`

// What www-authenticate says.
const (
	noToken       = `Bearer`
	invalidToken  = `Bearer scope="" error="invalid_token" error_description="the token is not valid"`
	badAudience   = `Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"`
	badSegments   = `Bearer scope="" error="invalid_token" error_description="token contains an invalid number of segments"`
	expiredToken  = `Bearer scope="" error="invalid_token" error_description="the token has expired"`
	badIssuer     = `Bearer scope="" error="invalid_token" error_description="the token does not have a valid issuer"`
	lackingScopes = `Bearer scope="" error="insufficient_scope" error_description="the token does not have a required scope"`
)

// refusesHTTP fails unless a request is answered as an HTTP API does, and told why in www-authenticate.
func (s *stack) refusesHTTP(t *testing.T, r asked, status int, body, challenge string) {
	t.Helper()
	for how, send := range s.over(r) {
		a := send(t)
		checkHTTPAnswer(t, s, a, status, body)
		if got := a.header.Get("www-authenticate"); got != challenge {
			t.Errorf("%s: www-authenticate %q, want %q", how, got, challenge)
		}
	}
}

func TestJWTOnHTTPAPI(t *testing.T) {
	t.Parallel()
	p := envoytest.StartOIDCProvider(t, "")
	s := start(t, setup{
		config: fmt.Sprintf(httpJWT, p.Issuer),
		edits:  []envoytest.Edit{{Old: "portcullis.stage: prod", New: "portcullis.stage: $default"}, closeSoon},
	})
	token := func(alg, audience string, claims map[string]any, scopes ...string) string {
		return p.Token(t, envoytest.TokenRequest{Alg: alg, Audience: audience, Claims: claims, Scopes: scopes})
	}
	good := token("RS256", "pets", nil)
	t.Run("tokens", func(t *testing.T) { s.tokensOnHTTP(t, token) })
	t.Run("scopes", func(t *testing.T) {
		for _, target := range []string{"/pets/7", "/pets/7/photos"} {
			s.takes(t, ask(target, bearer(token("RS256", "pets", nil, "pets/write"))))
			s.takes(t, ask(target, bearer(token("RS256", "pets", map[string]any{"scp": []string{"pets/read"}}))))
			s.refusesHTTP(t, ask(target, bearer(good)), 403, `{"message":"Forbidden"}`, lackingScopes)
			s.refusesHTTP(t, ask(target, bearer(token("RS256", "pets", nil, "pets"))), 403, `{"message":"Forbidden"}`, lackingScopes)
			s.refusesHTTP(t, ask(target), 401, unauthorized, noToken)
		}
	})
	t.Run("where it stands", func(t *testing.T) { s.whereItStandsOnHTTP(t, good, token("RS256", "cats", nil)) })
	t.Run("claims", func(t *testing.T) {
		seen := s.takes(t, ask("/pets", "x-user: spoof", "X_List: spoof", bearer(token("RS256", "pets", map[string]any{"sub": "ann", "list": []any{"a", "b", 7}}))))
		if user, list := seen.Header("x-user"), seen.Header("x-list"); !slices.Equal(user, []string{"ann"}) || !slices.Equal(list, []string{"[a b 7]"}) || len(seen.Header("x_list")) != 0 {
			t.Errorf("the upstream saw %q", seen.Headers)
		}
		// An empty claim leaves nothing of the client's, and two claims never look the same upstream.
		for sub, want := range map[string]string{"": "", "Zoë": "Zo%C3%AB", "Zo%C3%AB": "Zo%25C3%25AB", "a\r\nx-list: b": "a%0D%0Ax-list: b"} {
			seen := s.takes(t, ask("/pets", "x-user: spoof", "X_User: spoof", bearer(token("RS256", "pets", map[string]any{"sub": sub}))))
			if user := strings.Join(seen.Header("x-user"), "|"); user != want || len(seen.Header("x_user"))+len(seen.Header("x-list")) != 0 {
				t.Errorf("sub %q: the upstream saw %q", sub, seen.Headers)
			}
		}
	})
	t.Run("$default", func(t *testing.T) {
		// It catches preflights too, as API Gateway's does.
		checkHTTPAnswer(t, s, s.send(t, request("OPTIONS", "/pets", origin, "Access-Control-Request-Method: GET")), 401, unauthorized)
		s.refusesHTTP(t, ask("/anything"), 401, unauthorized, noToken)
		s.takes(t, ask("/anything", bearer(good)))
	})
	t.Run("no keys", func(t *testing.T) {
		s.refusesHTTP(t, ask("/late", bearer(token("RS256", "pets", map[string]any{"iss": "https://late.example.com"}))), 500, `{"message":"Internal Server Error"}`, "")
		s.refusesHTTP(t, ask("/late"), 401, unauthorized, noToken)
	})
	t.Run("attacks", func(t *testing.T) { s.attacksOnHTTP(t, good, p.JWKS) })
	s.logsNoToken(t, good)
}

func (s *stack) tokensOnHTTP(t *testing.T, token func(alg, audience string, claims map[string]any, scopes ...string) string) {
	now := time.Now().Unix()
	for _, tc := range []struct {
		name, token, challenge string // no challenge: it passes
	}{
		{"good", token("RS256", "pets", nil), ""},
		{"RS384", token("RS384", "pets", nil), ""},
		{"RS512", token("RS512", "dogs", nil), ""},
		{"one audience of two", token("RS256", "x", map[string]any{"aud": []string{"x", "pets"}}), ""},
		{"a user pool's ID token", token("RS256", "pets", map[string]any{"token_use": "id"}), ""},
		{"ES256", token("ES256", "pets", nil), invalidToken},
		{"EdDSA", token("EdDSA", "pets", nil), invalidToken},
		{"another audience", token("RS256", "cats", nil), badAudience},
		{"another audience with the client's id", token("RS256", "cats", map[string]any{"client_id": "pets"}), badAudience},
		{"another issuer", token("RS256", "pets", map[string]any{"iss": "https://evil.example.com"}), badIssuer},
		{"expired", token("RS256", "pets", map[string]any{"exp": now - 1}), expiredToken},
		{"without expiry", token("RS256", "pets", map[string]any{"exp": nil}), invalidToken},
		{"from the future", token("RS256", "pets", map[string]any{"iat": now + 60}), `Bearer scope="" error="invalid_token" error_description="the token is not valid yet"`},
		{"two segments", withoutSignature(token("RS256", "pets", nil)), badSegments},
		{"no token at all", "x", badSegments},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				if r := ask("/pets", bearer(tc.token)); tc.challenge == "" {
					s.takes(t, r)
				} else {
					s.refusesHTTP(t, r, 401, unauthorized, tc.challenge)
				}
			}
		})
	}
}

func withoutSignature(token string) string { return token[:strings.LastIndexByte(token, '.')] }

func (s *stack) whereItStandsOnHTTP(t *testing.T, good, other string) {
	for _, r := range []asked{
		ask("/pets", "Authorization: "+good), ask("/pets", "authorization: bearer "+good), ask("/query?access_token=" + good), ask("/query?a=b&access_token=" + good + "&c"),
		ask("/query?access_token=Bearer%20" + good), ask("/query?access_token="+good, bearer(other)), ask("/pets?access_token="+other, bearer(good)),
	} {
		s.takes(t, r)
	}
	for challenge, requests := range map[string][]asked{
		noToken: {
			ask("/pets"), ask("/query"), ask("/query", bearer(good)), ask("/pets?access_token=" + good), ask("/query?Access_Token=" + good),
			ask("/query?access_token="), ask("/query?access_token=" + good + "&access_token=" + good), ask("/query?access_token=x&access_token=" + good),
			ask("/query?access%5Ftoken=" + good + "&access_token=x"), ask("/pets", bearer(good), bearer(good)),
		},
		badAudience: {ask("/query?access_token=" + other), ask("/query?access_token="+other, bearer(good))},
	} {
		for _, r := range requests {
			t.Run(strings.NewReplacer(good, "GOOD", other, "OTHER").Replace(r.target+" "+strings.Join(r.headers, "|")), func(t *testing.T) {
				for _, send := range s.over(r) {
					a := send(t)
					checkHTTPAnswer(t, s, a, 401, unauthorized)
					if got := a.header.Get("www-authenticate"); got != challenge && len(r.headers) < 2 {
						t.Errorf("www-authenticate %q, want %q", got, challenge)
					}
				}
			})
		}
	}
}

func (s *stack) attacksOnHTTP(t *testing.T, good, jwks string) {
	s.takes(t, ask("/pets", bearer(good)))
	var forged []asked
	for _, token := range append(forgeries(t, good, jwks), flipped(good, 70)...) {
		forged = append(forged, ask("/pets", bearer(token)))
	}
	s.noneTaken(t, forged, "")
	for _, size := range []int{8 << 10, 40 << 10} {
		for _, send := range s.over(ask("/pets", bearer(good+strings.Repeat("A", size)))) {
			checkHTTPAnswer(t, s, send(t), 401, unauthorized)
		}
	}
}
