package jwt

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestHTTPAuthorizer(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil)))
	c := httpConfig(p.URL, "a1", "a2")
	c.Cache = newCache(t)
	a := start(t, c)
	now := time.Now().Unix()
	const description = `Bearer scope="" error="invalid_token" error_description="`
	for _, row := range []struct {
		name      string
		claims    claims
		scopes    []string
		code      authz.Code // none: taken
		challenge string
	}{
		{name: "valid"},
		{name: "a list of audiences", claims: claims{"aud": []string{"x", "a2"}}},
		{name: "another audience", claims: claims{"aud": "a3"}, code: authz.CodeUnauthorized, challenge: description + `the token does not have a valid audience"`},
		{name: "a part of an audience", claims: claims{"aud": "a"}, code: authz.CodeUnauthorized},
		{name: "audiences in one text", claims: claims{"aud": "a1 a2"}, code: authz.CodeUnauthorized},
		{name: "no audience", claims: claims{"aud": nil}, code: authz.CodeUnauthorized},
		{name: "an empty list of audiences", claims: claims{"aud": []string{}}, code: authz.CodeUnauthorized},
		{name: "an audience that is a number", claims: claims{"aud": 1}, code: authz.CodeUnauthorized},
		{name: "client_id without aud", claims: claims{"aud": nil, "client_id": "a2"}},
		{name: "another client_id without aud", claims: claims{"aud": nil, "client_id": "a3"}, code: authz.CodeUnauthorized},
		{name: "client_id beside another aud", claims: claims{"aud": "a3", "client_id": "a1"}, code: authz.CodeUnauthorized},
		{name: "client_id beside an empty aud", claims: claims{"aud": []string{}, "client_id": "a1"}, code: authz.CodeUnauthorized},
		{name: "another issuer", claims: claims{"iss": "https://other.example"}, code: authz.CodeUnauthorized},
		{name: "a slash after the issuer", claims: claims{"iss": p.URL + "/"}, code: authz.CodeUnauthorized},
		{name: "no issuer", claims: claims{"iss": nil}, code: authz.CodeUnauthorized},
		{name: "a list of issuers", claims: claims{"iss": []string{p.URL}}, code: authz.CodeUnauthorized},
		{name: "expired", claims: claims{"exp": now - 1}, code: authz.CodeExpiredToken, challenge: description + `the token has expired"`},
		{name: "expires now", claims: claims{"exp": now}, code: authz.CodeExpiredToken},
		{name: "never expires", claims: claims{"exp": nil}, code: authz.CodeUnauthorized},
		{name: "expires, says a text", claims: claims{"exp": "9999999999"}, code: authz.CodeUnauthorized},
		{name: "not yet", claims: claims{"nbf": now + 60}, code: authz.CodeUnauthorized, challenge: description + `the token is not valid yet"`},
		{name: "from the future", claims: claims{"iat": now + 60}, code: authz.CodeUnauthorized},
		{name: "neither nbf nor iat", claims: claims{"nbf": nil, "iat": nil}},
		{name: "a fraction", claims: claims{"iat": float64(now) - 0.5, "exp": float64(now) + 60.5}},
		{name: "one of the scopes", claims: claims{"scope": "read write"}, scopes: []string{"write", "admin"}},
		{name: "a list in scp", claims: claims{"scp": []string{"write"}}, scopes: []string{"write"}},
		{name: "a text in scp", claims: claims{"scp": "read write"}, scopes: []string{"write"}},
		{name: "both scope and scp", claims: claims{"scope": "read", "scp": []string{"write"}}, scopes: []string{"write"}},
		{name: "none of the scopes", claims: claims{"scope": "read"}, scopes: []string{"write"}, code: authz.CodeMissingScope,
			challenge: `Bearer scope="" error="insufficient_scope" error_description="the token does not have a required scope"`},
		{name: "no scope", scopes: []string{"write"}, code: authz.CodeMissingScope},
		{name: "a scope in another case", claims: claims{"scope": "Write"}, scopes: []string{"write"}, code: authz.CodeMissingScope},
		{name: "a part of a scope", claims: claims{"scope": "writeall"}, scopes: []string{"write"}, code: authz.CodeMissingScope},
		{name: "a list in scope", claims: claims{"scope": []string{"read", "write"}}, scopes: []string{"write"}},
		{name: "a list in scope, no scopes asked", claims: claims{"scope": []string{"read"}}},
		{name: "a list in scope without the scope", claims: claims{"scope": []string{"read", "write all"}}, scopes: []string{"write"}, code: authz.CodeMissingScope},
		{name: "an object in scope", claims: claims{"scope": claims{"write": true}}, scopes: []string{"write"}, code: authz.CodeUnauthorized},
		{name: "a number in a list in scope", claims: claims{"scope": []any{"write", 1}}, scopes: []string{"write"}, code: authz.CodeUnauthorized},
		{name: "a Cognito ID token", claims: claims{"token_use": "id"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, row.claims))
			for range 2 { // the second time it may be remembered
				c.Cache.Wait()
				if row.code == "" {
					taken(t, a, token, row.scopes...)
					taken(t, a, "Bearer "+token, row.scopes...)
					continue
				}
				r := refused(t, a, token, row.scopes...)
				if r.Reason.Code != row.code || row.challenge != "" && r.Challenge != row.challenge {
					t.Errorf("%+v, want code %s and challenge %s", r, row.code, row.challenge)
				}
				want := &authz.Refusal{ResponseType: "UNAUTHORIZED", Challenge: r.Challenge, Reason: r.Reason, Caller: r.Caller}
				if row.code == authz.CodeMissingScope {
					want.ResponseType, want.ErrorType, want.Message = "ACCESS_DENIED", "AccessDeniedException", "Forbidden"
				}
				if diff := cmp.Diff(want, r); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestShown(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	a := start(t, httpConfig(p.URL, "a1"))
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
	for _, prefix := range []string{"", "Bearer ", "bearer ", "BEARER ", "bEaReR "} {
		taken(t, a, prefix+token)
	}
	for _, shown := range []string{
		"Bearer  " + token, " " + token, token + " ", "Bearer " + token + " ", " Bearer " + token, "Bearer\t" + token, "Bearer", "Bearer ",
		"Bearer" + token, "Basic " + token, "Token " + token, "Bearer Bearer " + token, "Bearer: " + token, "\"" + token + "\"",
		token + "," + token, "Bearer " + token + ", Bearer " + token, token + "\n", "\ufeff" + token, "Bearer\u00a0" + token, "DPoP " + token,
		".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d.e", strings.Repeat("a.", 3), strings.Repeat(".", 1<<16),
	} {
		unauthorized(t, a, shown)
	}
	if r := refused(t, a, ""); r.Challenge != "Bearer" || r.ResponseType != "UNAUTHORIZED" {
		t.Errorf("no token: %+v", r)
	}
	two, _, _ := strings.Cut(token, ".")
	if r := refused(t, a, two+".x"); r.Challenge != `Bearer scope="" error="invalid_token" error_description="token contains an invalid number of segments"` {
		t.Errorf("two segments: %s", r.Challenge)
	}
}

func restConfig(p *idp, additional ...AdditionalClaim) Config {
	return Config{Issuers: []Issuer{{Source: Source{Issuer: p.URL}, Audiences: []string{"a1"}, AdditionalClaims: additional}}}
}

func TestRESTAuthorizer(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil), jwkOf(t, ed(), "d1", nil)))
	other := newIDP(t, setOf(t, jwkOf(t, rsa2(), "k1", nil)))
	c := restConfig(p,
		AdditionalClaim{ClaimName: "tenant", Format: "SINGLE_STRING", Required: true, ExpectedValues: []string{"t1", "t2"}},
		AdditionalClaim{ClaimName: "plan", Format: "SINGLE_STRING", ExpectedValues: []string{"5"}},
		AdditionalClaim{ClaimName: "email", Format: "SINGLE_STRING", Required: true})
	c.Issuers = append(c.Issuers, Issuer{Source: Source{Issuer: other.URL}, Audiences: []string{"b1"}})
	a := start(t, c)
	full := claims{"tenant": "t1", "email": "a@example.com"}
	with := func(more claims) claims {
		m := good(p.URL, full)
		for name, v := range more {
			if m[name] = v; v == nil {
				delete(m, name)
			}
		}
		return m
	}
	for name, m := range map[string]claims{
		"full": nil, "another expected value": {"tenant": "t2"}, "an optional claim": {"plan": "5"}, "an empty text": {"email": ""},
	} {
		t.Run(name, func(t *testing.T) { taken(t, a, sign(t, "ES256", p256(), "e1", nil, with(m))) })
	}
	for name, m := range map[string]claims{
		"another value": {"tenant": "t3"}, "another case": {"tenant": "T1"}, "no tenant": {"tenant": nil}, "a list": {"tenant": []string{"t1"}},
		"a number for a text": {"plan": 5}, "another plan": {"plan": "6"}, "no email": {"email": nil}, "email is a number": {"email": 1},
		"email is an object": {"email": claims{}}, "the other issuer's audience": {"aud": "b1"}, "client_id for aud": {"aud": nil, "client_id": "a1"},
		"a slash": {"iss": p.URL + "/"}, "expired": {"exp": 1},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "expired" {
				if r := refused(t, a, sign(t, "ES256", p256(), "e1", nil, with(m))); r.Reason.Code != authz.CodeExpiredToken || r.ResponseType != "UNAUTHORIZED" {
					t.Errorf("%+v", r)
				}
				return
			}
			unauthorized(t, a, sign(t, "ES256", p256(), "e1", nil, with(m)))
		})
	}
	taken(t, a, sign(t, "RS512", rsa2(), "k1", nil, good(other.URL, claims{"aud": "b1"})))
	unauthorized(t, a, sign(t, "RS512", rsa2(), "k1", nil, good(other.URL, claims{"aud": "a1"})))
	unauthorized(t, a, sign(t, "RS256", rsa2(), "k1", nil, with(nil)))                            // the other issuer's key
	unauthorized(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(other.URL, claims{"aud": "b1"}))) // and the other way
	unauthorized(t, a, sign(t, "EdDSA", ed(), "d1", nil, with(nil)))                              // not listed
	if r := refused(t, a, sign(t, "ES256", p256(), "e1", nil, with(claims{"scope": "x"})), "y"); r.Reason.Code != authz.CodeMissingScope || r.Challenge != "" {
		t.Errorf("%+v", r)
	}
}

