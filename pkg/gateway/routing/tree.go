package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// node is one resource of an API's resource tree.
type node[R any] struct {
	// literals are the children with a fixed path part, sorted by it.
	literals []*node[R]
	// variable is the child with a {parameter}, greedy the one with a {parameter+}; nil where there is none.
	variable, greedy *node[R]
	// part is the path part as the configuration writes it.
	part string
	// methods are the methods of the resource.
	methods []method[R]
}

// method is a method of a resource, and the route that it leads to.
type method[R any] struct {
	name  string
	route *R
}

// tree finds the route of a path and a method ("Route matching" in the reference: resource and method together).
type tree[R any] struct {
	root node[R]
	// depth is the number of segments of the deepest resource; no more of a path's segments are ever looked at.
	depth int
	// folds says that the fixed path parts are in lower case, and that paths are looked up so.
	folds bool
}

// segments are the first segments of a path, no more than the tree is deep.
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
func (t *tree[R]) find(path, method string) *R {
	var buffer [stackSegments]string
	return t.root.find(t.split(canon.TrimTrailing(path), buffer[:0]), method)
}

// split returns the first segments of a path that does not end in a slash.
func (t *tree[R]) split(rest string, buffer []string) segments {
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
//
// 2026-11-23: the resource tree is searched depth-first, literal before {name} before {name+}, going back where the verb is
// missing. Each node is visited at most once and no more segments are cut off than the tree is deep, so that the time is
// bounded by the configuration.
func (n *node[R]) find(s segments, method string) *R {
	if len(s.parts) == 0 {
		if s.more {
			return nil
		}
		return n.routeOf(method)
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
		return n.greedy.routeOf(method)
	}
	return nil
}

// next are the segments without the first one.
func (s segments) next() segments {
	s.parts = s.parts[1:]
	return s
}

// literal returns the child with a fixed path part that is the first segment.
func (n *node[R]) literal(s segments) *node[R] {
	compare := byPart[R]
	if s.fold {
		compare = byPartInAnyCase[R]
	}
	i, ok := slices.BinarySearchFunc(n.literals, s.parts[0], compare)
	if !ok {
		return nil
	}
	return n.literals[i]
}

func byPart[R any](n *node[R], part string) int { return cmp.Compare(n.part, part) }

// byPartInAnyCase compares a fixed path part in lower case with a segment, whose letters from A to Z are read so.
func byPartInAnyCase[R any](n *node[R], part string) int {
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

// routeOf returns the resource's route for a method: its own, or ANY's.
func (n *node[R]) routeOf(method string) *R {
	own, wildcard := n.routesOf(method)
	if own == nil && slices.Contains(Methods[:], method) {
		return wildcard
	}
	return own
}

// routesOf returns the resource's own route for a method, and ANY's.
func (n *node[R]) routesOf(method string) (own, wildcard *R) {
	for i := range n.methods {
		switch m := &n.methods[i]; m.name {
		case Any:
			wildcard = m.route
		case method:
			own = m.route
		}
	}
	return own, wildcard
}

// add puts a route into the resource tree.
func (t *tree[R]) add(parts []string, k Key, r *R) error {
	n := &t.root
	for _, part := range parts {
		child, err := n.child(part)
		if err != nil {
			return err
		}
		n = child
	}
	t.depth = max(t.depth, len(parts))
	if slices.ContainsFunc(n.methods, func(m method[R]) bool { return m.name == k.Method }) {
		return fmt.Errorf("the route %s is written twice", k)
	}
	n.methods = append(n.methods, method[R]{k.Method, r})
	return nil
}

// child returns the child of a path part, and makes it if need be. A resource has one child of each kind of variable: with
// two, API Gateway could not tell which one a request means.
//
// 2026-11-23: a resource may have a {name} and a {name+} child, but no two variables of one kind. A part of a resource path
// may hold letters, digits and ._:,~@$-, a little more than API Gateway lets in.
func (n *node[R]) child(part string) (*node[R], error) {
	parameter := parameterShape.FindStringSubmatch(part)
	if parameter == nil {
		i, ok := slices.BinarySearchFunc(n.literals, part, byPart[R])
		if !ok {
			n.literals = slices.Insert(n.literals, i, &node[R]{part: part})
		}
		return n.literals[i], nil
	}
	place := &n.variable
	if parameter[2] != "" {
		place = &n.greedy
	}
	if *place == nil {
		*place = &node[R]{part: part}
	}
	if (*place).part != part {
		return nil, fmt.Errorf("%s stands beside %s: a resource can have one such child, write the same name", part, (*place).part)
	}
	return *place, nil
}
