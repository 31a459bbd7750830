package cognito

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"go.uber.org/goleak"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	poolA, poolB = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A", "arn:aws:cognito-idp:eu-west-1:999988887777:userpool/eu-west-1_B"
	issuerA      = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A"
	issuerB      = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_B"
)

var keyA, keyB = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

type claims = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sign signs a token with a key of kid "k"; header overrides what Cognito writes.
func sign(t testing.TB, key any, header, payload claims) string {
	t.Helper()
	h := claims{"alg": "RS256", "kid": "k"}
	for name, v := range header {
		h[name] = v
	}
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(h["alg"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(marshal(t, h)) + "." + b64(marshal(t, payload))
	signature, err := signer.Sign([]byte(signed), key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

func token(base, more claims) claims {
	now := time.Now().Unix()
	m := claims{"iss": issuerA, "sub": "s1", "exp": now + 3600, "iat": now, "auth_time": now}
	for _, from := range []claims{base, more} {
		for name, v := range from {
			if m[name] = v; v == nil {
				delete(m, name)
			}
		}
	}
	return m
}

// idToken and accessToken are payloads as Cognito writes them.
func idToken(more claims) claims {
	return token(claims{"token_use": "id", "aud": "client1", "cognito:username": "u", "email_verified": true}, more)
}

func accessToken(scope string, more claims) claims {
	return token(claims{"token_use": "access", "client_id": "client1", "scope": scope, "username": "u", "version": 2}, more)
}

// pools serves the keys of both pools.
func pools(t testing.TB) func(string) jwt.Source {
	t.Helper()
	serve := func(keys ...crypto.PublicKey) string {
		set := []claims{}
		for i, k := range keys {
			parsed, err := jwk.FromRaw(k)
			if err != nil {
				t.Fatal(err)
			}
			var m claims
			if err := json.Unmarshal(marshal(t, parsed), &m); err != nil {
				t.Fatal(err)
			}
			m["kid"], m["use"] = []string{"k", "e"}[i], "sig"
			if i == 0 {
				m["alg"] = "RS256"
			}
			set = append(set, m)
		}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(marshal(t, claims{"keys": set})) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	at := map[string]string{issuerA: serve(keyA().Public(), &ecKey().PublicKey), issuerB: serve(keyB().Public())}
	return func(issuer string) jwt.Source { return jwt.Source{JWKSURI: at[issuer]} }
}

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func keySets(t testing.TB) *jwt.KeySets {
	k := jwt.NewKeySets(slog.New(slog.DiscardHandler))
	t.Cleanup(k.Close)
	return k
}

func start(t testing.TB, c Config) *Authorizer {
	t.Helper()
	c.KeySets = keySets(t)
	if c.Source == nil {
		c.Source = pools(t)
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

func authenticate(t testing.TB, a *Authorizer, shown string, scopes ...string) (*jwt.Token, *authz.Refusal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	token, err := a.Authenticate(ctx, shown, scopes)
	if err == nil {
		if token == nil {
			t.Fatal("neither a token nor an error")
		}
		return token, nil
	}
	r, ok := errors.AsType[*authz.Refusal](err)
	if !ok || token != nil {
		t.Fatalf("%v, %v: want a refusal alone", token, err)
	}
	return nil, r
}

func TestVectors(t *testing.T) {
	now := time.Now().Unix()
	badSignature := []byte(sign(t, keyA(), nil, idToken(nil)))
	badSignature[len(badSignature)-20] ^= 1
	shown := map[string]string{
		"id token": sign(t, keyA(), nil, idToken(nil)), "Bearer id token": "Bearer " + sign(t, keyA(), nil, idToken(nil)),
		"access token": sign(t, keyA(), nil, accessToken("openid", nil)), "access token scope='r/cats.read'": sign(t, keyA(), nil, accessToken("r/cats.read", nil)),
		"access token scope='r/cats.write x/y'": sign(t, keyA(), nil, accessToken("r/cats.write x/y", nil)), "access token scope='other'": sign(t, keyA(), nil, accessToken("other", nil)),
		"expired id token": sign(t, keyA(), nil, idToken(claims{"exp": now - 1})), "id token of pool B": sign(t, keyB(), nil, idToken(claims{"iss": issuerB})),
		"token with bad signature": string(badSignature), "missing header": "", "garbage 'abc'": "abc", "id token aud=client2": sign(t, keyA(), nil, idToken(claims{"aud": "client2"})),
		"access token scope r/a (no aud)": sign(t, keyA(), nil, accessToken("r/a", nil)), "id token sub=s1 email=e custom:role=r": sign(t, keyA(), nil, idToken(claims{"email": "e", "custom:role": "r"})),
	}
	data, err := os.ReadFile("testdata/apigateway.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	source, rows := pools(t), 0
	for line := range bytes.Lines(data) {
		var v struct {
			ID    string
			Given struct {
				ProviderARNs, Scopes         []string
				IdentityValidationExpression string
			}
			Request  struct{ Token string }
			Expected struct {
				Decision string
				Status   int
				Body     struct{ Message string }
				Context  map[string]string
			}
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		rows++
		t.Run(v.ID, func(t *testing.T) {
			a := start(t, Config{UserPools: v.Given.ProviderARNs, IdentityValidationExpression: v.Given.IdentityValidationExpression, Source: source})
			text, known := shown[v.Request.Token]
			if !known {
				t.Fatalf("no token is %q", v.Request.Token)
			}
			token, r := authenticate(t, a, text, v.Given.Scopes...)
			if allow := v.Expected.Decision == "allow"; allow != (r == nil) {
				t.Fatalf("%+v, want %s", r, v.Expected.Decision)
			}
			if r != nil {
				message := r.Message
				if message == "" {
					message = "Unauthorized" // the response type's own
				}
				if r.ResponseType != "UNAUTHORIZED" || v.Expected.Status != 401 || message != v.Expected.Body.Message || r.Challenge != "" || r.ErrorType != "" {
					t.Errorf("%+v, want %+v", r, v.Expected)
				}
				return
			}
			for name, want := range v.Expected.Context {
				claim := strings.NewReplacer("claims.", "", "claims['", "", "']", "").Replace(name)
				if got, _ := token.Claim(claim); got != want {
					t.Errorf("%s: %q, want %q", claim, got, want)
				}
			}
		})
	}
	if rows != 16 {
		t.Errorf("%d rows, want 16", rows)
	}
}

func TestTokens(t *testing.T) {
	now := time.Now().Unix()
	c, err := cache.New[*jwt.Token](cache.Config{Name: "tokens", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a := start(t, Config{UserPools: []string{poolA, poolB}, Cache: c})
	es256 := claims{"alg": "ES256", "kid": "e"}
	for _, row := range []struct {
		name   string
		shown  string
		scopes []string
		code   authz.Code // none: taken
	}{
		{"an ID token of one pool", sign(t, keyA(), nil, idToken(nil)), nil, ""},
		{"an ID token of the other", sign(t, keyB(), nil, idToken(claims{"iss": issuerB})), nil, ""},
		{"an access token of one pool", sign(t, keyA(), nil, accessToken("r/a", nil)), []string{"r/a"}, ""},
		{"bearer", "bEARER " + sign(t, keyA(), nil, idToken(nil)), nil, ""},
		{"no sub", sign(t, keyA(), nil, idToken(claims{"sub": nil})), nil, ""},
		{"the other pool's key", sign(t, keyB(), nil, idToken(nil)), nil, authz.CodeUnauthorized},
		{"the other pool's name", sign(t, keyA(), nil, idToken(claims{"iss": issuerB})), nil, authz.CodeUnauthorized},
		{"a pool that is not the authorizer's", sign(t, keyA(), nil, idToken(claims{"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_C"})), nil, authz.CodeUnauthorized},
		{"an issuer of another domain", sign(t, keyA(), nil, idToken(claims{"iss": "https://cognito-idp.us-east-1.amazonaws.com.evil.example/us-east-1_A"})), nil, authz.CodeUnauthorized},
		{"an issuer with a slash", sign(t, keyA(), nil, idToken(claims{"iss": issuerA + "/"})), nil, authz.CodeUnauthorized},
		{"no issuer", sign(t, keyA(), nil, idToken(claims{"iss": nil})), nil, authz.CodeUnauthorized},
		{"expired", sign(t, keyA(), nil, idToken(claims{"exp": now})), nil, authz.CodeExpiredToken},
		{"an expired access token", sign(t, keyA(), nil, accessToken("r/a", claims{"exp": now})), []string{"r/a"}, authz.CodeExpiredToken},
		{"expired, by the other pool's key", sign(t, keyB(), nil, idToken(claims{"exp": now})), nil, authz.CodeUnauthorized},
		{"never expires", sign(t, keyA(), nil, idToken(claims{"exp": nil})), nil, authz.CodeUnauthorized},
		{"from the future", sign(t, keyA(), nil, idToken(claims{"iat": now + 60})), nil, authz.CodeUnauthorized},
		{"no use", sign(t, keyA(), nil, idToken(claims{"token_use": nil})), nil, authz.CodeUnauthorized},
		{"another use", sign(t, keyA(), nil, idToken(claims{"token_use": "refresh"})), nil, authz.CodeUnauthorized},
		{"ID", sign(t, keyA(), nil, idToken(claims{"token_use": "ID"})), nil, authz.CodeUnauthorized},
		{"uses", sign(t, keyA(), nil, idToken(claims{"token_use": []string{"id", "access"}})), nil, authz.CodeUnauthorized},
		{"access where ID belongs", sign(t, keyA(), nil, accessToken("r/a", nil)), nil, authz.CodeUnauthorized},
		{"ID where access belongs", sign(t, keyA(), nil, idToken(nil)), []string{"r/a"}, authz.CodeUnauthorized},
		{"ID with the scope", sign(t, keyA(), nil, idToken(claims{"scope": "r/a"})), []string{"r/a"}, authz.CodeUnauthorized},
		{"another scope", sign(t, keyA(), nil, accessToken("r/b", nil)), []string{"r/a"}, authz.CodeMissingScope},
		{"no scope", sign(t, keyA(), nil, accessToken("", claims{"scope": nil})), []string{"r/a"}, authz.CodeMissingScope},
		{"ES256", sign(t, ecKey(), es256, idToken(nil)), nil, authz.CodeUnauthorized},
		{"RS512", sign(t, keyA(), claims{"alg": "RS512"}, idToken(nil)), nil, authz.CodeUnauthorized},
		{"HS256", sign(t, []byte("secret"), claims{"alg": "HS256"}, idToken(nil)), nil, authz.CodeUnauthorized},
		{"an unknown key", sign(t, keyA(), claims{"kid": "x"}, idToken(nil)), nil, authz.CodeUnauthorized},
		{"nothing", "", nil, authz.CodeUnauthorized},
		{"Bearer", "Bearer ", nil, authz.CodeUnauthorized},
		{"two blanks", "Bearer  " + sign(t, keyA(), nil, idToken(nil)), nil, authz.CodeUnauthorized},
		{"another scheme", "Basic " + sign(t, keyA(), nil, idToken(nil)), nil, authz.CodeUnauthorized},
		{"a blank after it", sign(t, keyA(), nil, idToken(nil)) + " ", nil, authz.CodeUnauthorized},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // the second time it may be remembered
				c.Wait()
				_, r := authenticate(t, a, row.shown, row.scopes...)
				if r == nil || row.code == "" {
					if r != nil || row.code != "" {
						t.Fatalf("%+v, want %q", r, row.code)
					}
					continue
				}
				want := &authz.Refusal{ResponseType: "UNAUTHORIZED", Reason: authz.Reason{Code: row.code, Detail: r.Reason.Detail}, Caller: r.Caller}
				if row.code == authz.CodeExpiredToken {
					want.Message = "The incoming token has expired"
				}
				if diff := cmp.Diff(want, r); diff != "" || r.Reason.Detail == "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestIdentityValidationExpression(t *testing.T) {
	source := pools(t)
	for _, row := range []struct {
		expression string
		aud        any
		want       bool
	}{
		{"client1", "client1", true},
		{"client", "client1", false}, // the whole value
		{"lient1", "client1", false},
		{"a|client1", "client1", true},
		{"client1|x", "client12", false}, // not ^client1 or x$
		{"^client[12]$", "client2", true},
		{"client1", "client1\n", false},
		{"client1", "CLIENT1", false},
		{"(?i)client1", "CLIENT1", true},
		{".*", "", true},
		{".*", nil, false},
		{".*", []string{}, false},
		{"client[0-9]", []string{"client1", "client2"}, true},
		{"client1", []string{"client1", "client2"}, false},
	} {
		a := start(t, Config{UserPools: []string{poolA}, IdentityValidationExpression: row.expression, Source: source})
		_, r := authenticate(t, a, sign(t, keyA(), nil, idToken(claims{"aud": row.aud})))
		if (r == nil) != row.want {
			t.Errorf("%s on %v: %+v", row.expression, row.aud, r)
		}
		if _, r := authenticate(t, a, sign(t, keyA(), nil, accessToken("r/a", nil)), "r/a"); r == nil {
			t.Errorf("%s: an access token is taken, which has no aud", row.expression)
		}
	}
}

func TestKeysUnavailable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	a, err := New(Config{UserPools: []string{poolA}, KeySets: keySets(t), Source: func(string) jwt.Source { return jwt.Source{JWKSURI: s.URL} }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Start(t.Context())
	_, r := authenticate(t, a, sign(t, keyA(), nil, idToken(nil)))
	if r == nil || r.ResponseType != "AUTHORIZER_FAILURE" || r.Reason.Code != authz.CodeAuthorizerFailed {
		t.Errorf("%+v, want a 500: the keys cannot be had", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := a.WaitReady(ctx); err == nil || !strings.Contains(err.Error(), issuerA) {
		t.Errorf("%v", err)
	}
}

func TestClaims(t *testing.T) {
	a := start(t, Config{UserPools: []string{poolA}})
	verified, r := authenticate(t, a, sign(t, keyA(), nil, idToken(claims{
		"cognito:groups": []string{"admin", "staff"}, "identities": []claims{{"userId": "1", "providerName": "x"}}, "custom:n": "5", "nothing": json.RawMessage("null"),
	})))
	if r != nil {
		t.Fatal(r)
	}
	for name, want := range map[string]string{
		"cognito:groups": "admin,staff", "identities": `{"providerName":"x","userId":"1"}`, "custom:n": "5", "email_verified": "true", "sub": "s1", "token_use": "id",
	} {
		if got, ok := verified.Claim(name); !ok || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, ok := verified.Claim("nothing"); ok || verified.Subject() != "s1" {
		t.Error("a null claim is there, or no subject")
	}
}

func TestIssuer(t *testing.T) {
	for pool, want := range map[string]string{
		poolA: issuerA,
		"arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_AbCdEfGhI":           "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbCdEfGhI",
		"arn:aws-us-gov:cognito-idp:us-gov-west-1:123456789012:userpool/us-gov-west-1_AbCdEfGhI": "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbCdEfGhI",
		"arn:aws:cognito-idp:ap-southeast-2:123456789012:userpool/ap-southeast-2_AbCdEfGhI":      "https://cognito-idp.ap-southeast-2.amazonaws.com/ap-southeast-2_AbCdEfGhI",
	} {
		if got, err := issuer(pool); got != want || err != nil {
			t.Errorf("%s: %s, %v", pool, got, err)
		}
	}
	for _, pool := range []string{
		"", "us-east-1_A", issuerA, "arn:aws:cognito-idp:us-east-1:123456789012:userpool", "arn:aws:cognito-idp:us-east-1:123456789012:userpool/",
		"arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A/x", "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-west-2_A",
		"arn:aws:cognito-idp:us-east-1:123456789012:identitypool/us-east-1_A", "arn:aws:cognito-identity:us-east-1:123456789012:userpool/us-east-1_A",
		"arn:aws:cognito-idp::123456789012:userpool/us-east-1_A", "arn:aws:cognito-idp:us-east-1::userpool/us-east-1_A", "arn:aws:cognito-idp:us-east-1:12345:userpool/us-east-1_A",
		"arn:azure:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A", "arn:aws:cognito-idp:*:123456789012:userpool/us-east-1_A", "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_*",
		"arn:aws:cognito-idp:evil.example/:123456789012:userpool/evil.example/_A", "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A?", "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A\n",
	} {
		if got, err := issuer(pool); err == nil || !strings.Contains(err.Error(), "write the pool's ARN, such as") {
			t.Errorf("%q is the pool of %q, %v", pool, got, err)
		}
	}
}

func TestRefusedConfigurations(t *testing.T) {
	for name, row := range map[string]struct {
		config Config
		want   string
	}{
		"no pool":       {Config{}, "userPools: missing; write"},
		"no ARN":        {Config{UserPools: []string{"us-east-1_A"}}, "write the pool's ARN"},
		"twice":         {Config{UserPools: []string{poolA, poolA}}, "twice; remove"},
		"look-ahead":    {Config{UserPools: []string{poolA}, IdentityValidationExpression: "(?=x)"}, "look-around and back-references"},
		"a paren":       {Config{UserPools: []string{poolA}, IdentityValidationExpression: "a)(b"}, "identityValidationExpression"},
		"keys by http":  {Config{UserPools: []string{poolA}, Source: func(string) jwt.Source { return jwt.Source{JWKSURI: "http://keys.example.com/"} }}, "write https://"},
		"a day of skew": {Config{UserPools: []string{poolA}, ClockSkew: 24 * time.Hour}, "clockSkew"},
	} {
		row.config.KeySets = keySets(t)
		if a, err := New(row.config); err == nil {
			a.Close()
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if n := len(row.config.KeySets.Samples()); n != 0 {
			t.Errorf("%s: %d samples of a refused configuration", name, n)
		}
	}
	var asked []string
	a, err := New(Config{UserPools: []string{poolA, poolB}, KeySets: keySets(t), Source: func(issuer string) jwt.Source { asked = append(asked, issuer); return jwt.Source{} }})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if !slices.Equal(asked, []string{issuerA, issuerB}) {
		t.Errorf("asked for %q", asked)
	}
}
