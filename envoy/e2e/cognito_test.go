package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// The pools of these tests, by their ids: two of cognito-local, which signs for all its pools with one key, and one whose tokens
// have scopes, for which an OpenID Connect issuer stands in. A fourth is moto's.
const (
	shopPool    = "eu-west-1_AbCdEfGhI"
	otherPool   = "eu-west-1_ZyXwVuTsR"
	scopedPool  = "eu-west-1_ScOpEd123"
	poolIssuers = "https://cognito-idp.eu-west-1.amazonaws.com"
)

func poolARN(id string) string {
	return "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/" + id
}

// signedUp is somebody who has signed up, with the client that they sign in with.
type signedUp struct {
	pool   *envoytest.UserPool
	client string
}

// signUp signs somebody up at a pool, who is then in two groups. Tokens are valid for some seconds.
func signUp(t *testing.T, pool *envoytest.UserPool, seconds int) signedUp {
	t.Helper()
	u := signedUp{pool, pool.CreateClient(t, "shop", seconds)}
	pool.SignUp(t, u.client, email, password, map[string]string{"custom:role": "vet"})
	pool.Confirm(t, u.client, email)
	for _, group := range []string{"staff", "vets"} {
		pool.CreateGroup(t, group)
		pool.AddToGroup(t, email, group)
	}
	return u
}

func (u signedUp) signIn(t *testing.T) envoytest.CognitoTokens {
	t.Helper()
	return u.pool.SignIn(t, u.client, email, password)
}

// cognito is what the tests of user pools share.
type cognito struct {
	*stack
	local, moto, other signedUp
	scoped             *envoytest.OIDCProvider
}

// startCognito runs the pools, and an Envoy whose hosts have an API each: one without and one with a resource policy, and the first
// one's other stage.
func startCognito(t *testing.T) *cognito {
	t.Helper()
	envoytest.Require(t)
	server := envoytest.StartCognitoLocal(t, poolIssuers, shopPool, otherPool)
	c := &cognito{local: signUp(t, server.UserPool(shopPool), 3600), other: signUp(t, server.UserPool(otherPool), 3600)}
	c.moto = signUp(t, envoytest.StartMoto(t).CreateUserPool(t, "pets"), 3600)
	c.scoped = envoytest.StartOIDCProvider(t, poolIssuers+"/"+scopedPool)
	issuers := keysOf(c.local.pool.Issuer, c.local.pool.JWKS) + keysOf(c.other.pool.Issuer, c.other.pool.JWKS) +
		keysOf(c.moto.pool.Issuer, c.moto.pool.JWKS) + keysOf(c.scoped.Issuer, c.scoped.JWKS)
	c.stack = start(t, setup{
		config: c.config() + "issuers:\n" + issuers,
		edits:  append(byHost("pets.example.com", "cats.example.com", "test.example.com"), closeSoon),
	})
	return c
}

func (c *cognito) config() string {
	return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
      - {name: test, domains: [test.example.com]}
    authorizers:
      shop: {cognito: {userPools: [%[1]q]}}
      both: {cognito: {userPools: [%[1]q, %[2]q]}}
      other: {cognito: {userPools: [%[3]q]}}
      client: {cognito: {userPools: [%[1]q, %[5]q], identityValidationExpression: %[4]q}}
      elsewhere: {cognito: {userPools: [%[1]q], identitySource: method.request.header.X-Auth}}
      scoped: {cognito: {userPools: [%[5]q]}}
    upstreamHeaders:
      x-user: $context.authorizer.claims.sub
      x-email: $context.authorizer.claims.email
      x-role: $context.authorizer.claims['custom:role']
      x-groups: $context.authorizer.claims['cognito:groups']
      x-nobody: $context.authorizer.claims.nobody
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /shop, authorizer: shop}
      - {route: GET /both, authorizer: both}
      - {route: GET /other, authorizer: other}
      - {route: GET /client, authorizer: client}
      - {route: GET /client/scoped, authorizer: client, scopes: [aws.cognito.signin.user.admin]}
      - {route: GET /elsewhere, authorizer: elsewhere}
      - {route: GET /admins, authorizer: shop, scopes: [aws.cognito.signin.user.admin]}
      - {route: GET /scoped, authorizer: scoped, scopes: [pets/read, pets/write]}
      - {route: GET /scoped/other, authorizer: scoped, scopes: [cats/read]}
      - {route: GET /scoped/none, authorizer: scoped}
  - id: c1a2t3s4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [cats.example.com]}
    authorizers:
      shop: {cognito: {userPools: [%[1]q]}}
      other: {cognito: {userPools: [%[3]q]}}
    defaultAuthorizer: shop
    routes:
      - route: GET /allowed
      - route: GET /silent
      - route: GET /denied
      - {route: GET /shop, authorizer: other}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: ["execute-api:/prod/GET/allowed", "execute-api:/prod/GET/denied", "execute-api:/prod/GET/shop"]}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/denied"}
