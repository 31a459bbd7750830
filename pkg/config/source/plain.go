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

// plain refuses what YAML can say and a configuration must not: aliases, anchors, merge keys, tags, a key that is not text, a key
// that is given twice. It looks at everything, inline policies too. A policy that is reviewed should stand where it is used, and so
// there is no expansion to bound. A key that may be a secret is not repeated: any in a field of Secrets, whatever holds that field, or
// all if secret says so.
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

// isNull reports whether a node is null, or nothing at all.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
