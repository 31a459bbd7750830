package lint

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
)

// element is one place of a pattern of characters: a set of characters, once or any number of times.
type element struct {
	set     characterSet
	literal rune
	repeats bool
}

type characterSet uint8

const (
	oneCharacter characterSet = iota // literal
	noSlash
	anyCharacter
)

// meets reports whether some character belongs to both sets.
func (a element) meets(b element) bool {
	switch {
	case a.set == oneCharacter && b.set == oneCharacter:
		return a.literal == b.literal
	case a.set == oneCharacter:
		return b.set == anyCharacter || a.literal != '/'
	case b.set == oneCharacter:
		return b.meets(a)
	}
	return true
}

// elements is the template with whatever its variables may stand for.
func elements(t *condition.Template) []element {
	if t.IsLiteral() {
		return literalElements(t.Literal)
	}
	var list []element
	for i, token := range t.Tokens {
		isVariable := slices.ContainsFunc(t.Variables, func(v condition.Variable) bool { return v.Token == i })
		switch {
		case isVariable, token.Kind == arn.AnyRun:
			list = append(list, element{set: anyCharacter, repeats: true})
		case token.Kind == arn.AnyOne:
			list = append(list, element{set: anyCharacter})
		default:
			list = append(list, literalElements(token.Text)...)
		}
	}
	return list
}

func literalElements(text string) []element {
	var list []element
	for _, c := range text {
		list = append(list, element{literal: c})
	}
	return list
}

// oneOrMore is a run of characters that is not empty.
func oneOrMore(set characterSet) []element {
	return []element{{set: set}, {set: set, repeats: true}}
}

// overlap reports whether some text fits both patterns: it walks both at once and visits each pair of places once.
func overlap(a, b []element) bool {
	type place struct{ a, b int }
	seen := make([]bool, (len(a)+1)*(len(b)+1))
	open := []place{{0, 0}}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		visited := &seen[at.a*(len(b)+1)+at.b]
		if *visited {
			continue
		}
		*visited = true
		inA, inB := at.a < len(a), at.b < len(b)
		if !inA && !inB {
			return true
		}
		if inA && a[at.a].repeats {
			open = append(open, place{at.a + 1, at.b})
		}
		if inB && b[at.b].repeats {
			open = append(open, place{at.a, at.b + 1})
		}
		if inA && inB && a[at.a].meets(b[at.b]) {
			next := at
			if !a[at.a].repeats {
				next.a++
			}
			if !b[at.b].repeats {
				next.b++
			}
			open = append(open, next)
		}
	}
	return false
}

// maxOverlaps bounds the comparisons of resources with routes; beyond it only the form of the ARN is looked at.
const maxOverlaps = 50_000

// paths are the patterns of the ARN's last part, API/stage/VERB/path, for every stage and route.
func (t Target) paths(statements int) [][]element {
	api, _ := arn.Split(t.ARNPrefix)
	stages, routes := t.Stages, t.Routes
	if len(stages) == 0 || len(stages)*len(routes)*statements > maxOverlaps {
		stages = []string{""}
	}
	if len(routes) == 0 || len(routes)*statements > maxOverlaps {
		routes = []TargetRoute{{"ANY", "/{proxy+}"}, {"ANY", "/"}}
	}
	var all [][]element
	for _, stage := range stages {
		for _, route := range routes {
			all = append(all, slices.Concat(literalElements(api[5]+"/"), wordOrAny(stage), literalElements("/"), wordOrAny(strings.TrimPrefix(route.Method, "ANY")), route.pathElements()))
		}
	}
	return all
}

// wordOrAny is a stage or a verb; none stands for any.
func wordOrAny(word string) []element {
	if word == "" {
		return oneOrMore(noSlash)
	}
	return literalElements(word)
}

// pathElements is the route's path: {name} is one segment, {name+} the rest, and a request may add slashes to its end.
func (r TargetRoute) pathElements() []element {
	var list []element
	for segment := range strings.SplitSeq(strings.Trim(r.Resource, "/"), "/") {
		if segment == "" {
			continue
		}
		list = append(list, element{literal: '/'})
		switch {
		case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "+}"):
			list = append(list, oneOrMore(anyCharacter)...)
		case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}"):
			list = append(list, oneOrMore(noSlash)...)
		default:
			list = append(list, literalElements(segment)...)
		}
	}
	return append(list, element{literal: '/', repeats: true})
}