`, poolARN(shopPool), poolARN(c.moto.pool.ID), poolARN(otherPool), c.local.client, poolARN(scopedPool))
}

// scope is an access token of the pool whose tokens have scopes.
func (c *cognito) scope(t *testing.T, scopes ...string) string {
	t.Helper()
	return c.scoped.Token(t, envoytest.TokenRequest{Audience: "unused", Scopes: scopes, Claims: map[string]any{"token_use": "access"}})
}

// Whoever signs in to a user pool is let in with what Cognito gives them.
func TestUserPools(t *testing.T) {
	t.Parallel()
	c := startCognito(t)
	tokens := c.local.signIn(t)
	t.Run("who it is", func(t *testing.T) { c.whoItIs(t, tokens) })
	t.Run("where the token stands", func(t *testing.T) { c.whereItStands(t, tokens) })
	t.Run("ID and access tokens", func(t *testing.T) { c.uses(t, tokens) })
	t.Run("pools", func(t *testing.T) { c.pools(t, tokens) })
	t.Run("clients", func(t *testing.T) { c.clients(t, tokens) })
	t.Run("resource policy", func(t *testing.T) { c.resourcePolicy(t, tokens) })
	t.Run("time", c.time)
	t.Run("attacks", func(t *testing.T) { c.attacks(t, tokens) })
	c.logsNoToken(t, tokens.ID, tokens.Access)
}

// The upstream is told what the token says, and nothing that the client says under these names.
func (c *cognito) whoItIs(t *testing.T, tokens envoytest.CognitoTokens) {
	spoofed := []string{
		"X-User: spoof", "x_user: spoof", "x-email: spoof", "X-Groups: spoof", "x.groups: spoof", "x-role: spoof", "x-nobody: spoof", "x_nobody: spoof",
	}
	seen := c.takes(t, ask("/shop", append(spoofed, bearer(tokens.ID))...))
	sub, _ := claimsOf(t, tokens.ID)["sub"].(string)
	for name, want := range map[string]string{"x-user": sub, "x-email": email, "x-role": "vet", "x-groups": "staff,vets"} {
		if got := seen.Header(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	open := c.takes(t, ask("/open", append(spoofed, bearer(tokens.ID))...))
	for _, s := range []envoytest.Seen{seen, open} {
		if text := strings.Join(s.Headers, "\n"); strings.Contains(text, "spoof") || len(s.Header("x-nobody")) != 0 {
			t.Errorf("what the client sent reached the upstream: %q", s.Headers)
		}
	}
	if got := open.Header("x-user"); len(got) != 0 {
		t.Errorf("a route without an authorizer tells of %q", got)
	}
	got := c.logged(t, "/shop")
	want := map[string]any{
		"decision": "allow", "api": "a1b2c3d4e5", "stage": "prod", "route": "GET /shop", "principal": sub, "reason": "allowed", "policy": "shop",
	}
	for _, name := range []string{"duration_us", "request_id", "ext_authz_duration"} {
		delete(got.Portcullis, name)
	}
	if diff := cmp.Diff(want, got.Portcullis); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
}

func (c *cognito) whereItStands(t *testing.T, tokens envoytest.CognitoTokens) {
	id := tokens.ID
	for _, line := range []string{id, "Bearer " + id, "bearer " + id, "BEARER " + id} {
		c.takes(t, ask("/shop", "Authorization: "+line))
		c.takes(t, ask("/elsewhere", "X-Auth: "+line))
	}
	c.takes(t, ask("/elsewhere", "X-Auth: "+id, "Authorization: Basic YTpi"))
	// Envoy drops an empty second line: nobody behind it ever sees one.
	if seen := c.takes(t, ask("/shop", bearer(id), "Authorization: ")); len(seen.Header("Authorization")) != 1 {
		t.Errorf("the upstream saw %q", seen.Headers)
	}
	for _, headers := range [][]string{
		nil,
		{"Authorization: "},
		{"Authorization: Bearer"},
		{"Authorization: Bearer  " + id},
		{"Authorization: Basic " + id},
		{"Authorization: Bearer Bearer " + id},
		{"Authorization: Token " + id},
		{"Authorization: " + id + " " + id},
		{"Authorization: " + id + "," + id},
		{"Authorization: " + id + ", x"},
		{"Authorization: \"" + id + "\""},
		{bearer(id), bearer(id)},
		{bearer(tokens.Access), bearer(id)},
		{"X-Auth: " + id},
		{"Proxy-Authorization: Bearer " + id},
		{"Cookie: Authorization=" + id},
	} {
		t.Run(strings.NewReplacer(id, "ID", tokens.Access, "ACCESS").Replace(strings.Join(headers, "|")), func(t *testing.T) {
			c.isUnauthorized(t, ask("/shop", headers...))
		})
	}
	c.isUnauthorized(t, ask("/shop?Authorization="+id))
	for _, headers := range [][]string{nil, {bearer(id)}, {"X-Auth: " + id, "X-Auth: " + id}, {"X_Auth: " + id}} {
		c.isUnauthorized(t, ask("/elsewhere", headers...))
	}
}

// A route without scopes takes ID tokens, one with scopes access tokens that have one of them.
func (c *cognito) uses(t *testing.T, tokens envoytest.CognitoTokens) {
	refreshed := c.local.pool.Refresh(t, c.local.client, tokens.Refresh)
	for _, tc := range []struct {
		name, target, token string
		passes              bool
	}{
		{"an ID token", "/shop", tokens.ID, true},
		{"an access token", "/shop", tokens.Access, false},
		{"an access token with the scope", "/admins", tokens.Access, true},
		{"an ID token where scopes are asked for", "/admins", tokens.ID, false},
		{"a refresh token", "/shop", tokens.Refresh, false},
		{"a refresh token where scopes are asked for", "/admins", tokens.Refresh, false},
		{"an ID token after a refresh", "/shop", refreshed.ID, true},
		{"an access token after a refresh", "/admins", refreshed.Access, true},
		{"the first of two scopes", "/scoped", c.scope(t, "pets/read"), true},
		{"the second of two scopes", "/scoped", c.scope(t, "x", "pets/write"), true},
		{"another scope", "/scoped", c.scope(t, "cats/read"), false},
		{"a scope in another case", "/scoped", c.scope(t, "Pets/Read"), false},
		{"a part of a scope", "/scoped", c.scope(t, "pets", "read", "pets/rea", "pets/reader"), false},
		{"no scope", "/scoped", c.scope(t), false},
		{"the scope of another route", "/scoped/other", c.scope(t, "pets/read"), false},
		{"its own scope there", "/scoped/other", c.scope(t, "cats/read"), true},
		{"an access token with scopes where none are asked for", "/scoped/none", c.scope(t, "pets/read"), false},
		{"an access token of another pool", "/scoped", tokens.Access, false},
		{"a token of no use", "/scoped", c.scoped.Token(t, envoytest.TokenRequest{Audience: "a", Scopes: []string{"pets/read"}}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 { // the second time it is remembered
				if tc.passes {
					c.takes(t, ask(tc.target, bearer(tc.token)))
				} else {
					c.isUnauthorized(t, ask(tc.target, bearer(tc.token)))
				}
			}
		})
	}
}

// A token is good for the authorizers that name its pool, on whatever API, route and stage, and for no other.
func (c *cognito) pools(t *testing.T, tokens envoytest.CognitoTokens) {
	moto, other := c.moto.signIn(t), c.other.signIn(t)
	seen := c.takes(t, ask("/both", bearer(moto.ID)))
	if got := seen.Header("x-email"); len(got) != 1 || got[0] != email {
		t.Errorf("x-email: %q", got)
	}
	c.takes(t, ask("/both", bearer(tokens.ID)))
	c.takes(t, ask("/other", bearer(other.ID)))
	c.takes(t, asked{"test.example.com", "/shop", []string{bearer(tokens.ID)}})
	for token, targets := range map[string][]string{
		tokens.ID: {"/other", "/scoped", "/scoped/none"}, moto.ID: {"/shop", "/other", "/elsewhere"}, other.ID: {"/shop", "/both", "/client"},
	} {
		for _, target := range targets {
			c.isUnauthorized(t, ask(target, bearer(token)))
		}
	}
	c.isUnauthorized(t, asked{"cats.example.com", "/shop", []string{bearer(tokens.ID)}})
	c.isUnauthorized(t, asked{"test.example.com", "/other", []string{bearer(tokens.ID)}})
}

// identityValidationExpression holds a token against the client that it was made for; access tokens have none.
func (c *cognito) clients(t *testing.T, tokens envoytest.CognitoTokens) {
	c.takes(t, ask("/client", bearer(tokens.ID)))
	second := signedUp{c.local.pool, c.local.pool.CreateClient(t, "second", 3600)}
	c.takes(t, ask("/shop", bearer(second.signIn(t).ID)))
	c.isUnauthorized(t, ask("/client", bearer(second.signIn(t).ID)))
	c.takes(t, ask("/admins", bearer(tokens.Access)))
	c.isUnauthorized(t, ask("/client/scoped", bearer(tokens.Access)))
	for _, tc := range []struct {
		aud    any
		passes bool
	}{
		{c.local.client, true},
		{[]string{c.local.client}, true},
		{c.local.client + "x", false},
		{"x" + c.local.client, false},
		{c.local.client + "\n", false},
		{[]string{c.local.client, "x"}, false},
		{7, false},
	} {
		r := ask("/client", bearer(c.scoped.Token(t, envoytest.TokenRequest{Audience: "unused", Claims: map[string]any{"token_use": "id", "aud": tc.aud}})))
		if tc.passes {
			c.takes(t, r)
		} else {
			c.isUnauthorized(t, r)
		}
	}
}

// Where there is a resource policy, it has to allow what the token is good for. Without a good token it is not asked.
func (c *cognito) resourcePolicy(t *testing.T, tokens envoytest.CognitoTokens) {
	const arn = "arn:aws:execute-api:eu-west-1:********3333:c1a2t3s4e5/prod/GET"
	at := func(target string, headers ...string) asked { return asked{"cats.example.com", target, headers} }
	c.takes(t, at("/allowed", bearer(tokens.ID)))
	c.refuses(t, at("/silent", bearer(tokens.ID)), 403, "AccessDeniedException",
		`{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: `+arn+`/silent because no resource-based policy allows the execute-api:Invoke action"}`)
	c.refuses(t, at("/denied", bearer(tokens.ID)), 403, "AccessDeniedException",
		`{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: `+arn+`/denied with an explicit deny in a resource-based policy"}`)
	for _, target := range []string{"/allowed", "/silent", "/denied"} {
		c.isUnauthorized(t, at(target))
		c.isUnauthorized(t, at(target, bearer(tokens.Access)))
	}
}

