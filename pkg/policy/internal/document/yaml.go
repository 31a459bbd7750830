package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

// yamlReader turns YAML nodes into ours: scalars as written, duplicate keys found, aliases followed within the limits.
type yamlReader struct {
	budget budget
	fault  func(Position, string)
}

// yamlLine finds the line in the messages of the YAML library, which has no other place for it.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

func YAML(data []byte, limits Limits, fault func(Position, string)) (*Node, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return nil, yamlSyntaxError(err)
	}
	n, err := FromYAML(&doc, limits, fault)
	if err != nil {
		return nil, err
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &SyntaxError{Position{second.Line, second.Column}, "a second YAML document begins here; a policy is one document"}
	case !errors.Is(err, io.EOF):
		return nil, yamlSyntaxError(err)
	}
	return n, nil
}

func yamlSyntaxError(err error) error {
	if errors.Is(err, io.EOF) {
		return &SyntaxError{Position{1, 1}, "the document is empty"}
	}
	parts := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, _ := strconv.Atoi(parts[1])
	message := "YAML: " + parts[2]
	if strings.Contains(message, "alphabetic or numeric") {
		message += `; text that begins with "*" or "&" needs quotes`
	}
	return &SyntaxError{Position{max(line, 1), 1}, message}
}

func FromYAML(y *yaml.Node, limits Limits, fault func(Position, string)) (*Node, error) {
	r := &yamlReader{budget: budget{limits: limits}, fault: fault}
	return r.value(y, 0)
}

func (r *yamlReader) value(y *yaml.Node, depth int) (*Node, error) {
	at := Position{max(y.Line, 1), max(y.Column, 1)}
	if message := r.budget.take(depth); message != "" {
		return nil, &SyntaxError{at, message}
	}
	if y.Kind == yaml.DocumentNode {
		return r.document(y, depth)
	}
	if y.Kind == yaml.AliasNode {
		return r.value(y.Alias, depth+1)
	}
	if tag := y.ShortTag(); y.Kind != 0 && (!strings.HasPrefix(tag, "!!") || tag == "!!binary") {
		return nil, &SyntaxError{at, fmt.Sprintf("the YAML tag %s has no meaning in a policy; write the value itself", tag)}
	}
	switch y.Kind {
	case yaml.MappingNode:
		return r.object(y, at, depth)
	case yaml.SequenceNode:
		return r.array(y, at, depth)
	case yaml.ScalarNode:
		return yamlScalar(y, at), nil
	default:
		return nil, &SyntaxError{at, "a policy should stand here"}
	}
}

func (r *yamlReader) document(y *yaml.Node, depth int) (*Node, error) {
	if len(y.Content) != 1 {
		return nil, &SyntaxError{Position{1, 1}, "the document is empty"}
	}
	return r.value(y.Content[0], depth)
}

func (r *yamlReader) object(y *yaml.Node, at Position, depth int) (*Node, error) {
	n := &Node{Kind: Object, Start: at, End: at}
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		m := Member{Name: key.Value, At: Position{key.Line, key.Column}}
		if key.Kind != yaml.ScalarNode {
			return nil, &SyntaxError{m.At, "a key should be text"}
		}
		if seen[m.Name] {
			r.fault(m.At, fmt.Sprintf("the key %s stands twice in one object; keep one of them", Quote(m.Name)))
		}
		seen[m.Name] = true
		var err error
		if m.Value, err = r.value(y.Content[i+1], depth+1); err != nil {
			return nil, err
		}
		n.Members = append(n.Members, m)
		n.End = m.Value.End
	}
	return n, nil
}

func (r *yamlReader) array(y *yaml.Node, at Position, depth int) (*Node, error) {
	n := &Node{Kind: List, List: []*Node{}, Start: at, End: at}
	for _, c := range y.Content {
		e, err := r.value(c, depth+1)
		if err != nil {
			return nil, err
		}
		n.List = append(n.List, e)
		n.End = e.End
	}
	return n, nil
}

func yamlScalar(y *yaml.Node, at Position) *Node {
	n := &Node{Kind: Text, Text: y.Value, Start: at, End: at}
	if width := utf8.RuneCountInString(y.Value); y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && width > 0 {
		n.End.Column += width - 1
	}
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		n.End.Column += 2
	}
	switch y.ShortTag() {
	case "!!null":
		n.Kind = Null
	case "!!bool":
		n.Kind, n.plain = Bool, true
	case "!!int", "!!float":
		n.Kind, n.plain = Number, true
	}
	return n
}
