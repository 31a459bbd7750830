package statement

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// Effect is a statement's Effect. Its zero value is no effect at all.
type Effect uint8

const (
	Allow Effect = iota + 1
	Deny
)

// Statement is a compiled statement.
type Statement struct {
	Index int
	// Label is the Sid or, without one, the position.
	Label      string
	Start, End document.Position
	Effect     Effect

	Principals   *Principals // nil where the policy's kind has none
	NotPrincipal bool
	Actions      []action
	NotAction    bool
	Resources    []*Resource
	NotResource  bool
	Conditions   []Clause
}

// Clause is one condition of a statement, and where it stands in the document.
type Clause struct {
	*condition.Condition
	At document.Position
}

// Fits reports whether one of the statement's entries fits the resource, or, for a Deny, another spelling of it.
func (s *Statement) Fits(q *Query) bool {
	entries := s.entries()
	anyFits := func(q *Query) bool {
		return slices.ContainsFunc(entries, func(e Entry) bool { return e.Fits(q) })
	}
	if anyFits(q) {
		return true
	}
	return s.Effect == Deny && !s.NotResource && slices.ContainsFunc(q.Request.Spellings, func(spelling string) bool {
		other := q.Spelled(spelling)
		return anyFits(&other)
	})
}
