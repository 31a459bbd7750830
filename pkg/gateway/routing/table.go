package routing

import (
	"errors"
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// Table holds the routes of an API. Its zero value is a REST API's without a route. It is safe for concurrent use once it is built.
type Table[R any] struct {
	// HTTP makes it an HTTP API's. It is set before the first route is added.
	HTTP bool
	tree tree[R]
	// fallback is the route $default.
	fallback *R
	// folded is the tree in which Fold has put the routes as if case did not count.
	folded tree[R]
	// upper says that tree has a fixed path part with a letter from A to Z.
	upper bool
}

// Add adds a route. The error says what is wrong with its key, or that another route stands in its place.
func (t *Table[R]) Add(k Key, r *R) error {
	switch {
	case k.Method != Default:
		parts, err := k.parts()
		if err != nil {
			return err
		}
		return t.tree.add(parts, k, r)
	case k.Resource != "":
		return errors.New("the route $default has no resource: write $default alone")
	case t.fallback != nil:
		return errors.New("the route $default is written twice")
	}
	t.fallback = r
	return nil
}

// Find returns the route for a canonical path within a stage, nil if there is none.
func (t *Table[R]) Find(path, method string) *R {
	r, _ := t.FindBoth(path, method)
	return r
}

// FindBoth returns the route for a canonical path, and the route for the other way to read a slash at its end. They differ on HTTP APIs
// alone.
func (t *Table[R]) FindBoth(path, method string) (r, other *R) {
	return t.findIn(&t.tree, path, method)
}

// FindFolded is FindBoth as if case did not count. Fold has been called.
func (t *Table[R]) FindFolded(path, method string) (r, other *R) {
	return t.findIn(&t.folded, canon.FoldWide(path), method)
}

// CaseCounts reports whether Find and FindFolded could differ for a path that is ASCII.
func (t *Table[R]) CaseCounts(path string) bool { return t.upper || canon.HasUpper(path) }

func (t *Table[R]) findIn(tree *tree[R], path, method string) (r, other *R) {
	if t.HTTP {
		return tree.findHTTP(path, method, t.fallback)
	}
	r = tree.find(path, method)
	return r, r
}

// Fold makes the tree that looks paths up as if case did not count, of all routes and their keys. fault is called with the index of each
// route whose resource differs from another's in case alone: they cannot be told apart, nor by an upstream that ignores case.
func (t *Table[R]) Fold(keys []Key, routes []*R, fault func(i int, err error)) {
	t.folded.folds = true
	spelled := map[string]string{}
	for i, k := range keys {
		if k.hasUpper() {
			t.upper = true
		}
		parts, err := k.parts()
		if err != nil { // $default, or what Add has refused
			continue
		}
		folded := fold(parts)
		if other, taken := spelled[folded]; taken && other != k.Resource {
			fault(i, fmt.Errorf("strictPaths: %s differs from %s in case alone, and an upstream that ignores case takes one for the other: write it as %[2]s", k.Resource, other))
		}
		spelled[folded] = k.Resource
		_ = t.folded.add(parts, k, routes[i]) // Add has refused a route that is written twice
	}
}
