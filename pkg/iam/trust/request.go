package trust

import (
	"net/netip"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// Request is a request for a role. Exactly one of Caller, Web and Workload is set. At is required.
type Request struct {
	// Role is the ARN of the role, with its path. The texts are as the client sent them.
	Role, SessionName, SourceIdentity, ExternalID string
	// Duration is how long the session lasts; zero means an hour.
	Duration time.Duration
	// Policy is the inline session policy, PolicyARNs are the managed ones.
	Policy            string
	PolicyARNs        []string
	Tags              []session.Tag
	TransitiveTagKeys []string
	// MFADevice and MFACode are SerialNumber and TokenCode. A request that has one of them is refused.
	MFADevice, MFACode string
	// Caller is who signed the request, for AssumeRole.
	Caller Caller
	// Web is whom a token names, for AssumeRoleWithWebIdentity.
	Web *WebIdentity
	// Workload is the SPIFFE id of a verified certificate. Policies see the workload as they see one that comes by AWS' IAM Roles Anywhere:
	// the service RolesAnywhere assumes the role, and passes the id as the session tag WorkloadTag.
	Workload string
	At       time.Time
	// SourceIP and UserAgent are aws:SourceIp and aws:UserAgent, each absent if it is not set. TLS is aws:SecureTransport.
	SourceIP  netip.Addr
	UserAgent string
	TLS       bool
	// Regions are aws:RequestedRegion. Of several, an Allow has none, and a Deny each.
	Regions []string
}

// How policies see a workload with a certificate ("Trust policy" and "Trust attribute mappings", IAM Roles Anywhere User Guide).
const (
	RolesAnywhere = "rolesanywhere.amazonaws.com"
	WorkloadTag   = "x509SAN/URI"
)

// Caller is who signed a request. *iam.Caller is one; a nil *iam.Caller is not.
type Caller interface {
	policy.Context
	Principal() policy.Principal
	Policies() policy.Policies
	// TransitiveTags are the tags that the caller's session passes on.
	TransitiveTags() []session.Tag
}

// WebIdentity has the claims of a verified token.
type WebIdentity struct {
	// Issuer, Subject, Audience and AuthorizedParty are iss, sub, aud and azp, as the token has them. Methods are amr.
	Issuer, Subject string
	Audience        []string
	AuthorizedParty string
	Methods         []string
	// Tags and TransitiveTagKeys are principal_tags and transitive_tag_keys of the claim https://aws.amazon.com/tags.
	Tags              []session.Tag
	TransitiveTagKeys []string
	// SourceIdentity is the claim https://aws.amazon.com/source_identity.
	SourceIdentity string
}

// name returns the issuer without its scheme, as the provider's ARN and the condition keys have it.
func (w *WebIdentity) name() string { return ProviderName(w.Issuer) }

// ProviderName returns an issuer as the ARN of its identity provider ends, and as its condition keys begin: without https://,
// and with a slash at the end if the issuer has one.
func ProviderName(issuer string) string {
	if name, ok := strings.CutPrefix(issuer, "https://"); ok {
		return name
	}
	return strings.TrimPrefix(issuer, "http://")
}

// Role is a role that may be assumed.
type Role struct {
	ARN, ID, Partition, Account string
	// MaxDuration is how long a session may last.
	MaxDuration time.Duration
	// Trust is the trust policy; nil trusts nobody. TrustFaulty reports that there is one, and that it cannot be read.
	Trust       *policy.Policy
	TrustFaulty bool
	// Tags are the role's tags, by key in lower case.
	Tags map[string]string
	// OrganizationID and OrganizationPaths are those of the role's account.
	OrganizationID    string
	OrganizationPaths []string
	// Managed returns a managed policy for use as a session policy; nil if the account has none of that ARN.
	Managed func(arn string) *policy.Policy
}

// provider returns the ARN of a web identity's provider in the role's account, and the short name of one that AWS knows without
// an ARN.
func (r *Role) provider(w *WebIdentity) (arn, short string) {
	name := w.name()
	if policy.WellKnownProvider(name) {
		short = name
	}
	return "arn:" + r.Partition + ":iam::" + r.Account + ":oidc-provider/" + name, short
}
