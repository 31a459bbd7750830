package tree

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML returns a value as nodes of yaml/v3, with the positions that its parts have, and the file of each node. References and values
// that are not known become null: what takes the nodes refuses it.
func (n *Node) YAML() (*yaml.Node, map[*yaml.Node]string) {
	w := writer{files: map[*yaml.Node]string{}}
	return w.node(n), w.files
}

type writer struct{ files map[*yaml.Node]string }

func (w writer) make(kind yaml.Kind, tag, value string, at Position) *yaml.Node {
	made := &yaml.Node{Kind: kind, Tag: tag, Value: value, Line: at.Line, Column: at.Column}
	w.files[made] = at.File
	return made
}

func (w writer) node(n *Node) *yaml.Node {
	switch n.kind() {
	case Map:
		made := w.make(yaml.MappingNode, "!!map", "", n.At)
		for _, p := range n.Pairs {
			made.Content = append(made.Content, w.make(yaml.ScalarNode, "!!str", p.Key, p.At), w.node(p.Value))
		}
		return made
	case List:
		made := w.make(yaml.SequenceNode, "!!seq", "", n.At)
		for _, v := range n.Items {
			made.Content = append(made.Content, w.node(v))
		}
		return made
	default:
		return w.scalar(n)
	}
}

func (w writer) scalar(n *Node) *yaml.Node {
	text, ok := n.Scalar()
	switch {
	case !ok:
		return w.make(yaml.ScalarNode, "!!null", "", n.Position())
	case n.Kind == Bool:
		return w.make(yaml.ScalarNode, "!!bool", text, n.At)
	case n.Kind == Number && strings.ContainsAny(text, ".eE"):
		return w.make(yaml.ScalarNode, "!!float", text, n.At)
	case n.Kind == Number:
		return w.make(yaml.ScalarNode, "!!int", text, n.At)
	}
	made := w.make(yaml.ScalarNode, "!!str", text, n.At)
	made.Style = yaml.DoubleQuotedStyle
	return made
}
