package routing

import (
	"cmp"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// findHTTP is an HTTP API's choice ("Create routes for HTTP APIs"): a full match of route and method, a match of a greedy
// route and the method, $default. A path that ends in slashes is read in two ways, without them and with an empty segment at
// the end, which a greedy variable takes: the first way leads to full matches, the second to the rest. other is the route of
// the way that was not taken, the same one for most paths.
//
// 2026-11-25: HTTP APIs. The routes that match fully come before the greedy ones, those before $default, as API Gateway documents
// it; among greedy ones the order is that of REST APIs, literal from the left and then the longest. ANY and $default stand for
// every method, but for those with a small letter, which match nothing: an upstream that takes "get" for GET would serve a
// guarded route to whom $default lets in.
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

// catchAll returns the greedy route for segments, or else $default.
func (t *tree[R]) catchAll(s segments, method string, fallback *R) *R {
	if r := t.root.greedyRoute(s, method); r != nil {
		return r
	}
	return fallback
}

// full returns the route without a greedy variable: of those that match path and method the one that is literal first.
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

// greedyRoute returns the route with a greedy variable: of those that match path and method the one that is literal first,
// and then the one whose variable takes least.
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

// httpMethod returns the resource's route for a method: its own, or ANY's.
func (n *node[R]) httpMethod(method string) *R {
	return cmp.Or(n.routesOf(method))
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
