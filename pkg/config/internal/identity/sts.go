package identity

import (
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	"github.com/portcullis-authz/portcullis/pkg/sts"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// stsShare is the group of STS where the limits on waiting for keys are divided among APIs. It is not the id of an API.
const stsShare = "sts:"

// webIdentityAlgorithms are those that AWS accepts of an OpenID Connect provider.
var webIdentityAlgorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}

// webIdentities compiles the verifier of the issuers that have audiences.
func (c *compiler) webIdentities(m *configv1.Config, at *fault.Place) webIdentity {
	if m.GetIam().GetSts() != nil && m.GetIam().GetSessions() == nil {
		c.IfNew(at.Field("iam").Field("sts"), "STS needs keys that session tokens are sealed under: write iam.sessions, or remove sts")
	}
	skewAt := at.Field("iam").Field("sts").Field("clockSkew")
	v := jwt.VerifierConfig{
		API: stsShare, KeySets: c.pool.KeySets(), Cache: c.pool.Tokens(), Algorithms: webIdentityAlgorithms, Rendering: jwt.RenderJSON,
		ClockSkew: c.Duration(m.GetIam().GetSts().GetClockSkew(), skewAt, reader.Span{Most: issuer.MaxClockSkew}, 0),
	}
	audiences, names := map[string][]string{}, map[string]string{}
	for _, issuer := range slices.Sorted(maps.Keys(m.GetIssuers())) {
		list := m.GetIssuers()[issuer].GetAudiences()
		if len(list) == 0 {
			continue
		}
		at := at.Field("issuers").Key(issuer).Field("audiences")
		c.checkAudiences(list, at)
		name := iam.ProviderName(issuer)
		if other, twice := names[name]; twice {
			c.Fault(at, "trust policies cannot tell the issuers %s and %s apart: keep the audiences of one", fault.Quoted(other), fault.Quoted(issuer))
		}
		names[name], audiences[issuer] = issuer, list
		v.Sources = append(v.Sources, c.issuers.Source(issuer))
	}
	if len(v.Sources) == 0 || c.ring == nil {
		return webIdentity{}
	}
	verifier, err := jwt.NewVerifier(v)
	if err != nil {
		c.Faults(at.Field("issuers"), err)
		return webIdentity{}
	}
	c.lease.Keys(stsShare, verifier)
	return webIdentity{verifier, audiences}
}

const maxAudiences = 50

func (c *compiler) checkAudiences(list []string, at *fault.Place) {
	if len(list) > maxAudiences {
		c.IfNew(at, "an issuer has at most 50 audiences")
	}
	for i, audience := range list {
		if audience == "" || slices.Contains(list[:i], audience) {
			c.IfNew(at.Item(i), "the audience is empty or given twice: remove it")
		}
	}
}

// sts returns what answers calls of STS; nil if the configuration issues no sessions, or is at fault.
func (c *compiler) sts(m *configv1.Config, g *gateway.Gateway) *sts.Service {
	if c.ring == nil || c.keys == nil || g == nil {
		return nil
	}
	actions, ok := c.exchange(m.GetIam(), c.Doc.Root().Field("iam"))
	if !ok {
		return nil
	}
	service, err := sts.New(sts.Config{
		Store: c.keys, Actions: actions, Sessions: c.ring, Tokens: c.web.tokens, Audiences: c.web.audiences, ClientAddress: g.ClientAddress,
		Hosts: hostsOf(m.GetIam().GetSts().GetUrls()), Regions: regionsOf(m),
		CallsPerSecond: int(m.GetIam().GetSts().GetCallsPerSecond()), Explain: m.GetIam().GetExplainSignatures(),
	})
	if err != nil {
		c.Faults(c.Doc.Root().Field("iam").Field("sts"), err)
		return nil
	}
	return service
}

// hostsOf returns the hosts of URLs, as clients sign them.
func hostsOf(urls []string) (hosts []string) {
	for _, text := range urls {
		_, host, _ := strings.Cut(text, "://")
		hosts = append(hosts, host)
	}
	return hosts
}

// regionsOf returns the regions of all APIs.
func regionsOf(m *configv1.Config) (regions []string) {
	for _, api := range m.GetApis() {
		if region := api.GetRegion(); !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	return regions
}
