package routes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// Warning is about requests that an open route answers although a route of their path is guarded.
type Warning struct {
	API     string `json:"api"`
	Stage   string `json:"stage"`
	Message string `json:"message"`
}

// Warnings returns what is probably open by mistake: a method of a guarded route's path that an open route with {name+} answers. On a
// REST API, a request for a resource that does not have its method goes to the next resource that has.
func Warnings(all []Route) []Warning {
	var found []Warning
	for _, s := range stages(all) {
		t := s.table()
		for _, r := range s.routes {
			if r.Open() || r.Path == "" {
				continue
			}
			if w, ok := undermined(t, r); ok {
				found = append(found, Warning{r.API, r.Stage, w})
			}
		}
	}
	return found
}

// undermined says which methods of a guarded route's path an open route answers.
func undermined(t *routing.Table[Route], r Route) (string, bool) {
	var methods []string
	var by *Route
	for _, method := range routing.Methods {
		if o := t.Find(sample(r.Path), method); o != nil && o.Open() && o.Path != r.Path && (strings.HasSuffix(o.Path, "+}") || o.Path == "") {
			methods, by = append(methods, method), o
		}
	}
	if by == nil {
		return "", false
	}
	return r.Key() + " is guarded (" + r.GuardedBy() + "), and " + by.Key() + " answers " + strings.Join(methods, ", ") + " " + r.Path +
		" without a guard: give the path a guarded ANY, or guard " + by.Key(), true
}

// Change is what becomes of requests with a method and a path.
type Change struct {
	API    string `json:"api"`
	Stage  string `json:"stage"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Effect is "opens", "closes" or "changes".
	Effect string `json:"effect"`
	// Before and After are the routes that answer, and what guards them; empty if no route does.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Compare returns what a change of the routes from before to after opens, closes or changes. It asks for each path that either has, with
// each method, which route answers: a route that is removed may leave its requests to an open one.
func Compare(before, after []Route) []Change {
	var changes []Change
	olds, news := stages(before), stages(after)
	for _, key := range keys(olds, news) {
		o, n := find(olds, key), find(news, key)
		ot, nt := o.table(), n.table()
		for _, path := range paths(o.routes, n.routes) {
			changes = append(changes, grouped(key, path, ot, nt)...)
		}
	}
	return changes
}

// grouped compares a path's methods, and joins those that change alike.
func grouped(key stageKey, path string, before, after *routing.Table[Route]) []Change {
	var changes []Change
	for _, method := range routing.Methods {
		o, n := before.Find(sample(path), method), after.Find(sample(path), method)
		effect := effectOf(o, n)
		if effect == "" {
			continue
		}
		c := Change{key.api, key.stage, method, path, effect, described(o), described(n)}
		i := slices.IndexFunc(changes, func(p Change) bool { return p.Effect == c.Effect && p.Before == c.Before && p.After == c.After })
		if i >= 0 {
			changes[i].Method += ", " + method
			continue
		}
		changes = append(changes, c)
	}
	return changes
}

// effectOf compares what answers a request. A request that no route answers is refused.
func effectOf(before, after *Route) string {
	wasOpen, isOpen := before != nil && before.Open(), after != nil && after.Open()
	switch {
	case before == nil && after == nil, before != nil && after != nil && before.equal(after.Guard):
		return ""
	case isOpen && !wasOpen, before == nil:
		return "opens"
	case wasOpen && !isOpen, after == nil:
		return "closes"
	default:
		return "changes"
	}
}

func described(r *Route) string {
	if r == nil {
		return ""
	}
	return r.Key() + ": " + r.GuardedBy()
}

type stageKey struct{ api, kind, stage string }

// stage is the routes of a stage.
type stage struct {
	stageKey
	routes []Route
}

// stages groups routes by their stage, in the order in which these come up.
func stages(all []Route) []*stage {
	var list []*stage
	for _, r := range all {
		s := find(list, stageKey{r.API, r.Kind, r.Stage})
		if s.routes == nil {
			s.stageKey = stageKey{r.API, r.Kind, r.Stage}
			list = append(list, s)
		}
		s.routes = append(s.routes, r)
	}
	return list
}

// find returns the stage with a key; an empty one if there is none.
func find(list []*stage, key stageKey) *stage {
	for _, s := range list {
		if s.stageKey == key {
			return s
		}
	}
	return &stage{stageKey: key}
}

func keys(lists ...[]*stage) []stageKey {
	var all []stageKey
	for _, list := range lists {
		for _, s := range list {
			if !slices.Contains(all, s.stageKey) {
				all = append(all, s.stageKey)
			}
		}
	}
	return all
}

// table finds the routes of a stage as the gateway does.
func (s *stage) table() *routing.Table[Route] {
	t := &routing.Table[Route]{HTTP: s.kind == "HTTP"}
	for i := range s.routes {
		r := &s.routes[i]
		_ = t.Add(routing.Key{Method: r.Method, Resource: r.Path}, r) // a route that cannot stand was refused at load
	}
	return t
}

// paths returns the paths of routes, each once, in order.
func paths(lists ...[]Route) []string {
	var all []string
	for _, list := range lists {
		for _, r := range list {
			all = append(all, cmp.Or(r.Path, "/{proxy+}"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sample is a path that leads to a resource: one that has no route of its own under a parameter.
func sample(resource string) string {
	segments := strings.Split(resource, "/")
	for i, segment := range segments {
		switch {
		case strings.HasSuffix(segment, "+}"):
			segments[i] = "portcullis-sample/portcullis-sample"
		case strings.HasPrefix(segment, "{"):
			segments[i] = "portcullis-sample"
		}
	}
	return strings.Join(segments, "/")
}