func TestAlgorithms(t *testing.T) {
	keys := map[string]any{
		"RS256": rsa1(), "RS384": rsa1(), "RS512": rsa1(), "PS256": rsa1(), "PS384": rsa1(), "PS512": rsa1(),
		"ES256": p256(), "ES384": p384(), "ES512": p521(), "EdDSA": ed(), "HS256": []byte("secret"),
	}
	var set []claims
	for alg, k := range keys {
		set = append(set, jwkOf(t, k, alg, nil))
	}
	p := newIDP(t, setOf(t, set...))
	all := []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"}
	for name, row := range map[string]struct {
		http             bool
		configured, take []string
	}{
		"HTTP":       {true, nil, all[:3]},
		"REST":       {false, nil, all[:6]},
		"everything": {false, all, all},
		"EdDSA":      {true, []string{"EdDSA"}, []string{"EdDSA"}},
		"ES384":      {false, []string{"ES384"}, []string{"ES384"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := restConfig(p)
			c.HTTP, c.Algorithms = row.http, row.configured
			a := start(t, c)
			for alg, k := range keys {
				token := sign(t, alg, k, alg, nil, good(p.URL, nil))
				if slices.Contains(row.take, alg) {
					taken(t, a, token)
				} else {
					unauthorized(t, a, token)
				}
			}
		})
	}
}

