package policy

import "strings"

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
func (r *reader) readConditions(n *node) []*condition {
	if n.kind != objectNode {
		r.faultf(n.start, `Condition is %s; write an object such as {"StringEquals": {"aws:username": "alice"}}`, n.describe())
		return nil
	}
	var all []*condition
	for _, m := range n.members {
		op, problem := parseOperator(m.name)
		switch {
		case problem != "":
			r.faultf(m.at, "%s %s", quote(m.name), problem)
		case m.value.kind != objectNode:
			r.faultf(m.value.start, `%s is followed by %s; write an object such as {"aws:username": "alice"}`, m.name, m.value.describe())
		case len(m.value.members) == 0:
			r.faultf(m.value.start, "%s names no condition key; name one or remove the operator", m.name)
		default:
			all = append(all, r.readKeys(op, m)...)
		}
	}
	return all
}

func (r *reader) readKeys(op operator, m member) []*condition {
	var all []*condition
	seen := map[string]bool{}
	for _, k := range m.value.members {
		if problem := keyProblem(k.name); problem != "" {
			r.faultf(k.at, "condition key %s %s", quote(k.name), problem)
			continue
		}
		c := &condition{operator: op, written: m.name, key: NewKey(k.name), at: k.at}
		if seen[c.key.Name()] {
			r.faultf(k.at, "condition key %s stands twice under %s (case does not matter); keep one of them", quote(k.name), m.name)
		}
		seen[c.key.Name()] = true
		if c.key.multivalued() && op.quantifier == single && op.family != familyNull {
			r.warn(k.at, "%s holds a list, which %s without ForAllValues: or ForAnyValue: never matches", k.name, m.name)
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

func (r *reader) readValues(c *condition, m member) {
	list := m.value.elements()
	if len(list) == 0 {
		r.faultf(m.value.start, "%s has an empty list of values; name at least one", quote(m.name))
		return
	}
	b := newMatcher(c.family, c.comparison, r.variables)
	for _, n := range list {
		if n.kind != textNode && n.kind != numberNode && n.kind != boolNode {
			r.faultf(n.start, "%s has %s for a value; write text, a number, true or false", quote(m.name), n.describe())
			continue
		}
		problem, misread := b.add(n.text)
		switch {
		case problem != "":
			r.faultf(n.start, "value %s of %s %s", quote(n.text), c.written, problem)
		case misread != "" && r.o.UnreadableValues:
			c.unreadable = true
			r.warn(n.start, "value %s of %s %s; nothing equals it", quote(n.text), c.written, misread)
		case misread != "":
			r.faultf(n.start, "value %s of %s %s", quote(n.text), c.written, misread)
		}
	}
	c.matcher = b.matcher()
}
