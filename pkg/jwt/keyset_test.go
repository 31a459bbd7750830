package jwt

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

// keyFile is an issuer whose keys are in a file: time can be synthetic then.
type keyFile struct {
	t    *testing.T
	name string
}

func newKeyFile(t *testing.T, keys ...claims) *keyFile {
	f := &keyFile{t, filepath.Join(t.TempDir(), "keys.json")}
	f.write(setOf(t, keys...))
	return f
}

func (f *keyFile) write(text string) {
	f.t.Helper()
	// As a whole or not at all: the file is read at any time.
	if err := os.WriteFile(f.name+".new", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.name+".new", f.name); err != nil {
		f.t.Fatal(err)
	}
}

const fileIssuer = "https://id.example.com"

func (f *keyFile) source() Source { return Source{Issuer: fileIssuer, File: f.name} }

// fetches counts what the samples say.
func fetches(k *KeySets, result string) (n int) {
	for _, s := range k.Samples() {
		if s.Name == "portcullis_jwks_fetches_total" && (result == "" || s.Labels[1].Value == result) {
			n += int(s.Value)
		}
	}
	return n
}

func sampleOf(t *testing.T, k *KeySets, name string) float64 {
	t.Helper()
	for _, s := range k.Samples() {
		if s.Name == name {
			return s.Value
		}
	}
	t.Fatalf("no sample %s", name)
	return 0
}

func TestNothingIsFetchedBeforeStart(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := httpConfig(p.URL, "a1")
	c.KeySets = newKeySets(t)
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r := refused(t, a, sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil)))
	if r.ResponseType != "AUTHORIZER_FAILURE" || r.Reason.Code != authz.CodeAuthorizerFailed || r.Challenge != "" {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready: %v", err)
	}
	if n := p.fetches.Load(); n != 0 || len(c.KeySets.Samples()) != 0 {
		t.Errorf("%d fetches before the start", n)
	}
}

func TestEqualSourcesShare(t *testing.T) {
	k := newKeySets(t)
	s := Source{Issuer: fileIssuer}
	a, b := use(t, k, s), use(t, k, Source{Issuer: fileIssuer, Interval: 15 * time.Minute, MaxAge: 24 * time.Hour})
	if a.keySet != b.keySet {
		t.Error("equal sources have sets of their own")
	}
	for _, other := range []Source{
		{Issuer: fileIssuer + "/"}, {Issuer: fileIssuer, JWKSURI: "https://a.example"}, {Issuer: fileIssuer, File: "a"}, {Issuer: fileIssuer, MaxAge: time.Hour},
		{Issuer: fileIssuer, HTTP: HTTPConfig{ProxyURL: "http://p:1"}}, {Issuer: fileIssuer, HTTP: HTTPConfig{Timeout: time.Second}},
	} {
		if use(t, k, other).keySet == a.keySet {
			t.Errorf("%+v shares another's set", other)
		}
	}
	a.Release()
	a.Release() // once more is nothing
	if k.sets[b.digest] != b.keySet {
		t.Error("the set is gone while one holds it")
	}
	b.Release()
	if k.sets[b.digest] != nil {
		t.Error("the set stays without a holder")
	}
	if c := use(t, k, s); c.id == a.id {
		t.Error("a new set has an old one's id: what is remembered by it would count again")
	}
}

func TestReleaseEndsFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		k := NewKeySets(slog.New(slog.DiscardHandler))
		use(t, k, Source{Issuer: fileIssuer, MaxAge: time.Hour}) // is not started, and keeps the issuer's counts
		a, b := use(t, k, f.source()), use(t, k, f.source())
		a.Start(t.Context())
		b.Start(t.Context())
		time.Sleep(time.Hour + time.Second)
		if n := fetches(k, ""); n != 5 {
			t.Errorf("%d fetches in an hour, want 5: two starts are one", n)
		}
		a.Release()
		time.Sleep(time.Hour)
		if n := fetches(k, ""); n != 9 {
			t.Errorf("%d fetches in two hours, want 9", n)
		}
		b.Release()
		b.Start(t.Context()) // too late
		time.Sleep(time.Hour)
		if n := fetches(k, ""); n != 9 {
			t.Errorf("%d fetches: they go on without a holder", n)
		}
		c := use(t, k, f.source())
		k.Close()
		c.Start(t.Context())
		time.Sleep(time.Hour)
		if n := fetches(k, ""); n != 9 {
			t.Errorf("%d fetches: a closed registry fetches", n)
		}
	})
}

