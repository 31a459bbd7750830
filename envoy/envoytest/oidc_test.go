package envoytest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
)

func TestOIDCProviderIssuesTokens(t *testing.T) {
	t.Parallel()
	p := StartOIDCProvider(t, "")
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	body, err := get(t.Context(), p.Issuer+"/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	if document.Issuer != p.Issuer || document.JWKS != p.JWKS {
		t.Errorf("the document says %v, want %s and %s", document, p.Issuer, p.JWKS)
	}
	keys := keysAt(t, p.JWKS)
	if keys.Len() != 5 {
		t.Errorf("%d keys, want 5", keys.Len())
	}
	for _, alg := range []jwa.SignatureAlgorithm{jwa.RS256, jwa.RS384, jwa.RS512, jwa.PS256, jwa.ES256, jwa.ES384, jwa.EdDSA} {
		token := p.Token(t, TokenRequest{Alg: alg.String(), Audience: "pets", Scopes: []string{"pets/read", "pets/write"}})
		claims := mustVerify(t, keys, alg, token)
		expires, _ := claims["exp"].(float64)
		issued, _ := claims["iat"].(float64)
		if expires-issued != 3600 {
			t.Errorf("%s: valid for %v s, want 3600", alg, expires-issued)
		}
		for _, name := range []string{"exp", "iat", "jti"} {
			delete(claims, name)
		}
		want := map[string]any{"iss": p.Issuer, "aud": "pets", "sub": "pets", "client_id": "pets", "scope": "pets/read pets/write"}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", alg, diff)
		}
		if _, err := verify(keys, alg, token[:len(token)-8]+"AAAAAAAA"); err == nil {
			t.Errorf("%s: another signature verifies", alg)
		}
	}
}

func TestOIDCProviderSignsWhatIsAsked(t *testing.T) {
	t.Parallel()
	p := StartOIDCProvider(t, "https://id.example.com/")
	token := p.Token(t, TokenRequest{Audience: "pets", Lifetime: time.Minute, Claims: map[string]any{
		"exp": nil, "aud": []string{"cats", "dogs"}, "cognito:groups": []string{"staff"}, "token_use": "access",
	}})
	claims := mustVerify(t, keysAt(t, p.JWKS), jwa.RS256, token)
	got := slices.Sorted(maps.Keys(claims))
	if want := "aud client_id cognito:groups iat iss jti sub token_use"; strings.Join(got, " ") != want {
		t.Errorf("claims %v, want %s", got, want)
	}
	if claims["iss"] != "https://id.example.com/" {
		t.Errorf("iss %v", claims["iss"])
	}
}

func TestOIDCProviderRotates(t *testing.T) {
	t.Parallel()
	p := StartOIDCProvider(t, "")
	request := TokenRequest{Alg: "ES256", Audience: "pets"}
	before, old := keysAt(t, p.JWKS), p.Token(t, request)
	p.Rotate(t)
	young, both := p.Token(t, request), keysAt(t, p.JWKS)
	if keyID(t, old) == keyID(t, young) {
		t.Error("the old key signs")
	}
	if _, err := verify(before, jwa.ES256, young); !errors.Is(err, errNoKey) {
		t.Errorf("the new key was in the set before: %v", err)
	}
	mustVerify(t, both, jwa.ES256, old)
	mustVerify(t, both, jwa.ES256, young)
	p.Retire(t)
	mustVerify(t, keysAt(t, p.JWKS), jwa.ES256, young)
	if _, err := verify(keysAt(t, p.JWKS), jwa.ES256, old); !errors.Is(err, errNoKey) {
		t.Errorf("the old key is still in the set: %v", err)
	}

	p.Kill()
	if _, err := get(t.Context(), p.JWKS); err == nil {
		t.Error("it answers though it was killed")
	}
	p.Restart(t)
	mustVerify(t, keysAt(t, p.JWKS), jwa.ES256, young)
}

func TestOIDCProviderMisbehaves(t *testing.T) {
	t.Parallel()
	p := StartOIDCProvider(t, "")
	for _, tc := range []struct {
		fault Fault
		want  string // what the answer begins with, or the error holds
	}{
		{FaultError, "500 Internal Server Error"},
		{FaultHTML, "<!DOCTYPE html>"},
		{FaultEmpty, `{"keys":[]}`},
		{FaultWithout, `{"keys":[{"kty":"RSA","use":"enc"`},
		{FaultLarge, `{"keys":[],"padding":"xxx`},
		{FaultRedirect, `{"keys":[{"kty":"RSA","use":"sig"`},
		{NoFault, `{"keys":[{"kty":"RSA","use":"sig"`},
	} {
		p.Misbehave(t, AtKeys, tc.fault)
		body, err := get(t.Context(), p.JWKS)
		if err != nil {
			body = []byte(err.Error())
		}
		if !strings.Contains(string(body), tc.want) {
			t.Errorf("%q: %.200s, want %s", tc.fault, body, tc.want)
		}
	}
	p.Misbehave(t, AtDiscovery, FaultOther)
	if body, err := get(t.Context(), p.URL+"/.well-known/openid-configuration"); err != nil || !strings.Contains(string(body), `"issuer":"https://other.example.com"`) {
		t.Errorf("%s, %v", body, err)
	}
	p.Misbehave(t, AtDiscovery, FaultHang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if body, err := get(ctx, p.URL+"/.well-known/openid-configuration"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it does not hang: %s, %v", body, err)
	}
	before := time.Now()
	p.Delay(t, AtKeys, 200*time.Millisecond)
	if keysAt(t, p.JWKS); time.Since(before) < 200*time.Millisecond {
		t.Errorf("it is not slow: %v", time.Since(before))
	}
	if discovery, keys := p.Fetches(t); discovery != 2 || keys != 9 {
		t.Errorf("%d and %d fetches", discovery, keys)
	}
}