// A token that has expired is told so, and only if it is good otherwise.
func (c *cognito) time(t *testing.T) {
	short := signedUp{c.local.pool, c.local.pool.CreateClient(t, "short", 2)}
	tokens := short.signIn(t)
	begun := time.Now()
	token := ask("/shop", bearer(tokens.ID))
	expires, _ := claimsOf(t, tokens.ID)["exp"].(float64)
	if a := c.get(t, "/shop", bearer(tokens.ID)); time.Until(time.Unix(int64(expires), 0)) > 0 {
		c.allowed(t, a)
	}
	c.upstream.Take()
	time.Sleep(time.Until(time.Unix(int64(expires), 0)) + 10*time.Millisecond)
	if time.Since(begun) > 3*time.Second {
		t.Errorf("the token was valid for %v", time.Since(begun))
	}
	c.refuses(t, token, 401, unauthorizedException, tokenExpired)
	c.isUnauthorized(t, ask("/shop", bearer(tokens.ID[:len(tokens.ID)-1])))
	c.isUnauthorized(t, ask("/other", bearer(tokens.ID)))

	now := time.Now().Unix()
	for _, tc := range []struct {
		name   string
		claims map[string]any
		body   string
	}{
		{"an hour ago", map[string]any{"exp": now - 3600}, tokenExpired},
		{"in 1970", map[string]any{"exp": 0}, tokenExpired},
		{"no expiry", map[string]any{"exp": nil}, unauthorized},
		{"an expiry that is a text", map[string]any{"exp": fmt.Sprint(now + 3600)}, unauthorized},
		{"issued in the future", map[string]any{"iat": now + 3600, "exp": now + 7200}, unauthorized},
		{"not valid yet", map[string]any{"nbf": now + 3600}, unauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := map[string]any{"token_use": "access"}
			for name, value := range tc.claims {
				claims[name] = value
			}
			forged := c.scoped.Token(t, envoytest.TokenRequest{Audience: "a", Scopes: []string{"pets/read"}, Claims: claims})
			c.refuses(t, ask("/scoped", bearer(forged)), 401, unauthorizedException, tc.body)
		})
	}
}

