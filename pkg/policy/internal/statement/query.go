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
	switch q.Request.Principal.Kind {
	case Anonymous, Service, WebIdentity:
		return false
	default:
		return true
	}
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
	grant, ok := e.concerns(q)
	return grant, ok && e.Statement.failedCondition(q.Request.Context) == nil
}

// FailedCondition returns the first condition that does not hold, if the entry's statement would apply but for its conditions; nil
// otherwise.
func (e *Entry) FailedCondition(q *Query) *Clause {
	if _, ok := e.concerns(q); !ok {
		return nil
	}
	return e.Statement.failedCondition(q.Request.Context)
}

// concerns reports whether the entry's statement applies but for its conditions, and by what grant.
func (e *Entry) concerns(q *Query) (Grant, bool) {
	s := e.Statement
	if !s.Concerns(q.Service, q.Name) {
		return GrantNone, false
	}
	grant, ok := s.Reaches(&q.Request.Principal, q.Bounded)
	if !ok || !e.Fits(q) {
		return GrantNone, false
	}
	return grant, true
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

// failedCondition returns the first condition that does not hold; nil if all hold.
func (s *Statement) failedCondition(ctx condition.Context) *Clause {
	for i := range s.Conditions {
		if c := &s.Conditions[i]; !c.Holds(ctx, s.Effect == Deny) {
			return c
		}
	}
	return nil
}
