package document

import "strconv"

// Position is a place in a document: line and column count from 1, columns in characters.
type Position struct{ Line, Column int }

type Kind uint8

const (
	Null Kind = iota
	Text
	Number
	Bool
	List
	Object
)

// Node is one value of a policy document, in either notation.
type Node struct {
	Kind    Kind
	Text    string // textNode; numberNode and boolNode as written
	plain   bool   // YAML without quotes: 2012-10-17 or 111122223333 may be meant as text
	List    []*Node
	Members []Member
	Start   Position
	End     Position // of the last character
}

// Member is one key of an object.
type Member struct {
	Name  string
	At    Position
	Value *Node
}

// Describe names the kind of value in a message.
func (n *Node) Describe() string {
	switch n.Kind {
	case Text:
		return "text"
	case Number:
		return "a number"
	case Bool:
		return "true or false"
	case List:
		return "a list"
	case Object:
		return "an object"
	case Null:
	}
	return "null"
}

// Elements is the node's elements: a single value may stand for a list of one.
func (n *Node) Elements() []*Node {
	if n.Kind == List {
		return n.List
	}
	return []*Node{n}
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
		return TooMuch("objects and lists nest deeper than %d levels", b.limits.Depth)
	case b.values > b.limits.Values:
		return TooMuch("the document has more than %d values", b.limits.Values)
	}
	return ""
}

// AsText is the node as text: a text, or a YAML scalar that stands without quotes.
func (n *Node) AsText() (string, bool) {
	if n.Kind == Text || n.plain && n.Kind != Null {
		return n.Text, true
	}
	return "", false
}

// Quote quotes text from a document for a message and keeps it short.
func Quote(text string) string {
	const longest = 120
	if runes := []rune(text); len(runes) > longest {
		return strconv.Quote(string(runes[:longest])) + "…"
	}
	return strconv.Quote(text)
}
