package bulkhead

import (
	"cmp"
	"hash/maphash"
	"sync"
)

// ID names a group among its siblings.
type ID uint64

var seed = maphash.MakeSeed()

// NewID makes the ID of a group that some texts name. Nothing of them is kept.
func NewID(texts ...string) ID {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, t := range texts {
		maphash.WriteComparable(&h, len(t))
		_, _ = h.WriteString(t) // never fails, says its documentation
	}
	return ID(h.Sum64())
}

// Shares say what a Tree divides, and how.
type Shares struct {
	// Name is the label of the tree's samples.
	Name string
	// Levels name what the groups on each level are, from the widest to the narrowest. A path has at most as many, up to three.
	Levels []string
	// Limit is how many places there are.
	Limit int64
	// Multiple is how many times what is free a group may hold; zero stands for 1. LastMultiple is that of the last level; zero stands
	// for Multiple.
	Multiple, LastMultiple int64
}

// Tree is a bounded number of places and who holds them. It is safe for concurrent use. A nil Tree refuses everybody.
type Tree struct {
	name   string
	levels []string
	// multiple and lastMultiple are those of Shares.
	multiple, lastMultiple int64

	mu    sync.Mutex
	limit int64
	root  group
	// expected is how many groups the first level may have; zero if nobody knows. Each is guaranteed so many places, and over is how many
	// the groups hold beyond that, together.
	expected, guaranteed, over int64
	// refused counts by the level that had no place: the whole tree, and then the levels.
	refused [1 + maxLevels]uint64
}

const maxLevels = 3

// group is how many places are held below one ID.
type group struct {
	id     ID
	parent *group
	held   int64
	groups map[ID]*group
}

// New makes a Tree of which nobody holds a place.
func New(s Shares) *Tree {
	multiple := max(s.Multiple, 1)
	return &Tree{
		name: s.Name, levels: s.Levels, limit: max(s.Limit, 1),
		multiple: multiple, lastMultiple: cmp.Or(s.LastMultiple, multiple),
	}
}

// Resize changes how many places there are. Who holds one keeps it.
func (t *Tree) Resize(limit int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit = max(limit, 1); limit != t.limit {
		t.limit = limit
		t.settle()
	}
}

// Expect says how many groups the first level may have; zero for any number. Half of the places are divided among them then, as long as
// there is one for each, and nobody else gets these. A single group gets all places.
func (t *Tree) Expect(groups int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected = int64(groups)
	t.settle()
}

// settle finds out again what is guaranteed, and who holds more.
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

// beyond is how many places a group of the first level holds beyond those that it is guaranteed.
func (t *Tree) beyond(g *group) int64 { return max(g.held-t.guaranteed, 0) }

// Place is one or more places that are held. Its zero value holds nothing.
type Place struct {
	tree *Tree
	leaf *group
	size int64
}

// Enter takes places along a path: size of them, at least one, or none. After true the caller leaves again.
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

// Leave gives the places back. It is called once.
func (p Place) Leave() {
	if p.tree == nil {
		return
	}
	p.tree.mu.Lock()
	defer p.tree.mu.Unlock()
	p.tree.add(p.leaf, -p.size)
}

// nobody stands for groups that hold nothing. It does not change.
var nobody group

// full says whether some level of a path has no room, and which.
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

// room is how many more places a group may take, where its parent may take so many.
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

// add changes what is held from a group up to the root, and forgets the groups that hold nothing.
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
