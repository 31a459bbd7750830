package config

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// path is the way from the configuration to a value, as a chain from the value upwards: text is made of it only for a fault.
type path struct {
	up   *path
	step string // ".field", `["key"]` or "[3]"
}

func (p *path) field(name string) *path { return &path{p, "." + name} }
func (p *path) key(name string) *path   { return &path{p, "[" + strconv.Quote(name) + "]"} }
func (p *path) item(index int) *path    { return &path{p, "[" + strconv.Itoa(index) + "]"} }

// String is the path in the terms of portcullis.yaml, as in apis[3].gatewayResponses["ACCESS_DENIED"].statusCode.
func (p *path) String() string {
	if p == nil {
		return ""
	}
	return strings.TrimPrefix(p.up.String()+p.step, ".")
}

// label is how a fault names the value: the field, with the key or the item where it is one.
func (p *path) label() string {
	if p == nil {
		return "the configuration"
	}
	text := ""
	for ; p != nil; p = p.up {
		if field, ok := strings.CutPrefix(p.step, "."); ok {
			return field + text
		}
		text = p.step + text
	}
	return text
}

// find follows a path from a node downwards, as far as it goes, and returns the last node: for a field that is not there,
// the mapping that lacks it.
func find(n *yaml.Node, path string) *yaml.Node {
	for path != "" {
		next, rest := step(n, path)
		if next == nil {
			return n
		}
		n, path = next, rest
	}
	return n
}

// step goes down one step.
func step(n *yaml.Node, path string) (next *yaml.Node, rest string) {
	inner, bracket := strings.CutPrefix(path, "[")
	if !bracket {
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path+".", ".[")
		return child(n, path[:end]), path[end:]
	}
	if quoted, err := strconv.QuotedPrefix(inner); err == nil {
		key, _ := strconv.Unquote(quoted)
		return child(n, key), strings.TrimPrefix(inner[len(quoted):], "]")
	}
	text, rest, _ := strings.Cut(inner, "]")
	if i, err := strconv.Atoi(text); err == nil {
		return item(n, i), rest
	}
	return nil, ""
}

// child returns a mapping's value for a key, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// item returns an item of a list, nil if there is none.
func item(n *yaml.Node, i int) *yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

// items yields the items of a list that a mapping has; none if there is no list.
func items(n *yaml.Node, list string) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		for i := 0; ; i++ {
			if next := item(child(n, list), i); next == nil || !yield(next) {
				return
			}
		}
	}
}

// keyOf returns the key of a mapping's value.
func keyOf(mapping, value *yaml.Node) *yaml.Node {
	if i := slices.Index(mapping.Content, value); i > 0 {
		return mapping.Content[i-1]
	}
	return value
}
