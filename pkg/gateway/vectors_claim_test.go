package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cognito"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

// claimVector is one row of testdata/claims.jsonl: a token by its claims, an authorizer of one of three kinds (a user pool's, an HTTP
// API's and a REST API's for JWTs), and what the client is told.
type claimVector struct {
	ID, Kind string
	// What the authorizer is. Without a word the pool A, or the issuer https://idp.example with the audiences a1 and a2.
	ProviderARNs                         []string
	IdentityValidationExpression, Issuer string
	Issuers                              []struct {
		Issuer           string
		Audiences        []string
		AdditionalClaims []jwt.AdditionalClaim
	}
	Algorithms, Scopes []string
	Source             string
	// What is shown: claims and header parameters on top of those of a good token (null takes one out, "now+5" is a time), by whose
	// keys it is signed, what is changed afterwards, and how it is written.
	Claims, Header map[string]any
	Keys, Tamper   string
	Shown          json.RawMessage
	// LineName is the header that shows it, or ?name for a parameter of the query; Lines is how often.
	LineName string
	Lines    int
	Expected struct {
		Status    int
		Body      json.RawMessage
		ErrorType *string
		// Challenge is www-authenticate.
		Challenge string
		Claims    map[string]string
	}
}

func TestClaimVectors(t *testing.T) {
	keys := map[string]*issuerKeys{"A": newIssuerKeys(t, "a"), "B": newIssuerKeys(t, "b")}
	ran := map[string]int{}
	for line := range rows(t, "testdata/claims.jsonl") {
		var v claimVector
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ran[v.Kind]++
		t.Run(v.ID, func(t *testing.T) { v.run(t, keys) })
	}
	if ran["COGNITO"] < 90 || ran["HTTP"] < 90 || ran["REST"] < 50 {
		t.Errorf("rows: %v", ran)
	}
}

func (v *claimVector) run(t *testing.T, keys map[string]*issuerKeys) {
	kinds := map[string]Authorization{"COGNITO": Cognito, "HTTP": JWT, "REST": JWT}
	api := testAPI("GET /pets")
	api.HTTP = v.Kind == "HTTP"
	a := Authorizer{Authorization: kinds[v.Kind], Token: v.authorizer(t, keys)}
	if v.Source != "" {
		a.IdentitySource = []string{v.Source}
	}
	api.Authorizers = map[string]Authorizer{"tokens": a}
	api.Routes[0].Authorization, api.Routes[0].Authorizer, api.Routes[0].Scopes = a.Authorization, "tokens", v.Scopes
	for name := range v.Expected.Claims {
		api.UpstreamHeaders = append(api.UpstreamHeaders, UpstreamHeader{Name: headerOf(name), Value: "$context.authorizer.claims['" + name + "']"})
	}
	d := authorizeExplained(t, mustNew(t, api), v.request(t, keys))
	if d.Allow != (v.Expected.Status == 200) || !d.Allow && d.Denial.Status != v.Expected.Status {
		t.Fatalf("allow %v, %d %s %+v, want %d", d.Allow, d.Denial.Status, d.Denial.Body, d.Reason, v.Expected.Status)
	}
	v.check(t, d)
}

func (v *claimVector) check(t *testing.T, d authz.Decision) {
	t.Helper()
	if v.Expected.Body != nil {
		checkBody(t, d.Denial.Body, v.Expected.Body)
	}
	if want := v.Expected.ErrorType; want != nil && header(d, "x-amzn-ErrorType") != *want {
		t.Errorf("x-amzn-ErrorType: %s, want %s", header(d, "x-amzn-ErrorType"), *want)
	}
	got := header(d, "www-authenticate")
	if want := v.Expected.Challenge; want == "<absent>" && got != "" || want != "" && want != "<absent>" && got != want {
		t.Errorf("www-authenticate: %s, want %s", got, want)
	}
	for name, want := range v.Expected.Claims {
		i := slices.IndexFunc(d.SetHeaders, func(f authz.Field) bool { return f.Name == headerOf(name) })
		switch {
		case want == "<absent>" && i < 0:
		case i < 0:
			t.Errorf("no %s among %v", name, d.SetHeaders)
		case d.SetHeaders[i].Value != strings.TrimPrefix(want, "<empty>"):
			t.Errorf("%s is %s, want %s", name, d.SetHeaders[i].Value, want)
		}
	}
}

