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
	// variable is the child with a {parameter}, greedy the one with a {parameter+}; nil if there is none.
	variable, greedy *node[R]
	// part is the path part as in the configuration.
	part string
	// methods holds the methods of the resource.
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
	// depth is the number of segments of the deepest resource. A look-up reads no more segments of a path.
	depth int
	// folds reports whether the fixed path parts are in lower case, and look-ups ignore case.
	folds bool
}

// segments holds the first segments of a path, up to the depth of the tree.
type segments struct {
	parts []string
	// more reports whether the path has further segments.
	more bool
	// fold reports whether case is ignored.
	fold bool
}

// stackSegments is how many segments a path can have before its look-up allocates memory.
const stackSegments = 16

// find returns the route for a canonical path, nil if there is none. Trailing slashes do not count. Each node of the tree is visited at
// most once, which bounds the time, whatever the path.
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

// find searches the children in API Gateway's order: literal, {parameter}, {parameter+}. A resource without the method does not match,
// and the search goes on.
//
// 2026-11-23: the resource tree is searched depth-first, literal before {name} before {name+}, and goes back if the method is
// missing. Each node is visited at most once, and no more segments are read than the tree is deep, so the configuration bounds the time.
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

// next returns the segments without the first one.
func (s segments) next() segments {
	s.parts = s.parts[1:]
	return s
}

// literal returns the child whose fixed path part equals the first segment, nil if there is none.
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

// byPartInAnyCase compares a fixed path part in lower case with a segment, whose letters from A to Z count as lower case.
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

// routeOf returns the resource's route for a method: the method's own, or that of ANY.
func (n *node[R]) routeOf(method string) *R {
	own, wildcard := n.routesOf(method)
	if own == nil && slices.Contains(Methods[:], method) {
		return wildcard
	}
	return own
}

// routesOf returns the resource's route for exactly a method, and its route for ANY.
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

// add adds a route to the resource tree.
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
		return fmt.Errorf("the route %s is given twice; remove one", k)
	}
	n.methods = append(n.methods, method[R]{k.Method, r})
	return nil
}

// child returns the child for a path part, and adds it if it is missing. A resource has one child of each kind of variable.
//
// 2026-11-23: a resource may have a {name} and a {name+} child, but not two variables of one kind, because a request could not be
// assigned to one of them.
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
		return nil, fmt.Errorf("%s and %s are children of one resource, which can have one such variable; write the same name", part, (*place).part)
	}
	return *place, nil
}
