package policy

import "github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"

// denial is the policy's explicit deny, if a Deny of it applies.
func (p *Policy) denial(q *statement.Query) (Result, bool) {
	if p == nil {
		return Result{}, false
	}
	first := p.firstDeny(q, nil, false)
	if p.denyIndex.Named {
		for _, spelling := range q.Request.Spellings {
			other := q.Spelled(spelling)
			first = p.firstDeny(&other, first, true)
		}
	}
	if first == nil {
		return Result{}, false
	}
	return Result{Decision: ExplicitDeny, Policy: p.name, Statement: first.Label, By: p.kind}, true
}

// firstDeny returns the Deny that applies and comes first in the policy, in whatever order the index finds them. For another
// spelling of the resource only those count that name a resource: NotResource and "*" are compared with the resource itself.
func (p *Policy) firstDeny(q *statement.Query, first *statement.Statement, spelling bool) *statement.Statement {
	p.denyIndex.Each(q, func(e *statement.Entry) {
		if first != nil && first.Index <= e.Statement.Index || spelling && !e.Named() {
			return
		}
		if _, ok := e.Applies(q); ok {
			first = e.Statement
		}
	})
	return first
}

func firstDenial(q *statement.Query, list []*Policy) (Result, bool) {
	for _, p := range list {
		if r, is := p.denial(q); is {
			return r, true
		}
	}
	return Result{}, false
}

// bestAllow returns the Allow that names the caller most directly, the first of several.
func (p *Policy) bestAllow(q *statement.Query) (best *statement.Statement, grant Grant) {
	if p == nil {
		return nil, GrantNone
	}
	p.allowIndex.Each(q, func(e *statement.Entry) {
		settled := best != nil && (e.Statement.Principals == nil || grant == GrantEveryone)
		if settled && best.Index <= e.Statement.Index {
			return
		}
		g, ok := e.Applies(q)
		if ok && (best == nil || g > grant || g == grant && e.Statement.Index < best.Index) {
			best, grant = e.Statement, g
		}
	})
	return best, grant
}

func (p *Policy) allows(q *statement.Query) bool {
	s, _ := p.bestAllow(q)
	return s != nil
}

func anyAllows(q *statement.Query, list []*Policy) bool {
	for _, p := range list {
		if p.allows(q) {
			return true
		}
	}
	return false
}

// allowed is the result for a statement of this policy that allows.
func (p *Policy) allowed(s *statement.Statement, grant Grant) Result {
	return Result{Decision: Allow, Policy: p.name, Statement: s.Label, By: p.kind, Grant: grant}
}

// resourceGrant is the resource-based policy's Allow for the caller. A policy that names no principals, which was given in the
// place of one by mistake, grants nothing.
func (ps *Policies) resourceGrant(q *statement.Query) (*statement.Statement, Grant) {
	if ps.trusts() && (q.Request.Principal.Kind == Anonymous || q.Request.Principal.Kind == Root) {
		return nil, GrantNone // STS: "Roles may not be assumed by root accounts"
	}
	if s, grant := ps.Resource.bestAllow(q); grant != GrantNone {
		return s, grant
	}
	return nil, GrantNone
}

// trusts reports whether the request is for a role, which its trust policy has to grant.
func (ps *Policies) trusts() bool { return ps.Resource != nil && ps.Resource.kind == Trust }

// side is the side that lacks an Allow where a policy of this kind does not allow.
func (k Kind) side() Side {
	switch k {
	case Resource, Trust:
		return SideResource
	case Boundary:
		return SideBoundary
	case Session:
		return SideSession
	case SCP:
		return SideSCP
	case RCP:
		return SideRCP
	case VPCEndpoint:
		return SideVPCEndpoint
	case Identity, Authorizer:
	}
	return SideIdentity
}
