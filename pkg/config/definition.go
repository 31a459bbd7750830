package config

import (
	"maps"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// define replaces each API that names a definition by what the definition says and what stands beside it. All that follows reads it like
// any other API.
func (c *compiler) define() {
	for at := range c.Doc.Items(c.Doc.Root().Field("apis")) {
		if c.Doc.Node(at.Field("definition")) == nil {
			continue
		}
		api := &configv1.API{}
		c.Doc.DecodeAt(at, api, c.Report)
		if d := c.loadDefinition(api, at); d != nil {
			c.merge(d, api.GetDefinition().GetOverride(), at)
			d.Node = nil // a Snapshot keeps the Definition
			continue
		}
		c.Mark(at)
	}
	c.unaskedByAll()
}

// unasked reports values that nothing in a definition asks for. Alone, a definition's values are for all its APIs.
func (c *compiler) unasked(d *definition.Definition, at *fault.Place) {
	if c.Standalone {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(d.Unasked)) {
		c.Fault(at.Field("definition").Field("values").Key(key), "%s", unaskedFor(d, key))
	}
}

// unaskedByAll reports values that nothing asks for in any of the APIs of a definition that is looked at alone.
func (c *compiler) unaskedByAll() {
	if !c.Standalone || len(c.defined) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(c.defined[0].Unasked)) {
		if !slices.ContainsFunc(c.defined, func(d *definition.Definition) bool { _, unasked := d.Unasked[key]; return !unasked }) {
			c.Add(fault.Fault{File: c.defined[0].File, Message: unaskedFor(c.defined[0], key)})
		}
	}
}

func unaskedFor(d *definition.Definition, key string) string {
	hint := "remove it"
	if meant := d.Unasked[key]; meant != "" {
		hint = "did you mean " + fault.Quoted(meant) + "?"
	}
	return "the value " + fault.Quoted(key) + " is given, and nothing in the definition asks for it: " + hint
}

// loadDefinition reads the definition of an API and reports its faults. It returns nil for one that cannot be used.
func (c *compiler) loadDefinition(api *configv1.API, at *fault.Place) *definition.Definition {
	m := api.GetDefinition()
	if m.GetFile() == "" {
		c.IfNew(at.Field("definition").Field("file"), "file must be the name of an OpenAPI file or a template, relative to the folder of this one")
		return nil
	}
	d, faults := definition.Load(c.spec(api))
	for _, f := range faults {
		c.Add(f)
	}
	if d == nil {
		return nil
	}
	c.defined = append(c.defined, d)
	c.refusals(d, m.GetUnresolved() == "deny", at)
	if d.Node == nil {
		return nil
	}
	if !d.Node.Has("routes") && c.Doc.Node(at.Field("routes")) == nil {
		p := d.Node.Position()
		c.Add(fault.Fault{File: p.File, Line: p.Line, Column: p.Column, Message: "the API has no route: portcullis would refuse every request; name another API, or write routes beside the definition"})
		return nil
	}
	c.unasked(d, at)
	return d
}

// merge puts an API that a definition defines in the place of the one that names the definition.
func (c *compiler) merge(d *definition.Definition, override []string, at *fault.Place) {
	n, files := d.Node.YAML()
	b := beside{compiler: c, files: files, override: override, used: map[string]bool{}}
	merged := b.api(c.Doc.Node(at), n, at)
	if c.Standalone {
		invent(merged, d)
	}
	c.Doc.Replace(at, merged, files)
	for i, name := range override {
		if !b.used[name] {
			c.Fault(at.Field("definition").Field("override").Item(i), "override names %s, which does not stand both in the definition and here: remove it", fault.Quoted(name))
		}
	}
}

// refusals reports guards that are not known. They are faults, or, if the routes concerned are to refuse every request, warnings.
func (c *compiler) refusals(d *definition.Definition, deny bool, at *fault.Place) {
	for _, n := range d.Refusals() {
		c.Add(fault.Fault{File: n.At.File, Line: n.At.Line, Column: n.At.Column, Message: n.What + ": " + n.Message, Warning: deny})
	}
	if len(d.Refusals()) > 0 && !deny {
		c.Mark(at.Field("routes"))
	}
}

// spec says how to read the definition of an API.
func (c *compiler) spec(api *configv1.API) definition.Spec {
	m := api.GetDefinition()
	s := definition.Spec{
		File: c.Relative(m.GetFile()), API: m.GetApi(), Parameters: m.GetParameters(), Values: m.GetValues(),
		ID: api.GetId(), Account: api.GetAccount(), Region: api.GetRegion(), Partition: api.GetPartition(),
		Variables: commonVariables(api.GetStages()), Read: c.Files.Read,
	}
	if api.GetKind() != configv1.Kind_KIND_UNSPECIFIED {
		s.Kind = api.GetKind().String()
	}
	if m.GetParameterFile() != "" {
		s.ParameterFile = c.Relative(m.GetParameterFile())
	}
	s.Folder = c.folder(m.GetFolder(), s.File)
	return s
}

// folder returns the folder that must hold the files which a definition includes.
func (c *compiler) folder(given, file string) string {
	if given != "" {
		return c.Relative(given)
	}
	own := filepath.Dir(c.File)
	if rel, err := filepath.Rel(own, file); err == nil && filepath.IsLocal(rel) {
		return own
	}
	return filepath.Dir(file)
}

// commonVariables returns the stage variables that have the same value in all stages.
func commonVariables(stages []*configv1.Stage) map[string]string {
	if len(stages) == 0 {
		return nil
	}
	common := maps.Clone(stages[0].GetVariables())
	for _, s := range stages[1:] {
		maps.DeleteFunc(common, func(name, value string) bool {
			other, given := s.GetVariables()[name]
			return !given || other != value
		})
	}
	return common
}

// beside merges what stands beside a definition in portcullis.yaml with what the definition says.
type beside struct {
	*compiler
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