// A key that says its algorithm is used with no other.
func TestKeyOfOneAlgorithm(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", claims{"alg": "RS384"})))
	a := start(t, httpConfig(p.URL, "a1"))
	taken(t, a, sign(t, "RS384", rsa1(), "k1", nil, good(p.URL, nil)))
	unauthorized(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil)))
	unauthorized(t, a, sign(t, "RS512", rsa1(), "k1", nil, good(p.URL, nil)))
}

func TestRefusedConfigurations(t *testing.T) {
	valid := func() Config {
		return Config{Issuers: []Issuer{{Source: Source{Issuer: "https://id.example.com/"}, Audiences: []string{"a"}}}, KeySets: newKeySets(t)}
	}
	issuer := func(change func(*Issuer)) func(*Config) { return func(c *Config) { change(&c.Issuers[0]) } }
	source := func(change func(*Source)) func(*Config) { return func(c *Config) { change(&c.Issuers[0].Source) } }
	additional := func(claim AdditionalClaim) func(*Config) {
		return issuer(func(i *Issuer) { i.AdditionalClaims = []AdditionalClaim{claim} })
	}
	for name, row := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no issuer":           {func(c *Config) { c.Issuers = nil }, "issuer: none; write"},
		"an empty issuer":     {source(func(s *Source) { s.Issuer = "" }), "issuer: missing; write"},
		"a name":              {source(func(s *Source) { s.Issuer = "id.example.com" }), "not an absolute URL; write"},
		"http":                {source(func(s *Source) { s.Issuer = "http://id.example.com/x" }), "write https://id.example.com/x"},
		"a user":              {source(func(s *Source) { s.Issuer = "https://me:pass@id.example.com" }), "without user name"},
		"a query":             {source(func(s *Source) { s.Issuer = "https://id.example.com/?x" }), "without query"},
		"a fragment":          {source(func(s *Source) { s.Issuer = "https://id.example.com/#" }), "fragment"},
		"ftp":                 {source(func(s *Source) { s.Issuer = "ftp://id.example.com/" }), "not an absolute URL"},
		"http keys":           {source(func(s *Source) { s.JWKSURI = "http://keys.example.com/" }), "jwksUri: http is believed on this machine only"},
		"keys in two places":  {source(func(s *Source) { s.JWKSURI, s.File = "https://a.example", "b" }), "remove one of the two"},
		"a long interval":     {source(func(s *Source) { s.Interval = 48 * time.Hour }), "interval"},
		"a negative interval": {source(func(s *Source) { s.Interval = -1 }), "interval"},
		"a long age":          {source(func(s *Source) { s.MaxAge = 1000 * time.Hour }), "maxAge"},
		"a long timeout":      {source(func(s *Source) { s.HTTP.Timeout = time.Hour }), "timeout"},
		"no certificate":      {source(func(s *Source) { s.HTTP.RootCAs = []byte("x") }), "BEGIN CERTIFICATE"},
		"no proxy":            {source(func(s *Source) { s.HTTP.ProxyURL = "user:hunter2@proxy" }), "write one such as http://proxy"},
		"http by a proxy": {source(func(s *Source) {
			s.JWKSURI, s.HTTP.ProxyURL = "http://localhost:1/keys", "http://me:hunter2@proxy.example.com:3128"
		}), "proxy: http is believed on this machine only"},
		"an http issuer by a proxy": {source(func(s *Source) {
			s.Issuer, s.HTTP.ProxyURL = "http://127.0.0.1:1", "socks5://10.0.0.1:1080"
		}), "proxy: http is believed on this machine only"},
		"no audience":         {issuer(func(i *Issuer) { i.Audiences = nil }), "every token of the issuer would count; write"},
		"an empty audience":   {issuer(func(i *Issuer) { i.Audiences = []string{""} }), "an empty one"},
		"51 audiences":        {issuer(func(i *Issuer) { i.Audiences = strings.Split(strings.Repeat("a,", 50)+"a", ",") }), "of at most 50"},
		"HS256":               {func(c *Config) { c.Algorithms = []string{"HS256"} }, `"HS256" is not one that is verified; write one of RS256,`},
		"none":                {func(c *Config) { c.Algorithms = []string{"none"} }, `"none" is not one`},
		"PS256":               {func(c *Config) { c.Algorithms = []string{"PS256"} }, `"PS256" is not one`},
		"rs256":               {func(c *Config) { c.Algorithms = []string{"rs256"} }, `"rs256" is not one`},
		"RS256 twice":         {func(c *Config) { c.Algorithms = []string{"RS256", "RS256"} }, "twice; remove"},
		"two issuers on HTTP": {func(c *Config) { c.HTTP, c.Issuers = true, append(c.Issuers, c.Issuers[0]) }, "one issuer; write"},
		"the same issuer":     {func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, "twice; remove"},
		"claims on HTTP": {func(c *Config) {
			c.HTTP, c.Issuers[0].AdditionalClaims = true, []AdditionalClaim{{ClaimName: "a", Format: "SINGLE_STRING", Required: true}}
		}, "has none; remove"},
		"a claim without a name": {additional(AdditionalClaim{Format: "SINGLE_STRING", Required: true}), "without a claimName; write"},
		"scope as a claim":       {additional(AdditionalClaim{ClaimName: "scope", Format: "SINGLE_STRING", Required: true}), "scope is checked in its own way"},
		"an unknown format":      {additional(AdditionalClaim{ClaimName: "a", Format: "LIST", Required: true}), "write SINGLE_STRING"},
		"a negative skew":        {func(c *Config) { c.ClockSkew = -1 }, "clockSkew"},
		"an hour of skew":        {func(c *Config) { c.ClockSkew = time.Hour }, "clockSkew"},
		"no registry":            {func(c *Config) { c.KeySets = nil }, "registry"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			row.change(&c)
			a, err := New(c)
			if err == nil {
				a.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "pass") {
				t.Errorf("%v, want %q", err, row.want)
			}
			if c.KeySets != nil && len(c.KeySets.sets) > 0 {
				t.Error("a refused configuration keeps key sets")
			}
		})
	}
	a, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := New(Config{Issuers: []Issuer{{}}, Algorithms: []string{"none"}, ClockSkew: -1, KeySets: newKeySets(t)})
	for _, want := range []string{"audiences", "algorithms", "clockSkew", "issuer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: nothing of %s", err, want)
		}
	}
}

