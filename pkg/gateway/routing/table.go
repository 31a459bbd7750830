package routing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// Table holds the routes of an API. Its zero value is for a REST API, and empty. It is safe for concurrent use once all routes are added.
type Table[R any] struct {
	// HTTP makes the table one of an HTTP API. It must be set before the first route is added.
	HTTP bool
	tree tree[R]
	// fallback is the route $default.
	fallback *R
	// folded is the tree for look-ups without regard to case, which Fold fills.
	folded tree[R]
	// upper reports whether tree has a fixed path part with a letter from A to Z.
	upper bool
}

// Add adds a route. It returns an error if the key is not valid, or the table has a route with the same key.
func (t *Table[R]) Add(k Key, r *R) error {
	switch {
	case k.Method != Default:
		parts, err := k.parts()
		if err != nil {
			return err
		}
		return t.tree.add(parts, k, r)
	case k.Resource != "":
		return errors.New("the route $default cannot have a resource; write $default alone")
	case t.fallback != nil:
		return errors.New("the route $default is given twice; remove one")
	}
	t.fallback = r
	return nil
}

// Find returns the route for a canonical path within a stage, nil if there is none.
func (t *Table[R]) Find(path, method string) *R {
	r, _ := t.FindBoth(path, method)
	return r
}

// FindBoth returns the route for a canonical path, and the route for the other way to read a slash at its end. They can differ only on
// HTTP APIs.
func (t *Table[R]) FindBoth(path, method string) (r, other *R) {
	return t.findIn(&t.tree, path, method)
}

// FindFolded is FindBoth without regard to case. Fold must have been called.
func (t *Table[R]) FindFolded(path, method string) (r, other *R) {
	return t.findIn(&t.folded, canon.FoldWide(path), method)
}

// CaseCounts reports whether Find and FindFolded can differ for an ASCII path.
func (t *Table[R]) CaseCounts(path string) bool { return t.upper || canon.HasUpper(path) }

func (t *Table[R]) findIn(tree *tree[R], path, method string) (r, other *R) {
	if t.HTTP {
		return tree.findHTTP(path, method, t.fallback)
	}
	r = tree.find(path, method)
	return r, r
}

// Fold fills the tree for FindFolded with all routes and their keys. It calls fault with the index of each route whose resource differs
// from another's only in case, because such resources are the same to an upstream that ignores case.
func (t *Table[R]) Fold(keys []Key, routes []*R, fault func(i int, err error)) {
	t.folded.folds = true
	spelled := map[string]string{}
	for i, k := range keys {
		if k.hasUpper() {
			t.upper = true
		}
		parts, err := k.parts()
		if err != nil { // $default, or a key that Add has refused
			continue
		}
		folded := fold(parts)
		if other, taken := spelled[folded]; taken && other != k.Resource {
			fault(i, fmt.Errorf("strictPaths: %s differs from %s only in case, and an upstream that ignores case cannot tell them apart; write it as %[2]s", k.Resource, other))
		}
		spelled[folded] = k.Resource
		_ = t.folded.add(parts, k, routes[i]) // Add has refused a route that is given twice
	}
}

// Candidates returns the routes whose resource matches a canonical path, whatever their method, the most specific resource first.
func (t *Table[R]) Candidates(path string) (found []*R) {
	t.tree.root.collect(t.tree.split(canon.TrimTrailing(path), nil), (*node[R]).sameLiteral, &found)
	if t.fallback != nil {
		found = append(found, t.fallback)
	}
	return found
}

// CandidatesInAnyCase returns the routes with a resource that matches a canonical path in some case.
func (t *Table[R]) CandidatesInAnyCase(path string) (found []*R) {
	t.tree.root.collect(t.tree.split(canon.TrimTrailing(path), nil), (*node[R]).similarLiterals, &found)
	return found
}

func (n *node[R]) sameLiteral(s segments) []*node[R] {
	if child := n.literal(s); child != nil {
		return []*node[R]{child}
	}
	return nil
}

func (n *node[R]) similarLiterals(s segments) (found []*node[R]) {
	for _, child := range n.literals {
		if strings.EqualFold(child.part, s.parts[0]) {
			found = append(found, child)
		}
	}
	return found
}

func (n *node[R]) collect(s segments, literals func(*node[R], segments) []*node[R], found *[]*R) {
	if len(s.parts) == 0 {
		if !s.more {
			n.collectMethods(found)
		}
		return
	}
	next := s.next()
	for _, child := range literals(n, s) {
		child.collect(next, literals, found)
	}
	if n.variable != nil && s.parts[0] != "" {
		n.variable.collect(next, literals, found)
	}
	if n.greedy != nil {
		n.greedy.collectMethods(found)
	}
}

func (n *node[R]) collectMethods(found *[]*R) {
	for i := range n.methods {
		*found = append(*found, n.methods[i].route)
	}
}