// authorizer checks tokens. It has its keys.
func (v *claimVector) authorizer(t *testing.T, keys map[string]*issuerKeys) func(context.Context, string, []string) (Token, error) {
	t.Helper()
	sets := jwt.NewKeySets(slog.New(slog.DiscardHandler))
	t.Cleanup(sets.Close)
	source := func(issuer string) jwt.Source {
		k := keys["A"]
		if issuer == issuerOfPoolB {
			k = keys["B"]
		}
		return jwt.Source{Issuer: issuer, File: k.file}
	}
	var checks tokenChecker
	var err error
	if v.Kind == "COGNITO" {
		pools := v.ProviderARNs
		if pools == nil {
			pools = []string{poolA}
		}
		checks, err = cognito.New(cognito.Config{UserPools: pools, IdentityValidationExpression: v.IdentityValidationExpression, KeySets: sets, Source: source})
	} else {
		checks, err = jwt.New(jwt.Config{HTTP: v.Kind == "HTTP", Issuers: v.issuers(source), Algorithms: v.Algorithms, KeySets: sets})
	}
	if err != nil {
		t.Fatal(err)
	}
	return started(t, checks)
}

func (v *claimVector) issuers(source func(string) jwt.Source) (all []jwt.Issuer) {
	for _, i := range v.Issuers {
		all = append(all, jwt.Issuer{Source: source(i.Issuer), Audiences: i.Audiences, AdditionalClaims: i.AdditionalClaims})
	}
	if all == nil {
		all = []jwt.Issuer{{Source: source(cmp.Or(v.Issuer, "https://idp.example")), Audiences: []string{"a1", "a2"}}}
	}
	return all
}

// request shows the token.
func (v *claimVector) request(t *testing.T, keys map[string]*issuerKeys) *authz.Request {
	t.Helper()
	shown := "Bearer {token}"
	if string(v.Shown) == "null" {
		return get("/pets")
	} else if v.Shown != nil {
		if err := json.Unmarshal(v.Shown, &shown); err != nil {
			t.Fatal(err)
		}
	}
	shown = strings.ReplaceAll(shown, "{token}", v.token(t, keys))
	name := cmp.Or(v.LineName, "authorization")
	if parameter, ok := strings.CutPrefix(name, "?"); ok {
		return get("/pets?" + parameter + "=" + url.QueryEscape(shown))
	}
	var lines []string
	for range max(v.Lines, 1) {
		lines = append(lines, name, shown)
	}
	return get("/pets", lines...)
}

func (v *claimVector) token(t *testing.T, keys map[string]*issuerKeys) string {
	t.Helper()
	now := time.Now()
	payload := map[string]any{"iss": cmp.Or(v.Issuer, "https://idp.example"), "sub": "u1", "aud": "a1", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
	if v.Kind == "COGNITO" {
		payload["iss"], payload["aud"], payload["token_use"] = issuerOfPoolA, "client1", "id"
	}
	d := draft{keys: keys[cmp.Or(v.Keys, "A")], payload: payload, header: map[string]any{"alg": "RS256", "kid": "r1", "typ": "JWT"}}
	v.overlay(d.payload, v.Claims, now)
	v.overlay(d.header, v.Header, now)
	return tampered(t, d.sign(t), v.Tamper)
}

// shownNull is the claim that a token has and that is null; any other null of a row takes one out.
const shownNull = "nil"

func (v *claimVector) overlay(onto, with map[string]any, now time.Time) {
	maps.Copy(onto, with)
	for name, value := range onto {
		var seconds float64
		if text, ok := value.(string); ok {
			if _, err := fmt.Sscanf(text, "now%g", &seconds); err == nil {
				onto[name] = float64(now.Unix()) + seconds
			}
		}
		if value == nil && name != shownNull {
			delete(onto, name)
		}
	}
}

// tampered changes a token after it was signed.
func tampered(t *testing.T, token, how string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	flip := func(i, at int) string {
		b := []byte(parts[i])
		if b[at]++; !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", rune(b[at])) {
			b[at] = 'A'
		}
		parts[i] = string(b)
		return strings.Join(parts, ".")
	}
	switch how {
	case "":
		return token
	case "header":
		return flip(0, 5)
	case "payload":
		return flip(1, 10)
	case "signature":
		return flip(2, 10)
	case "none":
		return parts[0] + "." + parts[1] + "."
	case "two":
		return parts[0] + "." + parts[1]
	case "more":
		return token + ".x"
	case "padding":
		return token + "=="
	}
	t.Fatalf("nobody knows how to tamper with %s", how)
	return ""
}
