package merge

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// inventedStage is the name of the stage of a standalone definition without any.
const inventedStage = "prod"

// invent adds a stage to an API of a Standalone that has none, and a domain to each stage that has none.
func invent(api *yaml.Node, d *definition.Definition) {
	var notes []portability.Note
	stages := valueOf(api, "stages")
	if stages == nil {
		stages = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{mappingOf("name", text(inventedStage))}}
		api.Content = append(api.Content, text("stages"), stages)
		notes = append(notes, invented(d, "stage", inventedStage))
	}
	for i, stage := range stages.Content {
		if stage.Kind != yaml.MappingNode || valueOf(stage, "domains") != nil {
			continue
		}
		host := strings.ToLower(cmp.Or(d.API, "api")) + ".example.com"
		if i > 0 {
			host = fmt.Sprintf("stage%d.%s", i+1, host)
		}
		stage.Content = append(stage.Content, text("domains"), &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{text(host)}})
		notes = append(notes, invented(d, "domain", host))
	}
	d.Notes = append(notes, d.Notes...)
}

// invented returns the note of a value that a portcullis.yaml has to give.
func invented(d *definition.Definition, what, value string) portability.Note {
	return portability.Note{
		Verdict: portability.Approximated, At: tree.Position{File: d.File, Line: 1, Column: 1}, What: what,
		Message: fmt.Sprintf("the definition does not say it: %s stands for it here, and portcullis.yaml has to give it", value),
	}
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func mappingOf(name string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{text(name), value}}
}
