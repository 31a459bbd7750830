package condition

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
	"github.com/portcullis-authz/portcullis/pkg/arn"
)

func newMatcher(f family, c comparison, variables bool) matcher {
	switch f {
	case familyString:
		return &stringMatcher{set: map[string]struct{}{}, variables: variables}
	case familyStringFold:
		return &foldMatcher{variables: variables}
	case familyStringLike:
		return &likeMatcher{variables: variables}
	case familyNumeric:
		return &numberMatcher{comparison: c}
	case familyDate:
		return &dateMatcher{comparison: c}
	case familyBinary:
		return &bytesMatcher{}
	case familyAddress:
		return &addressMatcher{table: &bart.Lite{}}
	case familyARN:
		return &arnMatcher{variables: variables}
	case familyBool, familyNull:
	}
	return &boolMatcher{}
}

func outcomeOf(agreed bool) outcome {
	if agreed {
		return agrees
	}
	return differs
}

// stringMatcher is StringEquals.
type stringMatcher struct {
	variables bool
	set       map[string]struct{}
	templates []Template
}

func (t *stringMatcher) Add(text string) (problem, misread string) {
	tmpl, problem := CompileTemplate(text, t.variables, false)
	switch {
	case problem != "":
	case tmpl.IsLiteral():
		t.set[tmpl.Literal] = struct{}{}
	default:
		t.templates = append(t.templates, tmpl)
	}
	return problem, ""
}

func (t *stringMatcher) compare(v Value, ctx Context) outcome {
	text := v.String()
	_, same := t.set[text]
	return outcomeOf(same || anyMatches(t.templates, ctx, text))
}

func anyMatches(templates []Template, ctx Context, text string) bool {
	for i := range templates {
		if templates[i].Match(ctx, text) {
			return true
		}
	}
	return false
}

// foldMatcher is StringEqualsIgnoreCase.
type foldMatcher struct {
	variables bool
	templates []Template
}

func (t *foldMatcher) Add(text string) (problem, misread string) {
	tmpl, problem := CompileTemplate(text, t.variables, false)
	t.templates = append(t.templates, tmpl)
	return problem, ""
}

func (t *foldMatcher) compare(v Value, ctx Context) outcome {
	text := v.String()
	for i := range t.templates {
		if t.templates[i].equalFold(ctx, text) {
			return agrees
		}
	}
	return differs
}

// equalFold compares without regard to case; the template has no wildcards. It joins the text of a template with variables,
// for letters may differ in length from their other case.
func (t *Template) equalFold(ctx Context, text string) bool {
	if t.IsLiteral() {
		return strings.EqualFold(t.Literal, text)
	}
	var buffer tokenBuffer
	tokens, ok := t.resolve(ctx, &buffer)
	if !ok {
		return false
	}
	if len(tokens) == 1 {
		return strings.EqualFold(tokens[0].Text, text)
	}
	var joined strings.Builder
	for i := range tokens {
		joined.WriteString(tokens[i].Text)
	}
	return strings.EqualFold(joined.String(), text)
}

// likeMatcher is StringLike.
type likeMatcher struct {
	variables bool
	templates []Template
}

func (t *likeMatcher) Add(text string) (problem, misread string) {
	tmpl, problem := CompileTemplate(text, t.variables, true)
	t.templates = append(t.templates, tmpl)
	return problem, ""
}

func (t *likeMatcher) compare(v Value, ctx Context) outcome {
	return outcomeOf(anyMatches(t.templates, ctx, v.String()))
}

// numberMatcher is the Numeric operators.
type numberMatcher struct {
	comparison comparison
	numbers    []number
}

func (t *numberMatcher) Add(text string) (problem, misread string) {
	n, ok := parseNumber(text)
	if !ok {
		return "", "is not a number; write digits, with a point at most, as in 3600 or 0.5"
	}
	t.numbers = append(t.numbers, n)
	return "", ""
}

func (t *numberMatcher) compare(v Value, _ Context) outcome {
	n, ok := v.asNumber()
	if !ok {
		return unreadable
	}
	for i := range t.numbers {
		if t.comparison.holds(n.compare(t.numbers[i])) {
			return agrees
		}
	}
	return differs
}

// dateMatcher is the Date operators.
type dateMatcher struct {
	comparison comparison
	instants   []instant
}

func (t *dateMatcher) Add(text string) (problem, misread string) {
	at, ok := parseInstant(text)
	if !ok {
		return "", "is not a date; write 2027-01-31T12:00:00Z, 2027-01-31 or seconds since 1970"
	}
	t.instants = append(t.instants, at)
	return "", ""
}

func (t *dateMatcher) compare(v Value, _ Context) outcome {
	at, ok := v.asInstant()
	if !ok {
		return unreadable
	}
	for i := range t.instants {
		if t.comparison.holds(at.compare(t.instants[i])) {
			return agrees
		}
	}
	return differs
}

// boolMatcher is Bool and Null.
//
// Choice: no policy variables in Bool. Two pages of the IAM User Guide disagree on them; without, the text is a fault.
type boolMatcher struct{ isTrue, isFalse bool }

