package jwt

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

func counted(t testing.TB, c *Cache, name string) float64 {
	t.Helper()
	for _, s := range c.Samples() {
		if s.Name == "portcullis_cache_"+name {
			return s.Value
		}
	}
	t.Fatalf("no sample %s", name)
	return 0
}

// A token that is remembered is remembered as verified, not as good for a route, an audience or an authorizer.
func TestWhatIsRememberedIsCheckedAgain(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil)))
	k, c := newKeySets(t), newCache(t)
	authorizer := func(change func(*Config)) *Authorizer {
		conf := httpConfig(p.URL, "a1")
		conf.KeySets, conf.Cache = k, c
		change(&conf)
		return start(t, conf)
	}
	first := authorizer(func(*Config) {})
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"scope": "read", "tenant": "t1", "list": []string{"x", "y"}}))
	taken(t, first, token)
	c.Wait()
	taken(t, first, token)
	if counted(t, c, "hits_total") != 1 {
		t.Fatal("the token is not remembered: the test shows nothing")
	}
	// Verified in the same way: remembered for it too, and held to its own audiences.
	other := authorizer(func(c *Config) { c.Issuers[0].Audiences = []string{"b1"} })
	if r := refused(t, other, token); r.Reason.Detail != failAudience.detail {
		t.Errorf("%+v", r)
	}
	if counted(t, c, "hits_total") != 2 {
		t.Error("an authorizer that verifies in the same way does not profit")
	}
	if r := refused(t, first, token, "write"); r.Reason.Code != authz.CodeMissingScope {
		t.Errorf("%+v", r)
	}
	taken(t, first, token, "read")
	unauthorized(t, authorizer(func(c *Config) {
		c.HTTP, c.Issuers[0].AdditionalClaims = false, []AdditionalClaim{{ClaimName: "tenant", Format: "SINGLE_STRING", ExpectedValues: []string{"t2"}}}
	}), token)
	// Verified in another way: not remembered.
	unauthorized(t, authorizer(func(c *Config) { c.Algorithms = []string{"ES256", "ES384", "ES512"} }), token)
	rest := authorizer(func(c *Config) { c.HTTP, c.Algorithms = false, defaultHTTP })
	if list, _ := taken(t, rest, token).Claim("list"); list != "x,y" {
		t.Errorf("a REST API gets an HTTP API's claim, %s", list)
	}
	before := counted(t, c, "hits_total")
	elsewhere := newIDP(t, setOf(t, jwkOf(t, rsa2(), "k1", nil)))
	unauthorized(t, authorizer(func(c *Config) { c.Issuers[0].Source.JWKSURI = elsewhere.URL + "/keys" }), token)
	if counted(t, c, "hits_total") != before {
		t.Error("a token counts as verified by keys that never verified it")
	}
	// Nor with anything else about it.
	for _, changed := range []string{token[:len(token)-1], token + "A", strings.ToUpper(token), token[1:]} {
		if _, err := first.Authenticate(t.Context(), changed, nil); err == nil {
			t.Error("a token that is nearly a known one is taken")
		}
	}
}

func TestRememberedAcrossReloads(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.KeySets, c.Cache = newKeySets(t), newCache(t)
	old := start(t, c)
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
	taken(t, old, token)
	c.Cache.Wait()
	fresh := start(t, c)
	old.Close()
	taken(t, fresh, token)
	if counted(t, c.Cache, "hits_total") != 1 || p.fetches.Load() != 1 {
		t.Errorf("%v hits, %d fetches after a reload of the same", counted(t, c.Cache, "hits_total"), p.fetches.Load())
	}
}

func TestRememberedNoLongerThanValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		c := Config{HTTP: true, Issuers: []Issuer{{Source: f.source(), Audiences: []string{"a1"}}}, KeySets: NewKeySets(slog.New(slog.DiscardHandler)),
			Cache: newCache(t), MaxCacheTime: time.Minute}
		a := start(t, c)
		short := sign(t, "RS256", rsa1(), "k1", nil, good(fileIssuer, claims{"exp": time.Now().Unix() + 30}))
		long := sign(t, "RS256", rsa1(), "k1", nil, good(fileIssuer, claims{"exp": time.Now().Unix() + 3600}))
		taken(t, a, short)
		taken(t, a, long)
		c.Cache.Wait()
		time.Sleep(30*time.Second - time.Nanosecond)
		taken(t, a, short)
		time.Sleep(time.Nanosecond)
		if r := refused(t, a, short); r.Reason.Code != authz.CodeExpiredToken {
			t.Errorf("%+v", r)
		}
		hits := counted(t, c.Cache, "hits_total")
		time.Sleep(30 * time.Second)
		taken(t, a, long)
		if counted(t, c.Cache, "hits_total") != hits {
			t.Error("remembered for longer than the configured time")
		}
		a.Close()
		c.KeySets.Close()
		c.Cache.Close()
	})
}

// A token ends at its own time, even if the cache still has it.
func TestRememberedTooLong(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.Cache = newCache(t)
	a := start(t, c)
	text := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
	for name, change := range map[string]func(*Token){
		"expired": func(t *Token) { t.expires = time.Now().UnixNano() },
		"early":   func(t *Token) { t.notBefore = time.Now().Add(time.Minute).UnixNano() },
		"future":  func(t *Token) { t.issuedAt = time.Now().Add(time.Minute).UnixNano() },
	} {
		changed := *taken(t, a, text)
		change(&changed)
		// Another text, which would not be taken if it were not remembered.
		c.Cache.Set(cache.Key{Scope: a.verifier.scope, Parts: []string{name}}, &changed, 1, time.Now().Add(time.Hour))
		c.Cache.Wait()
		r := refused(t, a, name)
		if want := map[string]authz.Code{"expired": authz.CodeExpiredToken}[name]; want != "" && r.Reason.Code != want || strings.Contains(r.Reason.Detail, "segments") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A failure is never remembered: a token that was refused because its key was not there is taken when it is.
func TestFailuresAreNotRemembered(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa2(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.Cache = newCache(t)
	a := start(t, c)
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
	unauthorized(t, a, token)
	c.Cache.Wait()
	p.serve(setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	a.verifier.keys[p.URL].round(context.WithoutCancel(t.Context()))
	taken(t, a, token)
}

func TestKnownTokenAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	a, token := known(t)
	scopes := []string{"admin", "read"}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := a.Authenticate(t.Context(), token, scopes); err != nil {
			t.Fatal(err)
		}
	}); n >= 0.5 {
		t.Errorf("%v allocations", n)
	}
	verified := taken(t, a, token)
	if n := testing.AllocsPerRun(1000, func() { verified.Claim("sub") }); n != 0 {
		t.Errorf("%v allocations for a claim", n)
	}
}

func known(t testing.TB) (*Authorizer, string) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.Cache = newCache(t)
	a := start(t, c)
	token := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, claims{"scope": "read write", "cognito:groups": []string{"a", "b"}, "email": "a@example.com"}))
	taken(t, a, token)
	c.Cache.Wait()
	return a, "Bearer " + token
}

func BenchmarkKnownToken(b *testing.B) {
	a, token := known(b)
	ctx, scopes := b.Context(), []string{"admin", "read"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(ctx, token, scopes); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFirstSight(b *testing.B) {
	for _, k := range []struct {
		alg string
		key any
	}{{"RS256", rsa1()}, {"ES256", p256()}, {"EdDSA", ed()}} {
		b.Run(k.alg, func(b *testing.B) {
			p := newIDP(b, setOf(b, jwkOf(b, k.key, "k1", nil)))
			c := restConfig(p)
			c.Algorithms = []string{k.alg}
			a := start(b, c)
			token := sign(b, k.alg, k.key, "k1", nil, good(p.URL, claims{"scope": "read write", "cognito:groups": []string{"a", "b"}, "email": "a@example.com"}))
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(ctx, token, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
