package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

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
	conditions   []clause
}

// clause is one condition of a statement, and where it stands in the document.
type clause struct {
	*condition.Condition
	at Position
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

// readConditions reads a Condition block: { operator: { key: value or list } }, all of which have to hold.
func (r *reader) readConditions(n *document.Node) []clause {
	if n.Kind != document.Object {
		r.faultf(n.Start, `Condition is %s; write an object such as {"StringEquals": {"aws:username": "alice"}}`, n.Describe())
		return nil
	}
	var all []clause
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

func (r *reader) readKeys(op condition.Operator, m document.Member) []clause {
	var all []clause
	seen := map[string]bool{}
	for _, k := range m.Value.Members {
		if problem := condition.KeyProblem(k.Name); problem != "" {
			r.faultf(k.At, "condition key %s %s", document.Quote(k.Name), problem)
			continue
		}
		c := clause{condition.New(op, m.Name, NewKey(k.Name), r.variables), k.At}
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

// action is one entry of Action or NotAction, in lower case: actions are case-insensitive in both halves.
type action struct {
	any     bool // "*"
	service string
	name    []arn.Token
}

const actionCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_*?"

// compileAction returns the action, or what is wrong with it and what to write instead.
func compileAction(text string) (action, string) {
	if text == "*" {
		return action{any: true}, ""
	}
	service, name, found := strings.Cut(lower(text), ":")
	switch {
	case !isASCII(text):
		// The Kelvin sign has a "k" for its small letter.
		return action{}, "holds a character that no action has; write it as execute-api:Invoke"
	case !found || service == "" || name == "":
		return action{}, "is not of the form service:Name, such as execute-api:Invoke"
	case strings.ContainsAny(service, "*?"):
		return action{}, `has a wildcard in its service prefix; name the service, or write "*" for every action`
	case strings.Trim(service+name, actionCharacters) != "" || strings.Contains(name, ":"):
		return action{}, "holds a character that no action has; write it as execute-api:Invoke"
	}
	return action{service: service, name: arn.Tokens(name)}, ""
}

// matches looks at a request's action in lower case, split at its colon.
func (a *action) matches(service, name string) bool {
	return a.any || a.service == service && arn.Match(a.name, name)
}

// concerns reports whether the statement applies to the request's action. No statement applies to what is not an action, not even
// one with NotAction.
func (s *statement) concerns(service, name string) bool {
	if service == "" || name == "" {
		return false
	}
	for i := range s.actions {
		if s.actions[i].matches(service, name) {
			return !s.notAction
		}
	}
	return s.notAction
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII })
}

// lower is the text in lower case. The actions that API Gateway asks about cost no allocation.
func lower(text string) string {
	switch text {
	case "execute-api:Invoke":
		return "execute-api:invoke"
	case "execute-api:InvalidateCache":
		return "execute-api:invalidatecache"
	case "execute-api:ManageConnections":
		return "execute-api:manageconnections"
	}
	return strings.ToLower(text)
}
