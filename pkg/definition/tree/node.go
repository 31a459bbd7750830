package tree

import (
	"fmt"
	"iter"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Kind is the kind of a Node's value. The zero Kind is Null.
type Kind uint8

const (
	// Null is no value: null, or nothing after a key.
	Null Kind = iota
	// Text is a text, in Node.Text.
	Text
	// Number is a number, in Node.Text as it is written.
	Number
	// Bool is a truth value: Node.Text is "true" or "false".
	Bool
	// Map is keys with values, in Node.Pairs.
	Map
	// List is a list, in Node.Items.
	List
	// Reference names a resource of the same template, in Node.Resource, or an attribute of one, in Node.Attribute. Only CloudFormation
	// knows its value, unless it is given: then it is in Node.Text.
	Reference
	// Unresolved is a value that the definition does not decide. Node.Unknown says why, and how to give it.
	Unresolved
)

var kinds = [...]string{"nothing", "text", "a number", "true or false", "a map", "a list", "a reference to a resource", "a value that is not known"}

func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Position is where a value is written. Lines and columns count from 1, columns in characters.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Fault returns a fault at the position.
func (p Position) Fault(format string, args ...any) fault.Fault {
	return fault.Fault{File: p.File, Line: p.Line, Column: p.Column, Message: fmt.Sprintf(format, args...)}
}

// Remedy says how to give what a key of Unknown names.
func Remedy(key string) string {
	return "--value '" + key + "=…', or in values: of the definition"
}

// Unknown is why a value is not known.
type Unknown struct {
	// Key names the source of the value, as the field values of a definition names it: "Fn::ImportValue pool-arn", "Ref Stage",
	// "Fn::GetAtt Pool.Arn". It is empty for what cannot be given.
	Key string
	// Message says what is not known and what to do, in a sentence's form without a full stop.
	Message string
}

// Node is a value of a definition. Nodes are shared and must not be changed once they are made. The methods of a nil Node are those
// of Null: a value that is absent is asked like any other.
type Node struct {
	Kind Kind
	// Text is the value of a Text, Number or Bool.
	Text  string
	Pairs []Pair
	Items []*Node
	At    Position

	// Resource and Attribute are the resource and the attribute that a Reference names. Attribute is empty for the resource itself (Ref). Text is its value, if that is
	// known.
	Resource, Attribute string
	// Unknown is of an Unresolved value or a Reference.
	Unknown *Unknown

	// Intrinsic is the function that made the value, such as "Fn::Sub" or "Ref". It is empty for a value that is written out. Some
	// rules of SAM depend on it, though the value is known.
	Intrinsic string
	// Defaults are the parameters whose defaults decided the value.
	Defaults []string
}

// Pair is a key of a Map with its value.
type Pair struct {
	Key   string
	At    Position
	Value *Node
}

// NewText returns a text that stands at a position.
func NewText(text string, at Position) *Node { return &Node{Kind: Text, Text: text, At: at} }

// NewBool returns a truth value that stands at a position.
func NewBool(b bool, at Position) *Node { return &Node{Kind: Bool, Text: fmt.Sprint(b), At: at} }

// NewList returns a list that stands at a position.
func NewList(at Position, items ...*Node) *Node { return &Node{Kind: List, Items: items, At: at} }

// NewMap returns a map without keys that stands at a position.
func NewMap(at Position) *Node { return &Node{Kind: Map, At: at} }

// Set gives a key of a map that is being made its value, in place of the one that it has. A nil value is left out.
func (n *Node) Set(key string, value *Node) *Node {
	if value == nil {
		return n
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			n.Pairs[i] = Pair{key, value.At, value}
			return n
		}
	}
	n.Pairs = append(n.Pairs, Pair{key, value.At, value})
	return n
}

// Is reports whether the value is of a kind.
func (n *Node) Is(k Kind) bool { return n.kind() == k }

func (n *Node) kind() Kind {
	if n == nil {
		return Null
	}
	return n.Kind
}

// Reason returns why an Unresolved value, or a Reference without a text, is not known. It returns nil for any other value, and does not
// look at what is in it.
func (n *Node) Reason() *Unknown {
	switch {
	case n.Is(Unresolved):
		return n.Unknown
	case !n.Is(Reference) || n.Text != "":
		return nil
	case n.Unknown != nil:
		return n.Unknown
	case n.Attribute == "":
		key := "Ref " + n.Resource
		return &Unknown{Key: key, Message: "only CloudFormation knows the id of " + n.Resource + ": give it by " + Remedy(key)}
	}
	key := "Fn::GetAtt " + n.Resource + "." + n.Attribute
	return &Unknown{Key: key, Message: "only CloudFormation knows " + n.Attribute + " of " + n.Resource + ": give it by " + Remedy(key)}
}

// Known reports whether nothing in the value is Unresolved or a Reference.
func (n *Node) Known() bool { return n.FirstUnknown() == nil }

// FirstUnknown returns the first Unresolved value or Reference in the value, nil if all of it is known.
func (n *Node) FirstUnknown() *Node {
	for v := range n.All() {
		if v.Reason() != nil {
			return v
		}
	}
	return nil
}

// All yields the value and all that is in it, in the order in which it is written. Parse bounds how many these can be.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.walk(yield) }
}

func (n *Node) walk(yield func(*Node) bool) bool {
	if n == nil {
		return true
	}
	if !yield(n) {
		return false
	}
	for _, p := range n.Pairs {
		if !p.Value.walk(yield) {
			return false
		}
	}
	for _, v := range n.Items {
		if !v.walk(yield) {
			return false
		}
	}
	return true
}

// Get returns the value of a key of a Map, nil if there is none. A key's case counts.
func (n *Node) Get(key string) *Node {
	if p := n.Pair(key); p != nil {
		return p.Value
	}
	return nil
}

// Pair returns a key of a Map with its value, nil if there is none.
func (n *Node) Pair(key string) *Pair {
	if n == nil {
		return nil
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return &n.Pairs[i]
		}
	}
	return nil
}

// Way returns the value that keys of Maps lead to, nil if there is none.
func (n *Node) Way(keys ...string) *Node {
	for _, key := range keys {
		n = n.Get(key)
	}
	return n
}

// Has reports whether a Map has a key, with any value.
func (n *Node) Has(key string) bool { return n.Pair(key) != nil }

// Scalar returns the text of a Text, Number or Bool, or the one that a Reference is given, as CloudFormation and API Gateway take either where a text is asked for.
func (n *Node) Scalar() (string, bool) {
	switch n.kind() {
	case Text, Number, Bool:
		return n.Text, true
	case Reference:
		return n.Text, n.Text != ""
	default:
		return "", false
	}
}

// Truth returns the value of a Bool, or of a text that stands for one, as CloudFormation reads it.
func (n *Node) Truth() (value, ok bool) {
	text, ok := n.Scalar()
	switch {
	case ok && strings.EqualFold(text, "true"):
		return true, true
	case ok && strings.EqualFold(text, "false"):
		return false, true
	default:
		return false, false
	}
}

// Position returns where the value stands; the zero Position for a nil Node.
func (n *Node) Position() Position {
	if n == nil {
		return Position{}
	}
	return n.At
}
