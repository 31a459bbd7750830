// Package value has the rules by which AWS's SAM translator, a Python program, treats the values of a template: what is true, what is
// equal, what is an intrinsic function. It also makes the values that the translator generates.
//
// The values are tree.Nodes of a working copy, made by Copy, which alone may be changed.
package value

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Copy returns a deep copy that may be changed. Values that share a Node in the original do not in the copy.
func Copy(n *tree.Node) *tree.Node {
	if n == nil {
		return nil
	}
	made := *n
	made.Pairs = make([]tree.Pair, len(n.Pairs))
	for i, p := range n.Pairs {
		made.Pairs[i] = tree.Pair{Key: p.Key, At: p.At, Value: Copy(p.Value)}
	}
	made.Items = make([]*tree.Node, len(n.Items))
	for i, item := range n.Items {
		made.Items[i] = Copy(item)
	}
	return &made
}

// None reports whether a value is absent or null.
func None(n *tree.Node) bool { return n.Is(tree.Null) }

// Truthy reports whether a value is true in a condition of Python: every map, list and text that is not empty, every number but 0.
func Truthy(n *tree.Node) bool {
	if n == nil {
		return false
	}
	switch n.Kind {
	case tree.Map:
		return len(n.Pairs) > 0
	case tree.List:
		return len(n.Items) > 0
	case tree.Text:
		return n.Text != ""
	case tree.Bool:
		return n.Text == "true"
	case tree.Number:
		f, err := strconv.ParseFloat(n.Text, 64)
		return err != nil || f != 0
	default:
		return n.Kind != tree.Null
	}
}

// True reports whether a value is the truth value true, and not just a text that says so.
func True(n *tree.Node) bool { return n.Is(tree.Bool) && n.Text == "true" }

// Text returns the text of a Text, and whether it is one.
func Text(n *tree.Node) (string, bool) {
	if n.Is(tree.Text) {
		return n.Text, true
	}
	return "", false
}

// Says reports whether a value is a certain text.
func Says(n *tree.Node, text string) bool { return n.Is(tree.Text) && n.Text == text }

// Equal reports whether two values are equal, wherever they stand. The order of a map's keys does not count.
func Equal(a, b *tree.Node) bool {
	switch {
	case None(a) || None(b):
		return None(a) && None(b)
	case a.Kind != b.Kind || len(a.Pairs) != len(b.Pairs):
		return false
	case a.Kind == tree.Map:
		return !slices.ContainsFunc(a.Pairs, func(p tree.Pair) bool { return !b.Has(p.Key) || !Equal(p.Value, b.Get(p.Key)) })
	case a.Kind == tree.List:
		return slices.EqualFunc(a.Items, b.Items, Equal)
	default:
		return a.Text == b.Text && a.Resource == b.Resource && a.Attribute == b.Attribute
	}
}

// Contains reports whether one of the values is equal to a value.
func Contains(list []*tree.Node, n *tree.Node) bool {
	return slices.ContainsFunc(list, func(m *tree.Node) bool { return Equal(m, n) })
}

// Put gives a key of a map a value. A key that is new stands at the position at, and comes last.
func Put(n *tree.Node, key string, at tree.Position, v *tree.Node) {
	if p := n.Pair(key); p != nil {
		p.Value = v
		return
	}
	n.Pairs = append(n.Pairs, tree.Pair{Key: key, At: at, Value: v})
}

// Delete removes a key of a map.
func Delete(n *tree.Node, key string) {
	n.Pairs = slices.DeleteFunc(n.Pairs, func(p tree.Pair) bool { return p.Key == key })
}

// Pairs returns the keys of a map with their values; nil for nil.
func Pairs(n *tree.Node) []tree.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

// Items returns the items of a list; nil for nil.
func Items(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// Names returns the keys of a map.
func Names(n *tree.Node) []string {
	names := make([]string, 0, len(Pairs(n)))
	for _, p := range Pairs(n) {
		names = append(names, p.Key)
	}
	return names
}

// Each returns what a loop of Python goes through: the items of a list, the keys of a map, the characters of a text.
func Each(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case tree.List:
		return n.Items
	case tree.Map:
		return texts(Names(n), n.At)
	case tree.Text:
		return texts(strings.Split(n.Text, ""), n.At)
	default:
		return nil
	}
}

func texts(all []string, at tree.Position) []*tree.Node {
	made := make([]*tree.Node, len(all))
	for i, text := range all {
		made[i] = tree.NewText(text, at)
	}
	return made
}

// JSON returns a value as Python's json.dumps writes it with sorted keys and without spaces. Logical ids are hashes of it.
func JSON(n *tree.Node) string {
	if n == nil {
		return "null"
	}
	switch n.Kind {
	case tree.Map:
		pairs := slices.Clone(n.Pairs)
		slices.SortFunc(pairs, func(a, b tree.Pair) int { return strings.Compare(a.Key, b.Key) })
		all := make([]string, len(pairs))
		for i, p := range pairs {
			all[i] = quoted(p.Key) + ":" + JSON(p.Value)
		}
		return "{" + strings.Join(all, ",") + "}"
	case tree.List:
		all := make([]string, len(n.Items))
		for i, item := range n.Items {
			all[i] = JSON(item)
		}
		return "[" + strings.Join(all, ",") + "]"
	case tree.Text:
		return quoted(n.Text)
	case tree.Number, tree.Bool:
		return n.Text
	default:
		return "null"
	}
}

// short are the escapes of JSON that have a letter.
var short = map[rune]string{'\n': `\n`, '\t': `\t`, '\r': `\r`, '\b': `\b`, '\f': `\f`}

// quoted returns a text in JSON's quotes, with what is not ASCII as \u escapes.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case short[r] != "":
			b.WriteString(short[r])
		case r > 0xFFFF:
			high, low := 0xD800+((r-0x10000)>>10), 0xDC00+((r-0x10000)&0x3FF)
			b.WriteString(escaped(high) + escaped(low))
		case r < ' ' || r > '~':
			b.WriteString(escaped(r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func escaped(r rune) string {
	hex := strconv.FormatInt(int64(r), 16)
	return `\u` + strings.Repeat("0", 4-len(hex)) + hex
}

// String returns the text of a Text, the empty one for another value.
func String(n *tree.Node) string {
	text, _ := Text(n)
	return text
}

// At returns the position of the first value that is there.
func At(nodes ...*tree.Node) tree.Position {
	for _, n := range nodes {
		if n != nil {
			return n.At
		}
	}
	return tree.Position{}
}
