package routes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// otherMethod stands for the methods that no route can name. On an HTTP API, ANY and $default match them.
const otherMethod = "TRACE"

// Change is a change of the guard of requests with some methods and a path.
type Change struct {
	API   string `json:"api"`
	Stage string `json:"stage"`
	// Method lists the methods; TRACE stands for those that no route can name.
	Method string `json:"method"`
	// Path is the path, with {…} for what may be anything. It is /{proxy+} for what $default answers.
	Path string `json:"path"`
	// Effect is Opens, Closes or Changes.
	Effect string `json:"effect"`
	// Before and After are the routes that answer, and what guards them; empty if no route does.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Why says what differs that Before and After do not show.
	Why string `json:"why,omitempty"`
}

// Compare returns what a change of the routes from before to after opens, closes or changes. A route that is removed may leave its
// requests to an open one, so it is the answers that are compared.
//
// 2026-11-28: every request that gets another answer lies in the meeting of the route that answered it and the one that does. Which route
// is found first does not depend on the rest of the path, so a sample of each meeting stands for all of it. Compare asks for a sample of
// each meeting of two paths, in each length that a {name+} can have before it is longer than all routes, with each method.
func Compare(before, after []Route) []Change {
	var changes []Change
	olds, news := stages(before), stages(after)
	for _, key := range keys(olds, news) {
		changes = append(changes, compareStages(find(olds, key), find(news, key))...)
	}
	return changes
}

// twoRoutes stands for the answer to a path with a slash at its end that two ways to read the slash lead to routes with different guards.
// The gateway refuses such a request.
var twoRoutes = &Route{Guard: Guard{Unresolved: "with and without the slash at its end, the path leads to routes that are guarded differently"}}

// answer returns the route that answers a request, nil if none does.
func answer(t *routing.Table[Route], path, method string) *Route {
	r, other := t.FindBoth(path, method)
	if r != nil && other != nil && r.GuardedBy() != other.GuardedBy() {
		return twoRoutes
	}
	return r
}

// answers are the routes that answer a request, before and after; nil for none.
type answers struct{ before, after *Route }

// compareStages compares a stage with what becomes of it.
func compareStages(before, after *stage) []Change {
	old, current := before.table(), after.table()
	methods := routing.Methods[:]
	if before.kind == "HTTP" {
		methods = append(slices.Clone(methods), otherMethod)
	}
	seen := map[answers]int{}
	var changes []Change
	for sample := range samples(before, after) {
		for _, method := range methods {
			a := answers{answer(old, sample, method), answer(current, sample, method)}
			effect, why := a.effect()
			if effect == "" {
				continue
			}
			i, ok := seen[a]
			if !ok {
				i, seen[a] = len(changes), len(changes)
				changes = append(changes, Change{
					API: before.api, Stage: before.stage, Path: a.path(sample), Effect: effect, Before: described(a.before), After: described(a.after), Why: why,
				})
			}
			if !slices.Contains(strings.Split(changes[i].Method, ", "), method) {
				changes[i].Method = strings.TrimPrefix(changes[i].Method+", "+method, ", ")
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return changes
}

// effect compares two answers. A request that no route answers is refused.
func (a answers) effect() (effect, why string) {
	refused, refuses := a.before == nil || a.before.refuses(), a.after == nil || a.after.refuses()
	switch {
	case refused && refuses:
		return "", ""
	case refused:
		return Opens, ""
	case refuses:
		return Closes, ""
	}
	d := compare(a.before.Guard, a.after.Guard)
	return d.effect(), strings.Join(d.why, "; ")
}

// path returns what the paths of both routes have in common. A slash at the end of a sample can lead an HTTP API to routes that have
// nothing in common.
func (a answers) path(sample string) string {
	before, after := a.before.parts(), a.after.parts()
	switch {
	case a.before == twoRoutes:
		return "/" + strings.Join(append(after, ""), "/")
	case a.after == twoRoutes:
		return "/" + strings.Join(append(before, ""), "/")
	case before == nil:
		before = after
	case after == nil:
		after = before
	}
	parts, ok := meet(before, after)
	if !ok {
		return strings.ReplaceAll(sample, fresh, "{any}")
	}
	return "/" + strings.Join(parts, "/")
}

func described(r *Route) string {
	switch r {
	case nil:
		return ""
	case twoRoutes:
		return r.GuardedBy()
	}
	return r.Key() + ": " + r.GuardedBy()
}
