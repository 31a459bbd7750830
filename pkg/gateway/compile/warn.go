package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// leftOver holds the requests that guarded routes leave to an open one.
type leftOver struct {
	// methods holds the guarded routes whose path the open route serves for other methods, such as example.
	methods []*model.Route
	example string
	// below holds the guarded routes below whose path the open route serves paths. above holds those with a greedy variable where the open
	// route serves the path before the variable.
	below, above []*model.Route
}

// warnOpenRoutes warns of open routes that serve what guarded routes leave over.
//
// 2026-11-25: an open route may serve other methods of a guarded route's path, paths below it, or the path before its greedy variable.
// API Gateway routes so too, without a warning. There is no warning if the open route is written for exactly that: one method on one
// path, or OPTIONS, which browsers send.
func (a *apiBuilder) warnOpenRoutes(routes []*model.Route, c *API, at *fault.Place, f *faults) {
	if f.fatal() || !slices.ContainsFunc(routes, (*model.Route).IsOpen) {
		return
	}
	left := map[*model.Route]*leftOver{}
	for _, r := range routes {
		if r.Guard != model.Unguarded && !r.IsOpen() && r.Method != DefaultRoute {
			a.leftOver(r, left)
		}
	}
	for i, r := range routes {
		if l := left[r]; l != nil {
			f.warn(c.routeAt(at, i).Field("route"), "%s", l.text())
		}
	}
}

func isGreedy(r *model.Route) bool { return strings.HasSuffix(r.Resource, "+}") }

// takesPaths reports whether a route is written for any path. OPTIONS does not count, because preflights must be open.
func takesPaths(r *model.Route) bool {
	return r.Method == DefaultRoute || isGreedy(r) && r.Method != "OPTIONS"
}

// takesMethods reports whether a route is written for any method of its path.
func takesMethods(r *model.Route) bool { return r.Method == routing.Any || takesPaths(r) }

// examples lists the methods that are tried, HEAD first, because many servers answer it like GET.
var examples = append([]string{"HEAD"}, routing.Methods[:]...)

// leftOver notes what a guarded route leaves to open ones.
func (a *apiBuilder) leftOver(r *model.Route, left map[*model.Route]*leftOver) {
	path := samplePath(r.Resource)
	base := path[:strings.LastIndexByte(path, '/')+1]
	for _, method := range examples {
		if l := a.openAt(path, method, takesMethods, left); l != nil {
			l.methods = withRoute(l.methods, r)
			if l.example == "" {
				l.example = method
			}
		}
		switch {
		case r.Resource == "/" || method != r.Method && r.Method != routing.Any:
		case !isGreedy(r):
			if l := a.openAt(path+"/"+sampleSegment, method, takesPaths, left); l != nil {
				l.below = withRoute(l.below, r)
			}
		case base != "/":
			if l := a.openAt(canon.TrimTrailing(base), method, takesPaths, left); l != nil {
				l.above = withRoute(l.above, r)
			}
		}
	}
}

// openAt returns the leftOver of the route that a path and a method lead to. It is nil if the route is not open, or not of a kind.
func (a *apiBuilder) openAt(path, method string, kind func(*model.Route) bool, left map[*model.Route]*leftOver) *leftOver {
	r := a.Routes.Find(path, method)
	if r == nil || !r.IsOpen() || !kind(r) {
		return nil
	}
	if left[r] == nil {
		left[r] = &leftOver{}
	}
	return left[r]
}

// withRoute adds a route to a list unless it is the last one.
func withRoute(list []*model.Route, r *model.Route) []*model.Route {
	if len(list) > 0 && list[len(list)-1] == r {
		return list
	}
	return append(list, r)
}

// sampleSegment is a segment that is not a literal one of any route.
const sampleSegment = "\x01"

// samplePath returns a path that a route serves, and that a route with more literal segments does not.
func samplePath(resource string) string {
	parts := strings.Split(resource, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = sampleSegment
		}
	}
	return strings.Join(parts, "/")
}

func (l *leftOver) text() string {
	var parts []string
	if len(l.methods) > 0 {
		parts = append(parts, "methods other than "+names(l.methods)+", such as "+l.example+" (write ANY there)")
	}
	if len(l.below) > 0 {
		parts = append(parts, "paths below "+names(l.below)+" (write "+l.below[0].Resource+"/{proxy+}, too)")
	}
	if len(l.above) > 0 {
		resource := l.above[0].Resource
		parts = append(parts, "the path before "+names(l.above)+" (write "+resource[:strings.LastIndexByte(resource, '/')]+", too)")
	}
	return "this open route serves what guarded routes leave over, as on API Gateway: " + strings.Join(parts, "; ") +
		"; or guard this route, unless all of these are meant to be open"
}

// names returns the names of the first routes of a list.
func names(routes []*model.Route) string {
	const most = 3
	var keys []string
	for _, r := range routes[:min(len(routes), most)] {
		keys = append(keys, r.Name)
	}
	text := strings.Join(keys, ", ")
	if more := len(routes) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// warnPreflights warns of guarded routes that match the CORS preflights of an API with cors. Browsers send preflights without credentials,
// so the routes refuse them ("Configure CORS for HTTP APIs in API Gateway").
func (a *apiBuilder) warnPreflights(routes []*model.Route, c *API, at *fault.Place, f *faults) {
	if a.CORS == nil || f.fatal() {
		return
	}
	for i, r := range routes {
		path, own := "/"+sampleSegment, "/{proxy+}"
		if r.Method != DefaultRoute {
			path, own = samplePath(r.Resource), r.Resource
		}
		if !r.IsOpen() && a.Routes.Find(path, "OPTIONS") == r {
			f.warn(c.routeAt(at, i).Field("route"), "the API has cors, but this guarded route matches preflights, which browsers send without credentials, and refuses them; "+
				`write {route: "OPTIONS %s", authorization: NONE} besides`, own)
		}
	}
}
