package bulkhead

import (
	"cmp"
	"hash/maphash"
	"sync"
)

// ID identifies a group among its siblings.
type ID uint64

var seed = maphash.MakeSeed()

// NewID returns the ID of the group with these names, which are not kept.
func NewID(texts ...string) ID {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, t := range texts {
		maphash.WriteComparable(&h, len(t))
		_, _ = h.WriteString(t) // it never fails
	}
	return ID(h.Sum64())
}

// Shares configures a Tree.
type Shares struct {
	// Name is the label of the tree's metrics.
	Name string
	// Levels are the kinds of groups on each level, from the widest to the narrowest, at most three. A path has at most
	// as many groups.
	Levels []string
	// Limit is the number of places.
	Limit int64
	// Multiple is the multiple of the free places that a group may hold; zero means 1. LastMultiple is that of the last
	// level; zero means Multiple.
	Multiple, LastMultiple int64
}

// Tree is a limited number of places and their holders. It is safe for concurrent use. A nil Tree refuses everything.
type Tree struct {
	name   string
	levels []string
	// multiple and lastMultiple are those of Shares.
	multiple, lastMultiple int64

	mu    sync.Mutex
	limit int64
	root  group
	// expected is how many groups the first level may have; zero if unknown. Each is guaranteed some places. over is
	// how many places the groups hold beyond these, together.
	expected, guaranteed, over int64
	// refused counts refusals by the level that had no place: the whole tree, then the levels.
	refused [1 + maxLevels]uint64
}

const maxLevels = 3

// group is the number of places held below one ID.
type group struct {
	id     ID
	parent *group
	held   int64
	groups map[ID]*group
}

// New returns a Tree with all places free.
func New(s Shares) *Tree {
	multiple := max(s.Multiple, 1)
	return &Tree{
		name: s.Name, levels: s.Levels, limit: max(s.Limit, 1),
		multiple: multiple, lastMultiple: cmp.Or(s.LastMultiple, multiple),
	}
}

// Resize changes the number of places. Holders keep theirs.
func (t *Tree) Resize(limit int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit = max(limit, 1); limit != t.limit {
		t.limit = limit
		t.settle()
	}
}

// Expect sets how many groups the first level may have; zero for unknown. Half of the places are then divided among the
// groups and reserved for them, if there is at least one for each. A single group gets all places.
func (t *Tree) Expect(groups int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected = int64(groups)
	t.settle()
}

// settle recomputes the guaranteed places and who holds more.
func (t *Tree) settle() {
	t.guaranteed, t.over = 0, 0
	switch {
	case t.expected == 1:
		t.guaranteed = t.limit
	case t.expected > 1:
		t.guaranteed = t.limit / 2 / t.expected
	}
	for _, g := range t.root.groups {
		t.over += t.beyond(g)
	}
}

// beyond returns how many places a group of the first level holds beyond its guaranteed ones.
func (t *Tree) beyond(g *group) int64 { return max(g.held-t.guaranteed, 0) }

// Place is one or more held places. Its zero value holds nothing.
type Place struct {
	tree *Tree
	leaf *group
	size int64
}

// Enter takes size places along a path, all or none; size is at least one. If it returns true, the caller must call
// Leave.
func (t *Tree) Enter(size int64, path ...ID) (p Place, ok bool) {
	if t == nil || size < 1 {
		return Place{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if level, full := t.full(size, path); full {
		t.refused[min(level, maxLevels)]++
		return Place{}, false
	}
	leaf := &t.root
	for _, id := range path {
		leaf = leaf.child(id)
	}
	t.add(leaf, size)
	return Place{t, leaf, size}, true
}

// Leave gives the places back. Call it once.
func (p Place) Leave() {
	if p.tree == nil {
		return
	}
	p.tree.mu.Lock()
	defer p.tree.mu.Unlock()
	p.tree.add(p.leaf, -p.size)
}

// nobody represents groups that hold nothing. It does not change.
var nobody group

// full reports whether some level of a path has no place left, and which.
func (t *Tree) full(size int64, path []ID) (level int, full bool) {
	parent, room := &t.root, t.limit-t.root.held
	if size > room {
		return 0, true
	}
	for i, id := range path {
		g := parent.groups[id]
		if g == nil {
			g = &nobody
		}
		if room = min(room, t.room(g, room, i)); size > room {
			return i + 1, true
		}
		parent = g
	}
	return 0, false
}

// room returns how many more places a group may take, given how many its parent may take.
func (t *Tree) room(g *group, ofParent int64, level int) int64 {
	if level > 0 || t.guaranteed == 0 {
		multiple := t.multiple
		if level == len(t.levels)-1 {
			multiple = t.lastMultiple
		}
		return multiple*ofParent - g.held
	}
	free := t.limit - t.guaranteed*t.expected - t.over
	return max(t.guaranteed-g.held, 0) + max(min(t.multiple*free-t.beyond(g), free), 0)
}

func (g *group) child(id ID) *group {
	found := g.groups[id]
	if found == nil {
		if g.groups == nil {
			g.groups = map[ID]*group{}
		}
		found = &group{id: id, parent: g}
		g.groups[id] = found
	}
	return found
}

// add changes the held places from a group up to the root, and forgets empty groups.
func (t *Tree) add(g *group, size int64) {
	for ; g != nil; g = g.parent {
		before := t.beyond(g)
		g.held += size
		if g.parent == &t.root {
			t.over += t.beyond(g) - before
		}
		if g.held == 0 && g.parent != nil {
			delete(g.parent.groups, g.id)
		}
	}
}
