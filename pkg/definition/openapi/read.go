package openapi

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Options are the values that a document does not have.
type Options struct {
	// HTTP says which kind of API the document is imported as: true for an HTTP API. Nil tells it from the document.
	HTTP *bool
	// OpenHTTP says it where HTTP is nil and the document leaves it open.
	OpenHTTP *bool
	// Read returns a file that a $ref names, relative to the folder of the document. Nil refuses such references.
	Read func(name string) ([]byte, error)
	// StageVariables are the values of ${stageVariables.name}.
	StageVariables map[string]string
	// Account, Region and Partition are those of the API.
	Account, Region, Partition string
	// Values has what replaces ${name} in texts, by "${name}". By "security NAME", it has what a security scheme stands for that API
	// Gateway does not know: NONE, AWS_IAM, API_KEY, or "authorizer NAME" for one that stands beside the definition. Asked, if it is not
	// nil, gets the keys that are asked for.
	Values map[string]string
	Asked  map[string]bool
	// Upstreams takes the upstreams of routes from their integrations. Nil leaves them to Envoy's configuration.
	Upstreams *Upstreams
}

// reader reads one document.
type reader struct {
	*document.Document
	http bool
	// swagger says that the document is one of Swagger 2.0.
	swagger bool

	schemes map[string]*scheme
	names   map[string]bool // of authorizers, as they are written to the API
	ids     map[string]bool // operation ids
	api     *tree.Node
	routes  []*route
	// says has the values that the API's authorizers set for callers.
	says authorizer.Words
	// blocked says why no route of the API can be served. It is empty if nothing stands against it.
	blocked string

	upstreams *Upstreams
	// served is the document with the stage variables for upstreams, once an upstream is read.
	served *document.Document
	// servedElsewhere says that there are servers of integrations, which are not read.
	servedElsewhere bool
}

// Read returns the API that a document amounts to, in the terms of portcullis.yaml. It returns nil, with faults, for what is no OpenAPI
// document. What becomes of each part that guards is added to the report.
func Read(root *tree.Node, o Options, report *portability.Report) (*tree.Node, fault.List) {
	r := &reader{
		Document: &document.Document{
			Root: root, Read: o.Read, Values: o.Values, Asked: o.Asked, StageVariables: o.StageVariables,
			Account: o.Account, Region: o.Region, Partition: o.Partition, Report: report,
		},
		schemes: map[string]*scheme{}, names: map[string]bool{}, ids: map[string]bool{}, api: tree.NewMap(root.Position()),
		upstreams: o.Upstreams,
	}
	swagger, wrong := version(root)
	if wrong == nil && swagger && o.HTTP != nil && *o.HTTP {
		wrong = faultAt(root.Get("swagger"), "API Gateway imports HTTP APIs from OpenAPI 3.0 alone: write kind: REST, or convert the document")
	}
	if wrong != nil {
		return nil, wrong
	}
	r.swagger = swagger
	r.tellKind(&o)
	r.settings()
	r.paths(root.Pair("paths"))
	r.unused()
	r.write()
	return r.api, nil
}

// version checks that a document is one of the versions that API Gateway imports, and reports whether it is Swagger 2.0.
func version(root *tree.Node) (swagger bool, wrong fault.List) {
	if t := document.Unknown(root); t != nil && !root.Has("swagger") && !root.Has("openapi") {
		return false, fault.List{t.At.Fault("the OpenAPI document is not known: %s", t.Message)}
	}
	if !root.Is(tree.Map) {
		return false, faultAt(root, "this is not an OpenAPI document: it must be a map with openapi or swagger, and paths")
	}
	old, _ := root.Get("swagger").Scalar()
	text, _ := root.Get("openapi").Scalar()
	switch {
	case root.Has("swagger") && root.Has("openapi"):
		return false, faultAt(root.Get("swagger"), "the document has both swagger and openapi: keep one")
	case old == "2.0" || old == "2":
		swagger = true
	case root.Has("swagger"):
		return false, faultAt(root.Get("swagger"), `swagger must be "2.0"`)
	case !root.Has("openapi"):
		return false, faultAt(root, "this is not an OpenAPI document: write openapi: 3.0.1, or swagger: \"2.0\" for Swagger 2.0")
	case text != "3.0" && text != "3.1" && !strings.HasPrefix(text, "3.0.") && !strings.HasPrefix(text, "3.1."):
		return false, faultAt(root.Get("openapi"), "openapi must be a version from 3.0.0 to 3.1, such as 3.0.1")
	}
	if !root.Has("paths") {
		return false, faultAt(root, "the document has no paths: write them, with an operation for each route")
	}
	return swagger, nil
}

func faultAt(n *tree.Node, message string) fault.List {
	return fault.List{n.Position().Fault("%s", message)}
}

// write writes the routes to the API.
func (r *reader) write() {
	if len(r.routes) == 0 {
		return
	}
	list := tree.NewList(r.Root.Get("paths").Position())
	for _, t := range r.routes {
		if r.blocked != "" && t.why == "" {
			t.why = r.blocked
			r.waits(t.at, t.key.String(), r.blocked)
		}
		list.Items = append(list.Items, t.node())
	}
	r.api.Set("routes", list)
}

// refuse notes what cannot be built.
func (r *reader) refuse(what string, t *document.Trouble) { r.Report.Refuse(t.At, what, t.Message) }

// block refuses all routes of the API.
func (r *reader) block(what string, t *document.Trouble) {
	r.refuse(what, t)
	if r.blocked == "" {
		r.blocked = what + ": " + t.Message
	}
}

// waits notes a route that is refused because of something else, which has a refusal of its own, so that the cause is reported once.
func (r *reader) waits(at tree.Position, what, why string) {
	r.Report.Add(portability.Note{Verdict: portability.Refused, At: at, What: what, Message: "every request is refused: " + why})
}
