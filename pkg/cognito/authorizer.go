package cognito

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
)

// Config configures a user pool authorizer.
type Config struct {
	// API is the id of the authorizer's API.
	API string
	// UserPools are the ARNs of the accepted pools, in any account and region.
	UserPools []string
	// IdentityValidationExpression is a regular expression that must match the whole aud of a token; empty for none.
	IdentityValidationExpression string
	// ClockSkew is how far a pool's clock may differ.
	ClockSkew time.Duration
	// KeySets is the process's registry of keys.
	KeySets *jwt.KeySets
	// Source returns where the keys of an issuer are; nil means the pool's own location. A Source without JWKSURI and
	// File also means the pool's own.
	Source func(issuer string) jwt.Source
	// Cache keeps verified tokens; nil disables caching. Authorizers may share it.
	Cache *jwt.Cache
	// MaxCacheTime limits how long a token is cached; 0 means one hour.
	MaxCacheTime time.Duration
}

// Authorizer is a user pool authorizer. It is safe for concurrent use.
type Authorizer struct {
	verifier *jwt.Verifier
	audience *regexp.Regexp
}

// New returns an authorizer. Start it before use and Close it afterwards.
func New(c Config) (*Authorizer, error) {
	a := &Authorizer{}
	sources, faults := c.sources()
	var err error
	if a.audience, err = compileExpression(c.IdentityValidationExpression); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	a.verifier, err = jwt.NewVerifier(jwt.VerifierConfig{
		API: c.API, KeySets: c.KeySets, Sources: sources, Algorithms: []string{"RS256"}, ClockSkew: c.ClockSkew, Rendering: jwt.RenderREST,
		Cache: c.Cache, MaxCacheTime: c.MaxCacheTime,
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// compileExpression compiles an expression. It returns nil for an empty one.
func compileExpression(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil
	}
	compiled, err := authz.CompileExpression(expression)
	if err != nil {
		return nil, fmt.Errorf("identityValidationExpression: %w", err)
	}
	return compiled, nil
}

// sources returns where the keys of every pool are.
func (c Config) sources() (sources []jwt.Source, faults []error) {
	if len(c.UserPools) == 0 {
		faults = append(faults, errors.New("userPools: missing; "+wanted))
	}
	seen := map[string]bool{}
	for _, pool := range c.UserPools {
		issuer, err := issuer(pool)
		switch {
		case err != nil:
			faults = append(faults, err)
			continue
		case seen[issuer]:
			faults = append(faults, fmt.Errorf("userPools: %q is given twice; remove one", pool))
			continue
		}
		seen[issuer] = true
		var s jwt.Source
		if c.Source != nil {
			s = c.Source(issuer)
		}
		s.Issuer = issuer
		if s.JWKSURI == "" && s.File == "" {
			s.JWKSURI = issuer + "/.well-known/jwks.json"
		}
		sources = append(sources, s)
	}
	return sources, faults
}

// Start begins to fetch the keys in the background and returns at once.
func (a *Authorizer) Start(ctx context.Context) { a.verifier.Start(ctx) }

// WaitReady returns when the keys of every pool are there, or with an error when ctx ends first.
func (a *Authorizer) WaitReady(ctx context.Context) error { return a.verifier.WaitReady(ctx) }

// Close releases the keys. The authorizer must not be used afterwards.
func (a *Authorizer) Close() { a.verifier.Close() }

var (
	failUse      = jwt.NewFailure(authz.CodeUnauthorized, "the token is not an ID token, which a method without scopes requires")
	failAccess   = jwt.NewFailure(authz.CodeUnauthorized, "the token is not an access token, which a method with scopes requires")
	failAudience = jwt.NewFailure(authz.CodeUnauthorized, "the token has no aud, or one that does not match identityValidationExpression")
	failScope    = jwt.NewFailure(authz.CodeMissingScope, "the token has none of the method's scopes")
)

// Authenticate verifies a caller's token for a method with some scopes. The text is a token, or "Bearer", one space and
// a token. On failure the error is an *authz.Refusal and the Token is nil.
func (a *Authorizer) Authenticate(ctx context.Context, shown string, scopes []string) (*jwt.Token, error) {
	t, failure := a.verifier.Verify(ctx, shown)
	if failure == nil {
		if failure = a.authorize(t, scopes); failure != nil {
			failure = failure.Of(t)
		}
	}
	if failure != nil {
		return nil, refusal(failure)
	}
	return t, nil
}

// authorize checks what depends on the authorizer and the method.
func (a *Authorizer) authorize(t *jwt.Token, scopes []string) *jwt.Failure {
	switch use := t.TokenUse(); {
	case len(scopes) == 0 && use != "id":
		return failUse
	case len(scopes) > 0 && use != "access":
		return failAccess
	case a.audience != nil && !t.EveryAudience(a.audience.MatchString):
		return failAudience
	case len(scopes) > 0 && !t.HasScope(scopes):
		return failScope
	}
	return nil
}

func refusal(f *jwt.Failure) *authz.Refusal {
	r := &authz.Refusal{ResponseType: authz.ResponseUnauthorized, Reason: authz.Reason{Code: f.Code(), Detail: f.Detail()}, Caller: f.Caller()}
	switch f.Code() {
	case authz.CodeExpiredToken:
		r.Message = "The incoming token has expired"
	case authz.CodeAuthorizerFailed, authz.CodeOverload:
		r.ResponseType = authz.ResponseAuthorizerFailure
	default: // the default UNAUTHORIZED message, for missing scopes too
	}
	return r
}
