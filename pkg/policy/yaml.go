package policy

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

func readYAML(data []byte, limits Limits, fault func(Position, string)) (*node, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return nil, yamlSyntaxError(err)
	}
	n, err := convertYAML(&doc, limits, fault)
	if err != nil {
		return nil, err
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &syntaxError{Position{second.Line, second.Column}, "a second YAML document begins here; a policy is one document"}
	case !errors.Is(err, io.EOF):
		return nil, yamlSyntaxError(err)
	}
	return n, nil
}

func yamlSyntaxError(err error) error {
	if errors.Is(err, io.EOF) {
		return &syntaxError{Position{1, 1}, "the document is empty"}
	}
	parts := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, _ := strconv.Atoi(parts[1])
	message := "YAML: " + parts[2]
	if strings.Contains(message, "alphabetic or numeric") {
		message += `; text that begins with "*" or "&" needs quotes`
	}
	return &syntaxError{Position{max(line, 1), 1}, message}
}

func convertYAML(y *yaml.Node, limits Limits, fault func(Position, string)) (*node, error) {
	r := &yamlReader{budget: budget{limits: limits}, fault: fault}
	return r.value(y, 0)
}

func (r *yamlReader) value(y *yaml.Node, depth int) (*node, error) {
	at := Position{max(y.Line, 1), max(y.Column, 1)}
	if message := r.budget.take(depth); message != "" {
		return nil, &syntaxError{at, message}
	}
	if y.Kind == yaml.DocumentNode {
		return r.document(y, depth)
	}
	if y.Kind == yaml.AliasNode {
		return r.value(y.Alias, depth+1)
	}
	if tag := y.ShortTag(); y.Kind != 0 && (!strings.HasPrefix(tag, "!!") || tag == "!!binary") {
		return nil, &syntaxError{at, fmt.Sprintf("the YAML tag %s has no meaning in a policy; write the value itself", tag)}
	}
	switch y.Kind {
	case yaml.MappingNode:
		return r.object(y, at, depth)
	case yaml.SequenceNode:
		return r.array(y, at, depth)
	case yaml.ScalarNode:
		return yamlScalar(y, at), nil
	default:
		return nil, &syntaxError{at, "a policy should stand here"}
	}
}

func (r *yamlReader) document(y *yaml.Node, depth int) (*node, error) {
	if len(y.Content) != 1 {
		return nil, &syntaxError{Position{1, 1}, "the document is empty"}
	}
	return r.value(y.Content[0], depth)
}

func (r *yamlReader) object(y *yaml.Node, at Position, depth int) (*node, error) {
	n := &node{kind: objectNode, start: at, end: at}
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		m := member{name: key.Value, at: Position{key.Line, key.Column}}
		if key.Kind != yaml.ScalarNode {
			return nil, &syntaxError{m.at, "a key should be text"}
		}
		if seen[m.name] {
			r.fault(m.at, fmt.Sprintf("the key %s stands twice in one object; keep one of them", quote(m.name)))
		}
		seen[m.name] = true
		var err error
		if m.value, err = r.value(y.Content[i+1], depth+1); err != nil {
			return nil, err
		}
		n.members = append(n.members, m)
		n.end = m.value.end
	}
	return n, nil
}

func (r *yamlReader) array(y *yaml.Node, at Position, depth int) (*node, error) {
	n := &node{kind: listNode, list: []*node{}, start: at, end: at}
	for _, c := range y.Content {
		e, err := r.value(c, depth+1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, e)
		n.end = e.end
	}
	return n, nil
}

func yamlScalar(y *yaml.Node, at Position) *node {
	n := &node{kind: textNode, text: y.Value, start: at, end: at}
	if width := utf8.RuneCountInString(y.Value); y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && width > 0 {
		n.end.Column += width - 1
	}
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		n.end.Column += 2
	}
	switch y.ShortTag() {
	case "!!null":
		n.kind = nullNode
	case "!!bool":
		n.kind, n.plain = boolNode, true
	case "!!int", "!!float":
		n.kind, n.plain = numberNode, true
	}
	return n
}