func TestClockSkew(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.ClockSkew = time.Minute
	a := start(t, c)
	now := time.Now().Unix()
	taken(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"exp": now - 30, "iat": now + 30, "nbf": now + 30})))
	unauthorized(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"iat": now + 90})))
	unauthorized(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"exp": now - 61})))
	taken(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"exp": 1 << 62})))
}

// Operators see of whom a refused token is, if the issuer vouches for it, and whether a token was remembered.
func TestCallerOfToken(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.Cache = newCache(t)
	a := start(t, c)
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"sub": "s1", "aud": "a1", "client_id": "c1", "scope": "read write"}))
	want := authz.Caller{Principal: "s1", Issuer: p.URL, ClientID: "c1", TokenKeyID: "k1", Audience: []string{"a1"}, Scopes: []string{"read", "write"}}
	for _, cached := range []authz.CacheState{authz.CacheMiss, authz.CacheHit} {
		verified := taken(t, a, token, "read")
		if diff := cmp.Diff(want, verified.Caller()); diff != "" || verified.Cache() != cached {
			t.Errorf("cache %v, want %v; %s", verified.Cache(), cached, diff)
		}
		c.Cache.Wait()
		if r := refused(t, a, token, "admin"); r.Reason.Code != authz.CodeMissingScope || !reflect.DeepEqual(r.Caller, want) {
			t.Errorf("%+v", r)
		}
	}
	if r := refused(t, a, token[:len(token)-4]+"AAAA", "read"); !reflect.DeepEqual(r.Caller, authz.Caller{}) {
		t.Errorf("an unverified token has the caller %+v", r.Caller)
	}
}
