package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// Convert writes a portcullis.yaml that decides as a configuration does and names no definition. Comments say where in a definition each
// route, authorizer and policy stands. It returns the errors of Load.
func Convert(in Input, w io.Writer) error {
	l, err := usable(in)
	if err != nil {
		return err
	}
	root := l.Doc.Node(l.Doc.Root())
	var defined []*yaml.Node
	for at := range l.Doc.Items(l.Doc.Root().Field("apis")) {
		if api := l.Doc.Node(at); remove(api, "definition") {
			defined = append(defined, api)
		}
	}
	commenter{l.Doc, l.Doc.File(root)}.comment(root, "")
	converted, err := encode(root)
	if err != nil {
		return err
	}
	if _, err := usable(Input{Path: in.Path, Text: converted, Standalone: in.Standalone}); err != nil { // it needs what definitions are allowed
		for _, api := range defined {
			api.Content = append(api.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "imported"}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
		}
		if converted, err = encode(root); err != nil {
			return err
		}
	}
	_, err = w.Write(converted)
	return err
}

func encode(root *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(root)
	if err == nil {
		err = encoder.Close()
	}
	return b.Bytes(), err
}

// usable returns a configuration that can be used, with its document.
func usable(in Input) (*loading, error) {
	l, s, err := load(in, pool.Dry())
	if s != nil {
		s.Close()
	}
	return l, err
}

// ResourcePolicy returns the resource policy of the one API of a definition, as JSON.
func ResourcePolicy(in Input) (string, error) {
	l, err := usable(in)
	if err != nil {
		return "", err
	}
	apis := l.Doc.Root().Field("apis")
	if more := l.Doc.Node(apis.Item(1)); more != nil {
		return "", errors.New("the template has several APIs: name one with --api")
	}
	policy := l.Doc.Node(apis.Item(0).Field("resourcePolicy").Field("inline"))
	switch {
	case policy != nil && policy.Kind == yaml.ScalarNode:
		return policy.Value, nil
	case policy == nil:
		return "", errors.New("the API has no resource policy")
	}
	var b strings.Builder
	writeJSON(&b, policy)
	return b.String(), nil
}

// writeJSON writes a policy as JSON. Every scalar is a text, which a policy may have for any value.
func writeJSON(b *strings.Builder, n *yaml.Node) {
	separator := func(i int) string {
		if i == 0 {
			return ""
		}
		return ","
	}
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			b.WriteString(separator(i))
			writeJSON(b, n.Content[i])
			b.WriteByte(':')
			writeJSON(b, n.Content[i+1])
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			b.WriteString(separator(i))
			writeJSON(b, item)
		}
		b.WriteByte(']')
	default:
		text, _ := json.Marshal(n.Value) // a string always can be
		b.Write(text)
	}
}

// remove takes a key out of a mapping, and reports whether it was there.
func remove(mapping *yaml.Node, key string) bool {
	for i := 0; mapping != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i:i], mapping.Content[i+2:]...)
			return true
		}
	}
	return false
}

// commenter writes where the values of definitions stand.
type commenter struct {
	doc *source.Document
	// own is the file that is converted.
	own string
}

// comment adds to a definition's routes and mappings the line in which they stand, unless the line of what holds them is the same. Texts
// of definitions lose the quotes that they do not need.
func (c commenter) comment(n *yaml.Node, above string) {
	if n.Kind == yaml.ScalarNode && c.doc.File(n) != c.own {
		n.Style = styleOf(n.Value)
	}
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 0 {
			c.comment(child, above)
			continue
		}
		key := n.Content[i-1]
		at := c.position(key)
		switch {
		case at == "" || at == above:
			at = above
		case child.Kind == yaml.MappingNode:
			key.LineComment = at
		case key.Value == "route":
			child.LineComment = at
		}
		c.comment(child, at)
	}
}

// styleOf returns the style of a text that loading reads back. Without quotes, the encoder would not escape U+2028 and the like.
func styleOf(text string) yaml.Style {
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return yaml.DoubleQuotedStyle
	}
	return 0
}

// position returns the file and line of a definition's key. It is empty for a key of the file that is converted.
func (c commenter) position(key *yaml.Node) string {
	file := c.doc.File(key)
	if file == c.own || key.Line == 0 {
		return ""
	}
	return fault.Line(fmt.Sprintf("%s:%d", filepath.Base(file), key.Line))
}
