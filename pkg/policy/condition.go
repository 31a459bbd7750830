package policy

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// condition is one key under one operator of a Condition block, compiled.
type condition struct {
	operator
	written string // the operator as the policy has it
	key     *Key
	at      Position
	matcher matcher
	// unreadable says that the policy holds values which the operator cannot read (Options.UnreadableValues).
	unreadable bool
}

// outcome is what a matcher says of one value of the request.
type outcome uint8

const (
	differs outcome = iota
	agrees
	// unreadable is a value that is of another type than the operator compares, such as "abc" for a number.
	unreadable
)

// matcher compares one value of the request with the values of the policy: it agrees if one of them does.
type matcher interface {
	compare(v Value, ctx Context) outcome
}

// holds reports whether the condition is true, for a statement with the given effect.
func (c *condition) holds(ctx Context, e effect) bool {
	v, present := lookup(ctx, c.key)
	switch {
	case c.family == familyNull:
		return c.matcher.compare(BoolValue(!present), ctx) == agrees
	case !present:
		return c.holdsWithoutKey(e)
	case c.quantifier == forAllValues:
		return c.all(v, ctx, e)
	case c.quantifier == forAnyValue:
		return c.some(v, ctx, e)
	case v.kind == listValue:
		// Choice: a multivalued key without a set operator never fits, negated or not. AWS requires the set operator;
		// Parse warns of its absence.
		return false
	}
	return c.passes(v, ctx, e)
}

// holdsWithoutKey is the outcome for an absent key: positive operators are false, negated ones true, IfExists and ForAllValues
// true, ForAnyValue false.
//
// Choice: ForAnyValue with IfExists, which AWS's documents leave open, does not hold for an Allow and holds for a Deny.
func (c *condition) holdsWithoutKey(e effect) bool {
	switch c.quantifier {
	case forAllValues:
		return true
	case forAnyValue:
		return c.ifExists && e == deny
	case single:
	}
	return c.ifExists || c.negated
}

// all is ForAllValues: every value of the request passes. An empty list, or an empty text, passes.
func (c *condition) all(v Value, ctx Context, e effect) bool {
	if v.kind != listValue {
		return v.empty() || c.passes(v, ctx, e)
	}
	for _, text := range v.list {
		if !c.passes(StringValue(text), ctx, e) {
			return false
		}
	}
	return true
}

// some is ForAnyValue: a value of the request passes. An empty list, or an empty text, does not.
func (c *condition) some(v Value, ctx Context, e effect) bool {
	if v.kind != listValue {
		return !v.empty() && c.passes(v, ctx, e)
	}
	for _, text := range v.list {
		if c.passes(StringValue(text), ctx, e) {
			return true
		}
	}
	return false
}

func (v Value) empty() bool { return v.kind == stringValue && v.text == "" }

// passes compares one value. A negated operator asks that the value differs from every value of the policy.
//
// Choice: a value that the operator cannot read satisfies no positive operator; a negated one holds for a Deny and not for an
// Allow, so that both close. AWS's documents leave the negated case open.
func (c *condition) passes(v Value, ctx Context, e effect) bool {
	switch c.matcher.compare(v, ctx) {
	case agrees:
		return !c.negated
	case differs:
		return c.negated && (!c.unreadable || e == deny)
	case unreadable:
	}
	return c.negated && e == deny
}

// readConditions reads a Condition block: { operator: { key: value or list } }, all of which have to hold.
func (r *reader) readConditions(n *document.Node) []*condition {
	if n.Kind != document.Object {
		r.faultf(n.Start, `Condition is %s; write an object such as {"StringEquals": {"aws:username": "alice"}}`, n.Describe())
		return nil
	}
	var all []*condition
	for _, m := range n.Members {
		op, problem := parseOperator(m.Name)
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

func (r *reader) readKeys(op operator, m document.Member) []*condition {
	var all []*condition
	seen := map[string]bool{}
	for _, k := range m.Value.Members {
		if problem := keyProblem(k.Name); problem != "" {
			r.faultf(k.At, "condition key %s %s", document.Quote(k.Name), problem)
			continue
		}
		c := &condition{operator: op, written: m.Name, key: NewKey(k.Name), at: k.At}
		if seen[c.key.Name()] {
			r.faultf(k.At, "condition key %s stands twice under %s (case does not matter); keep one of them", document.Quote(k.Name), m.Name)
		}
		seen[c.key.Name()] = true
		if c.key.multivalued() && op.quantifier == single && op.family != familyNull {
			r.warn(k.At, "%s holds a list, which %s without ForAllValues: or ForAnyValue: never matches", k.Name, m.Name)
		}
		r.readValues(c, k)
		all = append(all, c)
	}
	return all
}

// keyProblem says what is wrong with a condition key's name. Keys are open: any service may have its own.
func keyProblem(name string) string {
	prefix, rest, found := strings.Cut(name, ":")
	lower := strings.ToLower(name)
	switch {
	case !found || prefix == "" || rest == "":
		return "is not of the form prefix:name, such as aws:SourceIp"
	case strings.ContainsAny(name, "*?${}'\"") || strings.ContainsFunc(prefix, func(c rune) bool { return c <= ' ' }):
		return "holds a character that no key's name has; write it as aws:SourceIp"
	case wellKnown[lower+"/"] != KeyOther || strings.HasSuffix(lower, "/") && wellKnown[lower] != KeyOther:
		return "lacks the tag's key; write " + strings.TrimSuffix(name, "/") + "/key"
	}
	return ""
}

func (r *reader) readValues(c *condition, m document.Member) {
	list := m.Value.Elements()
	if len(list) == 0 {
		r.faultf(m.Value.Start, "%s has an empty list of values; name at least one", document.Quote(m.Name))
		return
	}
	b := newMatcher(c.family, c.comparison, r.variables)
	for _, n := range list {
		if n.Kind != document.Text && n.Kind != document.Number && n.Kind != document.Bool {
			r.faultf(n.Start, "%s has %s for a value; write text, a number, true or false", document.Quote(m.Name), n.Describe())
			continue
		}
		problem, misread := b.add(n.Text)
		switch {
		case problem != "":
			r.faultf(n.Start, "value %s of %s %s", document.Quote(n.Text), c.written, problem)
		case misread != "" && r.o.UnreadableValues:
			c.unreadable = true
			r.warn(n.Start, "value %s of %s %s; nothing equals it", document.Quote(n.Text), c.written, misread)
		case misread != "":
			r.faultf(n.Start, "value %s of %s %s", document.Quote(n.Text), c.written, misread)
		}
	}
	c.matcher = b.matcher()
}