// What is made of a good token passes for nothing.
func (c *cognito) attacks(t *testing.T, tokens envoytest.CognitoTokens) {
	c.takes(t, ask("/shop", bearer(tokens.ID))) // it is remembered
	var forged []asked
	for _, token := range slices.Concat(forgeries(t, tokens.ID, c.local.pool.JWKS), flipped(tokens.ID, 200)) {
		forged = append(forged, ask("/shop", bearer(token)))
	}
	c.noneTaken(t, forged, unauthorizedException)
	c.hugeTokens(t, "/shop", tokens.ID)
	c.takes(t, ask("/shop", bearer(tokens.ID)))
}

// forgeries are tokens that are made of a good one by who has no key.
func forgeries(t *testing.T, token, jwks string) []string {
	t.Helper()
	segments := strings.Split(token, ".")
	payload, err := decodeSegment(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	tail := strings.TrimSuffix(payload, "}")
	forged := []string{
		token[:len(token)-1], token[:len(token)/2], token[1:], segments[0], segments[0] + "." + segments[1], segments[0] + "." + segments[1] + ".",
		"." + segments[1] + "." + segments[2], segments[0] + ".." + segments[2], ".." + segments[2], "..", token + ".", token + "." + segments[2], token + "A",
		token + "=", token + "%00", strings.Replace(token, ".", "%2E", 1), strings.ToLower(token), token + token,
		withPayload(token, tail+`,"sub":"admin"}`), withPayload(token, `{"sub":"admin",`+payload[1:]), withPayload(token, "{}"), withPayload(token, payload+" "),
		withPayload(token, strings.Replace(payload, `"sub":"`, `"sub":"x`, 1)),
		withHeader(t, token, map[string]any{"kid": "another"}, nil), withHeader(t, token, map[string]any{"kid": "../../../../dev/null"}, nil),
		withHeader(t, token, map[string]any{"jku": "http://127.0.0.1:1/keys"}, nil), withHeader(t, token, map[string]any{"crit": []string{"exp"}}, nil),
		withHeader(t, token, map[string]any{"kid": ""}, []byte("")),
	}
	for _, alg := range []string{"none", "None", "NONE", "", "RS384", "RS512", "PS256", "ES256", "HS256", "EdDSA"} {
		unsigned := withHeader(t, token, map[string]any{"alg": alg}, nil)
		forged = append(forged, unsigned, unsigned[:strings.LastIndexByte(unsigned, '.')+1])
	}
	for _, secret := range publicKeys(t, jwks) {
		forged = append(forged, withHeader(t, token, map[string]any{"alg": "HS256"}, secret), withHeader(t, token, nil, secret))
	}
	if slices.Contains(forged, token) {
		t.Fatal("a forgery is the token itself")
	}
	return forged
}

// hugeTokens sends tokens of up to 1 MiB: those that Envoy lets through get portcullis' answer.
func (s *stack) hugeTokens(t *testing.T, target, token string) {
	t.Helper()
	for _, size := range []int{8 << 10, 17 << 10, 40 << 10} {
		s.isUnauthorized(t, ask(target, bearer(token+strings.Repeat("A", size))))
		s.isUnauthorized(t, ask(target, bearer(strings.Repeat("A", size))))
		s.isUnauthorized(t, ask(target, bearer(strings.Repeat(".", size))))
	}
	for _, size := range []int{62 << 10, 1 << 20} {
		s.denied(t, s.get(t, target, bearer(token+strings.Repeat("A", size))), 431)
	}
}