// Start's context may be that of a configuration: the set outlives it.
func TestSetOutlivesWhoStartsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		k := NewKeySets(slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		use(t, k, f.source()).Start(ctx)
		cancel()
		time.Sleep(time.Hour + time.Second)
		if n := fetches(k, "unchanged"); n != 4 {
			t.Errorf("%d fetches in an hour", n)
		}
		k.Close()
	})
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		var logged logtest.Buffer
		c := Config{HTTP: true, Issuers: []Issuer{{Source: f.source(), Audiences: []string{"a1"}}},
			KeySets: NewKeySets(slog.New(slog.NewTextHandler(&logged, nil))), Cache: newCache(t)}
		a := start(t, c)
		token := sign(t, "RS256", rsa1(), "k1", nil, good(fileIssuer, claims{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		taken(t, a, token)
		c.Cache.Wait()
		f.write("<html>down for maintenance</html>")
		time.Sleep(24*time.Hour - time.Second)
		taken(t, a, token)
		if age := sampleOf(t, c.KeySets, "portcullis_jwks_age_seconds"); age < 86000 || age > 86400 {
			t.Errorf("the keys are %v seconds old", age)
		}
		if n := fetches(c.KeySets, "refused"); n < 1400 || n > 1500 {
			t.Errorf("%d fetches in a day of outage, want about one a minute", n)
		}
		if n := strings.Count(logged.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors are logged in a day of outage, want one:\n%s", n, logged.String())
		}
		time.Sleep(2 * time.Second)
		for range 3 {
			if r := refused(t, a, token); r.ResponseType != "AUTHORIZER_FAILURE" || r.Reason.Code != authz.CodeAuthorizerFailed {
				t.Errorf("%+v after a day of outage", r)
			}
		}
		if n := sampleOf(t, c.KeySets, "portcullis_jwks_keys"); n != 0 {
			t.Errorf("%v keys can be used", n)
		}
		f.write(setOf(t, jwkOf(t, rsa1(), "k1", nil)))
		time.Sleep(time.Minute + time.Second)
		taken(t, a, token)
		if !strings.Contains(logged.String(), "fetched again") {
			t.Error("nothing says that the outage is over")
		}
		a.Close()
		c.KeySets.Close()
		c.Cache.Close()
	})
}

func TestFirstFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t)
		f.write("")
		k := NewKeySets(slog.New(slog.DiscardHandler))
		set := use(t, k, f.source())
		set.Start(t.Context())
		synctest.Wait()
		begun := time.Now()
		if _, _, err := set.key(t.Context(), 1, keyID{"k1", "RS256"}); !errors.Is(err, errNoKeys) || time.Since(begun) > 0 {
			t.Errorf("%v after %v: an issuer that was never reached is waited for", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := set.WaitReady(ctx); err == nil || !strings.Contains(err.Error(), fileIssuer) || !strings.Contains(err.Error(), "JSON") {
			t.Errorf("%v does not say what is wrong", err)
		}
		f.write(setOf(t, jwkOf(t, rsa1(), "k1", nil)))
		if err := set.WaitReady(t.Context()); err != nil || time.Since(begun) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		k.Close()
	})
}

