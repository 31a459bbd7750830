package jwt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// vector is one row of testdata/apigateway.jsonl: what API Gateway is documented or was observed to do.
type vector struct {
	ID, Area string
	Given    struct {
		Issuer            string
		Audience          []string
		Scopes            []string
		DefaultAlgorithms []string
		Issuers           []struct {
			Issuer           string
			Audiences        []string
			AdditionalClaims []AdditionalClaim
		}
	}
	Request  struct{ Token string }
	Expected struct {
		Decision string
		Status   int
		Rejected bool
		Body     struct{ Message string }
		Headers  map[string]string
		Context  map[string]json.RawMessage
	}
}

func vectors(t *testing.T) (rows []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/apigateway.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, v)
	}
	if len(rows) != 28 {
		t.Fatalf("%d rows, want 28", len(rows))
	}
	return rows
}

// shownIn are the tokens that the rows describe in words.
func shownIn(t *testing.T, issuer string) map[string]string {
	now := time.Now().Unix()
	token := func(header, more claims) string { return sign(t, "RS256", rsa1(), "k1", header, good(issuer, more)) }
	es256 := func(more claims) string {
		return sign(t, "ES256", p256(), "e1", nil, good(issuer, more))
	}
	valid := token(nil, nil)
	return map[string]string{
		"aud=a1": "Bearer " + valid, "raw token without Bearer, aud=a1": valid,
		"aud=['x','a2']": token(nil, claims{"aud": []string{"x", "a2"}}), "no aud, client_id=a1": token(nil, claims{"aud": nil, "client_id": "a1"}),
		"aud=zzz, client_id=a1": token(nil, claims{"aud": "zzz", "client_id": "a1"}), "iss wrong": token(nil, claims{"iss": "https://other.example"}),
		"iss with extra trailing slash": token(nil, claims{"iss": issuer + "/"}), "exp in the past": token(nil, claims{"exp": now - 5}),
		"nbf in the future": token(nil, claims{"nbf": now + 60}), "iat in the future": token(nil, claims{"iat": now + 60}),
		"alg=HS256":   sign(t, "HS256", []byte("secret"), "k1", nil, good(issuer, nil)),
		"alg=none":    b64(`{"alg":"none","kid":"k1"}`) + "." + b64(marshal(t, good(issuer, nil))) + ".",
		"alg=ES256":   es256(nil),
		"kid unknown": sign(t, "RS256", rsa1(), "k9", nil, good(issuer, nil)), "no kid": token(claims{"kid": nil}, nil),
		"two segments only": valid[:strings.LastIndexByte(valid, '.')], "missing": "",
		"scope='read write'": token(nil, claims{"scope": "read write"}), "scp=['write']": token(nil, claims{"scp": []string{"write"}}),
		"scope='read'": token(nil, claims{"scope": "read"}), "cognito id token, no scope claim": token(nil, claims{"token_use": "id"}),
		"cognito:groups=['admin','poweruser'], n=5, b=true, x=null": token(nil, claims{"cognito:groups": []string{"admin", "poweruser"}, "n": 5, "b": true, "x": json.RawMessage("null")}),

		"ES256 iss=https://idp.example/ aud=a1 tenant=t1": es256(claims{"tenant": "t1"}),
		"iss=https://idp.example (no slash)":              es256(claims{"tenant": "t1", "iss": strings.TrimSuffix(issuer, "/")}),
		"tenant=T1":                                       es256(claims{"tenant": "T1"}),
		"valid, scope=x":                                  es256(claims{"tenant": "t1", "scope": "x"}),
	}
}

func TestVectors(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil), jwkOf(t, p256(), "e1", nil)))
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			c := Config{HTTP: v.Area == "HTTP JWT", Algorithms: v.Given.DefaultAlgorithms, KeySets: newKeySets(t)}
			if c.HTTP {
				c.Issuers = []Issuer{{Source: Source{Issuer: v.Given.Issuer}, Audiences: v.Given.Audience}}
			}
			for _, i := range v.Given.Issuers {
				c.Issuers = append(c.Issuers, Issuer{Source: Source{Issuer: i.Issuer}, Audiences: i.Audiences, AdditionalClaims: i.AdditionalClaims})
			}
			c.Issuers[0].Source.JWKSURI = p.URL + "/keys"
			if v.Expected.Rejected {
				if _, err := New(c); err == nil {
					t.Error("the configuration is accepted")
				}
				return
			}
			a := start(t, c)
			shown, known := shownIn(t, c.Issuers[0].Source.Issuer)[v.Request.Token]
			if !known {
				t.Fatalf("no token is %q", v.Request.Token)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			token, err := a.Authenticate(ctx, shown, v.Given.Scopes)
			if v.Expected.Decision == "allow" {
				v.allowed(t, token, err)
				return
			}
			v.denied(t, err)
		})
	}
}

func (v vector) allowed(t *testing.T, token *Token, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	for name, raw := range v.Expected.Context {
		if name == "scopes" {
			var want []string
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if want != nil && !slices.Equal(token.Scopes(), want) {
				t.Errorf("scopes %q, want all of the token's: %q", token.Scopes(), want)
			}
			continue
		}
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		got, there := token.Claim(strings.TrimPrefix(name, "claims."))
		if there == (want == "<absent>") || there && got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, there, want)
		}
	}
}

func (v vector) denied(t *testing.T, err error) {
	t.Helper()
	r, ok := errors.AsType[*authz.Refusal](err)
	if !ok {
		t.Fatalf("taken, or no refusal: %v", err)
	}
	want := map[int]authz.ResponseType{401: "UNAUTHORIZED", 403: "ACCESS_DENIED"}[v.Expected.Status]
	if r.ResponseType != want || v.Expected.Body.Message == "Forbidden" && r.Message != "Forbidden" {
		t.Errorf("%+v, want %s", r, want)
	}
	if challenge := v.Expected.Headers["www-authenticate"]; challenge != "" && r.Challenge != challenge {
		t.Errorf("challenge %s, want %s", r.Challenge, challenge)
	}
}
