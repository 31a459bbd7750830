package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// maxFaults bounds the report on one document, for warnings and for faults each.
const maxFaults = 100

// reader turns a document's nodes into a policy and collects its faults.
type reader struct {
	o      Options
	limits Limits
	faults []fault.Fault
	fatal  bool
	// warnings counts those among faults, unlisted what was not kept.
	warnings, unlisted int

	// statement names the statement being read, effect is its effect.
	statement string
	effect    effect
	// variables says that the document's version has policy variables.
	variables bool
	sids      map[string]bool
}

func newReader(o Options) *reader {
	return &reader{o: o, limits: o.Limits.WithDefaults(), sids: map[string]bool{}}
}

func (r *reader) fault(at Position, message string) { r.report(at, message, false) }

func (r *reader) warn(at Position, format string, args ...any) {
	r.report(at, fmt.Sprintf(format, args...), true)
}

func (r *reader) faultf(at Position, format string, args ...any) {
	r.report(at, fmt.Sprintf(format, args...), false)
}

func (r *reader) report(at Position, message string, warning bool) {
	r.fatal = r.fatal || !warning
	kept := len(r.faults) - r.warnings
	if warning {
		kept = r.warnings
	}
	if kept >= maxFaults {
		r.unlisted++
		return
	}
	if warning {
		r.warnings++
	}
	r.faults = append(r.faults, fault.Fault{Line: at.Line, Column: at.Column, Statement: r.statement, Message: message, Warning: warning})
}

// finish compiles the document and returns it, or its faults.
func (r *reader) finish(n *document.Node, err error) (*Policy, []fault.Fault) {
	p := &Policy{name: r.o.Name, kind: r.o.Kind}
	var syntax *document.SyntaxError
	switch {
	case errors.As(err, &syntax):
		r.fault(syntax.At, syntax.Message)
	case err != nil:
		r.fault(Position{Line: 1, Column: 1}, err.Error())
	default:
		r.document(n, p)
	}
	slices.SortStableFunc(r.faults, func(a, b fault.Fault) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	if r.unlisted > 0 {
		last := r.faults[len(r.faults)-1]
		r.faults = append(r.faults, fault.Fault{Line: last.Line, Column: last.Column, Warning: !r.fatal, Message: fmt.Sprintf("%d more are not listed", r.unlisted)})
	}
	if r.fatal {
		return nil, r.faults
	}
	p.denyIndex = newIndex(p.statements, deny)
	p.allowIndex = newIndex(p.statements, allow)
	p.allowsPrincipals = slices.ContainsFunc(p.statements, func(s *statement) bool {
		return s.effect == allow && s.principals != nil && !s.principals.everyone && len(s.principals.names) > 0
	})
	return p, r.faults
}

// document reads the top level. The grammar is that of the IAM User Guide's page "Grammar of the IAM JSON policy language".
func (r *reader) document(n *document.Node, p *Policy) {
	if n.Kind != document.Object {
		r.faultf(n.Start, "the document is %s; a policy is an object with Version and Statement", n.Describe())
		return
	}
	m := r.elements(n, "Version", "Id", "Statement")
	r.version(m["Version"])
	r.id(m["Id"])
	statement := m["Statement"]
	if statement == nil {
		r.fault(n.Start, "Statement is missing; a policy has at least one")
		return
	}
	all := statement.Elements()
	switch {
	case len(all) == 0 && r.o.Kind != Authorizer: // AWS takes an authorizer's, and denies
		r.fault(statement.Start, "Statement is empty; a policy has at least one")
	case len(all) > r.limits.Statements:
		r.fault(statement.Start, document.TooMuch("the document has more than %d statements", r.limits.Statements))
		return
	}
	for i, s := range all {
		p.statements = append(p.statements, r.readStatement(s, i))
	}
	r.statement = ""
}

// elements returns an object's members by name and reports those that are not among the given ones. Duplicates have been
// reported by who read the document.
func (r *reader) elements(n *document.Node, known ...string) map[string]*document.Node {
	m := map[string]*document.Node{}
	for _, e := range n.Members {
		if slices.Contains(known, e.Name) {
			m[e.Name] = e.Value
			continue
		}
		r.faultf(e.At, "%s is not an element of this part of a policy; %s", document.Quote(e.Name), suggest(e.Name, known))
	}
	return m
}

// suggest says what to write in place of an unknown word.
func suggest(word string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(word, k) {
			return "write " + k
		}
	}
	return "there are " + strings.Join(known, ", ")
}

