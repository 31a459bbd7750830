package policy

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// query is a request, prepared once for all policies.
type query struct {
	request *Request
	// service and name are the action in lower case.
	service, name string
	parts         arn.Parts
	isARN         bool
	bounded       bool
}

func newQuery(r *Request, bounded bool) query {
	q := query{request: r, bounded: bounded || r.Principal.Bounded}
	q.service, q.name, _ = strings.Cut(lower(r.Action), ":")
	q.parts, q.isARN = arn.Split(r.Resource)
	return q
}

// spelled is the query for another spelling of its resource.
func (q *query) spelled(spelling string) query {
	other := *q
	other.parts, other.isARN = arn.Split(spelling)
	return other
}

// hasAccount says that the caller belongs to an account and so has policies of its own.
func (q *query) hasAccount() bool {
	return q.request.Principal.Kind != Anonymous && q.request.Principal.Kind != Service
}

// each calls visit for the entries that the action and the resource could concern.
func (x *index) each(q *query, visit func(*entry)) {
	x.anyService.each(q.parts[5], visit)
	if of := x.byService[q.service]; of != nil {
		of.each(q.parts[5], visit)
	}
}

// applies reports whether the entry's statement applies to the request, and by what grant.
func (e *entry) applies(q *query) (Grant, bool) {
	s := e.statement
	if !s.concerns(q.service, q.name) {
		return GrantNone, false
	}
	grant, ok := s.reaches(&q.request.Principal, q.bounded)
	if !ok || !e.fits(q) {
		return GrantNone, false
	}
	return grant, s.conditionsHold(q.request.Context)
}

func (e *entry) fits(q *query) bool {
	s := e.statement
	switch {
	case e.resource != nil:
		return e.resource.matches(q.request.Context, &q.parts, q.isARN) && (s.effect != allow || e.resource.takesReadings(q))
	case s.effect == allow:
		return !s.excludes(q.request.Context, &q.parts, q.isARN) && !s.excludesSpelling(q)
	default:
		return !s.excludes(q.request.Context, &q.parts, q.isARN) || s.reachesReading(q)
	}
}

func (s *statement) conditionsHold(ctx Context) bool {
	for _, c := range s.conditions {
		if !c.Holds(ctx, s.effect == deny) {
			return false
		}
	}
	return true
}

// denial is the policy's explicit deny, if a Deny of it applies.
func (p *Policy) denial(q *query) (Result, bool) {
	if p == nil {
		return Result{}, false
	}
	first := p.firstDeny(q, nil, false)
	if p.denyIndex.named {
		for _, spelling := range q.request.Spellings {
			other := q.spelled(spelling)
			first = p.firstDeny(&other, first, true)
		}
	}
	if first == nil {
		return Result{}, false
	}
	return Result{Decision: ExplicitDeny, Policy: p.name, Statement: first.label, By: p.kind}, true
}

// firstDeny returns the Deny that applies and comes first in the policy, in whatever order the index finds them. For another
// spelling of the resource only those count that name a resource: NotResource and "*" are judged by the resource itself.
func (p *Policy) firstDeny(q *query, first *statement, spelling bool) *statement {
	p.denyIndex.each(q, func(e *entry) {
		if first != nil && first.index <= e.statement.index || spelling && !e.named() {
			return
		}
		if _, ok := e.applies(q); ok {
			first = e.statement
		}
	})
	return first
}

func firstDenial(q *query, list []*Policy) (Result, bool) {
	for _, p := range list {
		if r, is := p.denial(q); is {
			return r, true
		}
	}
	return Result{}, false
}

// bestAllow returns the Allow that names the caller most directly, the first of several.
func (p *Policy) bestAllow(q *query) (best *statement, grant Grant) {
	if p == nil {
		return nil, GrantNone
	}
	p.allowIndex.each(q, func(e *entry) {
		settled := best != nil && (e.statement.principals == nil || grant == GrantEveryone)
		if settled && best.index <= e.statement.index {
			return
		}
		g, ok := e.applies(q)
		if ok && (best == nil || g > grant || g == grant && e.statement.index < best.index) {
			best, grant = e.statement, g
		}
	})
	return best, grant
}

func (p *Policy) allows(q *query) bool {
	s, _ := p.bestAllow(q)
	return s != nil
}

func anyAllows(q *query, list []*Policy) bool {
	for _, p := range list {
		if p.allows(q) {
			return true
		}
	}
	return false
}

// allowed is the result for a statement of this policy that allows.
func (p *Policy) allowed(s *statement, grant Grant) Result {
	return Result{Decision: Allow, Policy: p.name, Statement: s.label, By: p.kind, Grant: grant}
}

// resourceGrant is the resource-based policy's Allow for the caller. A policy that names no principals, which was given in the
// place of one by mistake, grants nothing.
func (ps *Policies) resourceGrant(q *query) (*statement, Grant) {
	if s, grant := ps.Resource.bestAllow(q); grant != GrantNone {
		return s, grant
	}
	return nil, GrantNone
}

// side is the side that lacks an Allow where a policy of this kind does not allow.
func (k Kind) side() Side {
	switch k {
	case Resource:
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
