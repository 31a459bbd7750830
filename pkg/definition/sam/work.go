package sam

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// transform is the work on one template.
type transform struct {
	root, resources *tree.Node
	managed         map[string]bool // APIs whose documents SAM makes
	parameters      value.Parameters
	partition       string
	references      value.References
	generated       []resource
	plan            sharedPlan
	faults          *value.Faults
	report          *portability.Report
}

// resource is a resource of the template that is made.
type resource struct {
	id    string
	at    tree.Position
	value *tree.Node
}

// sharedPlan gathers the APIs that share one usage plan.
type sharedPlan struct {
	apis, stages  []*tree.Node
	conditions    []string
	unconditional bool
}

// replaced are the types of resources that take the place of one of the template that has their name.
var replaced = []string{
	"AWS::ApiGateway::DomainName", "AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::DomainNameV2", "AWS::ApiGateway::BasePathMappingV2",
}

// emit adds a resource that is made of another one, on whose condition it depends.
func (t *transform) emit(from tree.Pair, id, kind string, properties *tree.Node) {
	made := value.Object(from.At, "Type", kind, "Condition", from.Value.Get("Condition"), "Properties", properties)
	if had := t.resources.Get(id); had != nil && id != from.Key && (!value.Says(had.Get("Type"), kind) || !slices.Contains(replaced, kind)) {
		t.faults.Add(from.At, "SAM makes a resource %s for %s, and the template has one of that name: rename it", id, from.Key)
	}
	t.generated = append(t.generated, resource{id, from.At, made})
}

// emitRole makes a role of which only the ARN counts.
func (t *transform) emitRole(r tree.Pair, id string) {
	t.emit(r, id, "AWS::IAM::Role", tree.NewMap(r.At))
}

// edit returns a document for editing, nil with a fault if it is not one.
func (t *transform) edit(http bool, body *tree.Node, at tree.Position) *document.Document {
	if http {
		return document.HTTP(body, at, t.faults)
	}
	return document.REST(body, at, t.faults)
}

// family has the parts that events of REST and of HTTP APIs have in common.
type family struct {
	event    string // type of the event
	resource string // type of the API, after AWS::Serverless::
	property string // names the API in an event
	implicit string // logical id of the API of events that name none
	http     bool
}

var (
	rest = family{event: "Api", resource: "Api", property: "RestApiId", implicit: "ServerlessRestApi"}
	http = family{event: "HttpApi", resource: "HttpApi", property: "ApiId", implicit: "ServerlessHttpApi", http: true}
)

// place returns the API, the path and the method of an event. It is not ok, with a fault, if one is missing or is not known.
func (t *transform) place(f family, event tree.Pair) (api string, place document.Place, ok bool) {
	p := event.Value.Get("Properties")
	ok = true
	get := func(key string) string {
		n := p.Get(key)
		if value.None(n) {
			t.faults.Add(event.At, "the event %s has no %s: write it", event.Key, key)
			ok = false
		} else if !n.Is(tree.Text) {
			t.faults.Add(n.At, "%s of the event %s must be written out as text: SAM does not take an intrinsic function here", key, event.Key)
			ok = false
		}
		return value.String(n)
	}
	place = document.Place{Path: get("Path"), Method: get("Method"), PathAt: p.Get("Path").Position(), MethodAt: p.Get("Method").Position()}
	id := p.Get(f.property)
	if id.Is(tree.Map) && id.Has("Ref") {
		id = id.Get("Ref")
	}
	api = value.String(id)
	resource := t.resources.Get(api)
	if !id.Is(tree.Text) || resource == nil || !f.http && serverless(resource) == "HttpApi" {
		t.faults.Add(p.Get(f.property).Position(), "%s of the event %s must name an AWS::Serverless::%s of this template, with Ref",
			f.property, event.Key, f.resource)
		ok = false
	}
	return api, place, ok
}

// serverless returns the type of one of SAM's resources after AWS::Serverless::, the empty text for another resource.
func serverless(r *tree.Node) string {
	kind, ok := strings.CutPrefix(value.String(r.Get("Type")), "AWS::Serverless::")
	if !ok {
		return ""
	}
	return kind
}

// properties returns the properties of a resource, an empty map if it has none.
func properties(r *tree.Node) *tree.Node {
	if p := r.Get("Properties"); p != nil {
		return p
	}
	return tree.NewMap(r.Position())
}

// quoted returns the text of a value for a message.
func quoted(n *tree.Node) string {
	text, _ := n.Scalar()
	return fault.Quoted(text)
}

// toGive returns what to do about a value that must be a text, and is not one once parameters are resolved.
func toGive(n *tree.Node) string {
	if name := n.Get("Ref"); name.Is(tree.Text) {
		return ": give the parameter " + fault.Quoted(name.Text)
	}
	return ": of intrinsic functions SAM takes only a Ref to a parameter here"
}
