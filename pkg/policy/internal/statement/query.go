package statement

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
)

// Query is a request, prepared once for all policies.
type Query struct {
	Request *Request
	// Service and name are the action in lower case.
	Service, Name string
	parts         arn.Parts
	isARN         bool
	Bounded       bool
}

func NewQuery(r *Request, bounded bool) Query {
	q := Query{Request: r, Bounded: bounded || r.Principal.Bounded}
	q.Service, q.Name, _ = strings.Cut(lower(r.Action), ":")
	q.parts, q.isARN = arn.Split(r.Resource)
	return q
}

// Spelled is the query for another spelling of its resource.
func (q *Query) Spelled(spelling string) Query {
	other := *q
	other.parts, other.isARN = arn.Split(spelling)
	return other
}

// HasAccount says that the caller belongs to an account and so has policies of its own.
func (q *Query) HasAccount() bool {
	return q.Request.Principal.Kind != Anonymous && q.Request.Principal.Kind != Service
}

// Each calls visit for the entries that the action and the resource could concern.
func (x *Index) Each(q *Query, visit func(*Entry)) {
	x.anyService.Each(q.parts[5], visit)
	if of := x.byService[q.Service]; of != nil {
		of.Each(q.parts[5], visit)
	}
}

// Applies reports whether the entry's statement applies to the request, and by what grant.
func (e *Entry) Applies(q *Query) (Grant, bool) {
	s := e.Statement
	if !s.Concerns(q.Service, q.Name) {
		return GrantNone, false
	}
	grant, ok := s.Reaches(&q.Request.Principal, q.Bounded)
	if !ok || !e.Fits(q) {
		return GrantNone, false
	}
	return grant, s.conditionsHold(q.Request.Context)
}

func (e *Entry) Fits(q *Query) bool {
	s := e.Statement
	switch {
	case e.resource != nil:
		return e.resource.Matches(q.Request.Context, &q.parts, q.isARN) && (s.Effect != Allow || e.resource.takesReadings(q))
	case s.Effect == Allow:
		return !s.excludes(q.Request.Context, &q.parts, q.isARN) && !s.excludesSpelling(q)
	default:
		return !s.excludes(q.Request.Context, &q.parts, q.isARN) || s.reachesReading(q)
	}
}

func (s *Statement) conditionsHold(ctx condition.Context) bool {
	for _, c := range s.Conditions {
		if !c.Holds(ctx, s.Effect == Deny) {
			return false
		}
	}
	return true
}
