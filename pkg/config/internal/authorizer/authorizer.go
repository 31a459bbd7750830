package authorizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/cognito"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const maxCacheTime = 24 * time.Hour

// tokenAuthorizer verifies tokens after its keys have been fetched.
type tokenAuthorizer interface {
	pool.Holding
	Authenticate(ctx context.Context, shown string, scopes []string) (*jwt.Token, error)
}

// New returns a Compiler for authorizers that call the functions of a configuration.
func New(c Config, functions map[string]*configv1.Function) *Compiler {
	compiler := &Compiler{Reader: c.Reader, pool: c.Pool, lease: c.Lease, issuers: c.Issuers, digests: c.Digests}
	compiler.readFunctions(functions)
	return compiler
}

// Authorizers compiles the authorizers of an API. A faulty one stays in the result, so that its routes find it.
func (c *Compiler) Authorizers(m *configv1.API, api *gateway.API, at *fault.Place) {
	if len(m.GetAuthorizers()) == 0 {
		return
	}
	api.Authorizers = make(map[string]gateway.Authorizer, len(m.GetAuthorizers()))
	for _, name := range slices.Sorted(maps.Keys(m.GetAuthorizers())) {
		authorizer := c.authorizer(m.GetAuthorizers()[name], name, api, at.Field("authorizers").Key(name))
		if c.digests {
			authorizer.Digest = digest(m.GetAuthorizers()[name])
		}
		api.Authorizers[name] = authorizer
	}
}

// digest returns a digest of what an authorizer is configured with.
func digest(m *configv1.Authorizer) string {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (c *Compiler) authorizer(m *configv1.Authorizer, name string, api *gateway.API, at *fault.Place) gateway.Authorizer {
	kinds := 0
	for _, given := range []bool{m.GetLambda() != nil, m.GetCognito() != nil, m.GetJwt() != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		c.IfNew(at, "an authorizer must have one of lambda, cognito and jwt")
		return gateway.Authorizer{}
	case m.GetLambda() != nil:
		return c.within(at, "lambda", func(at *fault.Place) gateway.Authorizer { return c.lambda(m.GetLambda(), name, api, at) })
	case m.GetCognito() != nil:
		return c.within(at, "cognito", func(at *fault.Place) gateway.Authorizer { return c.cognito(m.GetCognito(), api, at) })
	default:
		return c.within(at, "jwt", func(at *fault.Place) gateway.Authorizer { return c.jwt(m.GetJwt(), api, at) })
	}
}

// within compiles one kind of authorizer, whose fields are under the kind. It drops what the gateway reports about an
// authorizer that is already at fault.
func (c *Compiler) within(at *fault.Place, kind string, compile func(at *fault.Place) gateway.Authorizer) gateway.Authorizer {
	before := c.Count()
	compiled := compile(at.Field(kind))
	if c.Count() > before {
		c.Mark(at)
	}
	compiled.At = at.Field(kind)
	return compiled
}

func (c *Compiler) cognito(m *configv1.CognitoAuthorizer, api *gateway.API, at *fault.Place) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.Field("maxCacheTime"))
	a, err := cognito.New(cognito.Config{
		API: api.ID, UserPools: m.GetUserPools(), IdentityValidationExpression: m.GetIdentityValidationExpression(),
		ClockSkew: c.Duration(m.GetClockSkew(), at.Field("clockSkew"), reader.Span{Most: issuer.MaxClockSkew}, 0),
		KeySets:   c.pool.KeySets(), Source: c.issuers.Source,
		Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.Faults(at, err)
		return gateway.Authorizer{Authorization: gateway.Cognito, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.Cognito, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

func (c *Compiler) jwt(m *configv1.JwtAuthorizer, api *gateway.API, at *fault.Place) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.Field("maxCacheTime"))
	a, err := jwt.New(jwt.Config{
		HTTP: api.HTTP, API: api.ID, Issuers: c.jwtIssuers(m, at), Algorithms: m.GetAlgorithms(),
		ClockSkew: c.Duration(m.GetClockSkew(), at.Field("clockSkew"), reader.Span{Most: issuer.MaxClockSkew}, 0),
		KeySets:   c.pool.KeySets(), Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.Faults(at, err)
		return gateway.Authorizer{Authorization: gateway.JWT, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.JWT, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

// tokenCache returns the cache for verified tokens, nil for none, and how long it keeps them.
func (c *Compiler) tokenCache(text string, at *fault.Place) (*jwt.Cache, time.Duration) {
	most := c.Duration(text, at, reader.Span{Most: maxCacheTime}, time.Hour)
	if most == 0 {
		return nil, 0
	}
	return c.pool.Tokens(), most
}

// jwtIssuers returns the issuer and audiences of the short form, or the issuers.
func (c *Compiler) jwtIssuers(m *configv1.JwtAuthorizer, at *fault.Place) []jwt.Issuer {
	if len(m.GetIssuers()) == 0 {
		return []jwt.Issuer{{Source: c.issuers.Source(m.GetIssuer()), Audiences: m.GetAudiences()}}
	}
	if m.GetIssuer() != "" || len(m.GetAudiences()) > 0 {
		c.IfNew(at.Field("issuers"), "write either issuer and audiences, or issuers")
	}
	var issuers []jwt.Issuer
	for _, i := range m.GetIssuers() {
		issuer := jwt.Issuer{Source: c.issuers.Source(i.GetIssuer()), Audiences: i.GetAudiences()}
		for _, claim := range i.GetAdditionalClaims() {
			format := claim.GetFormat()
			if format == "" {
				format = "SINGLE_STRING"
			}
			issuer.AdditionalClaims = append(issuer.AdditionalClaims, jwt.AdditionalClaim{
				ClaimName: claim.GetClaimName(), Format: format, Required: claim.GetRequired(), ExpectedValues: claim.GetExpectedValues(),
			})
		}
		issuers = append(issuers, issuer)
	}
	return issuers
}

// tokens connects an authorizer to the gateway and records that it must be started.
func (c *Compiler) tokens(a tokenAuthorizer, api *gateway.API) func(context.Context, string, []string) (gateway.Token, error) {
	c.lease.Keys(api.ID, a)
	return func(ctx context.Context, shown string, scopes []string) (gateway.Token, error) {
		token, err := a.Authenticate(ctx, shown, scopes)
		if err != nil {
			return nil, err // a nil *jwt.Token in a Token would not be nil
		}
		return token, nil
	}
}

// refuseTokens replaces an authorizer that is at fault.
func refuseTokens(context.Context, string, []string) (gateway.Token, error) {
	return nil, errors.New("the authorizer is at fault")
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
