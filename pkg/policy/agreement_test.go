package policy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// only returns p with those of its statements that keep wants.
func only(p *Policy, keep func(*statement.Statement) bool) *Policy {
	if p == nil {
		return nil
	}
	some := *p
	some.statements = nil
	for _, s := range p.statements {
		if keep(s) {
			some.statements = append(some.statements, s)
		}
	}
	some.denyIndex, some.allowIndex = statement.NewIndex(some.statements, statement.Deny), statement.NewIndex(some.statements, statement.Allow)
	return &some
}

// each returns ps with every policy changed.
func (ps *Policies) each(change func(*Policy) *Policy) *Policies {
	list := func(all []*Policy) (changed []*Policy) {
		for _, p := range all {
			changed = append(changed, change(p))
		}
		return changed
	}
	levels := func(all [][]*Policy) (changed [][]*Policy) {
		for _, level := range all {
			changed = append(changed, list(level))
		}
		return changed
	}
	out := *ps
	out.Identity, out.Session, out.SCP, out.RCP = list(ps.Identity), list(ps.Session), levels(ps.SCP), levels(ps.RCP)
	out.Boundary, out.VPCEndpoint, out.Resource = change(ps.Boundary), change(ps.VPCEndpoint), change(ps.Resource)
	return &out
}

// checkExplained checks that an explanation agrees with Evaluate: its result; the verdict about each statement, which Evaluate is asked
// about alone; and that the statements which apply make the decision without the others.
func checkExplained(t failer, ps *Policies, r *Request) {
	t.Helper()
	want := Evaluate(ps, r)
	e := Explain(ps, r)
	if e.Result != want {
		t.Fatalf("explained as %+v, decided as %+v", e.Result, want)
	}
	alone := *r
	alone.Principal.Bounded = alone.Principal.Bounded || ps.Boundary != nil
	applies := map[*statement.Statement]bool{}
	rest := e.Statements
	q := statement.NewQuery(r, ps.Boundary != nil)
	for _, p := range ps.concerning(&q) {
		for _, s := range p.statements {
			said := rest[0]
			rest = rest[1:]
			verdict := only(p, func(other *statement.Statement) bool { return other == s }).Evaluate(&alone).Decision
			if said.Policy != p.name || said.Statement != s.Label || said.Applies != (verdict != ImplicitDeny) || said.Applies && said.Deny != (verdict == ExplicitDeny) {
				t.Fatalf("explained as %+v, alone it is decided as %v", said, verdict)
			}
			applies[s] = said.Applies
		}
	}
	if len(rest) > 0 {
		t.Fatalf("statements of no policy: %+v", rest)
	}
	if got := Evaluate(ps.each(func(p *Policy) *Policy { return only(p, func(s *statement.Statement) bool { return applies[s] }) }), r); got != want {
		t.Fatalf("the statements that apply make %+v, all make %+v", got, want)
	}
	checkDeciding(t, ps, r, &e)
}

// checkDeciding checks that what a decision names is in the explanation.
func checkDeciding(t failer, ps *Policies, r *Request, e *Explanation) {
	t.Helper()
	names := func(s StatementOutcome) bool {
		return s.Applies && s.Policy == e.Policy && s.Statement == e.Statement && s.Deny == (e.Decision == ExplicitDeny)
	}
	if e.Statement != "" && !slices.ContainsFunc(e.Statements, names) {
		t.Fatalf("%+v is not among %+v", e.Result, e.Statements)
	}
	if e.Decision == Allow {
		return
	}
	operator, key := ps.DecidingCondition(r, e.Result)
	if operator == "" {
		return
	}
	condition := operator + " " + key
	if !slices.ContainsFunc(e.Statements, func(s StatementOutcome) bool {
		return e.Decision == ExplicitDeny && names(s) && s.Conditions[0] == condition || e.Decision == ImplicitDeny && !s.Deny && s.Because == condition
	}) {
		t.Fatalf("the condition %s decides %+v, and is not that of a statement in %+v", condition, e.Result, e.Statements)
	}
}

func TestExplanationsAgreeOverVectors(t *testing.T) {
	for _, file := range []string{"testdata/iam.jsonl.gz", "testdata/iam-documents.jsonl.gz"} {
		for _, v := range readVectors(t, file) {
			t.Run(v.ID, func(t *testing.T) { checkExplained(t, v.policies(t), v.request()) })
		}
	}
}

func TestExplanationsAgreeOverRandomWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.request.Context = asContext(w.context)
		checkExplained(t, w.compiled(t), &w.request)
	})
}
