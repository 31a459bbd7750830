package merge

import (
	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/definition"
)

// integrations is the value of upstreams: in a definition.
const integrations = "integrations"

// addUpstreams adds the upstreams of a definition to those of portcullis.yaml. Their names have a digest of what they stand for, so one
// that is there already is the same, or was written with this name on purpose.
func (m *merger) addUpstreams(d *definition.Definition) {
	if d.Upstreams == nil {
		return
	}
	n, files := d.Upstreams.YAML()
	root, at := m.Doc.Node(m.Doc.Root()), m.Doc.Root().Field("upstreams")
	own := valueOf(root, "upstreams")
	if own == nil {
		own = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		root.Content = append(root.Content, text("upstreams"), own)
	}
	if own.Kind != yaml.MappingNode {
		return // a fault, which reading the field reports
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if valueOf(own, n.Content[i].Value) == nil {
			own.Content = append(own.Content, n.Content[i], n.Content[i+1])
		}
	}
	m.Doc.Replace(at, own, files)
}
