package config

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
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/pool"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

const (
	maxClockSkew    = 5 * time.Minute
	maxCacheTime    = 24 * time.Hour
	maxFetchTime    = 30 * time.Second
	shortestRefresh = 10 * time.Second
	longestRefresh  = 24 * time.Hour
	longestMaxAge   = 7 * 24 * time.Hour
)

// tokenAuthorizer verifies tokens after its keys have been fetched.
type tokenAuthorizer interface {
	pool.Holding
	Authenticate(ctx context.Context, shown string, scopes []string) (*jwt.Token, error)
}

// authorizers compiles the authorizers of an API. A faulty one stays in the result, so that its routes find it.
func (c *compiler) authorizers(m *configv1.API, api *gateway.API, at *fault.Place) {
	if len(m.GetAuthorizers()) == 0 {
		return
	}
	api.Authorizers = make(map[string]gateway.Authorizer, len(m.GetAuthorizers()))
	for _, name := range slices.Sorted(maps.Keys(m.GetAuthorizers())) {
		authorizer := c.authorizer(m.GetAuthorizers()[name], name, api, at.Field("authorizers").Key(name))
		if c.Places {
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

func (c *compiler) authorizer(m *configv1.Authorizer, name string, api *gateway.API, at *fault.Place) gateway.Authorizer {
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
func (c *compiler) within(at *fault.Place, kind string, compile func(at *fault.Place) gateway.Authorizer) gateway.Authorizer {
	before := c.Count()
	compiled := compile(at.Field(kind))
	if c.Count() > before {
		c.Mark(at)
	}
	compiled.At = at.Field(kind)
	return compiled
}

func (c *compiler) cognito(m *configv1.CognitoAuthorizer, api *gateway.API, at *fault.Place) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.Field("maxCacheTime"))
	a, err := cognito.New(cognito.Config{
		API: api.ID, UserPools: m.GetUserPools(), IdentityValidationExpression: m.GetIdentityValidationExpression(),
		ClockSkew: c.Duration(m.GetClockSkew(), at.Field("clockSkew"), reader.Span{Most: maxClockSkew}, 0),
		KeySets:   c.pool.KeySets(), Source: c.source,
		Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.Faults(at, err)
		return gateway.Authorizer{Authorization: gateway.Cognito, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.Cognito, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

func (c *compiler) jwt(m *configv1.JwtAuthorizer, api *gateway.API, at *fault.Place) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.Field("maxCacheTime"))
	a, err := jwt.New(jwt.Config{
		HTTP: api.HTTP, API: api.ID, Issuers: c.jwtIssuers(m, at), Algorithms: m.GetAlgorithms(),
		ClockSkew: c.Duration(m.GetClockSkew(), at.Field("clockSkew"), reader.Span{Most: maxClockSkew}, 0),
		KeySets:   c.pool.KeySets(), Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.Faults(at, err)
		return gateway.Authorizer{Authorization: gateway.JWT, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.JWT, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

// tokenCache returns the cache for verified tokens, nil for none, and how long it keeps them.
func (c *compiler) tokenCache(text string, at *fault.Place) (*jwt.Cache, time.Duration) {
	most := c.Duration(text, at, reader.Span{Most: maxCacheTime}, time.Hour)
	if most == 0 {
		return nil, 0
	}
	return c.pool.Tokens(), most
}

// jwtIssuers returns the issuer and audiences of the short form, or the issuers.
func (c *compiler) jwtIssuers(m *configv1.JwtAuthorizer, at *fault.Place) []jwt.Issuer {
	if len(m.GetIssuers()) == 0 {
		return []jwt.Issuer{{Source: c.source(m.GetIssuer()), Audiences: m.GetAudiences()}}
	}
	if m.GetIssuer() != "" || len(m.GetAudiences()) > 0 {
		c.IfNew(at.Field("issuers"), "write either issuer and audiences, or issuers")
	}
	var issuers []jwt.Issuer
	for _, i := range m.GetIssuers() {
		issuer := jwt.Issuer{Source: c.source(i.GetIssuer()), Audiences: i.GetAudiences()}
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
func (c *compiler) tokens(a tokenAuthorizer, api *gateway.API) func(context.Context, string, []string) (gateway.Token, error) {
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

// issuers reads where the keys of issuers are.
func (c *compiler) issuers(m map[string]*configv1.Issuer, at *fault.Place) {
	c.sources = make(map[string]jwt.Source, len(m))
	c.used = make(map[string]bool, len(m))
	c.audiences = make(map[string][]string, len(m))
	for _, issuer := range slices.Sorted(maps.Keys(m)) {
		at := at.Key(issuer)
		source := c.issuer(issuer, m[issuer], at)
		set, err := c.pool.KeySets().Use(source)
		if err != nil {
			c.Faults(at, err)
			source = jwt.Source{Issuer: issuer} // reported once, not by each authorizer
		} else {
			set.Release()
		}
		c.sources[issuer] = source
		provider := iam.ProviderName(issuer)
		c.audiences[provider] = append(c.audiences[provider], m[issuer].GetAudiences()...)
	}
}

func (c *compiler) issuer(issuer string, m *configv1.Issuer, at *fault.Place) jwt.Source {
	s := jwt.Source{
		Issuer: issuer, JWKSURI: m.GetJwksUri(),
		Interval: c.Duration(m.GetRefresh(), at.Field("refresh"), reader.Span{Least: shortestRefresh, Most: longestRefresh}, 0),
		MaxAge:   c.Duration(m.GetMaxAge(), at.Field("maxAge"), reader.Span{Least: time.Minute, Most: longestMaxAge}, 0),
		HTTP: jwt.HTTPConfig{
			ProxyURL: m.GetProxy(),
			Timeout:  c.Duration(m.GetTimeout(), at.Field("timeout"), reader.Span{Least: time.Millisecond, Most: maxFetchTime}, 0),
		},
	}
	if m.GetFile() != "" {
		c.notFetched(m, at)
		name, data, ok := c.NamedFile(m.GetFile(), reader.MaxNamedSize, at.Field("file"))
		s.File, s.FileVersion = name, source.Digest(data)
		// A faulty file is a different source, so the last good keys are not used for it.
		if ok {
			if err := jwt.CheckKeySet(data); err != nil {
				c.Fault(at.Field("file"), "%s: %v; write into it what the issuer answers at its jwks_uri", fault.Quoted(m.GetFile()), err)
			}
		}
	}
	if m.GetCaFile() != "" {
		_, s.HTTP.RootCAs, _ = c.NamedFile(m.GetCaFile(), reader.MaxNamedSize, at.Field("caFile"))
	}
	return s
}

// notFetched refuses settings for fetching keys if the keys come from a file.
func (c *compiler) notFetched(m *configv1.Issuer, at *fault.Place) {
	given := map[string]string{"proxy": m.GetProxy(), "caFile": m.GetCaFile(), "timeout": m.GetTimeout()}
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if given[field] != "" {
			c.IfNew(at.Field(field), field+" applies only to keys that are fetched, and file is set: remove one of the two")
		}
	}
}

// source returns where the keys of an issuer are.
func (c *compiler) source(issuer string) jwt.Source {
	c.used[issuer] = true
	if s, ok := c.sources[issuer]; ok {
		return s
	}
	return jwt.Source{Issuer: issuer}
}

// unusedIssuers warns about entries that no authorizer uses and whose tokens the STS does not accept. Issuers that differ by a slash are different issuers.
func (c *compiler) unusedIssuers(at *fault.Place) {
	for _, issuer := range slices.Sorted(maps.Keys(c.sources)) {
		if !c.used[issuer] && len(c.audiences[iam.ProviderName(issuer)]) == 0 {
			c.Warn(at.Key(issuer).Name(), "no authorizer accepts tokens of the issuer "+fault.Quoted(issuer)+": write it exactly as tokens name it, or remove it")
		}
	}
}

// gatherIssuers reads the files that issuers name.
func (c *compiler) gatherIssuers() {
	for issuer := range c.Doc.Values(c.Doc.Root().Field("issuers")) {
		c.GatherNamed(issuer, "file", "caFile")
	}
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
