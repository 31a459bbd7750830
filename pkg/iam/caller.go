package iam

import (
	"fmt"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// identity is the owner of an access key, with everything that does not change between requests.
type identity struct {
	key           *sigv4.Key // a pointer, so that printing an enclosing struct prints no secret
	keyID         string
	session       *session.Session // nil unless the key belongs to an opened session
	principal     policy.Principal
	policies      policy.Policies
	organization  *Organization
	principalType string
	principalARN  string // aws:PrincipalArn; for a session, the ARN of its role
	userID        string
	username      string            // set only for users
	tags          map[string]string // by key in lower case
	temporary     bool
	issued, mfa   time.Time

	sourceIdentity    string
	federatedProvider string
	inactive          bool
}

// Format prints only the key's id, for every verb.
func (i identity) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "iam.identity(%s)", i.keyID) }

// newIdentity returns an identity with the policies of a principal.
func (p *principal) newIdentity() *identity {
	return &identity{
		policies: policy.Policies{
			Identity: p.identity, Boundary: p.boundary, SCP: p.account.organization.ServiceControlPolicies,
		},
		organization: &p.account.organization,
	}
}

// Caller is the signer of a request.
type Caller struct {
	identity  *identity
	signature sigv4.Result
	at        time.Time
}

// Principal returns the caller as policies name it.
func (c *Caller) Principal() policy.Principal { return c.identity.principal }

// Policies returns the caller's policies: identity-based, boundary, session and service control policies.
func (c *Caller) Policies() policy.Policies { return c.identity.policies }

// AccessKeyID returns the id of the signing key.
func (c *Caller) AccessKeyID() string { return c.identity.keyID }

// UserID returns aws:userid.
func (c *Caller) UserID() string { return c.identity.userID }

// TransitiveTags returns the session tags that a chained session inherits, as they were given.
func (c *Caller) TransitiveTags() []session.Tag {
	if c.identity.session == nil {
		return nil
	}
	return c.identity.session.TransitiveTags()
}

// OrganizationID returns aws:PrincipalOrgID, or "".
func (c *Caller) OrganizationID() string { return c.identity.organization.ID }

// SignedHost returns the signed host as the caller wrote it.
func (c *Caller) SignedHost() string { return c.signature.Host }

// SpentHeaders returns the headers that hold the signature and must not be forwarded.
func (c *Caller) SpentHeaders() []string { return c.signature.SpentHeaders() }

// SpentQuery returns the query parameters that hold the signature and must not be forwarded.
func (c *Caller) SpentQuery() []string { return c.signature.SpentQuery() }

// Lookup returns the value of a condition key about the principal ("AWS global condition context keys", properties of the
// principal and of a role session); false means that it is absent.
func (c *Caller) Lookup(key *policy.Key) (policy.Value, bool) {
	i := c.identity
	switch key.ID() {
	case policy.KeyPrincipalArn:
		return policy.StringValue(i.principalARN), true
	case policy.KeyPrincipalAccount:
		return policy.StringValue(i.principal.Account), true
	case policy.KeyPrincipalType:
		return policy.StringValue(i.principalType), true
	case policy.KeyUserID:
		return policy.StringValue(i.userID), true
	case policy.KeyUsername:
		return policy.StringValue(i.username), i.username != ""
	case policy.KeyPrincipalOrgID:
		return policy.StringValue(i.organization.ID), i.organization.ID != ""
	case policy.KeyPrincipalOrgPaths:
		return policy.ListValue(i.organization.Paths), len(i.organization.Paths) > 0
	case policy.KeyPrincipalTag:
		value, ok := i.tags[key.Suffix()]
		return policy.StringValue(value), ok
	case policy.KeyPrincipalIsAWSService:
		return policy.BoolValue(false), true
	case policy.KeySourceIdentity:
		return policy.StringValue(i.sourceIdentity), i.sourceIdentity != ""
	case policy.KeyFederatedProvider:
		return policy.StringValue(i.federatedProvider), i.federatedProvider != ""
	default:
		return c.lookupSession(key.ID())
	}
}

// lookupSession is Lookup for keys that only temporary credentials have.
func (c *Caller) lookupSession(key policy.KeyID) (policy.Value, bool) {
	i := c.identity
	switch {
	case !i.temporary:
		return policy.Value{}, false
	case key == policy.KeyTokenIssueTime && i.issued.IsZero():
		return policy.TimeValue(time.Unix(0, 0)), true
	case key == policy.KeyTokenIssueTime:
		return policy.TimeValue(i.issued), true
	case key == policy.KeyMultiFactorAuthPresent:
		return policy.BoolValue(!i.mfa.IsZero()), true
	case key == policy.KeyMultiFactorAuthAge && !i.mfa.IsZero():
		return policy.NumberValue(int64(c.at.Sub(i.mfa) / time.Second)), true
	default:
		return policy.Value{}, false
	}
}