func TestEmptySet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		c := Config{HTTP: true, Issuers: []Issuer{{Source: f.source(), Audiences: []string{"a1"}}}, KeySets: NewKeySets(slog.New(slog.DiscardHandler)), Cache: newCache(t)}
		c.Issuers[0].Source.Interval = time.Minute
		a := start(t, c)
		token := sign(t, "RS256", rsa1(), "k1", nil, good(fileIssuer, claims{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		taken(t, a, token)
		c.Cache.Wait()
		for _, empty := range []string{`{"keys":[]}`, setOf(t, jwkOf(t, rsa2(), "enc", claims{"use": "enc"}))} {
			f.write(empty)
			time.Sleep(time.Minute + time.Second/2) // the empty answer has been seen by now
			time.Sleep(4*time.Minute - time.Second)
			taken(t, a, token)
			f.write("broken") // an outage on top does not lengthen it
			time.Sleep(time.Minute + time.Second)
			if r := refused(t, a, token); r.ResponseType != "AUTHORIZER_FAILURE" {
				t.Errorf("%+v five minutes after the keys were withdrawn", r)
			}
			f.write(setOf(t, jwkOf(t, rsa1(), "k1", nil)))
			time.Sleep(time.Minute + time.Second)
			taken(t, a, token)
		}
		a.Close()
		c.KeySets.Close()
		c.Cache.Close()
	})
}

func TestFloodOfUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		k := NewKeySets(slog.New(slog.DiscardHandler))
		set := use(t, k, f.source())
		set.Start(t.Context())
		synctest.Wait()
		before := fetches(k, "")
		var longest atomic.Int64
		var flood sync.WaitGroup
		for i := range 500 {
			flood.Go(func() {
				for n := range 20 {
					begun := time.Now()
					_, _, err := set.key(t.Context(), 1, keyID{"no" + strconv.Itoa(1000*i+n), "RS256"})
					if !errors.Is(err, errUnknownKey) {
						t.Errorf("%v", err)
					}
					longest.Store(max(longest.Load(), int64(time.Since(begun))))
					if _, _, err := set.key(t.Context(), 1, keyID{"k1", "RS256"}); err != nil {
						t.Errorf("the known key: %v", err)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		begun := time.Now()
		flood.Wait()
		most := int(time.Since(begun)/refetchEvery) + 2
		if n := fetches(k, "") - before; n > most || n < 1 {
			t.Errorf("%d fetches in %v for 10,000 unknown keys, want at most %d", n, time.Since(begun), most)
		}
		if d := time.Duration(longest.Load()); d > 2*refetchEvery {
			t.Errorf("an unknown key was waited for %v", d)
		}
		if k.waiting.Held() != 0 {
			t.Error("somebody still counts as waiting")
		}
		k.Close()
	})
}

// Keys are added, used, and withdrawn while tokens are verified: no good token is refused, and none is taken whose key is gone.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := []any{rsa1(), p256(), rsa2(), p384(), ed()}
		algs := []string{"RS256", "ES256", "RS256", "ES384", "EdDSA"}
		kid := func(i int) string { return "k" + strconv.Itoa(i) }
		f := newKeyFile(t, jwkOf(t, keys[0], kid(0), nil))
		c := Config{Issuers: []Issuer{{Source: f.source(), Audiences: []string{"a1"}}}, Algorithms: []string{"RS256", "ES256", "ES384", "EdDSA"},
			KeySets: NewKeySets(slog.New(slog.DiscardHandler)), Cache: newCache(t)}
		a := start(t, c)
		exp := claims{"exp": time.Now().Add(100 * time.Hour).Unix()}
		token := func(i, n int) string {
			return sign(t, algs[i], keys[i], kid(i), nil, good(fileIssuer, claims{"exp": exp["exp"], "sub": strconv.Itoa(n)}))
		}
		verify := func(i int) {
			var all sync.WaitGroup
			for n := range 8 {
				all.Go(func() {
					for range 5 {
						taken(t, a, token(i, n%4))
						time.Sleep(time.Second)
					}
				})
			}
			all.Wait()
		}
		for i := range len(keys) - 1 {
			verify(i)
			old := token(i, 0)
			taken(t, a, old)
			c.Cache.Wait()
			f.write(setOf(t, jwkOf(t, keys[i], kid(i), nil), jwkOf(t, keys[i+1], kid(i+1), nil)))
			verify(i + 1) // at once: the new key is not known yet
			verify(i)
			f.write(setOf(t, jwkOf(t, keys[i+1], kid(i+1), nil)))
			time.Sleep(16 * time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := a.Authenticate(ctx, old, nil); err == nil {
				t.Fatalf("a token of the key %d is taken after the key was withdrawn", i)
			}
			cancel()
		}
		set := a.verifier.keys[fileIssuer]
		if g := set.state.Load().generation; g != 9 {
			t.Errorf("generation %d, want 9: four keys came, and four went", g)
		}
		time.Sleep(10 * time.Hour)
		if g := set.state.Load().generation; g != 9 {
			t.Errorf("generation %d: the same keys count as new", g)
		}
		a.Close()
		c.KeySets.Close()
		c.Cache.Close()
	})
}

