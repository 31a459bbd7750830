package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	maxAudiences = 50
	// singleString is the only format of an additional claim.
	singleString = "SINGLE_STRING"
)

// reserved are the claims that are checked anyway, and cannot be additional ones.
var reserved = []string{"iss", "aud", "exp", "nbf", "iat", "scope", "scp"}

// Config is a JWT authorizer.
type Config struct {
	// HTTP marks the authorizer of an HTTP API: one issuer, no additional claims, client_id where a token has no aud, claims as
	// HTTP APIs render them.
	HTTP bool
	// API is the id of the authorizer's API.
	API string
	// Issuers are whose tokens are taken.
	Issuers []Issuer
	// Algorithms are those that a token may be signed with; none stands for RS256, RS384 and RS512 and, on a REST API, also
	// ES256, ES384 and ES512.
	Algorithms []string
	// ClockSkew is by how much an issuer's clock may differ; 0 for not at all.
	ClockSkew time.Duration
	// KeySets is the process's registry of keys.
	KeySets *KeySets
	// Cache remembers verified tokens; nil for no memory. It may serve any number of authorizers.
	Cache *Cache
	// MaxCacheTime bounds how long a token is remembered; 0 stands for one hour.
	MaxCacheTime time.Duration
}

// Issuer is an issuer whose tokens are taken.
type Issuer struct {
	// Source is the issuer's URL, exactly as it stands in the tokens, and where its keys are if not where the issuer says.
	Source Source
	// Audiences are the values of aud that are taken; at least one.
	Audiences []string
	// AdditionalClaims are further conditions on the claims of a token.
	AdditionalClaims []AdditionalClaim
}

// AdditionalClaim is a claim that a token is held to.
type AdditionalClaim struct {
	// ClaimName is the claim's name, Format what it has to be: SINGLE_STRING.
	ClaimName, Format string
	// Required refuses a token without the claim.
	Required bool
	// ExpectedValues are the values that the claim may have; none allows any value.
	ExpectedValues []string
}

// Authorizer is a JWT authorizer. It is safe for concurrent use.
type Authorizer struct {
	http     bool
	issuers  map[string]issuer
	verifier *Verifier
}

type issuer struct {
	audiences map[string]struct{}
	claims    []AdditionalClaim
}

// New makes an authorizer. It has to be closed, and verifies nothing before it is started.
func New(c Config) (*Authorizer, error) {
	a := &Authorizer{http: c.HTTP, issuers: make(map[string]issuer, len(c.Issuers))}
	faults := c.check()
	sources := make([]Source, 0, len(c.Issuers))
	for _, i := range c.Issuers {
		sources = append(sources, i.Source)
		compiled, err := i.compile()
		if err != nil {
			faults = append(faults, err)
		}
		a.issuers[i.Source.Issuer] = compiled
	}
	v := VerifierConfig{
		API: c.API, KeySets: c.KeySets, Sources: sources, Algorithms: c.Algorithms, ClockSkew: c.ClockSkew, Rendering: RenderREST,
		Cache: c.Cache, MaxCacheTime: c.MaxCacheTime,
	}
	if c.HTTP {
		v.Rendering = RenderHTTP
	}
	if len(v.Algorithms) == 0 {
		v.Algorithms = defaultREST
		if c.HTTP {
			v.Algorithms = defaultHTTP
		}
	}
	var err error
	if a.verifier, err = NewVerifier(v); err != nil {
		return nil, errors.Join(append(faults, err)...)
	}
	if len(faults) > 0 {
		a.Close()
		return nil, errors.Join(faults...)
	}
	return a, nil
}

// Start lets the keys be fetched, now and in the background. It returns at once.
func (a *Authorizer) Start(ctx context.Context) { a.verifier.Start(ctx) }

// WaitReady returns when there are keys of every issuer, or with an error when ctx ends before.
func (a *Authorizer) WaitReady(ctx context.Context) error { return a.verifier.WaitReady(ctx) }

// Close gives the shares in the keys back. Nobody may ask any more.
func (a *Authorizer) Close() { a.verifier.Close() }

