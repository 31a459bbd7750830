package iam

import (
	"strings"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/iam/trust"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
)

// What a request for a session is made of; package trust decides about it.
type (
	// AssumeRequest is a request for a role. Exactly one of Caller and Web is set.
	AssumeRequest = trust.Request
	// WebIdentity has the claims of a verified token.
	WebIdentity = trust.WebIdentity
	// AWSIdentity is an identity of AWS that the configuration lists for a role.
	AWSIdentity = trust.AWSIdentity
	// Refused is the error of a request that is refused, with a code and a message of STS.
	Refused = trust.Refused
)

// AssumeRole returns the session that a request amounts to. The error is a *Refused.
func (s *Store) AssumeRole(r *AssumeRequest) (*session.Session, error) {
	if c, ok := r.Caller.(*Caller); ok && c == nil {
		return nil, noCaller()
	}
	return trust.Assume(s.role(r.Role), r)
}

// ExchangeAWS returns a session of a role for an identity of AWS that the configuration lists for the role. The error is a *Refused.
func (s *Store) ExchangeAWS(arn string, i *AWSIdentity) (*session.Session, error) {
	return trust.ExchangeAWS(s.role(arn), arn, i)
}

// HasRole reports whether an account has a role.
func (s *Store) HasRole(arn string) bool { return s.role(arn) != nil }

// UserRequest asks for a session of the caller itself (GetSessionToken). MFADevice and MFACode are SerialNumber and TokenCode.
type UserRequest struct {
	Caller             *Caller
	Duration           time.Duration // zero means as long as at AWS
	MFADevice, MFACode string
	At                 time.Time
}

// UserSession returns a session of the caller itself. The error is a *Refused.
func (s *Store) UserSession(r *UserRequest) (*session.Session, error) {
	if r.Caller == nil {
		return nil, noCaller()
	}
	return trust.OfUser(&trust.UserRequest{
		Caller: r.Caller, UserID: r.Caller.UserID(), Temporary: r.Caller.identity.temporary, Duration: r.Duration,
		MFADevice: r.MFADevice, MFACode: r.MFACode, At: r.At,
	})
}

func noCaller() *Refused {
	return &Refused{Code: trust.InternalFailure, Message: "The request processing has failed.", Detail: "the request has no caller"}
}

// role returns a role by its ARN; nil if no account has it.
func (s *Store) role(arn string) *trust.Role {
	if s == nil {
		return nil
	}
	p := s.principals[arn]
	if p == nil || p.kind != policy.RoleSession {
		return nil
	}
	trusted := p.trust.policy()
	return &trust.Role{
		ARN: p.arn, ID: p.id, Partition: s.partitions[p.account.id], Account: p.account.id, MaxDuration: p.maxSession, Trust: trusted, TrustFaulty: p.trust != nil && trusted == nil,
		Tags: p.tags, OrganizationID: p.account.organization.ID, OrganizationPaths: p.account.organization.Paths, Managed: p.account.sessionPolicy,
	}
}

// TrustPolicyName is how decisions name a trust policy.
const TrustPolicyName = "trust-policy"

// ProviderName returns the name of an issuer's identity provider: the issuer without https://.
func ProviderName(issuer string) string { return trust.ProviderName(issuer) }

const outsideMaxSession = "must be 3600 to 43200 seconds"

func validMaxSession(seconds int) bool { return seconds >= 3600 && seconds <= 43200 }

// storedPolicy is a policy that few requests need. It is kept as text, and compiled when it is used for the first time. Nil stands for none.
type storedPolicy struct {
	name     string
	kind     policy.Kind
	text     string
	once     sync.Once
	compiled *policy.Policy
}

// policy returns the policy; nil if it is at fault.
func (p *storedPolicy) policy() *policy.Policy {
	if p == nil {
		return nil
	}
	p.once.Do(func() {
		if p.compiled == nil {
			p.compiled, _ = policy.Parse([]byte(p.text), policy.Options{Name: p.name, Kind: p.kind, Format: policy.FormatJSON})
		}
	})
	return p.compiled
}

// sessionPolicy returns a managed policy of the account, or of AWS, as a session policy; nil if the account's export does not have it
// or it cannot be read.
func (a *account) sessionPolicy(arn string) *policy.Policy {
	return a.managed[arn].policy()
}

// keepManaged keeps the default versions of the managed policies, if there are sessions that may name them. Accounts share those of
// AWS.
func (r *resolver) keepManaged(b *Builder) {
	if b.ring == nil {
		return
	}
	r.account.managed = make(map[string]*storedPolicy, len(r.managed))
	for arn, p := range r.managed {
		v, err := p.defaultOne()
		if err != nil {
			continue // reported where the policy is attached
		}
		m := b.managed[arn]
		if m == nil || m.text != string(v.data) {
			m = &storedPolicy{name: arn, kind: policy.Session, text: string(v.data)}
		}
		if strings.Contains(arn, ":iam::aws:policy/") {
			b.managed[arn] = m
		}
		r.account.managed[arn] = m
	}
}
