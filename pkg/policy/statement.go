package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

func (r *reader) readStatement(n *document.Node, i int) *statement.Statement {
	s := &statement.Statement{Index: i, Label: "Statement[" + strconv.Itoa(i) + "]", Start: n.Start, End: n.End}
	r.statement = s.Label
	if n.Kind != document.Object {
		r.faultf(n.Start, "a statement is an object, not %s", n.Describe())
		return s
	}
	for _, e := range n.Members {
		if e.Name == "Sid" {
			r.sid(e.Value, s)
		}
	}
	m := r.elements(n, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	r.readEffect(n, m["Effect"], s)
	r.effect = s.Effect
	r.readPrincipals(n, m["Principal"], m["NotPrincipal"], s)
	r.readActions(n, m["Action"], m["NotAction"], s)
	r.readResources(n, m["Resource"], m["NotResource"], s)
	if c := m["Condition"]; c != nil {
		s.Conditions = r.readConditions(c)
	}
	return s
}

// sid reads a Sid. IAM takes letters and digits only, once in a document; other services are laxer, so a resource-based
// policy is never refused for it.
func (r *reader) sid(n *document.Node, s *statement.Statement) {
	text, ok := n.AsText()
	if !ok {
		r.faultf(n.Start, "Sid is %s; write text", n.Describe())
		return
	}
	if text == "" {
		return
	}
	s.Label, r.statement = text, text
	strict := !r.hasPrincipals() && r.o.Kind != Authorizer
	if strict && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		r.faultf(n.Start, "Sid %s may hold only letters A-Z and a-z and digits", document.Quote(text))
	}
	if r.sids[text] {
		r.report(n.Start, fmt.Sprintf("Sid %s stands in two statements; give each its own", document.Quote(text)), !strict)
	}
	r.sids[text] = true
}

func (r *reader) readEffect(of, n *document.Node, s *statement.Statement) {
	if n == nil {
		r.fault(of.Start, `Effect is missing; write "Allow" or "Deny"`)
		return
	}
	switch text, _ := n.AsText(); text {
	case "Allow":
		s.Effect = statement.Allow
	case "Deny":
		s.Effect = statement.Deny
	default:
		r.faultf(n.Start, `Effect is %s; write "Allow" or "Deny", with this spelling`, document.Quote(n.Text))
	}
}

// either returns the one of two elements that is there, reporting none and both.
//
// Choice: an empty Action or Resource in an authorizer's policy is no fault. The statement matches nothing, as on API Gateway.
// An empty NotAction or NotResource would match everything, and is a fault in every policy.
func (r *reader) either(of, n, not *document.Node, name string) (list []*document.Node, negated bool) {
	switch {
	case n != nil && not != nil:
		r.faultf(not.Start, "%s and Not%s stand in one statement; keep one of them", name, name)
	case n == nil && not == nil:
		r.faultf(of.Start, "%s is missing; a statement has %s or Not%s", name, name, name)
		return nil, false
	case n == nil:
		n, negated, name = not, true, "Not"+name
	}
	if list = n.Elements(); len(list) == 0 && (negated || r.o.Kind != Authorizer) {
		r.faultf(n.Start, "%s is an empty list; name at least one", name)
	}
	return list, negated
}

// texts returns the texts of a list and reports what is none.
func (r *reader) texts(list []*document.Node, name string, each func(at Position, text string)) {
	for _, n := range list {
		text, ok := n.AsText()
		if !ok {
			r.faultf(n.Start, "%s holds %s; write text in quotes", name, n.Describe())
			continue
		}
		each(n.Start, text)
	}
}

func (r *reader) readActions(of, n, not *document.Node, s *statement.Statement) {
	list, negated := r.either(of, n, not, "Action")
	s.NotAction = negated
	r.texts(list, "Action", func(at Position, text string) {
		a, problem := statement.CompileAction(text)
		if problem != "" {
			r.faultf(at, "action %s %s", document.Quote(text), problem)
		}
		s.Actions = append(s.Actions, a)
	})
}

