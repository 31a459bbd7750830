package identity

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/workload"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// principalsShare is the group of iam.principals where the limits on waiting for keys are divided among APIs. It is not the id of an API.
const principalsShare = "principals:"

// principals compiles the callers who do not sign. It returns nil if there are none, or one is at fault.
func (c *compiler) principals(m *configv1.Config, at *fault.Place) gateway.Identify {
	list, before := m.GetIam().GetPrincipals(), c.Count()
	if len(list) == 0 {
		return nil
	}
	known := workload.Config{Store: c.keys, Workloads: map[string]string{}, Audiences: map[string][]string{}}
	for i, p := range list {
		at := at.Field("iam").Field("principals").Item(i)
		c.mappedRole(p, at)
		if p.GetSpiffe() != "" {
			c.mappedWorkload(&known, p, at)
		} else {
			c.mappedToken(&known, m, p, at)
		}
	}
	if c.Count() > before || c.keys == nil {
		return nil
	}
	if len(known.Tokens) > 0 && !c.principalTokens(&known, m, at) {
		return nil
	}
	finder := workload.New(known)
	return func(ctx context.Context, r *gateway.Unsigned) (*gateway.Signed, error) {
		request := workload.Request(*r)
		caller, shown, err := finder.Find(ctx, &request)
		if err != nil || caller == nil {
			return nil, err
		}
		return unsigned(caller, shown), nil
	}
}

// unsigned is Signed for a caller without a signature, of which nothing is spent.
func unsigned(c *iam.Caller, shown authz.Caller) *gateway.Signed {
	return &gateway.Signed{
		Principal: c.Principal(), Policies: c.Policies(), Facts: c, Shown: shown, UserID: c.UserID(), OrganizationID: c.OrganizationID(),
	}
}

// principalTokens makes the verifier of the tokens that are mapped.
func (c *compiler) principalTokens(known *workload.Config, m *configv1.Config, at *fault.Place) bool {
	v := jwt.VerifierConfig{
		API: principalsShare, KeySets: c.pool.KeySets(), Cache: c.pool.Tokens(), Algorithms: webIdentityAlgorithms, Rendering: jwt.RenderJSON,
		ClockSkew: c.Duration(m.GetIam().GetSts().GetClockSkew(), at.Field("iam").Field("sts").Field("clockSkew"), reader.Span{Most: issuer.MaxClockSkew}, 0),
	}
	for _, issuer := range slices.Sorted(maps.Keys(known.Audiences)) {
		v.Sources = append(v.Sources, c.issuers.Source(issuer))
	}
	verifier, err := jwt.NewVerifier(v)
	if err != nil {
		c.Faults(at.Field("iam").Field("principals"), err)
		return false
	}
	c.lease.Keys(principalsShare, verifier)
	known.Verifier = verifier
	return true
}

// mappedRole checks the role of an entry.
func (c *compiler) mappedRole(p *configv1.IamPrincipal, at *fault.Place) {
	switch {
	case p.GetRole() == "":
		c.IfNew(at.Field("role"), "the entry has no role: write the ARN of the role, with its path")
	case c.keys != nil && !c.keys.HasRole(p.GetRole()):
		c.IfNew(at.Field("role"), "no account has the role "+fault.Quoted(p.GetRole())+": write its ARN with its path, or add it to iam.roles or iam.accounts")
	}
	if p.GetSpiffe() != "" && (p.GetIssuer() != "" || len(p.GetClaims()) > 0) {
		c.IfNew(at, "spiffe excludes issuer and claims: write two entries")
	}
}

// mappedWorkload adds the mapping of a SPIFFE id.
func (c *compiler) mappedWorkload(known *workload.Config, p *configv1.IamPrincipal, at *fault.Place) {
	id := p.GetSpiffe()
	above, all := strings.CutSuffix(id, "/*")
	sample := id
	if all {
		id, sample = above+"/", above+"/x"
	}
	if !authz.IsSPIFFE(sample) {
		c.IfNew(at.Field("spiffe"), fault.Quoted(p.GetSpiffe())+" is not a SPIFFE id of a workload: write one such as spiffe://cluster.local/ns/orders/sa/api, or spiffe://cluster.local/ns/orders/* for all below it")
		return
	}
	if known.Workloads[id] != "" {
		c.IfNew(at.Field("spiffe"), "the SPIFFE id is given twice: remove one")
	}
	if all && strings.Count(above, "/") == 2 {
		c.Warn(at.Field("spiffe"), fault.Quoted(p.GetSpiffe())+" contains every workload of the trust domain: write a longer id")
	}
	known.Workloads[id] = p.GetRole()
	if !all {
		c.tryTrust(&iam.AssumeRequest{Role: p.GetRole(), Workload: sample, SessionName: workload.SessionName("", sample)}, at)
	}
}