func (c Config) check() (faults []error) {
	if !c.HTTP {
		return nil
	}
	if len(c.Issuers) > 1 {
		faults = append(faults, errors.New("issuers: an HTTP API's authorizer has one issuer; write an authorizer for each"))
	}
	for _, i := range c.Issuers {
		if len(i.AdditionalClaims) > 0 {
			faults = append(faults, errors.New("additionalClaims: an HTTP API's authorizer has none; remove them"))
		}
	}
	return faults
}

func (i Issuer) compile() (issuer, error) {
	compiled := issuer{audiences: make(map[string]struct{}, len(i.Audiences)), claims: slices.Clone(i.AdditionalClaims)}
	var faults []error
	if len(i.Audiences) == 0 {
		faults = append(faults, errors.New("audiences: none, so that every token of the issuer would count; write the API's own"))
	}
	if len(i.Audiences) > maxAudiences {
		faults = append(faults, fmt.Errorf("audiences: %d, of at most %d", len(i.Audiences), maxAudiences))
	}
	for _, audience := range i.Audiences {
		if audience == "" {
			faults = append(faults, errors.New("audiences: an empty one; remove it"))
		}
		compiled.audiences[audience] = struct{}{}
	}
	names := map[string]bool{}
	for n, c := range i.AdditionalClaims {
		if err := c.check(names[c.ClaimName]); err != nil {
			faults = append(faults, err)
		}
		names[c.ClaimName] = true
		compiled.claims[n].ExpectedValues = slices.Clone(c.ExpectedValues)
	}
	return compiled, errors.Join(faults...)
}

func (c AdditionalClaim) check(twice bool) error {
	switch {
	case c.ClaimName == "":
		return errors.New("additionalClaims: one without a claimName; write the claim's name")
	case slices.Contains(reserved, c.ClaimName):
		return fmt.Errorf("additionalClaims: %s is checked in its own way; remove it", c.ClaimName)
	case twice:
		return fmt.Errorf("additionalClaims: %s is there twice; write its expectedValues in one list", c.ClaimName)
	case c.Format != singleString:
		return fmt.Errorf("additionalClaims: %s: format %q is not known; write %s", c.ClaimName, c.Format, singleString)
	}
	return nil
}

// Authenticate says whose token a caller shows, if it is good for a route with some scopes: a token, or "Bearer", one blank and
// a token. The error is an *authz.Refusal, and the Token nil then.
func (a *Authorizer) Authenticate(ctx context.Context, shown string, scopes []string) (*Token, error) {
	t, failure := a.verifier.Verify(ctx, shown)
	if failure == nil {
		if failure = a.authorize(t, scopes); failure != nil {
			failure = failure.Of(t)
		}
	}
	if failure == nil {
		return t, nil
	}
	r := failure.Refusal()
	if a.http {
		r.Challenge = failure.challenge()
	}
	return nil, r
}

var (
	failAudience = &Failure{detail: "the token's audience is not one of the authorizer's", description: "the token does not have a valid audience"}
	failClaim    = &Failure{detail: "the token lacks an additional claim, or has another value in it than is expected"}
	failScope    = &Failure{code: authz.CodeMissingScope, detail: "the token has none of the route's scopes"}
)

// authorize checks what depends on authorizer and route.
func (a *Authorizer) authorize(t *Token, scopes []string) *Failure {
	i, ok := a.issuers[t.issuer]
	switch {
	case !ok:
		return failIssuer
	case !a.isFor(t, i.audiences):
		return failAudience
	}
	for n := range i.claims {
		if !i.claims[n].holds(t) {
			return failClaim
		}
	}
	if len(scopes) > 0 && !t.HasScope(scopes) {
		return failScope
	}
	return nil
}

// isFor checks aud and, on an HTTP API and only where a token has no aud, client_id.
func (a *Authorizer) isFor(t *Token, audiences map[string]struct{}) bool {
	if t.hasAudience || !a.http {
		return t.For(audiences)
	}
	_, ok := audiences[t.clientID]
	return ok && t.clientID != ""
}

func (c *AdditionalClaim) holds(t *Token) bool {
	if _, there := t.claims[c.ClaimName]; !there {
		return !c.Required
	}
	said, isString := t.StringClaim(c.ClaimName)
	return isString && (len(c.ExpectedValues) == 0 || slices.Contains(c.ExpectedValues, said))
}
