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

// leftOver is what guarded routes leave to an open one.
type leftOver struct {
	// methods are the guarded routes whose path the open one has with other methods, and example is such a method.
	methods []*model.Route
	example string
	// below are those whose path goes on in the open route, above those that have a greedy variable, and not the path before it.
	below, above []*model.Route
}

// warnOpenRoutes warns of open routes that take what guarded ones leave over: other methods of their path, or what lies above or
// below it. API Gateway routes so too, and says nothing.
//
// 2026-11-25: an open route that takes what guarded ones leave over (other methods of their path, what lies below it, the path
// before a greedy variable) is routed as on API Gateway, and warned of. No warning where the open route is written for just that:
// one method on one path, or OPTIONS, by which browsers ask.
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

// takesPaths reports whether a route is written for whatever path comes. Preflights have to be open.
func takesPaths(r *model.Route) bool {
	return r.Method == DefaultRoute || isGreedy(r) && r.Method != "OPTIONS"
}

// takesMethods reports whether a route is written for whatever method comes, to its path.
func takesMethods(r *model.Route) bool { return r.Method == routing.Any || takesPaths(r) }

// examples are the methods that are tried, HEAD first: many servers answer it as they do GET.
var examples = append([]string{"HEAD"}, routing.Methods[:]...)

// leftOver finds what a guarded route leaves to open ones.
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

// openAt is what is left to the route that a path and a method lead to, nil if it is not open, or not of a kind.
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

// withRoute adds a route that is not the last one already.
func withRoute(list []*model.Route, r *model.Route) []*model.Route {
	if len(list) > 0 && list[len(list)-1] == r {
		return list
	}
	return append(list, r)
}

// sampleSegment is a segment that no route has literally.
const sampleSegment = "\x01"

// samplePath is a path that a route is for, and no more literal one.
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
		parts = append(parts, "other methods than "+names(l.methods)+", such as "+l.example+" (write ANY there)")
	}
	if len(l.below) > 0 {
		parts = append(parts, "what lies below "+names(l.below)+" (write "+l.below[0].Resource+"/{proxy+}, too)")
	}
	if len(l.above) > 0 {
		resource := l.above[0].Resource
		parts = append(parts, "the path before "+names(l.above)+" (write "+resource[:strings.LastIndexByte(resource, '/')]+", too)")
	}
	return "this open route takes what guarded ones leave over, as on API Gateway: " + strings.Join(parts, "; ") +
		"; or guard this route, unless all of that is meant to be open"
}

// names are the first routes of a list.
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

// warnPreflights warns of guarded routes that catch CORS preflights of an API with cors: browsers send no credentials with one, so
// that it is refused ("Configure CORS for HTTP APIs in API Gateway").
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
			f.warn(c.routeAt(at, i).Field("route"), "the API has cors, and this guarded route catches preflights, which browsers send without credentials: they are refused; "+
				`write {route: "OPTIONS %s", authorization: NONE} beside it`, own)
		}
	}
}
