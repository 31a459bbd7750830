package routes

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

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