// A key that comes back under its name with other bits is another key.
func TestKeyReplacedUnderItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil))
		c := Config{HTTP: true, Issuers: []Issuer{{Source: f.source(), Audiences: []string{"a1"}}}, KeySets: NewKeySets(slog.New(slog.DiscardHandler)), Cache: newCache(t)}
		a := start(t, c)
		old, fresh := sign(t, "RS256", rsa1(), "k1", nil, good(fileIssuer, nil)), sign(t, "RS256", rsa2(), "k1", nil, good(fileIssuer, nil))
		taken(t, a, old)
		unauthorized(t, a, fresh)
		c.Cache.Wait()
		f.write(setOf(t, jwkOf(t, rsa2(), "k1", nil)))
		time.Sleep(16 * time.Minute)
		unauthorized(t, a, old)
		taken(t, a, fresh)
		a.Close()
		c.KeySets.Close()
		c.Cache.Close()
	})
}

func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeyFile(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil))
		k := NewKeySets(slog.New(slog.DiscardHandler))
		a := use(t, k, f.source())
		other := f.source()
		other.MaxAge = 2 * time.Hour
		b := use(t, k, other) // two sets of one issuer are one line
		a.Start(t.Context())
		b.Start(t.Context())
		time.Sleep(time.Minute)
		seen := map[string]bool{}
		for _, s := range k.Samples() {
			line := s.Name
			for _, l := range s.Labels {
				line += " " + l.Name + "=" + l.Value
			}
			if seen[line] || s.Help == "" {
				t.Errorf("%s is there twice, or without help", line)
			}
			seen[line] = true
		}
		if v := sampleOf(t, k, "portcullis_jwks_age_seconds"); v != 60 {
			t.Errorf("age %v", v)
		}
		if v := sampleOf(t, k, "portcullis_jwks_keys"); v != 2 {
			t.Errorf("%v keys", v)
		}
		if fetches(k, "changed") != 2 {
			t.Errorf("%d fetches", fetches(k, "changed"))
		}
		k.Close()
	})
}

// The counts of an issuer go with its last set, a fetch that ends later does not bring them back, and others stay.
func TestCountsGoWithTheirIssuer(t *testing.T) {
	k := newKeySets(t)
	a, b := use(t, k, Source{Issuer: fileIssuer}), use(t, k, Source{Issuer: fileIssuer, MaxAge: time.Hour})
	use(t, k, Source{Issuer: "https://other.example.com"})
	for range 2 {
		k.count(fileIssuer, "ok", 0)
		k.count("https://other.example.com", "failed", 0)
	}
	if a.Release(); fetches(k, "ok") != 2 {
		t.Error("the counts of an issuer that still has a set are gone")
	}
	b.Release()
	k.count(fileIssuer, "ok", 0)
	if fetches(k, "ok") != 0 || fetches(k, "failed") != 2 || len(k.issuers) != 1 {
		t.Errorf("%v", k.Samples())
	}
	use(t, k, Source{Issuer: fileIssuer})
	if k.count(fileIssuer, "ok", 0); fetches(k, "ok") != 1 {
		t.Error("an issuer that comes back does not begin anew")
	}
}
