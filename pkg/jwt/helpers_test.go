package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"go.uber.org/goleak"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rsa1, rsa2 = sync.OnceValue(newRSA(2048)), sync.OnceValue(newRSA(2048))
	p256       = sync.OnceValue(newEC(elliptic.P256()))
	p384       = sync.OnceValue(newEC(elliptic.P384()))
	p521       = sync.OnceValue(newEC(elliptic.P521()))
	ed         = sync.OnceValue(func() crypto.Signer { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

func newRSA(bits int) func() crypto.Signer {
	return func() crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		return k
	}
}

func newEC(c elliptic.Curve) func() crypto.Signer {
	return func() crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
}

// claims are a token's payload; header its header.
type claims = map[string]any

// sign signs a token. What is in header overrides alg, kid and typ; nil removes.
func sign(t testing.TB, alg string, k any, kid string, header, payload claims) string {
	t.Helper()
	h := claims{"alg": alg, "kid": kid, "typ": "JWT"}
	for name, v := range header {
		if h[name] = v; v == nil {
			delete(h, name)
		}
	}
	return signText(t, alg, k, marshal(t, h), marshal(t, payload))
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func signText(t testing.TB, alg string, k any, header, payload string) string {
	t.Helper()
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(alg))
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(header) + "." + b64(payload)
	signature, err := signer.Sign([]byte(signed), k)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(string(signature))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// good is a payload that a default authorizer takes.
func good(issuer string, more claims) claims {
	now := time.Now().Unix()
	p := claims{"iss": issuer, "aud": "a1", "sub": "u-1", "exp": now + 3600, "iat": now - 10, "nbf": now - 10}
	for name, v := range more {
		if p[name] = v; v == nil {
			delete(p, name)
		}
	}
	return p
}

// jwkOf is a public key in a set.
func jwkOf(t testing.TB, k any, kid string, more claims) claims {
	t.Helper()
	if signer, ok := k.(crypto.Signer); ok {
		k = signer.Public()
	}
	parsed, err := jwk.FromRaw(k)
	if err != nil {
		t.Fatal(err)
	}
	var m claims
	if err := json.Unmarshal([]byte(marshal(t, parsed)), &m); err != nil {
		t.Fatal(err)
	}
	m["kid"], m["use"] = kid, "sig"
	for name, v := range more {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	return m
}

func setOf(t testing.TB, keys ...claims) string {
	t.Helper()
	if keys == nil {
		keys = []claims{}
	}
	return marshal(t, claims{"keys": keys})
}

// idp is an issuer on this machine, with a discovery document and a key set that can be changed.
type idp struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc] // of the key set
	fetches atomic.Int32
}

func newIDP(t testing.TB, set string) *idp {
	t.Helper()
	p := &idp{}
	p.serve(set)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"` + p.URL + `","jwks_uri":"` + p.URL + `/keys"}`))
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		(*p.answer.Load())(w, r)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) serve(set string) {
	p.handle(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) })
}

func (p *idp) handle(h http.HandlerFunc) { p.answer.Store(&h) }

func newKeySets(t testing.TB) *KeySets {
	t.Helper()
	k := NewKeySets(slog.New(slog.DiscardHandler))
	t.Cleanup(k.Close)
	return k
}

func newCache(t testing.TB) *Cache {
	t.Helper()
	c, err := cache.New[*Token](cache.Config{Name: "tokens", MaxBytes: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start makes an authorizer that has its keys.
func start(t testing.TB, c Config) *Authorizer {
	t.Helper()
	if c.KeySets == nil {
		c.KeySets = newKeySets(t)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	a.Start(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := a.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func httpConfig(issuer string, audiences ...string) Config {
	return Config{HTTP: true, Issuers: []Issuer{{Source: Source{Issuer: issuer}, Audiences: audiences}}}
}

// refused is the refusal of a token; it fails the test if the token is taken.
func refused(t testing.TB, a *Authorizer, shown string, scopes ...string) *authz.Refusal {
	t.Helper()
	token, err := a.Authenticate(t.Context(), shown, scopes)
	if err == nil {
		t.Fatal("the token is taken")
	}
	if token != nil {
		t.Error("a refusal with a token")
	}
	r, ok := errors.AsType[*authz.Refusal](err)
	if !ok {
		t.Fatalf("%T is no refusal", err)
	}
	for _, text := range []string{r.Message, r.Challenge, r.Reason.Detail} {
		for _, segment := range strings.Split(shown, ".") {
			if len(segment) > 8 && strings.Contains(text, segment) {
				t.Errorf("%q quotes the token", text)
			}
		}
	}
	return r
}

func unauthorized(t testing.TB, a *Authorizer, shown string, scopes ...string) {
	t.Helper()
	r := refused(t, a, shown, scopes...)
	if r.ResponseType != "UNAUTHORIZED" || r.Message != "" || r.Reason.Detail == "" {
		t.Errorf("%+v, want UNAUTHORIZED with its own message", r)
	}
	if a.http != strings.HasPrefix(r.Challenge, "Bearer") {
		t.Errorf("challenge %q", r.Challenge)
	}
}

func taken(t testing.TB, a *Authorizer, shown string, scopes ...string) *Token {
	t.Helper()
	token, err := a.Authenticate(t.Context(), shown, scopes)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return token
}