func (r *reader) version(n *document.Node) {
	if n == nil {
		return // absent means 2008-10-17
	}
	switch text, _ := n.AsText(); text {
	case "2012-10-17":
		r.variables = true
	case "2008-10-17":
	default:
		r.faultf(n.Start, `Version %s does not exist; write "2012-10-17", or "2008-10-17" for a policy without policy variables`, document.Quote(n.Text))
	}
}

func (r *reader) id(n *document.Node) {
	if n == nil {
		return
	}
	if _, ok := n.AsText(); !ok {
		r.faultf(n.Start, "Id is %s; write text", n.Describe())
	}
	if !r.hasPrincipals() {
		r.warn(n.Start, "Id belongs to resource-based policies; here it means nothing")
	}
}

// hasPrincipals says that statements of the policy's kind have Principal or NotPrincipal.
func (r *reader) hasPrincipals() bool {
	switch r.o.Kind {
	case Resource, RCP, VPCEndpoint:
		return true
	default:
		return false
	}
}

// effect is a statement's Effect. Its zero value is no effect at all.
type effect uint8

const (
	allow effect = iota + 1
	deny
)

// statement is a compiled statement.
type statement struct {
	index int
	// label is the Sid or, without one, the position.
	label      string
	start, end Position
	effect     effect

	principals   *principals // nil where the policy's kind has none
	notPrincipal bool
	actions      []action
	notAction    bool
	resources    []*resource
	notResource  bool
	conditions   []*condition
}

func (r *reader) readStatement(n *document.Node, i int) *statement {
	s := &statement{index: i, label: "Statement[" + strconv.Itoa(i) + "]", start: n.Start, end: n.End}
	r.statement = s.label
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
	r.effect = s.effect
	r.readPrincipals(n, m["Principal"], m["NotPrincipal"], s)
	r.readActions(n, m["Action"], m["NotAction"], s)
	r.readResources(n, m["Resource"], m["NotResource"], s)
	if c := m["Condition"]; c != nil {
		s.conditions = r.readConditions(c)
	}
	return s
}

// sid reads a Sid. IAM takes letters and digits only, once in a document; other services are laxer, so a resource-based
// policy is never refused for it.
func (r *reader) sid(n *document.Node, s *statement) {
	text, ok := n.AsText()
	if !ok {
		r.faultf(n.Start, "Sid is %s; write text", n.Describe())
		return
	}
	if text == "" {
		return
	}
	s.label, r.statement = text, text
	strict := !r.hasPrincipals() && r.o.Kind != Authorizer
	if strict && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		r.faultf(n.Start, "Sid %s may hold only letters A-Z and a-z and digits", document.Quote(text))
	}
	if r.sids[text] {
		r.report(n.Start, fmt.Sprintf("Sid %s stands in two statements; give each its own", document.Quote(text)), !strict)
	}
	r.sids[text] = true
}

func (r *reader) readEffect(of, n *document.Node, s *statement) {
	if n == nil {
		r.fault(of.Start, `Effect is missing; write "Allow" or "Deny"`)
		return
	}
	switch text, _ := n.AsText(); text {
	case "Allow":
		s.effect = allow
	case "Deny":
		s.effect = deny
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

func (r *reader) readActions(of, n, not *document.Node, s *statement) {
	list, negated := r.either(of, n, not, "Action")
	s.notAction = negated
	r.texts(list, "Action", func(at Position, text string) {
		a, problem := compileAction(text)
		if problem != "" {
			r.faultf(at, "action %s %s", document.Quote(text), problem)
		}
		s.actions = append(s.actions, a)
	})
}

func (r *reader) readResources(of, n, not *document.Node, s *statement) {
	list, negated := r.either(of, n, not, "Resource")
	s.notResource = negated
	r.texts(list, "Resource", func(at Position, text string) {
		res, problem := r.compileResource(text, s)
		switch {
		case res == nil:
			r.faultf(at, "resource %s %s", document.Quote(text), problem)
			return
		case problem != "":
			r.warn(at, "resource %s %s", document.Quote(text), problem)
		}
		res.written, res.at = text, at
		s.resources = append(s.resources, res)
	})
}
