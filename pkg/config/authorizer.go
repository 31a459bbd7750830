package config

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/cognito"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
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

// tokenAuthorizer checks tokens, once its keys have been fetched.
type tokenAuthorizer interface {
	resource
	Authenticate(ctx context.Context, shown string, scopes []string) (*jwt.Token, error)
}

// authorizers compiles the authorizers of an API. One that is at fault stays among them, so that routes find it.
func (c *compiler) authorizers(m *configv1.API, api *gateway.API, at *path) {
	if len(m.GetAuthorizers()) == 0 {
		return
	}
	api.Authorizers = make(map[string]gateway.Authorizer, len(m.GetAuthorizers()))
	for _, name := range slices.Sorted(maps.Keys(m.GetAuthorizers())) {
		api.Authorizers[name] = c.authorizer(m.GetAuthorizers()[name], name, api, at.field("authorizers").key(name))
	}
}

func (c *compiler) authorizer(m *configv1.Authorizer, name string, api *gateway.API, at *path) gateway.Authorizer {
	kinds := 0
	for _, given := range []bool{m.GetLambda() != nil, m.GetCognito() != nil, m.GetJwt() != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		c.ifNew(at, "an authorizer must have one of lambda, cognito and jwt")
		return gateway.Authorizer{}
	case m.GetLambda() != nil:
		return c.within(at, "lambda", func(at *path) gateway.Authorizer { return c.lambda(m.GetLambda(), name, api, at) })
	case m.GetCognito() != nil:
		return c.within(at, "cognito", func(at *path) gateway.Authorizer { return c.cognito(m.GetCognito(), api, at) })
	default:
		return c.within(at, "jwt", func(at *path) gateway.Authorizer { return c.jwt(m.GetJwt(), api, at) })
	}
}

// within compiles an authorizer whose fields stand one level deeper here than the gateway has them. What the gateway says of one
// that is at fault is not said again.
func (c *compiler) within(at *path, kind string, compile func(at *path) gateway.Authorizer) gateway.Authorizer {
	before := len(c.report.faults)
	compiled := compile(at.field(kind))
	if len(c.report.faults) > before {
		c.report.mark(at.String())
	}
	if c.deeper == nil {
		c.deeper = map[string]string{}
	}
	c.deeper[at.String()+"."] = at.field(kind).String() + "."
	return compiled
}

