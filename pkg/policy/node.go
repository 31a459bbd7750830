package policy

// Position is a place in a document: line and column count from 1, columns in characters.
type Position struct{ Line, Column int }

type nodeKind uint8

const (
	nullNode nodeKind = iota
	textNode
	numberNode
	boolNode
	listNode
	objectNode
)

// node is one value of a policy document, whichever notation it came in.
type node struct {
	kind    nodeKind
	text    string // textNode; numberNode and boolNode as written
	plain   bool   // YAML without quotes: 2012-10-17 or 111122223333 may be meant as text
	list    []*node
	members []member
	start   Position
	end     Position // of the last character
}

// member is one key of an object.
type member struct {
	name  string
	at    Position
	value *node
}

// describe names the kind of value in a message.
func (n *node) describe() string {
	switch n.kind {
	case textNode:
		return "text"
	case numberNode:
		return "a number"
	case boolNode:
		return "true or false"
	case listNode:
		return "a list"
	case objectNode:
		return "an object"
	case nullNode:
	}
	return "null"
}

// elements is the node's elements: a single value may stand for a list of one.
func (n *node) elements() []*node {
	if n.kind == listNode {
		return n.list
	}
	return []*node{n}
}

// budget bounds a document while it is read.
type budget struct {
	limits Limits
	values int
}

// take counts one value at a depth and says which limit it exceeds.
func (b *budget) take(depth int) string {
	b.values++
	switch {
	case depth > b.limits.Depth:
		return tooMuch("objects and lists nest deeper than %d levels", b.limits.Depth)
	case b.values > b.limits.Values:
		return tooMuch("the document has more than %d values", b.limits.Values)
	}
	return ""
}
