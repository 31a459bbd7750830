package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cognito"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

// The pools of the rows, and the issuers of their tokens.
const (
	poolA         = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_A"
	issuerOfPoolA = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A"
	issuerOfPoolB = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_B"
)

// tokenVector is one row of testdata/tokens.jsonl: what API Gateway is documented or was observed to do with a token, which the row
// describes in words.
type tokenVector struct {
	vector
	row struct {
		Given struct {
			ProviderARNs                                         []string
			IdentitySource, IdentityValidationExpression, Issuer string
			Scopes, Audience, DefaultAlgorithms                  []string
			Issuers                                              []struct {
				Issuer           string
				Audiences        []string
				AdditionalClaims []jwt.AdditionalClaim
			}
		}
		Request  struct{ GET, Token string }
		Expected struct {
			Context  map[string]any
			Rejected bool
		}
	}
	keysOf map[string]*issuerKeys
}

func readTokenVectors(t *testing.T) (all []*tokenVector) {
	t.Helper()
	keys := map[string]*issuerKeys{"A": newIssuerKeys(t, "a"), "B": newIssuerKeys(t, "b")}
	for line := range rows(t, "testdata/tokens.jsonl") {
		v := &tokenVector{keysOf: keys}
		for _, into := range []any{&v.vector, &v.row} {
			if err := json.Unmarshal(line, into); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		all = append(all, v)
	}
	return all
}

// The rows about user pools and JWT authorizers, with tokens that are signed here and authorizers that verify them.
func TestTokenVectors(t *testing.T) {
	ran := map[string]int{}
	for _, v := range readTokenVectors(t) {
		ran[v.Area]++
		t.Run(v.ID, func(t *testing.T) { v.run(t) })
	}
	for area, want := range map[string]int{"Cognito": 16, "Cognito+policy": 7, "Cognito/principal": 1, "REST JWT": 5, "HTTP JWT": 23} {
		if ran[area] != want {
			t.Errorf("%s: %d rows ran, want %d", area, ran[area], want)
		}
	}
}

func (v *tokenVector) run(t *testing.T) {
	authorizer, err := v.authorizer(t)
	if v.row.Expected.Rejected {
		if err == nil {
			t.Error("the authorizer is accepted")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if v.row.Request.GET != "" {
		v.Request.Method, v.Request.Path = "GET", v.row.Request.GET
	}
	api := v.api(t)
	api.Authorizers = map[string]Authorizer{"tokens": authorizer}
	for i := range api.Routes {
		api.Routes[i].Authorization, api.Routes[i].Authorizer, api.Routes[i].Scopes = authorizer.Authorization, "tokens", v.row.Given.Scopes
	}
	for name := range v.row.Expected.Context {
		if claim, ok := strings.CutPrefix(name, "claims."); ok {
			api.UpstreamHeaders = append(api.UpstreamHeaders, UpstreamHeader{Name: headerOf(name), Value: "$context.authorizer.claims['" + claim + "']"})
		} else if name != "scopes" { // which no header can be told
			api.UpstreamHeaders = append(api.UpstreamHeaders, UpstreamHeader{Name: headerOf(name), Value: "$context.authorizer." + name})
		}
	}
	r := v.request()
	if shown, ok := v.shown(t); ok {
		setHeaders(r, "authorization", shown)
	}
	d := authorizeExplained(t, mustNew(t, api), r)
	if want := v.Expected.Decision == "allow"; d.Allow != want {
		t.Fatalf("allow %v, want %v: %+v", d.Allow, want, d.Reason)
	}
	v.checkAnswer(t, d)
	for name, want := range v.row.Expected.Context {
		if name != "scopes" {
			v.checkContext(t, d, name, want)
		}
	}
}

// headerOf is a header for a value of the context.
func headerOf(name string) string {
	return "x-" + strings.NewReplacer(".", "-", "'", "", "[", "", "]", "", ":", "-").Replace(name)
}

func (v *tokenVector) checkContext(t *testing.T, d authz.Decision, name string, want any) {
	t.Helper()
	i := slices.IndexFunc(d.SetHeaders, func(f authz.Field) bool { return f.Name == headerOf(name) })
	switch {
	case want == "<absent>" && i < 0:
	case i < 0:
		t.Errorf("no %s among %v", name, d.SetHeaders)
	case d.SetHeaders[i].Value != want:
		t.Errorf("%s is %s, want %v", name, d.SetHeaders[i].Value, want)
	}
}

// authorizer is what a row describes. It has its keys.
func (v *tokenVector) authorizer(t *testing.T) (Authorizer, error) {
	t.Helper()
	sets := jwt.NewKeySets(slog.New(slog.DiscardHandler))
	t.Cleanup(sets.Close)
	var checks tokenChecker
	var err error
	if v.Given.Auth == string(Cognito) {
		checks, err = cognito.New(cognito.Config{
			UserPools: v.pools(), IdentityValidationExpression: v.row.Given.IdentityValidationExpression, KeySets: sets, Source: v.source,
		})
	} else {
		checks, err = jwt.New(jwt.Config{HTTP: v.Area == "HTTP JWT", Issuers: v.issuers(), Algorithms: v.row.Given.DefaultAlgorithms, KeySets: sets})
	}
	if err != nil {
		return Authorizer{}, err
	}
	a := Authorizer{Authorization: Authorization(v.Given.Auth), Token: started(t, checks)}
	if v.row.Given.IdentitySource != "" {
		a.IdentitySource = []string{v.row.Given.IdentitySource}
	}
	return a, nil
}

// tokenChecker is an authorizer for tokens.
type tokenChecker interface {
	Start(context.Context)
	WaitReady(context.Context) error
	Close()
	Authenticate(context.Context, string, []string) (*jwt.Token, error)
}

// started checks tokens as soon as it has keys.
func started(t *testing.T, checks tokenChecker) func(context.Context, string, []string) (Token, error) {
	t.Helper()
	t.Cleanup(checks.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	checks.Start(ctx)
	if err := checks.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, shown string, scopes []string) (Token, error) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond) // nobody waits here for a key that may be new
		defer cancel()
		token, err := checks.Authenticate(ctx, shown, scopes)
		if err != nil {
			return nil, err
		}
		return token, nil
	}
}

func (v *tokenVector) pools() []string {
	if len(v.row.Given.ProviderARNs) == 0 {
		return []string{poolA}
	}
	return v.row.Given.ProviderARNs
}

func (v *tokenVector) issuers() (all []jwt.Issuer) {
	if v.row.Given.Issuer != "" {
		return []jwt.Issuer{{Source: v.source(v.row.Given.Issuer), Audiences: v.row.Given.Audience}}
	}
	for _, i := range v.row.Given.Issuers {
		all = append(all, jwt.Issuer{Source: v.source(i.Issuer), Audiences: i.Audiences, AdditionalClaims: i.AdditionalClaims})
	}
	return all
}

func (v *tokenVector) source(issuer string) jwt.Source {
	keys := v.keysOf["A"]
	if issuer == issuerOfPoolB {
		keys = v.keysOf["B"]
	}
	return jwt.Source{Issuer: issuer, File: keys.file}
}

// payload is that of a token of which a row says nothing but that it is valid.
func (v *tokenVector) payload() map[string]any {
	now := time.Now()
	p := map[string]any{"iss": issuerOfPoolA, "sub": "u1", "aud": "client1", "token_use": "id", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
	if v.Given.Auth == string(JWT) {
		delete(p, "token_use")
		issuer := v.issuers()[0]
		p["iss"], p["aud"] = issuer.Source.Issuer, issuer.Audiences[0]
		for _, c := range issuer.AdditionalClaims {
			p[c.ClaimName] = c.ExpectedValues[0]
		}
	}
	return p
}