func (c *compiler) cognito(m *configv1.CognitoAuthorizer, api *gateway.API, at *path) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.field("maxCacheTime"))
	a, err := cognito.New(cognito.Config{
		API: api.ID, UserPools: m.GetUserPools(), IdentityValidationExpression: m.GetIdentityValidationExpression(),
		ClockSkew: c.duration(m.GetClockSkew(), at.field("clockSkew"), span{0, maxClockSkew}, 0),
		KeySets:   c.runtime.keys, Source: c.source,
		Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.faults(at, err)
		return gateway.Authorizer{Authorization: gateway.Cognito, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.Cognito, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

func (c *compiler) jwt(m *configv1.JwtAuthorizer, api *gateway.API, at *path) gateway.Authorizer {
	remembering, most := c.tokenCache(m.GetMaxCacheTime(), at.field("maxCacheTime"))
	a, err := jwt.New(jwt.Config{
		HTTP: api.HTTP, API: api.ID, Issuers: c.jwtIssuers(m, at), Algorithms: m.GetAlgorithms(),
		ClockSkew: c.duration(m.GetClockSkew(), at.field("clockSkew"), span{0, maxClockSkew}, 0),
		KeySets:   c.runtime.keys, Cache: remembering, MaxCacheTime: most,
	})
	if err != nil {
		c.faults(at, err)
		return gateway.Authorizer{Authorization: gateway.JWT, Token: refuseTokens}
	}
	return gateway.Authorizer{Authorization: gateway.JWT, IdentitySource: one(m.GetIdentitySource()), Token: c.tokens(a, api)}
}

// tokenCache is where verified tokens are remembered, nil for nowhere, and for how long.
func (c *compiler) tokenCache(text string, at *path) (*jwt.Cache, time.Duration) {
	most := c.duration(text, at, span{0, maxCacheTime}, time.Hour)
	if most == 0 {
		return nil, 0
	}
	return c.runtime.tokens, most
}

// jwtIssuers are the issuer and audiences of the short form, or the issuers.
func (c *compiler) jwtIssuers(m *configv1.JwtAuthorizer, at *path) []jwt.Issuer {
	if len(m.GetIssuers()) == 0 {
		return []jwt.Issuer{{Source: c.source(m.GetIssuer()), Audiences: m.GetAudiences()}}
	}
	if m.GetIssuer() != "" || len(m.GetAudiences()) > 0 {
		c.ifNew(at.field("issuers"), "write either issuer and audiences, or issuers")
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

// tokens joins an authorizer to the gateway, and notes that it has to be started.
func (c *compiler) tokens(a tokenAuthorizer, api *gateway.API) func(context.Context, string, []string) (gateway.Token, error) {
	c.resources = append(c.resources, a)
	c.keyed[api.ID] = true
	return func(ctx context.Context, shown string, scopes []string) (gateway.Token, error) {
		token, err := a.Authenticate(ctx, shown, scopes)
		if err != nil {
			return nil, err // not the nil *jwt.Token, which would be no nil Token
		}
		return token, nil
	}
}

// refuseTokens stands in for an authorizer that is at fault.
func refuseTokens(context.Context, string, []string) (gateway.Token, error) {
	return nil, errors.New("the authorizer is at fault")
}

// issuers reads where the keys of issuers are.
func (c *compiler) issuers(m map[string]*configv1.Issuer, at *path) {
	c.sources = make(map[string]jwt.Source, len(m))
	c.used = make(map[string]bool, len(m))
	for _, issuer := range slices.Sorted(maps.Keys(m)) {
		at := at.key(issuer)
		source := c.issuer(issuer, m[issuer], at)
		set, err := c.runtime.keys.Use(source)
		if err != nil {
			c.faults(at, err)
			source = jwt.Source{Issuer: issuer} // said once, and not by each authorizer
		} else {
			set.Release()
		}
		c.sources[issuer] = source
	}
}

func (c *compiler) issuer(issuer string, m *configv1.Issuer, at *path) jwt.Source {
	s := jwt.Source{
		Issuer: issuer, JWKSURI: m.GetJwksUri(),
		Interval: c.duration(m.GetRefresh(), at.field("refresh"), span{shortestRefresh, longestRefresh}, 0),
		MaxAge:   c.duration(m.GetMaxAge(), at.field("maxAge"), span{time.Minute, longestMaxAge}, 0),
		HTTP: jwt.HTTPConfig{
			ProxyURL: m.GetProxy(),
			Timeout:  c.duration(m.GetTimeout(), at.field("timeout"), span{time.Millisecond, maxFetchTime}, 0),
		},
	}
	if m.GetFile() != "" {
		c.notFetched(m, at)
		name, data, ok := c.namedFile(m.GetFile(), maxNamedSize, at.field("file"))
		s.File, s.FileVersion = name, digest(data)
		// A file that has gone bad is another source: its keys would not be those of the last good one.
		if ok {
			if err := jwt.CheckKeySet(data); err != nil {
				c.fault(at.field("file"), "%s: %v; write into it what the issuer answers at its jwks_uri", quoted(m.GetFile()), err)
			}
		}
	}
	if m.GetCaFile() != "" {
		_, s.HTTP.RootCAs, _ = c.namedFile(m.GetCaFile(), maxNamedSize, at.field("caFile"))
	}
	return s
}

// notFetched refuses what says how keys are fetched, of an issuer whose keys are in a file.
func (c *compiler) notFetched(m *configv1.Issuer, at *path) {
	given := map[string]string{"proxy": m.GetProxy(), "caFile": m.GetCaFile(), "timeout": m.GetTimeout()}
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if given[field] != "" {
			c.ifNew(at.field(field), field+" is for keys that are fetched, and these are in a file: remove one of the two")
		}
	}
}

// source is where the keys of an issuer are.
func (c *compiler) source(issuer string) jwt.Source {
	c.used[issuer] = true
	if s, ok := c.sources[issuer]; ok {
		return s
	}
	return jwt.Source{Issuer: issuer}
}

// unusedIssuers warns of entries that no authorizer asks for: a slash more or less makes another issuer.
func (c *compiler) unusedIssuers(at *path) {
	for _, issuer := range slices.Sorted(maps.Keys(c.sources)) {
		if !c.used[issuer] {
			c.warnKey(at.key(issuer), "no authorizer takes tokens of the issuer "+quoted(issuer)+": write it exactly as tokens name it, or remove it")
		}
	}
}

// warnKey warns of an entry of a mapping, at its key.
func (c *compiler) warnKey(at *path, message string) {
	n := keyOf(find(c.root, at.up.String()), find(c.root, at.String()))
	f := faultAt(c.file, n, message)
	f.Warning = true
	c.report.add(f)
}

// gatherIssuers reads the files that issuers name.
func (c *compiler) gatherIssuers() {
	for _, issuer := range values(child(c.root, "issuers")) {
		c.gatherNamed(issuer, "file", "caFile")
	}
}

// gatherNamed reads the files that fields of a mapping name.
func (c *compiler) gatherNamed(n *yaml.Node, fields ...string) {
	for _, field := range fields {
		if file := child(n, field); file != nil {
			if name, ok := c.named(file); ok {
				_, _ = c.files.read(name, maxNamedSize) // what is wrong with it is said where it is used
			}
		}
	}
}

// values are those of a mapping.
func values(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var all []*yaml.Node
	for i := 1; i < len(n.Content); i += 2 {
		all = append(all, n.Content[i])
	}
	return all
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// span is the least and the most that a time may be.
type span struct{ least, most time.Duration }

// examples are times as they are written, of those that may be.
func (s span) examples() string {
	var fit []string
	for _, text := range []string{"100ms", "1s", "30s", "5m", "1h"} {
		if d, err := time.ParseDuration(text); err == nil && s.least <= d && d <= s.most {
			fit = append(fit, text)
		}
	}
	return oneOf(fit)
}

// duration reads a time such as 300s; otherwise is what none stands for.
func (c *compiler) duration(text string, at *path, within span, otherwise time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < within.least || d > within.most {
		c.ifNew(at, at.label()+" must be a time from "+shortest(within.least)+" to "+shortest(within.most)+", with its unit, such as "+within.examples())
		return otherwise
	}
	return d
}

// shortest is a time as people write it: 5m and not 5m0s.
func shortest(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// faults reports everything that a package says is wrong at a path. Each of its errors begins with the name of the field,
// where it is about one.
func (c *compiler) faults(at *path, err error) {
	type finding struct {
		at      *path
		message string
	}
	var findings []finding
	for e := range leaves(err) {
		f := finding{at, at.label() + ": " + e.Error()}
		if field, message, ok := strings.Cut(e.Error(), ": "); ok && !strings.Contains(field, " ") {
			f = finding{at.field(field), field + ": " + message}
		}
		if !c.report.follows(f.at.String()) {
			findings = append(findings, f)
		}
	}
	for _, f := range findings {
		c.fault(f.at, "%s", f.message)
	}
	c.report.mark(at.String())
}

// leaves yields the errors that errors.Join has joined.
func leaves(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			yield(err)
			return
		}
		for _, e := range joined.Unwrap() {
			for leaf := range leaves(e) {
				if !yield(leaf) {
					return
				}
			}
		}
	}
}
