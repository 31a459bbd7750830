package policy

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// Explanation is a decision with what every statement had to say. It is for people and simulators; Evaluate decides.
type Explanation struct {
	Result
	// Statements are all statements of the policies that apply to the caller, in the order of Policies.
	Statements []StatementOutcome
	// MissingKeys are the condition keys, as written, that a statement for this action and resource asked for and the
	// request did not have.
	MissingKeys []string
}

// StatementOutcome says whether a statement applied.
type StatementOutcome struct {
	// Policy and Kind are those of the statement's policy; Statement is its Sid or position.
	Policy    string
	Kind      Kind
	Statement string
	Deny      bool
	// Start and End are the statement's first and last character in its document.
	Start, End Position
	// Applies says that the statement applied. Where it did not, Because names the first element that did not fit: "Action",
	// "Principal", "Resource", or an operator and key such as "StringEquals aws:username".
	Applies bool
	Because string
	// Conditions are all conditions of the statement, each an operator and a key.
	Conditions []string
}

// Matched are the statements that applied.
func (e *Explanation) Matched() []StatementOutcome {
	return slices.DeleteFunc(slices.Clone(e.Statements), func(s StatementOutcome) bool { return !s.Applies })
}

// Explain is Evaluate, and looks at every statement.
func Explain(ps *Policies, r *Request) Explanation {
	e := Explanation{Result: Evaluate(ps, r)}
	if ps == nil || r == nil {
		return e
	}
	q := statement.NewQuery(r, ps.Boundary != nil)
	for _, p := range ps.concerning(&q) {
		e.add(p, &q)
	}
	slices.Sort(e.MissingKeys)
	e.MissingKeys = slices.Compact(e.MissingKeys)
	return e
}

// Explain is the policy's Evaluate, and looks at every statement.
func (p *Policy) Explain(r *Request) Explanation {
	e := Explanation{Result: p.Evaluate(r)}
	if p == nil || r == nil {
		return e
	}
	q := statement.NewQuery(r, false)
	e.add(p, &q)
	slices.Sort(e.MissingKeys)
	e.MissingKeys = slices.Compact(e.MissingKeys)
	return e
}

// concerning lists the policies that apply to the caller.
func (ps *Policies) concerning(q *statement.Query) []*Policy {
	var all []*Policy
	if q.HasAccount() {
		all = append(slices.Concat(ps.Identity, []*Policy{ps.Boundary}, ps.Session), slices.Concat(ps.SCP...)...)
	}
	all = append(all, slices.Concat(ps.RCP...)...)
	all = append(all, ps.VPCEndpoint, ps.Resource)
	return slices.DeleteFunc(all, func(p *Policy) bool { return p == nil })
}

func (e *Explanation) add(p *Policy, q *statement.Query) {
	for _, s := range p.statements {
		because := e.because(s, q)
		e.Statements = append(e.Statements, StatementOutcome{
			Policy: p.name, Kind: p.kind, Statement: s.Label, Deny: s.Effect == statement.Deny,
			Start: s.Start, End: s.End, Applies: because == "", Because: because, Conditions: conditionsOf(s),
		})
	}
}

// because names the first element that does not fit the request; none if the statement applies.
func (e *Explanation) because(s *statement.Statement, q *statement.Query) string {
	if !s.Concerns(q.Service, q.Name) {
		return "Action"
	}
	if _, ok := s.Reaches(&q.Request.Principal, q.Bounded); !ok {
		return "Principal"
	}
	for _, res := range s.Resources {
		for _, v := range res.Tail.Variables {
			e.noteMissing(v.Key, q)
		}
	}
	if !s.Fits(q) {
		return "Resource"
	}
	because := ""
	for _, c := range s.Conditions {
		e.noteMissing(c.Key, q)
		if because == "" && !c.Holds(q.Request.Context, s.Effect == statement.Deny) {
			because = c.Written + " " + c.Key.String()
		}
	}
	return because
}

func (e *Explanation) noteMissing(k *Key, q *statement.Query) {
	if _, ok := condition.Lookup(q.Request.Context, k); !ok {
		e.MissingKeys = append(e.MissingKeys, k.String())
	}
}

func conditionsOf(s *statement.Statement) (all []string) {
	for _, c := range s.Conditions {
		all = append(all, c.Written+" "+c.Key.String())
	}
	return all
}

// DecidingCondition returns the operator and the key of the condition that decided a denial: the first one of the Deny that applied, or the
// one that failed in the first Allow that would have supplied what is missing. Both are empty if no condition took part.
func (ps *Policies) DecidingCondition(r *Request, denied Result) (operator, key string) {
	q := statement.NewQuery(r, ps.Boundary != nil)
	return decidingCondition(ps.concerning(&q), &q, denied)
}

// DecidingCondition is that of the policy alone.
func (p *Policy) DecidingCondition(r *Request, denied Result) (operator, key string) {
	q := statement.NewQuery(r, false)
	return decidingCondition([]*Policy{p}, &q, denied)
}

func decidingCondition(all []*Policy, q *statement.Query, denied Result) (operator, key string) {
	var c *statement.Clause
	for _, p := range all {
		if denied.Decision == ExplicitDeny && p.denies(q, denied) {
			c = p.conditionOfDeny(denied.Statement)
			break
		}
		if denied.Decision == ImplicitDeny && c == nil && p.supplies(denied.Missing, q.Request) {
			c = p.failedCondition(q)
		}
	}
	if c == nil {
		return "", ""
	}
	return c.Written, c.Key.String()
}

// denies reports whether it is this policy that denied: several may have its name.
func (p *Policy) denies(q *statement.Query, denied Result) bool {
	if p.name != denied.Policy {
		return false
	}
	r, _ := p.denial(q)
	return r == denied
}

// conditionOfDeny returns the first condition of the Deny with a label; nil if it has none.
func (p *Policy) conditionOfDeny(label string) *statement.Clause {
	for _, s := range p.statements {
		if s.Effect == statement.Deny && s.Label == label && len(s.Conditions) > 0 {
			return &s.Conditions[0]
		}
	}
	return nil
}

// supplies reports whether an Allow of the policy counts for a side. In its own account, a resource-based policy allows in place of the
// caller's policies.
func (p *Policy) supplies(side Side, r *Request) bool {
	return p.kind.side() == side || p.kind == Resource && side == SideIdentity && r.Principal.Account == r.ResourceAccount
}

// failedCondition returns the condition that failed in the first Allow that fits the request but for its conditions; nil if there is none.
func (p *Policy) failedCondition(q *statement.Query) (failed *statement.Clause) {
	var first *statement.Statement
	p.allowIndex.Each(q, func(e *statement.Entry) {
		if first != nil && first.Index <= e.Statement.Index {
			return
		}
		if c := e.FailedCondition(q); c != nil {
			first, failed = e.Statement, c
		}
	})
	return failed
}
