package gateway

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// node is one resource of an API's resource tree.
type node struct {
	// literals are the children with a fixed path part, sorted by it.
	literals []*node
	// variable is the child with a {parameter}, greedy the one with a {parameter+}; nil where there is none.
	variable, greedy *node
	// part is the path part as the configuration writes it.
	part string
	// routes are the methods of the resource.
	routes []*route
}

// router finds the route of a path and a method ("Route matching" in the reference: resource and method together).
type router struct {
	root node
	// depth is the number of segments of the deepest resource; no more of a path's segments are ever looked at.
	depth int
	// folds says that the fixed path parts are in lower case, and that paths are looked up so.
	folds bool
}

// anyMethods are the methods that ANY stands for on a REST API.
var anyMethods = [...]string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// segments are the first segments of a path, no more than the router is deep.
type segments struct {
	parts []string
	// more says that the path goes on behind them.
	more bool
	// fold says that case does not count.
	fold bool
}

// stackSegments is how many segments a path may have before looking it up costs an allocation.
const stackSegments = 16

// find returns the route for a canonical path, nil if there is none. Trailing slashes do not count. The time is bounded by
// the resource tree: each node is visited at most once, whatever the path.
func (t *router) find(path, method string) *route {
	var buffer [stackSegments]string
	return t.root.find(t.split(trimTrailing(path), buffer[:0]), method)
}

// split returns the first segments of a path that does not end in a slash.
func (t *router) split(rest string, buffer []string) segments {
	s := segments{parts: buffer, fold: t.folds}
	for rest != "" && len(s.parts) < t.depth {
		end := strings.IndexByte(rest[1:], '/') + 1
		if end == 0 {
			end = len(rest)
		}
		s.parts = append(s.parts, rest[1:end])
		rest = rest[end:]
	}
	s.more = rest != ""
	return s
}

// find looks among the children in API Gateway's order: literal, {parameter}, {parameter+}. A resource without the method
// does not hold the path: the search goes on.
func (n *node) find(s segments, method string) *route {
	if len(s.parts) == 0 {
		if s.more {
			return nil
		}
		return n.method(method)
	}
	next := s.next()
	if child := n.literal(s); child != nil {
		if r := child.find(next, method); r != nil {
			return r
		}
	}
	if n.variable != nil && s.parts[0] != "" {
		if r := n.variable.find(next, method); r != nil {
			return r
		}
	}
	if n.greedy != nil {
		return n.greedy.method(method)
	}
	return nil
}

// next are the segments without the first one.
func (s segments) next() segments {
	s.parts = s.parts[1:]
	return s
}

// literal returns the child with a fixed path part that is the first segment.
func (n *node) literal(s segments) *node {
	compare := byPart
	if s.fold {
		compare = byPartInAnyCase
	}
	i, ok := slices.BinarySearchFunc(n.literals, s.parts[0], compare)
	if !ok {
		return nil
	}
	return n.literals[i]
}

func byPart(n *node, part string) int { return cmp.Compare(n.part, part) }

// byPartInAnyCase compares a fixed path part in lower case with a segment, whose letters from A to Z are read so.
func byPartInAnyCase(n *node, part string) int {
	for i := range min(len(n.part), len(part)) {
		c := part[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if n.part[i] != c {
			return cmp.Compare(n.part[i], c)
		}
	}
	return cmp.Compare(len(n.part), len(part))
}

// method returns the resource's route for a method: its own, or ANY's.
func (n *node) method(method string) *route {
	own, wildcard := n.methods(method)
	if own == nil && slices.Contains(anyMethods[:], method) {
		return wildcard
	}
	return own
}

// methods returns the resource's own route for a method, and ANY's.
func (n *node) methods(method string) (own, wildcard *route) {
	for _, r := range n.routes {
		switch r.method {
		case anyMethod:
			wildcard = r
		case method:
			own = r
		}
	}
	return own, wildcard
}

// parameters returns the values of a route's path parameters in a canonical path that the route was found for.
func (r *route) parameters(path string) []authz.Field {
	var values []authz.Field
	for part := range strings.SplitSeq(r.resource, "/") {
		m := parameterShape.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if value, ok := r.parameter(m[1], path); ok {
			values = append(values, authz.Field{Name: m[1], Value: value})
		}
	}
	return values
}

// parameter returns the value of a route's path parameter in a canonical path that the route was found for.
func (r *route) parameter(name, path string) (string, bool) {
	rest := trimTrailing(path)
	for part := range strings.SplitSeq(strings.TrimPrefix(r.resource, "/"), "/") {
		if part == "{"+name+"+}" {
			return strings.TrimPrefix(rest, "/"), true
		}
		end := strings.IndexByte(rest[min(1, len(rest)):], '/') + 1
		if end == 0 {
			end = len(rest)
		}
		if part == "{"+name+"}" {
			return rest[1:end], true
		}
		rest = rest[end:]
	}
	return "", false
}
