package document

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// ToVersion3 writes what was added to a document in the form of OpenAPI 3: its security schemes and models lie in components, in place
// of those that are there, and its preflights have no media types.
func ToVersion3(root *tree.Node, faults *value.Faults) {
	move(root, "securityDefinitions", "securitySchemes")
	move(root, "definitions", "schemas")
	paths := root.Get("paths")
	if value.Truthy(paths) && !paths.Is(tree.Map) {
		faults.Add(paths.At, "paths of DefinitionBody must be a map")
		return
	}
	if paths == nil {
		return
	}
	for _, p := range paths.Pairs {
		options := p.Value.Get("options")
		switch {
		case !p.Value.Is(tree.Map):
			faults.Add(p.At, "the path %s must be a map in the OpenAPI document", p.Key)
		case !value.Truthy(options):
		case !options.Is(tree.Map):
			faults.Add(options.At, "the method options of the path %s must be a map in the OpenAPI document", p.Key)
		default:
			convertPreflight(options, p.Key, faults)
		}
	}
}

// move moves what the document has under a key into its components.
func move(root *tree.Node, from, to string) {
	had := root.Get(from)
	if !value.Truthy(had) {
		return
	}
	value.Put(child(root, "components", had.At), to, had.At, had)
	value.Delete(root, from)
}

func convertPreflight(options *tree.Node, path string, faults *value.Faults) {
	value.Delete(options, "produces")
	value.Delete(options, "consumes")
	headers := options.Get("responses")
	for _, key := range []string{"200", "headers"} {
		if !value.None(headers) && !headers.Is(tree.Map) {
			faults.Add(headers.At, "responses of the method options of the path %s must be maps", path)
			return
		}
		headers = headers.Get(key)
	}
	switch {
	case !value.Truthy(headers):
		return
	case !headers.Is(tree.Map):
		faults.Add(headers.At, "headers of the method options of the path %s must be a map", path)
		return
	}
	for i, h := range headers.Pairs {
		headers.Pairs[i].Value = value.Object(h.At, "schema", h.Value)
	}
}
