package gateway

import (
	"cmp"
	"errors"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// find returns the route for a canonical path within a stage, nil if there is none.
func (a *api) find(path, method string) *route {
	r, _ := a.findIn(&a.router, path, method)
	return r
}

// findIn returns the route that a router has for a canonical path, and the one of the other way to read a slash at the end: the same one
// on a REST API.
func (a *api) findIn(t *router, path, method string) (r, other *route) {
	if a.http {
		return a.findHTTP(t, path, method)
	}
	r = t.find(path, method)
	return r, r
}

// findHTTP is an HTTP API's choice ("Create routes for HTTP APIs"): a full match of route and method, a match of a greedy
// route and the method, $default. A path that ends in slashes is read in two ways, without them and with an empty segment at
// the end, which a greedy variable takes: the first way leads to full matches, the second to the rest. other is the route of
// the way that was not taken, the same one for most paths.
func (a *api) findHTTP(t *router, path, method string) (r, other *route) {
	if !isHTTPMethod(method) {
		return nil, nil
	}
	var buffer [stackSegments]string
	trimmed := trimTrailing(path)
	s := t.split(trimmed, buffer[:0])
	full := t.root.full(s, method)
	if trimmed == "" || len(trimmed) == len(path) {
		if full == nil {
			full = a.catchAll(t, s, method)
		}
		return full, full
	}
	without := a.catchAll(t, s, method)
	if len(s.parts) < t.depth {
		s.parts = append(s.parts, "")
	} else {
		s.more = true
	}
	with := a.catchAll(t, s, method)
	if full != nil {
		return full, with
	}
	return with, without
}

// catchAll returns the greedy route for segments, or else $default.
func (a *api) catchAll(t *router, s segments, method string) *route {
	if r := t.root.greedyRoute(s, method); r != nil {
		return r
	}
	return a.fallback
}

// full returns the route without a greedy variable: of those that match path and method the one that is literal first.
func (n *node) full(s segments, method string) *route {
	if len(s.parts) == 0 {
		if s.more {
			return nil
		}
		return n.httpMethod(method)
	}
	next := s.next()
	if child := n.literal(s); child != nil {
		if r := child.full(next, method); r != nil {
			return r
		}
	}
	if n.variable != nil && s.parts[0] != "" {
		return n.variable.full(next, method)
	}
	return nil
}

// greedyRoute returns the route with a greedy variable: of those that match path and method the one that is literal first,
// and then the one whose variable takes least.
func (n *node) greedyRoute(s segments, method string) *route {
	if len(s.parts) == 0 {
		return nil
	}
	next := s.next()
	if child := n.literal(s); child != nil {
		if r := child.greedyRoute(next, method); r != nil {
			return r
		}
	}
	if n.variable != nil && s.parts[0] != "" {
		if r := n.variable.greedyRoute(next, method); r != nil {
			return r
		}
	}
	if n.greedy != nil {
		return n.greedy.httpMethod(method)
	}
	return nil
}

// httpMethod returns the resource's route for a method: its own, or ANY's.
func (n *node) httpMethod(method string) *route {
	return cmp.Or(n.methods(method))
}

// isHTTPMethod reports whether ANY and $default stand for a method: for every one, in capitals. An upstream may take "get" for
// GET, whose route may be guarded.
func isHTTPMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; c != '-' && (c < 'A' || 'Z' < c) {
			return false
		}
	}
	return method != ""
}

// sameGuard reports whether two routes are guarded alike.
func sameGuard(a, b *route) bool {
	return a == b ||
		a.guard == b.guard && a.authorizer == b.authorizer && slices.Equal(a.scopes, b.scopes) && a.signatures == b.signatures
}

// endpointStage returns the stage of a path on the default endpoint, and where its name ends in the path: the first segment names a
// stage, or else the path belongs to the stage $default. That stage has no name in a path.
func (a *api) endpointStage(path string) (s *stage, end int) {
	end = segmentEnd(path, 0)
	if name := path[1:end]; name != DefaultStage {
		if s := a.stage(name); s != nil {
			return s, end
		}
	}
	return a.stage(DefaultStage), 0
}

// nothing is the answer where a host serves no stage for a path.
func (l *location) nothing(detail string) error {
	if l.owner != nil && l.owner.http && l.owner.endpoint {
		return notFound("the API has no stage for the path, and no $default")
	}
	return forbidden(authz.CodeUnknownHost, detail)
}

// addRoute puts a route where requests find it.
func (a *api) addRoute(c *Route, r *route) error {
	if c.Method != DefaultRoute {
		parts, err := parseResource(c.Resource)
		if err != nil {
			return err
		}
		return a.router.add(parts, r)
	}
	switch {
	case c.Resource != "":
		return errors.New("the route $default has no resource: write $default alone")
	case a.fallback != nil:
		return errors.New("the route $default is written twice")
	}
	a.fallback = r
	return nil
}
