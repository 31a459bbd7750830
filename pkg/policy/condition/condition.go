package condition

import "strings"

// Condition is one key under one operator of a Condition block, compiled.
type Condition struct {
	Operator
	// Written is the operator as the policy has it.
	Written string
	Key     *Key
	matcher matcher
	// unreadable says that the policy holds values which the operator cannot read.
	unreadable bool
}

// New returns a condition that has no values yet. variables says that its values may hold policy variables.
func New(op Operator, written string, key *Key, variables bool) *Condition {
	return &Condition{Operator: op, Written: written, Key: key, matcher: newMatcher(op.family, op.comparison, variables)}
}

// Add adds a value of the policy. It returns what is wrong with the value as text, or why the operator cannot read it.
func (c *Condition) Add(text string) (problem, misread string) { return c.matcher.Add(text) }

// AddUnreadable notes that the policy has a value which the operator cannot read; no value of a request equals it.
func (c *Condition) AddUnreadable() { c.unreadable = true }

// outcome is the result of a matcher for one value of the request.
type outcome uint8

const (
	differs outcome = iota
	agrees
	// unreadable is a value that is of another type than the operator compares, such as "abc" for a number.
	unreadable
)

// matcher takes the values of the policy one by one, and then compares values of the request with them.
type matcher interface {
	// Add returns what is wrong with a value as text, or how the operator fails to read it.
	Add(text string) (problem, misread string)
	// compare agrees if the request's value agrees with one of the policy's.
	compare(v Value, ctx Context) outcome
}

// Holds reports whether the condition is true; deny tells that its statement denies.
func (c *Condition) Holds(ctx Context, deny bool) bool {
	v, present := Lookup(ctx, c.Key)
	switch {
	case c.family == familyNull:
		return c.matcher.compare(BoolValue(!present), ctx) == agrees
	case !present:
		return c.HoldsWithoutKey(deny)
	case c.quantifier == forAllValues:
		return c.all(v, ctx, deny)
	case c.quantifier == forAnyValue:
		return c.some(v, ctx, deny)
	case v.kind == listValue:
		// Choice: a multivalued key without a set operator never fits, negated or not. AWS requires the set operator;
		// Parse warns of its absence.
		return false
	case v.kind == severalValue:
		return deny && c.some(v, ctx, deny)
	}
	return c.passes(v, ctx, deny)
}

// HoldsWithoutKey is the outcome for an absent key: positive operators are false, negated ones true, IfExists and ForAllValues
// true, ForAnyValue false.
//
// Choice: ForAnyValue with IfExists, which AWS's documents leave open, does not hold for an Allow and holds for a Deny.
func (c *Condition) HoldsWithoutKey(deny bool) bool {
	if c.family == familyNull {
		return c.matcher.compare(BoolValue(true), nil) == agrees
	}
	switch c.quantifier {
	case forAllValues:
		return true
	case forAnyValue:
		return c.ifExists && deny
	case single:
	}
	return c.ifExists || c.negated
}

// all is ForAllValues: every value of the request passes. An empty list, or an empty text, passes.
func (c *Condition) all(v Value, ctx Context, deny bool) bool {
	if !v.isList() {
		return v.empty() || c.passes(v, ctx, deny)
	}
	for _, text := range v.list {
		if !c.passes(StringValue(text), ctx, deny) {
			return false
		}
	}
	return true
}

// some is ForAnyValue: a value of the request passes. An empty list, or an empty text, does not.
func (c *Condition) some(v Value, ctx Context, deny bool) bool {
	if !v.isList() {
		return !v.empty() && c.passes(v, ctx, deny)
	}
	for _, text := range v.list {
		if c.passes(StringValue(text), ctx, deny) {
			return true
		}
	}
	return false
}

// passes compares one value. A negated operator asks that the value differs from every value of the policy.
//
// Choice: a value that the operator cannot read satisfies no positive operator; a negated one holds for a Deny and not for an
// Allow, so that both close. AWS's documents leave the negated case open.
func (c *Condition) passes(v Value, ctx Context, deny bool) bool {
	switch c.matcher.compare(v, ctx) {
	case agrees:
		return !c.negated
	case differs:
		return c.negated && (!c.unreadable || deny)
	case unreadable:
	}
	return c.negated && deny
}

// MissesLists reports whether the key holds a list and the operator is for single values, so that the condition never holds.
func (c *Condition) MissesLists() bool {
	return c.Key.multivalued() && c.quantifier == single && c.family != familyNull
}

// Opposite is the operator that holds where a condition does not, as far as there is one: NotIpAddress for IpAddress.
func (c *Condition) Opposite() string {
	switch {
	case strings.HasPrefix(c.Written, "Not"):
		return strings.TrimPrefix(c.Written, "Not")
	case strings.Contains(c.Written, "Not"):
		return strings.Replace(c.Written, "Not", "", 1)
	case c.family == familyAddress:
		return "NotIpAddress"
	}
	for _, prefix := range []string{"String", "Numeric", "Date", "Arn"} {
		if rest, ok := strings.CutPrefix(c.Written, prefix); ok && (strings.HasPrefix(rest, "Equals") || strings.HasPrefix(rest, "Like")) {
			return prefix + "Not" + rest
		}
	}
	return "the opposite of " + c.Written
}

// EveryAddress returns a network of the condition that holds every address of its kind, as it is written; empty if there is none.
func (c *Condition) EveryAddress() string {
	if m, ok := c.matcher.(*addressMatcher); ok {
		return m.every
	}
	return ""
}
