package config

import (
	"fmt"
	"io"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// Convert writes the portcullis.yaml that a configuration amounts to once its definitions are read: it decides as the configuration
// does, and names no definition. Comments say where in a definition each route, authorizer and policy stands. What the error says is
// what Load says.
func Convert(in Input, w io.Writer) error {
	s, err := LoadInput(in, pool.Dry())
	if s != nil {
		s.Close()
	}
	if err != nil {
		return err
	}
	l := settled(func() *loading { return read(in, pool.Dry()) })
	if l == nil || l.doc == nil {
		return fmt.Errorf("%s changed while it was read", in.Path)
	}
	root := l.doc.Node(l.doc.Root())
	for at := range l.doc.Items(l.doc.Root().Field("apis")) {
		remove(l.doc.Node(at), "definition")
	}
	comment(l.doc, root, filepath.Base(in.Path))
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return err
	}
	return encoder.Close()
}

// remove takes a key out of a mapping.
func remove(mapping *yaml.Node, key string) {
	for i := 0; mapping != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i:i], mapping.Content[i+2:]...)
			return
		}
	}
}

// comment has the keys of a definition's values say where they stand: those of routes, and of what is directly below an API or one of
// its maps. Texts lose the quotes that they do not need.
func comment(doc *source.Document, n *yaml.Node, own string) {
	if n.Kind == yaml.ScalarNode && filepath.Base(doc.File(n)) != own {
		n.Style = 0
	}
	for i, child := range n.Content {
		comment(doc, child, own)
		if n.Kind != yaml.MappingNode || i%2 == 0 {
			continue
		}
		key := n.Content[i-1]
		if file := filepath.Base(doc.File(key)); file != own && (child.Kind == yaml.MappingNode || key.Value == "route") && key.Line > 0 {
			at := fmt.Sprintf("%s:%d", file, key.Line)
			if child.Kind == yaml.ScalarNode {
				child.LineComment = at
			} else {
				key.LineComment = at
			}
		}
	}
}
