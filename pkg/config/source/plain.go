package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

const (
	noAliases = "aliases are not supported: write the value out"
	noAnchors = "anchors are not supported: remove it, and write the value out where it is used"
	noMerge   = "merge keys are not supported: write the fields out"
	noTags    = "tags are not supported: remove it, and put the value in quotes if it is text"
)

// plain refuses what YAML can say and portcullis.yaml must not: aliases, anchors, merge keys, tags, a key that is not text,
// a key that is given twice. It looks at everything, inline policies too.
func plain(n *yaml.Node, fault func(*yaml.Node, string)) {
	switch {
	case n.Kind == yaml.AliasNode:
		fault(n, noAliases)
		return
	case n.Anchor != "":
		fault(n, noAnchors)
	case n.Style&yaml.TaggedStyle != 0:
		fault(n, noTags)
	}
	if n.Kind == yaml.MappingNode {
		plainKeys(n, fault)
	}
	for _, child := range n.Content {
		plain(child, fault)
	}
}

func plainKeys(n *yaml.Node, fault func(*yaml.Node, string)) {
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		earlier, given := first[key.Value]
		switch {
		case key.Kind == yaml.AliasNode: // refused as such
		case key.Kind != yaml.ScalarNode:
			fault(key, "a key must be text")
		case key.Tag == "!!merge":
			fault(key, noMerge)
		case given:
			fault(key, fmt.Sprintf("%s is given twice, first in line %d: keep one", quoted(key.Value), earlier.Line))
		default:
			first[key.Value] = key
		}
	}
}
