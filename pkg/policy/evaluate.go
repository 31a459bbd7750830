package policy

import "github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"

// Evaluate decides a request by IAM's logic, in the order of the IAM User Guide's page "Policy evaluation logic": an explicit
// deny anywhere ends it; the organizations and the VPC endpoint have to allow; then the caller's account and the resource's
// say who has to allow what.
func Evaluate(ps *Policies, r *Request) Result {
	if ps == nil || r == nil {
		return Result{Missing: SideIdentity}
	}
	q := statement.NewQuery(r, ps.Boundary != nil)
	if q.Service == "" || q.Name == "" {
		return Result{Missing: SideIdentity}
	}
	if denied, is := ps.explicitDeny(&q); is {
		return denied
	}
	if side := ps.organizationsAndEndpoint(&q); side != SideNone {
		return Result{Missing: side}
	}
	switch r.Principal.Kind {
	case Anonymous, Service, WebIdentity:
		return ps.resourceAlone(&q)
	case User, RoleSession, FederatedUser, Root:
		if r.Principal.Account != "" && r.Principal.Account == r.ResourceAccount {
			return ps.sameAccount(&q)
		}
		return ps.crossAccount(&q)
	default:
		return Result{Missing: SideIdentity}
	}
}

// explicitDeny looks for a Deny in every policy that applies to the caller. A caller without an account has no policies of
// its own.
func (ps *Policies) explicitDeny(q *statement.Query) (Result, bool) {
	if q.HasAccount() {
		if r, is := firstDenial(q, ps.Identity); is {
			return r, true
		}
		if r, is := ps.Boundary.denial(q); is {
			return r, true
		}
		if r, is := firstDenial(q, ps.Session); is {
			return r, true
		}
		for _, level := range ps.SCP {
			if r, is := firstDenial(q, level); is {
				return r, true
			}
		}
	}
	for _, level := range ps.RCP {
		if r, is := firstDenial(q, level); is {
			return r, true
		}
	}
	if r, is := ps.VPCEndpoint.denial(q); is {
		return r, true
	}
	return ps.Resource.denial(q)
}

// organizationsAndEndpoint returns the side that does not allow. On each level of an organization one policy has to: AWS
// attaches RCPFullAWSAccess to each itself, so that it is among the RCPs.
func (ps *Policies) organizationsAndEndpoint(q *statement.Query) Side {
	for _, level := range ps.RCP {
		if !anyAllows(q, level) {
			return SideRCP
		}
	}
	if q.HasAccount() {
		for _, level := range ps.SCP {
			if !anyAllows(q, level) {
				return SideSCP
			}
		}
	}
	if ps.VPCEndpoint != nil && !ps.VPCEndpoint.allows(q) {
		return SideVPCEndpoint
	}
	return SideNone
}

// resourceAlone is for callers without policies of their own.
func (ps *Policies) resourceAlone(q *statement.Query) Result {
	if s, grant := ps.resourceGrant(q); s != nil {
		return ps.Resource.allowed(s, grant)
	}
	return Result{Missing: SideResource}
}

// sameAccount lets either side allow. A resource-based policy that names the caller itself, or everyone, does so whatever
// limits the caller's own policies; one that names the session's role leaves boundary and session policies in force; one that
// names the account only leaves the decision to the account's policies.
//
// A role's trust policy is the exception: without its Allow, the caller's own policies do not suffice.
//
// Choice: "*" counts like the caller itself under a session policy too, which AWS's documents do not state apart.
func (ps *Policies) sameAccount(q *statement.Query) Result {
	s, grant := ps.resourceGrant(q)
	if ps.trusts() && grant == GrantNone {
		return Result{Missing: SideResource}
	}
	if grant >= GrantDirect {
		return ps.Resource.allowed(s, grant)
	}
	identity, allowed := ps.identityAllows(q)
	if !allowed && grant < GrantParent {
		return Result{Missing: identity.Missing, Grant: grant}
	}
	if side := ps.limited(q); side != SideNone {
		return Result{Missing: side, Grant: grant}
	}
	if !allowed {
		return ps.Resource.allowed(s, grant)
	}
	identity.Grant = grant
	return identity
}

// crossAccount asks both sides.
func (ps *Policies) crossAccount(q *statement.Query) Result {
	identity, allowed := ps.identityAllows(q)
	if !allowed {
		return identity
	}
	s, grant := ps.resourceGrant(q)
	if s == nil {
		return Result{Missing: SideResource}
	}
	if side := ps.limited(q); side != SideNone {
		return Result{Missing: side, Grant: grant}
	}
	identity.Grant = grant
	return identity
}

// identityAllows is the caller's own side without its limits. A federated user's session has only what a session policy gives
// it.
//
// Choice: the root user may do everything in its account that is not denied, unless RootNeedsAllow says otherwise.
func (ps *Policies) identityAllows(q *statement.Query) (Result, bool) {
	if q.Request.Principal.Kind == Root && !ps.RootNeedsAllow {
		return Result{Decision: Allow, Policy: "root user", By: Identity}, true
	}
	for _, p := range ps.Identity {
		if s, _ := p.bestAllow(q); s != nil {
			if q.Request.Principal.Kind == FederatedUser && len(ps.Session) == 0 {
				return Result{Missing: SideSession}, false
			}
			return p.allowed(s, GrantNone), true
		}
	}
	return Result{Missing: SideIdentity}, false
}

// limited returns the permissions boundary or the session policies if they do not allow.
func (ps *Policies) limited(q *statement.Query) Side {
	if ps.Boundary != nil && !ps.Boundary.allows(q) {
		return SideBoundary
	}
	if len(ps.Session) > 0 && !anyAllows(q, ps.Session) {
		return SideSession
	}
	return SideNone
}

// Evaluate decides a request by this policy alone: denied, allowed, or neither.
func (p *Policy) Evaluate(r *Request) Result {
	if p == nil || r == nil {
		return Result{}
	}
	q := statement.NewQuery(r, false)
	if denied, is := p.denial(&q); is {
		return denied
	}
	if s, grant := p.bestAllow(&q); s != nil {
		return p.allowed(s, grant)
	}
	return Result{Missing: p.kind.side()}
}
