package routing

import (
	"cmp"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// findHTTP finds the route as HTTP APIs do ("Create routes for HTTP APIs"): a full match of route and method, a match of a greedy
// route and the method, $default. A path that ends in slashes has two readings: without them, which full matches use, and with an empty
// segment at the end, which a greedy variable matches. other is the route of the reading that was not used. For most paths it is the same
// route.
//
// 2026-11-25: on HTTP APIs, full matches come before greedy routes, and these before $default, as API Gateway documents. Among greedy
// routes the order is that of REST APIs: literal from the left, then the longest. ANY and $default match every method without a
// lower-case letter. An upstream that reads "get" as GET would otherwise serve a guarded route to callers that $default allows.
func (t *tree[R]) findHTTP(path, method string, fallback *R) (r, other *R) {
	if !isHTTPMethod(method) {
		return nil, nil
	}
	var buffer [stackSegments]string
	trimmed := canon.TrimTrailing(path)
	s := t.split(trimmed, buffer[:0])
	full := t.root.full(s, method)
	if trimmed == "" || len(trimmed) == len(path) {
		if full == nil {
			full = t.catchAll(s, method, fallback)
		}
		return full, full
	}
	without := t.catchAll(s, method, fallback)
	if len(s.parts) < t.depth {
		s.parts = append(s.parts, "")
	} else {
		s.more = true
	}
	with := t.catchAll(s, method, fallback)
	if full != nil {
		return full, with
	}
	return with, without
}

// catchAll returns the greedy route for segments, or $default if there is none.
func (t *tree[R]) catchAll(s segments, method string, fallback *R) *R {
	if r := t.root.greedyRoute(s, method); r != nil {
		return r
	}
	return fallback
}

// full returns the route without a greedy variable that matches path and method. Of several it is the one with a literal first.
func (n *node[R]) full(s segments, method string) *R {
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

// greedyRoute returns the route with a greedy variable that matches path and method. Of several it is the one with a literal first, and
// then the one whose variable matches least.
func (n *node[R]) greedyRoute(s segments, method string) *R {
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

// httpMethod returns the resource's route for a method: the method's own, or that of ANY.
func (n *node[R]) httpMethod(method string) *R {
	return cmp.Or(n.routesOf(method))
}

// isHTTPMethod reports whether ANY and $default match a method: one of capitals and hyphens.
func isHTTPMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; c != '-' && (c < 'A' || 'Z' < c) {
			return false
		}
	}
	return method != ""
}
