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

// Config is a user pool authorizer.
type Config struct {
	// API is the id of the authorizer's API.
	API string
	// UserPools are the ARNs of the pools whose tokens are taken; of any account and region.
	UserPools []string
	// IdentityValidationExpression is a regular expression that the whole of a token's aud has to match; empty for none.
	IdentityValidationExpression string
	// ClockSkew is by how much a pool's clock may differ; 0 for not at all.
	ClockSkew time.Duration
	// KeySets is the process's registry of keys.
	KeySets *jwt.KeySets
	// Source says where the keys of an issuer are; nil for where the pool has them. Where it names no place (JWKSURI, File) the
	// pool's own is meant.
	Source func(issuer string) jwt.Source
	// Cache remembers verified tokens; nil for no memory. It may serve any number of authorizers.
	Cache *jwt.Cache
	// MaxCacheTime bounds how long a token is remembered; 0 stands for one hour.
	MaxCacheTime time.Duration
}

// Authorizer is a user pool authorizer. It is safe for concurrent use.
type Authorizer struct {
	verifier *jwt.Verifier
	audience *regexp.Regexp
}

// New makes an authorizer. It has to be closed, and verifies nothing before it is started.
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

// compileExpression compiles an expression; nil for none.
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

// sources says where the keys of every pool are.
func (c Config) sources() (sources []jwt.Source, faults []error) {
	if len(c.UserPools) == 0 {
		faults = append(faults, errors.New("userPools: none; "+wanted))
	}
	seen := map[string]bool{}
	for _, pool := range c.UserPools {
		issuer, err := issuer(pool)
		switch {
		case err != nil:
			faults = append(faults, err)
			continue
		case seen[issuer]:
			faults = append(faults, fmt.Errorf("userPools: %q is there twice; remove one", pool))
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

// Start lets the keys be fetched, now and in the background. It returns at once.
func (a *Authorizer) Start(ctx context.Context) { a.verifier.Start(ctx) }

// WaitReady returns when there are keys of every pool, or with an error when ctx ends before.
func (a *Authorizer) WaitReady(ctx context.Context) error { return a.verifier.WaitReady(ctx) }

// Close gives the shares in the keys back. Nobody may ask any more.
func (a *Authorizer) Close() { a.verifier.Close() }

var (
	failUse      = jwt.NewFailure(authz.CodeUnauthorized, "the token is not an ID token, which a method without scopes wants")
	failAccess   = jwt.NewFailure(authz.CodeUnauthorized, "the token is not an access token, which a method with scopes wants")
	failAudience = jwt.NewFailure(authz.CodeUnauthorized, "the token has no aud, or one that does not match identityValidationExpression")
	failScope    = jwt.NewFailure(authz.CodeMissingScope, "the token has none of the method's scopes")
)

// Authenticate says whose token a caller shows, if it is good for a method with some scopes: a token, or "Bearer", one blank and a
// token. The error is an *authz.Refusal, and the Token nil then.
func (a *Authorizer) Authenticate(ctx context.Context, shown string, scopes []string) (*jwt.Token, error) {
	t, failure := a.verifier.Verify(ctx, shown)
	if failure == nil {
		failure = a.authorize(t, scopes)
	}
	if failure != nil {
		return nil, refusal(failure)
	}
	return t, nil
}

// authorize checks what depends on authorizer and method.
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
	r := &authz.Refusal{ResponseType: authz.ResponseUnauthorized, Reason: authz.Reason{Code: f.Code(), Detail: f.Detail()}}
	switch f.Code() {
	case authz.CodeExpiredToken:
		r.Message = "The incoming token has expired"
	case authz.CodeAuthorizerFailed, authz.CodeOverload:
		r.ResponseType = authz.ResponseAuthorizerFailure
	default: // UNAUTHORIZED in its own words, missing scopes too
	}
	return r
}
