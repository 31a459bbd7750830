package source

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	noAliases = "aliases are not supported: write the value out"
	noAnchors = "anchors are not supported: remove it, and write the value out where it is used"
	noMerge   = "merge keys are not supported: write the fields out"
	noTags    = "tags are not supported: remove it, and put the value in quotes if it is text"
)

// plain refuses YAML features that a configuration must not use: aliases, anchors, merge keys, tags, keys that are not
// text, and duplicate keys. It checks everything, including inline policies. A reviewer must see each policy where it
// is used, and without aliases no expansion needs a limit. A fault does not quote a key that may be a secret: a key
// inside a field of Secrets, or every key if secret is true.
func (s *Schema) plain(n *yaml.Node, secret bool, refuse func(*yaml.Node, string)) {
	switch {
	case n.Kind == yaml.AliasNode:
		refuse(n, noAliases)
		return
	case n.Anchor != "":
		refuse(n, noAnchors)
	case n.Style&yaml.TaggedStyle != 0:
		refuse(n, noTags)
	}
	if n.Kind == yaml.MappingNode {
		plainKeys(n, secret, refuse)
	}
	for i, child := range n.Content {
		isValue := n.Kind == yaml.MappingNode && i%2 == 1
		s.plain(child, secret || isValue && slices.Contains(s.Secrets, n.Content[i-1].Value), refuse)
	}
}

func plainKeys(n *yaml.Node, secret bool, refuse func(*yaml.Node, string)) {
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		earlier, given := first[key.Value]
		switch {
		case key.Kind == yaml.AliasNode: // refused as such
		case key.Kind != yaml.ScalarNode:
			refuse(key, "a key must be text")
		case key.Tag == "!!merge":
			refuse(key, noMerge)
		case given:
			name := "the key"
			if !secret {
				name = fault.Quoted(key.Value)
			}
			refuse(key, fmt.Sprintf("%s is given twice, first in line %d: keep one", name, earlier.Line))
		default:
			first[key.Value] = key
		}
	}
}

// isNull reports whether a node is null or empty.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