func (t *boolMatcher) Add(text string) (problem, misread string) {
	switch text {
	case "true":
		t.isTrue = true
	case "false":
		t.isFalse = true
	default:
		return "", "is neither true nor false; write one of them, in lower case"
	}
	return "", ""
}

func (t *boolMatcher) compare(v Value, _ Context) outcome {
	switch {
	case v.kind == boolValue && v.n != 0, v.kind == stringValue && v.text == "true":
		return outcomeOf(t.isTrue)
	case v.kind == boolValue, v.kind == stringValue && v.text == "false":
		return outcomeOf(t.isFalse)
	}
	return unreadable
}

// bytesMatcher is BinaryEquals. A text in the request is base64, as in the policy.
type bytesMatcher struct{ values []string }

func (t *bytesMatcher) Add(text string) (problem, misread string) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", "is not base64; write it with the standard alphabet and padding, as in AAECAw=="
	}
	t.values = append(t.values, string(b))
	return "", ""
}

func (t *bytesMatcher) compare(v Value, _ Context) outcome {
	text := v.text
	switch v.kind {
	case bytesValue:
	case stringValue:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return unreadable
		}
		text = string(b)
	default:
		return unreadable
	}
	return outcomeOf(slices.Contains(t.values, text))
}

// addressMatcher is IpAddress. All values stand in one prefix table, so that a thousand of them cost what one does.
//
// Choices: an address without a prefix length is that one address, IPv4 or IPv6; IPv4-mapped IPv6 addresses, in the policy and
// in the request, are the IPv4 addresses they map.
type addressMatcher struct {
	table *bart.Lite
	// every is a network that holds every address of its kind, as it is written; empty if there is none.
	every string
}

func (t *addressMatcher) Add(text string) (problem, misread string) {
	p, ok := parsePrefix(text)
	if !ok {
		return "", "is not an IP address or CIDR block; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
	}
	if p.Bits() == 0 {
		t.every = text
	}
	t.table.Insert(p)
	return "", ""
}

// parsePrefix reads an address or a CIDR block, whose host bits do not matter.
func parsePrefix(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

func (t *addressMatcher) compare(v Value, _ Context) outcome {
	addr := v.addr
	if v.kind == stringValue {
		parsed, err := netip.ParseAddr(v.text)
		if err != nil {
			return unreadable
		}
		addr = parsed.Unmap().WithZone("")
	}
	if !addr.IsValid() {
		return unreadable
	}
	return outcomeOf(t.table.Contains(addr))
}

// arnMatcher is ArnEquals and ArnLike, which are one operator: both take wildcards, part by part.
type arnMatcher struct {
	variables bool
	any       bool // "*"
	patterns  [][6]Template
	// whole are values that are one variable, whose own value is compared as text.
	whole []Template
}

func (t *arnMatcher) Add(text string) (problem, misread string) {
	if text == "*" {
		t.any = true
		return "", ""
	}
	tmpl, problem := CompileTemplate(text, t.variables, true)
	if problem != "" {
		return problem, ""
	}
	if len(tmpl.Tokens) == 1 && len(tmpl.Variables) == 1 {
		t.whole = append(t.whole, tmpl)
		return "", ""
	}
	parts, ok := splitPattern(text, t.variables)
	if !ok || parts[0] != "arn" && !strings.ContainsAny(parts[0], "*?") {
		return "", `is not an ARN of six parts outside of its variables; write it as arn:aws:iam::111122223333:role/*, "*" filling up parts`
	}
	var pattern [6]Template
	for i := range parts {
		pattern[i], _ = CompileTemplate(parts[i], t.variables, true)
	}
	t.patterns = append(t.patterns, pattern)
	return "", ""
}

// splitPattern splits a pattern at its first five colons outside of variables.
func splitPattern(text string, variables bool) (p arn.Parts, ok bool) {
	for i := range 5 {
		colon := 0
		for colon < len(text) && text[colon] != ':' {
			if variables && strings.HasPrefix(text[colon:], "${") {
				_, rest, _ := cutVariable(text[colon:])
				colon = len(text) - len(rest)
				continue
			}
			colon++
		}
		if colon == len(text) {
			return p, false
		}
		p[i], text = text[:colon], text[colon+1:]
	}
	p[5] = text
	return p, text != ""
}

func (t *arnMatcher) compare(v Value, ctx Context) outcome {
	text := v.String()
	parts, ok := arn.Split(text)
	if !ok || v.kind != stringValue {
		return unreadable
	}
	if t.any || anyMatches(t.whole, ctx, text) {
		return agrees
	}
	for i := range t.patterns {
		if matchParts(&t.patterns[i], ctx, &parts) {
			return agrees
		}
	}
	return differs
}

func matchParts(pattern *[6]Template, ctx Context, parts *arn.Parts) bool {
	for i := range pattern {
		if !pattern[i].Match(ctx, parts[i]) {
			return false
		}
	}
	return true
}
