package trust

import (
	"net/netip"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// AWSIdentity is a user or a role session of AWS that AWS has vouched for, and that the configuration lists for a role.
type AWSIdentity struct {
	// Principal is the identity as policies name it: a User, or a RoleSession with the ARN and the unique id of its role.
	Principal policy.Principal
	// PathUnknown reports that the ARN of the role may lack its path. Such a session gets no role whose trust policy has a Deny.
	PathUnknown bool
	// UserID is aws:userid. SessionName is the name of the new session.
	UserID, SessionName string
	// Temporary reports whether the identity signed with a temporary key. AWS does not tell when that was issued.
	Temporary bool
	// Duration is how long the session lasts; zero means an hour, which is the most. Until, unless it is zero, is when its credentials stop working at the latest.
	Duration time.Duration
	Until    time.Time
	At       time.Time
	SourceIP netip.Addr
	// UserAgent is aws:UserAgent, absent if it is empty. TLS is aws:SecureTransport.
	UserAgent string
	TLS       bool
	// Regions are aws:RequestedRegion, as in a Request.
	Regions []string
}

// ExchangeAWS returns a session of a role for an identity of AWS. The listing in the configuration is the grant: the role's trust policy
// need not allow. Its Deny statements count. A nil role is one that does not exist. The error is a *Refused.
func ExchangeAWS(role *Role, arn string, i *AWSIdentity) (*session.Session, error) {
	a := &assumption{role: role, chained: i.Principal.Kind == policy.RoleSession, Request: &Request{
		Role: arn, SessionName: i.SessionName, Duration: i.Duration, Caller: &foreign{AWSIdentity: i}, At: i.At, SourceIP: i.SourceIP, UserAgent: i.UserAgent, TLS: i.TLS, Regions: i.Regions,
	}}
	for _, step := range []func() *Refused{a.complete, a.exists, a.notDenied} {
		if refused := step(); refused != nil {
			return nil, refused
		}
	}
	s := a.session()
	if !i.Until.IsZero() && i.Until.Before(s.End()) {
		s.Expires = seconds(i.Until.Add(-session.Grace)) // so that the credentials do not work beyond Until
	}
	if !s.Expires.After(i.At) {
		return nil, &Refused{Code: ExpiredToken, Message: "The caller's own credentials have expired."}
	}
	return s, nil
}

// complete refuses what no configuration can list.
func (a *assumption) complete() *Refused {
	p := a.Caller.Principal()
	known := p.Kind == policy.User && p.ID != "" || p.Kind == policy.RoleSession && p.ParentARN != "" && p.ParentID != ""
	switch {
	case a.At.IsZero() || p.ARN == "" || p.Account == "":
		return &Refused{Code: InternalFailure, Message: "The request processing has failed.", Detail: "the identity is incomplete"}
	case !known:
		return a.denied("sts:AssumeRole", "the caller is neither a user nor a role session")
	case a.Duration < 0 || a.Duration > chainedDuration:
		return invalid("The requested DurationSeconds exceeds the 1 hour session limit for identities of AWS.")
	case len(a.SessionName) > 64 || a.SessionName == "" || !nameShape.MatchString(a.SessionName):
		return a.denied("sts:AssumeRole", "the name of the caller's session or user cannot name a session")
	}
	return nil
}

// notDenied refuses what a Deny statement of the role's trust policy matches.
func (a *assumption) notDenied() *Refused {
	const action = "sts:AssumeRole"
	switch {
	case a.role.TrustFaulty:
		return a.denied(action, "the role's trust policy cannot be read, so it may deny")
	case a.role.Trust == nil:
		return nil
	case a.foreign().PathUnknown && a.role.Trust.Denies():
		return a.denied(action, "the trust policy has a Deny, which may name the path of the caller's role, and AWS does not tell the path: list the role itself in iam.awsIdentities")
	}
	if refused := a.trusts(); refused != nil {
		return refused
	}
	policies, request := policy.Policies{Resource: a.role.Trust}, policy.Request{
		Principal: a.principal(), Action: action, Resource: a.role.ARN, ResourceAccount: a.role.Account, Context: facts{a},
	}
	result := policy.Evaluate(&policies, &request)
	switch {
	case result.Decision == policy.ExplicitDeny:
		return a.deniedBy(action, &policies, &request, result)
	case a.foreign().asked != "" && a.role.Trust.Denies():
		return a.denied(action, "the trust policy has a Deny and asks for "+a.foreign().asked+", which AWS does not tell of the caller: remove the condition, or the role from iam.awsIdentities")
	}
	return nil
}

func (a *assumption) foreign() *foreign { return a.Caller.(*foreign) }

// foreign is an identity of AWS as the Caller of a request. It has no policies here.
type foreign struct {
	*AWSIdentity
	// asked is a key that a policy has asked for, and that the identity may have without being known here.
	asked string
}

// Principal implements Caller.
func (f *foreign) Principal() policy.Principal { return f.AWSIdentity.Principal }

// Policies implements Caller.
func (f *foreign) Policies() policy.Policies { return policy.Policies{} }

// TransitiveTags implements Caller. AWS does not tell the tags of a session.
func (f *foreign) TransitiveTags() []session.Tag { return nil }

// Lookup implements policy.Context. Keys that AWS does not tell are absent, and asked names one of them.
func (f *foreign) Lookup(key *policy.Key) (policy.Value, bool) {
	p := f.AWSIdentity.Principal
	switch key.ID() {
	case policy.KeyPrincipalArn:
		if p.Kind == policy.RoleSession {
			return policy.StringValue(p.ParentARN), true
		}
		return policy.StringValue(p.ARN), true
	case policy.KeyPrincipalAccount:
		return policy.StringValue(p.Account), true
	case policy.KeyPrincipalType:
		if p.Kind == policy.RoleSession {
			return policy.StringValue("AssumedRole"), true
		}
		return policy.StringValue("User"), true
	case policy.KeyUserID:
		return policy.StringValue(f.UserID), true
	case policy.KeyUsername:
		return policy.StringValue(f.SessionName), p.Kind == policy.User
	case policy.KeyPrincipalIsAWSService:
		return policy.BoolValue(false), true
	case policy.KeyTokenIssueTime:
		return policy.TimeValue(time.Unix(0, 0)), f.Temporary
	case policy.KeyMultiFactorAuthPresent, policy.KeyMultiFactorAuthAge:
		if f.Temporary {
			f.asked = key.String()
		}
	case policy.KeyPrincipalTag, policy.KeyPrincipalOrgID, policy.KeyPrincipalOrgPaths, policy.KeySourceIdentity, policy.KeyFederatedProvider:
		f.asked = key.String()
	default:
	}
	return policy.Value{}, false
}
