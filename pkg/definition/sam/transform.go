package sam

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// macro is the transform that makes a template one of SAM's.
const macro = "AWS::Serverless-2016-10-31"

// Is reports whether a template is one of SAM's.
func Is(root *tree.Node) bool {
	transforms := root.Get("Transform")
	return value.Says(transforms, macro) || value.Contains(itemsOf(transforms), tree.NewText(macro, tree.Position{}))
}

// Transform returns the CloudFormation template that AWS makes of a SAM template, or nil and what AWS refuses. The parameters are those
// that are given, besides the template's defaults; AWS::Partition among them decides the partition of ARNs, which is left to
// CloudFormation without it. The template itself is not changed.
//
// The order is the translator's: an empty document for APIs without a definition, implicit APIs, Globals; then functions and state
// machines, which add operations; then APIs. What is not an API, a function, a state machine or an application stays as it is.
func Transform(root *tree.Node, given map[string]string, r *portability.Report) (*tree.Node, fault.List) {
	t := &transform{
		root: value.Copy(root), managed: map[string]bool{}, faults: &value.Faults{}, report: r, references: references{},
		partition: "${AWS::Partition}",
	}
	if partition := given["AWS::Partition"]; partition != "" {
		t.partition = partition
	}
	t.parameters = newParameters(root, given, t.faults)
	if !t.check() {
		return nil, t.faults.List()
	}
	t.addSkeletons()
	t.addImplicit(rest)
	t.addImplicit(http)
	t.mergeGlobals()
	if faults := t.faults.List(); len(faults) > 0 {
		return nil, faults
	}
	t.expand()
	if faults := t.faults.List(); len(faults) > 0 {
		return nil, faults
	}
	return t.references.resolve(t.result()), nil
}

// transform is the work on one template.
type transform struct {
	root, resources *tree.Node
	managed         map[string]bool // APIs whose documents SAM makes
	parameters      parameters
	partition       string
	references      references
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

// check reports whether the template has the form that the translator needs.
func (t *transform) check() bool {
	t.resources = t.root.Get("Resources")
	if !t.resources.Is(tree.Map) || len(t.resources.Pairs) == 0 {
		t.faults.Add(t.root.Position(), "the template has no Resources: write some")
		return false
	}
	for _, r := range t.resources.Pairs {
		properties, condition := r.Value.Get("Properties"), r.Value.Get("Condition")
		switch {
		case !r.Value.Is(tree.Map):
			t.faults.Add(r.At, "the resource %s must be a map with Type and Properties", r.Key)
		case value.Truthy(condition) && !condition.Is(tree.Text):
			t.faults.Add(condition.At, "Condition of the resource %s must be the name of a condition", r.Key)
		case serverless(r.Value) != "" && r.Value.Has("Properties") && !properties.Is(tree.Map):
			t.faults.Add(r.At, "Properties of the resource %s must be a map", r.Key)
		}
	}
	return len(t.faults.List()) == 0
}

// expand makes what the resources of SAM stand for, in the translator's order.
func (t *transform) expand() {
	for _, step := range []struct {
		kinds []string
		make  func(tree.Pair)
	}{
		{[]string{"Function"}, t.expandFunction},
		{[]string{"StateMachine"}, t.expandStateMachine},
		{[]string{"Api", "HttpApi"}, t.expandAPI},
		{[]string{"Application"}, t.expandApplication},
	} {
		for _, r := range t.resources.Pairs {
			if slices.Contains(step.kinds, serverless(r.Value)) {
				step.make(r)
			}
		}
	}
}

func (t *transform) expandAPI(r tree.Pair) {
	if serverless(r.Value) == "Api" {
		t.expandREST(r)
		return
	}
	t.expandHTTP(r)
}

// expandApplication makes a nested stack of an application.
func (t *transform) expandApplication(r tree.Pair) {
	p := properties(r.Value)
	t.emit(r, r.Key, "AWS::CloudFormation::Stack", value.Object(r.At, "TemplateURL", p.Get("Location"), "Parameters", p.Get("Parameters")))
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

// result returns the template with the resources that were made in place of SAM's.
func (t *transform) result() *tree.Node {
	made := tree.NewMap(t.resources.At)
	for _, r := range t.resources.Pairs {
		switch serverless(r.Value) {
		case "Function", "StateMachine", "Api", "HttpApi", "Application":
		default:
			made.Pairs = append(made.Pairs, r)
		}
	}
	for _, r := range t.generated {
		value.Put(made, r.id, r.at, r.value)
	}
	value.Put(t.root, "Resources", t.resources.At, made)
	transforms := t.root.Get("Transform")
	others := slices.DeleteFunc(slices.Clone(itemsOf(transforms)), func(n *tree.Node) bool { return value.Says(n, macro) })
	if len(others) > 0 {
		value.Put(t.root, "Transform", transforms.At, tree.NewList(transforms.At, others...))
	} else {
		value.Delete(t.root, "Transform")
	}
	return t.root
}

// edit returns a document for editing, nil with a fault if it is not one.
func (t *transform) edit(http bool, body *tree.Node, at tree.Position) *document.Document {
	if http {
		return document.HTTP(body, at, t.faults)
	}
	return document.REST(body, at, t.faults)
}

// serverless returns the type of one of SAM's resources after AWS::Serverless::, the empty text for another resource.
func serverless(r *tree.Node) string {
	kind, ok := strings.CutPrefix(text(r.Get("Type")), "AWS::Serverless::")
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

func pairs(n *tree.Node) []tree.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

func itemsOf(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// list returns the keys of a map for a message.
func list[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// describe returns a value for a message: its text, or what kind of value it is.
func describe(n *tree.Node) string {
	if text, ok := n.Scalar(); ok {
		return fault.Quoted(text)
	}
	if name := n.Get("Ref"); name.Is(tree.Text) {
		return fmt.Sprintf("the value of %s, which is not known: give that parameter", fault.Quoted(name.Text))
	}
	return "not a text"
}