// unmappable are claims that are checked anyway, or change from token to token.
var unmappable = []string{"iss", "aud", "exp", "nbf", "iat", "jti"}

// mappedToken adds the mapping of an issuer's tokens.
func (c *compiler) mappedToken(known *workload.Config, m *configv1.Config, p *configv1.IamPrincipal, at *fault.Place) {
	audiences := m.GetIssuers()[p.GetIssuer()].GetAudiences()
	switch {
	case p.GetIssuer() == "":
		c.IfNew(at, "the entry names nobody: write spiffe, or issuer and claims")
		return
	case len(audiences) == 0:
		c.IfNew(at.Field("issuer"), "the issuer "+fault.Quoted(p.GetIssuer())+" has no audiences: write them under issuers, with the issuer exactly as tokens name it")
	case len(p.GetClaims()) == 0:
		c.IfNew(at.Field("claims"), "the entry has no claims, so every token of the issuer would count: write sub, or other claims")
	}
	c.mappedClaims(p, at)
	for _, other := range known.Tokens {
		if other.Issuer == p.GetIssuer() && !disjoint(other.Claims, p.GetClaims()) {
			c.IfNew(at.Field("claims"), "a token could fit this entry and another one: let both name a claim in which they differ")
		}
	}
	known.Audiences[p.GetIssuer()] = audiences
	known.Tokens = append(known.Tokens, workload.Token{Issuer: p.GetIssuer(), Claims: p.GetClaims(), Role: p.GetRole()})
	subject := p.GetClaims()["sub"]
	if len(p.GetClaims()) == 0 {
		return
	}
	if subject == "" {
		c.Warn(at.Field("claims"), "the entry does not name sub, so it is for every subject of the issuer with the other claims: add sub, or let the role's trust policy tell the subjects apart")
		return
	}
	if len(audiences) > 0 {
		web := &iam.WebIdentity{Issuer: p.GetIssuer(), Subject: subject, Audience: audiences[:1], AuthorizedParty: p.GetClaims()["azp"]}
		c.tryTrust(&iam.AssumeRequest{Role: p.GetRole(), Web: web, SessionName: workload.SessionName(p.GetIssuer(), subject)}, at)
	}
}

// mappedClaims checks the claims of an entry.
func (c *compiler) mappedClaims(p *configv1.IamPrincipal, at *fault.Place) {
	for _, name := range slices.Sorted(maps.Keys(p.GetClaims())) {
		value := p.GetClaims()[name]
		switch {
		case slices.Contains(unmappable, name):
			c.IfNew(at.Field("claims").Key(name), "the claim "+name+" cannot be mapped: it is checked in its own way, or differs from token to token; remove it")
		case name == "" || value == "":
			c.IfNew(at.Field("claims").Key(name), "the claim or its value is empty: write both")
		case strings.ContainsAny(value, "*?"):
			c.IfNew(at.Field("claims").Key(name), "claims are compared exactly: write the value without a wildcard")
		}
	}
}

// disjoint reports whether no token has the claims of both mappings.
func disjoint(a, b map[string]string) bool {
	for name, value := range a {
		if other, both := b[name]; both && other != value {
			return true
		}
	}
	return false
}

// tryTrust warns if the role's trust policy does not admit a mapped caller, as far as that can be told without a request.
func (c *compiler) tryTrust(r *iam.AssumeRequest, at *fault.Place) {
	if c.keys == nil || !c.keys.HasRole(r.Role) {
		return // a fault already
	}
	r.At, r.TLS = time.Now(), true
	if _, err := c.keys.AssumeRole(r); err != nil {
		c.Warn(at.Field("role"), "the role's trust policy does not seem to admit the caller: "+err.Error())
	}
}
