package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
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
	effect    statement.Effect
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
		if r.o.Digest {
			p.digest = n.Digest(r.o.ExpandPrefix)
		}
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
	p.denyIndex = statement.NewIndex(p.statements, statement.Deny)
	p.allowIndex = statement.NewIndex(p.statements, statement.Allow)
	p.allowsPrincipals = slices.ContainsFunc(p.statements, func(s *statement.Statement) bool {
		return s.Effect == statement.Allow && s.Principals != nil && !s.Principals.Everyone && len(s.Principals.Names) > 0
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
	list := m["Statement"]
	if list == nil {
		r.fault(n.Start, "Statement is missing; a policy has at least one")
		return
	}
	all := list.Elements()
	switch {
	case len(all) == 0 && r.o.Kind != Authorizer && r.o.Kind != Trust: // AWS takes an authorizer's, and denies; so does an empty trust policy
		r.fault(list.Start, "Statement is empty; a policy has at least one")
	case len(all) > r.limits.Statements:
		r.fault(list.Start, document.TooMuch("the document has more than %d statements", r.limits.Statements))
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
	case Resource, RCP, VPCEndpoint, Trust:
		return true
	default:
		return false
	}
}