func (r *reader) readResources(of, n, not *document.Node, s *statement.Statement) {
	if r.o.Kind == Trust {
		r.readTrustResources(n, not, s)
		return
	}
	list, negated := r.either(of, n, not, "Resource")
	s.NotResource = negated
	r.texts(list, "Resource", func(at Position, text string) {
		res, problem := r.compileResource(text, s)
		switch {
		case res == nil:
			r.faultf(at, "resource %s %s", document.Quote(text), problem)
			return
		case problem != "":
			r.warn(at, "resource %s %s", document.Quote(text), problem)
		}
		res.Written, res.At = text, at
		s.Resources = append(s.Resources, res)
	})
}

// readTrustResources refuses the resources of a trust policy: each statement is about the role that has the policy.
func (r *reader) readTrustResources(n, not *document.Node, s *statement.Statement) {
	for _, e := range []*document.Node{n, not} {
		if e != nil {
			r.faultf(e.Start, "Resource and NotResource have no place in a statement of this kind (%s); remove the element", r.o.Kind)
		}
	}
	s.Resources = []*statement.Resource{{Any: true, Written: "*", At: s.Start}}
}

// readConditions reads a Condition block: { operator: { key: value or list } }, all of which have to hold.
func (r *reader) readConditions(n *document.Node) []statement.Clause {
	if n.Kind != document.Object {
		r.faultf(n.Start, `Condition is %s; write an object such as {"StringEquals": {"aws:username": "alice"}}`, n.Describe())
		return nil
	}
	var all []statement.Clause
	for _, m := range n.Members {
		op, problem := condition.ParseOperator(m.Name)
		switch {
		case problem != "":
			r.faultf(m.At, "%s %s", document.Quote(m.Name), problem)
		case m.Value.Kind != document.Object:
			r.faultf(m.Value.Start, `%s is followed by %s; write an object such as {"aws:username": "alice"}`, m.Name, m.Value.Describe())
		case len(m.Value.Members) == 0:
			r.faultf(m.Value.Start, "%s names no condition key; name one or remove the operator", m.Name)
		default:
			all = append(all, r.readKeys(op, m)...)
		}
	}
	return all
}

func (r *reader) readKeys(op condition.Operator, m document.Member) []statement.Clause {
	var all []statement.Clause
	seen := map[string]bool{}
	for _, k := range m.Value.Members {
		if problem := condition.KeyProblem(k.Name); problem != "" {
			r.faultf(k.At, "condition key %s %s", document.Quote(k.Name), problem)
			continue
		}
		c := statement.Clause{Condition: condition.New(op, m.Name, NewKey(k.Name), r.variables), At: k.At}
		if seen[c.Key.Name()] {
			r.faultf(k.At, "condition key %s stands twice under %s (case does not matter); keep one of them", document.Quote(k.Name), m.Name)
		}
		seen[c.Key.Name()] = true
		if c.MissesLists() {
			r.warn(k.At, "%s holds a list, which %s without ForAllValues: or ForAnyValue: never matches", k.Name, m.Name)
		}
		r.readValues(c.Condition, k)
		all = append(all, c)
	}
	return all
}

func (r *reader) readValues(c *condition.Condition, m document.Member) {
	list := m.Value.Elements()
	if len(list) == 0 {
		r.faultf(m.Value.Start, "%s has an empty list of values; name at least one", document.Quote(m.Name))
		return
	}
	for _, n := range list {
		if n.Kind != document.Text && n.Kind != document.Number && n.Kind != document.Bool {
			r.faultf(n.Start, "%s has %s for a value; write text, a number, true or false", document.Quote(m.Name), n.Describe())
			continue
		}
		problem, misread := c.Add(n.Text)
		switch {
		case problem != "":
			r.faultf(n.Start, "value %s of %s %s", document.Quote(n.Text), c.Written, problem)
		case misread != "" && r.o.UnreadableValues:
			c.AddUnreadable()
			r.warn(n.Start, "value %s of %s %s; nothing equals it", document.Quote(n.Text), c.Written, misread)
		case misread != "":
			r.faultf(n.Start, "value %s of %s %s", document.Quote(n.Text), c.Written, misread)
		}
	}
}
