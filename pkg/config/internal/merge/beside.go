package merge

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// beside merges what stands beside a definition in portcullis.yaml with what the definition says.
type beside struct {
	*reader.Reader
	files    map[*yaml.Node]string
	override []string
	// used are the overrides that replaced a value.
	used map[string]bool
}

// overrides reports whether a field of the API replaces what the definition says.
func (b *beside) overrides(field string) bool {
	if !slices.Contains(b.override, field) {
		return false
	}
	b.used[field] = true
	return true
}

// merging are the fields of which the definition and portcullis.yaml may each have parts. If one is overridden, the values that stand here
// replace the definition's, and the definition's others stay.
var merging = []string{"authorizers", "gatewayResponses", "upstreamHeaders", "signatures", "cors"}

func (b *beside) api(own, defined *yaml.Node, at *fault.Place) *yaml.Node {
	return b.mapping(own, defined, at, func(key string, own, defined *yaml.Node, at *fault.Place) *yaml.Node {
		switch {
		case slices.Contains(merging, key):
			return b.both(key, own, defined, at)
		case b.overrides(key):
			return own
		case key == "stages":
			return b.stages(own, defined, at)
		default:
			return b.same(key, own, defined, at)
		}
	})
}

// mapping merges two mappings. It calls both for each key that both have.
func (b *beside) mapping(own, defined *yaml.Node, at *fault.Place, both func(key string, own, defined *yaml.Node, at *fault.Place) *yaml.Node) *yaml.Node {
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: own.Tag, Line: own.Line, Column: own.Column, Style: own.Style}
	given := map[string]bool{}
	for i := 0; i+1 < len(own.Content); i += 2 {
		key, value := own.Content[i], own.Content[i+1]
		given[key.Value] = true
		if theirs := valueOf(defined, key.Value); theirs != nil {
			value = both(key.Value, value, theirs, at.Field(key.Value))
		}
		merged.Content = append(merged.Content, key, value)
	}
	for i := 0; i+1 < len(defined.Content); i += 2 {
		if !given[defined.Content[i].Value] {
			merged.Content = append(merged.Content, defined.Content[i], defined.Content[i+1])
		}
	}
	return merged
}

func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// both merges two mappings and the mappings in them.
func (b *beside) both(key string, own, defined *yaml.Node, at *fault.Place) *yaml.Node {
	if own.Kind != yaml.MappingNode || defined.Kind != yaml.MappingNode {
		return b.same(key, own, defined, at)
	}
	return b.mapping(own, defined, at, b.both)
}

// same returns a value that both say. It is a fault if they say different things, unless the field is overridden.
func (b *beside) same(key string, own, defined *yaml.Node, at *fault.Place) *yaml.Node {
	if own.Kind == yaml.ScalarNode && defined.Kind == yaml.ScalarNode && own.Value == defined.Value {
		return own
	}
	field := key
	if steps := at.Steps(); len(steps) > 2 { // apis, an item, and the field of the API
		field = steps[2].Name
	}
	if b.overrides(field) {
		return own
	}
	b.Fault(at, "the definition says %s too, in %s:%d: remove it here, or write definition: {override: [%s]}",
		fault.Quoted(key), b.files[defined], defined.Line, field)
	return own
}

// stages merges the stages by their names. If stages are given here, the definition's other stages are dropped.
func (b *beside) stages(own, defined *yaml.Node, at *fault.Place) *yaml.Node {
	if own.Kind != yaml.SequenceNode || defined.Kind != yaml.SequenceNode || len(defined.Content) == 0 {
		return own
	}
	theirs := map[string]*yaml.Node{}
	for _, n := range defined.Content {
		if name := valueOf(n, "name"); name != nil {
			theirs[name.Value] = n
		}
	}
	merged := &yaml.Node{Kind: yaml.SequenceNode, Tag: own.Tag, Line: own.Line, Column: own.Column, Style: own.Style}
	for i, n := range own.Content {
		merged.Content = append(merged.Content, b.stage(n, theirs, at.Item(i)))
	}
	return merged
}

func (b *beside) stage(own *yaml.Node, theirs map[string]*yaml.Node, at *fault.Place) *yaml.Node {
	if own.Kind != yaml.MappingNode {
		return own
	}
	name := valueOf(own, "name")
	if name == nil {
		return own
	}
	defined := theirs[name.Value]
	if defined == nil {
		b.Fault(at.Field("name"), "the definition has no stage %s: write %s, or definition: {override: [stages]}",
			fault.Quoted(name.Value), source.OneOf(slices.Sorted(maps.Keys(theirs))))
		return own
	}
	return b.mapping(own, defined, at, func(key string, own, defined *yaml.Node, at *fault.Place) *yaml.Node {
		if b.overrides(key) {
			return own
		}
		return b.both(key, own, defined, at)
	})
}
