package policy

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is IAM's logic once more, straight from the reference and without any concern for speed or bad input: policies
// as encoding/json reads them, no compilation, no index. It shares nothing with the package but the words for the decisions.

type naiveRequest struct {
	kind, arn, parent, account        string
	action, resource, resourceAccount string
	spellings                         []string
	context                           map[string]any // by lower-case key: string or []any
	bounded                           bool
}

type naivePolicies struct {
	identity           []any
	boundary, resource any
	session            []any
	scp, rcp           [][]any
	endpoint           any
}

func naiveDecode(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	return v
}

func naiveList(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func (ps *naivePolicies) evaluate(r *naiveRequest) Decision {
	r.bounded = ps.boundary != nil
	own := r.kind != "anonymous"
	all := [][]any{{ps.resource, ps.endpoint}}
	all = append(all, ps.rcp...)
	if own {
		all = append(all, ps.identity, []any{ps.boundary}, ps.session)
		all = append(all, ps.scp...)
	}
	for _, policies := range all {
		for _, p := range policies {
			if naiveApplies(p, "Deny", r) > 0 {
				return ExplicitDeny
			}
		}
	}
	for _, level := range ps.rcp {
		if !naiveAllows(level, r) {
			return ImplicitDeny
		}
	}
	if own {
		for _, level := range ps.scp {
			if !naiveAllows(level, r) {
				return ImplicitDeny
			}
		}
	}
	if ps.endpoint != nil && naiveApplies(ps.endpoint, "Allow", r) == 0 {
		return ImplicitDeny
	}
	class := naiveApplies(ps.resource, "Allow", r)
	limits := (ps.boundary == nil || naiveApplies(ps.boundary, "Allow", r) > 0) && (len(ps.session) == 0 || naiveAllows(ps.session, r))
	identity := naiveAllows(ps.identity, r)
	if r.kind == "federated-user" && len(ps.session) == 0 {
		identity = false
	}
	allowed := false
	switch {
	case !own:
		allowed = class > 0
	case r.account == r.resourceAccount:
		allowed = class >= naiveDirect || class == naiveParent && limits || identity && limits
	default:
		allowed = class > 0 && identity && limits
	}
	if allowed {
		return Allow
	}
	return ImplicitDeny
}

func naiveAllows(list []any, r *naiveRequest) bool {
	return slices.ContainsFunc(list, func(p any) bool { return naiveApplies(p, "Allow", r) > 0 })
}

// The ways in which a statement names the caller.
const (
	naiveAccount = iota + 1
	naiveParent
	naiveDirect
	naiveEveryone
)

// naiveApplies is the strongest way in which a statement with the effect applies; 0 if none does.
func naiveApplies(p any, effect string, r *naiveRequest) int {
	if p == nil {
		return 0
	}
	best := 0
	document := p.(map[string]any)
	for _, s := range naiveList(document["Statement"]) {
		s := s.(map[string]any)
		class := naivePrincipal(s, r)
		if s["Effect"] == effect && class > 0 && naiveAction(s, r) && naiveResource(s, r, document["Version"] == "2012-10-17") && naiveConditions(s, r, document["Version"] == "2012-10-17") {
			best = max(best, class)
		}
	}
	return best
}

func naivePrincipal(s map[string]any, r *naiveRequest) int {
	if p, ok := s["Principal"]; ok {
		return naiveCovers(p, r)
	}
	if p, ok := s["NotPrincipal"]; ok && !r.bounded && naiveSpares(p, r) {
		return 0
	}
	return naiveEveryone
}

// naiveSpares: a NotPrincipal spares whom it lists with each of the caller's names.
func naiveSpares(p any, r *naiveRequest) bool {
	found := naiveNames(p, r)
	own, parent := found[naiveDirect], found[naiveParent] || r.kind == "user"
	return found[naiveEveryone] || found[naiveAccount] && (r.kind == "root" || own && parent)
}

func naiveCovers(p any, r *naiveRequest) int {
	best := 0
	for class := range naiveNames(p, r) {
		best = max(best, class)
	}
	return best
}

// naiveNames is each way in which a principal element names the caller.
func naiveNames(p any, r *naiveRequest) map[int]bool {
	found := map[int]bool{}
	ids := []any{p}
	if m, ok := p.(map[string]any); ok {
		ids = nil
		if aws, ok := m["AWS"]; ok {
			ids = naiveList(aws)
		}
	}
	for _, id := range ids {
		id := strings.TrimSuffix(id.(string), ":root")
		account := id[strings.LastIndex(id, ":")+1:]
		switch {
		case id == "*":
			found[naiveEveryone] = true
		case r.kind == "anonymous":
		case id == r.arn:
			found[naiveDirect] = true
		case id == r.parent:
			found[naiveParent] = true
		case account == r.account:
			found[naiveAccount] = true
		}
	}
	return found
}

func naiveAction(s map[string]any, r *naiveRequest) bool {
	list, positive := s["Action"]
	if !positive {
		list = s["NotAction"]
	}
	for _, a := range naiveList(list) {
		if pattern, _ := naivePattern(a.(string), r, false, true); naiveFits(pattern, "i", r.action) {
			return positive
		}
	}
	return !positive
}

func naiveResource(s map[string]any, r *naiveRequest, variables bool) bool {
	list, positive := s["Resource"]
	if !positive {
		list = s["NotResource"]
	}
	matches := func(resource string) (matched, resolved bool) {
		for _, res := range naiveList(list) {
			fits, ok := naiveARN(res.(string), resource, r, variables)
			resolved = resolved || ok
			matched = matched || fits
		}
		return matched, resolved
	}
	matched, resolved := matches(r.resource)
	if positive == (s["Effect"] == "Deny") {
		for _, spelling := range r.spellings {
			other, _ := matches(spelling)
			matched = matched || other
		}
	}
	if !positive {
		return !matched && (resolved || s["Effect"] == "Deny")
	}
	return matched
}

var naiveVariable = regexp.MustCompile(`^\$\{([*?$]|[^,}]*)(?:, '([^']*)')?\}`)

// naivePattern turns text into a regular expression, with the values of variables in place; false if one has none. Without
// wildcards, "*" and "?" are text.
func naivePattern(text string, r *naiveRequest, variables, wildcards bool) (string, bool) {
	pattern, ok := "", true
	for text != "" {
		if v := naiveVariable.FindStringSubmatch(text); variables && v != nil {
			value, _ := r.context[strings.ToLower(v[1])].(string)
			switch {
			case strings.Contains("*?$", v[1]):
				value = v[1]
			case value == "" && strings.HasSuffix(v[0], "'}"):
				value = v[2]
			case value == "":
				ok = false
			}
			pattern, text = pattern+regexp.QuoteMeta(value), text[len(v[0]):]
			continue
		}
		c := text[:len(string([]rune(text)[0]))]
		switch {
		case wildcards && c == "*":
			pattern += ".*"
		case wildcards && c == "?":
			pattern += "."
		default:
			pattern += regexp.QuoteMeta(c)
		}
		text = text[len(c):]
	}
	return pattern, ok
}

func naiveFits(pattern, flags, text string) bool {
	return regexp.MustCompile(`(?s` + flags + `)^(?:` + pattern + `)$`).MatchString(text)
}

// naiveARN compares part by part; the first five colons outside of variables part the pattern.
func naiveARN(pattern, text string, r *naiveRequest, variables bool) (fits, resolved bool) {
	if pattern == "*" {
		return true, true
	}
	t := strings.SplitN(text, ":", 6)
	var p []string
	for part := ""; pattern != "" || len(p) < 6; {
		v := naiveVariable.FindString(pattern)
		switch {
		case pattern == "" && len(p) < 5:
			return false, true
		case pattern == "":
			p = append(p, part)
		case variables && v != "":
			part, pattern = part+v, pattern[len(v):]
		case pattern[0] == ':' && len(p) < 5:
			p, part, pattern = append(p, part), "", pattern[1:]
		default:
			part, pattern = part+pattern[:1], pattern[1:]
		}
		if pattern == "" && len(p) == 5 {
			p = append(p, part)
		}
	}
	fits, resolved = len(t) == 6, true
	for i := range p {
		expression, ok := naivePattern(p[i], r, variables, true)
		resolved = resolved && ok
		fits = fits && ok && naiveFits(expression, "", t[i])
	}
	return fits, resolved
}

func naiveConditions(s map[string]any, r *naiveRequest, variables bool) bool {
	block, _ := s["Condition"].(map[string]any)
	for operator, keys := range block {
		for key, values := range keys.(map[string]any) {
			if !naiveCondition(operator, key, naiveList(values), s["Effect"] == "Deny", r, variables) {
				return false
			}
		}
	}
	return true
}

func naiveCondition(operator, key string, values []any, deny bool, r *naiveRequest, variables bool) bool {
	got, present := r.context[strings.ToLower(key)]
	if operator == "Null" {
		return slices.ContainsFunc(values, func(v any) bool { return naiveText(v) == strconv.FormatBool(!present) })
	}
	set, base, isSet := strings.Cut(operator, ":")
	if !isSet {
		set, base = "", operator
	}
	base, ifExists := strings.CutSuffix(base, "IfExists")
	positive := strings.Replace(base, "Not", "", 1)
	negated := positive != base
	if !present {
		switch set {
		case "ForAllValues":
			return true
		case "ForAnyValue":
			return ifExists && deny
		}
		return ifExists || negated
	}
	passes := func(one string) bool {
		unreadable, policyUnreadable := false, false
		for _, v := range values {
			equal, readable, policyReadable := naiveCompare(positive, one, naiveText(v), r, variables)
			unreadable = unreadable || !readable
			policyUnreadable = policyUnreadable || !policyReadable
			if equal {
				return !negated
			}
		}
		if unreadable || policyUnreadable {
			return negated && deny
		}
		return negated
	}
	list, isList := got.([]any)
	if set == "" {
		return !isList && passes(got.(string))
	}
	if !isList && got != "" {
		list = []any{got}
	}
	for _, one := range list {
		if p := passes(one.(string)); p != (set == "ForAllValues") {
			return p
		}
	}
	return set == "ForAllValues"
}

func naiveText(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return v.(string)
}

// naiveCompare compares one value of the request with one of the policy.
func naiveCompare(operator, got, want string, r *naiveRequest, variables bool) (equal, readable, policyReadable bool) {
	switch operator {
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike":
		pattern, ok := naivePattern(want, r, variables, operator == "StringLike")
		flags := ""
		if operator == "StringEqualsIgnoreCase" {
			flags = "i"
		}
		return ok && naiveFits(pattern, flags, got), true, true
	case "ArnEquals", "ArnLike":
		fits, _ := naiveARN(want, got, r, variables)
		isARN := strings.Count(got, ":") >= 5
		return fits && isARN, isARN, want == "*" || strings.Count(want, ":") >= 5
	case "Bool":
		return got == want, got == "true" || got == "false", true
	case "BinaryEquals":
		a, err1 := base64.StdEncoding.DecodeString(got)
		b, err2 := base64.StdEncoding.DecodeString(want)
		return err1 == nil && err2 == nil && string(a) == string(b), err1 == nil, err2 == nil
	case "IpAddress":
		return naiveAddress(got, want)
	}
	if strings.HasPrefix(operator, "Date") {
		a, ok1 := naiveDate(got)
		b, ok2 := naiveDate(want)
		return ok1 && ok2 && naiveOrder(operator, a.Cmp(b)), ok1, ok2
	}
	a, ok1 := naiveNumber(got)
	b, ok2 := naiveNumber(want)
	return ok1 && ok2 && naiveOrder(operator, a.Cmp(b)), ok1, ok2
}

func naiveOrder(operator string, order int) bool {
	switch {
	case strings.HasSuffix(operator, "LessThan"):
		return order < 0
	case strings.HasSuffix(operator, "LessThanEquals"):
		return order <= 0
	case strings.HasSuffix(operator, "GreaterThan"):
		return order > 0
	case strings.HasSuffix(operator, "GreaterThanEquals"):
		return order >= 0
	}
	return order == 0
}

var naiveDecimal = regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`)

func naiveNumber(s string) (*big.Rat, bool) {
	if !naiveDecimal.MatchString(s) {
		return new(big.Rat), false
	}
	return new(big.Rat).SetString(s)
}

func naiveDate(s string) (*big.Rat, bool) {
	if regexp.MustCompile(`^-?\d+$`).MatchString(s) {
		return naiveNumber(s)
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return new(big.Rat).Add(new(big.Rat).SetInt64(t.Unix()), big.NewRat(int64(t.Nanosecond()), 1e9)), true
		}
	}
	return new(big.Rat), false
}

func naiveAddress(got, want string) (equal, readable, policyReadable bool) {
	ip := net.ParseIP(got)
	if ip == nil {
		return false, false, true
	}
	if single := net.ParseIP(want); single != nil {
		return single.Equal(ip), true, true
	}
	_, block, err := net.ParseCIDR(want)
	if err != nil {
		return false, true, false
	}
	// net takes ::/0 to hold IPv4 addresses in their mapped form.
	return (ip.To4() != nil) == (len(block.IP) == net.IPv4len) && block.Contains(ip), true, true
}
