package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// stacks are the resources that create other stacks.
var stacks = []string{"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::Serverless::Application"}

// elsewhere looks for what other templates may add to the API: nested stacks and modules that it is passed to. It returns why the routes
// of the API are not known; empty if they are. A method that is not known would leave its requests to another route.
func (a *reader) elsewhere(read func(name string) ([]byte, error)) string {
	a.noteOutputs()
	because := ""
	for _, p := range a.template.Resources.Pairs {
		kind, _ := p.Value.Get("Type").Scalar()
		passed := slices.ContainsFunc(slices.Collect(p.Value.Get("Properties").All()), a.belongs)
		why := ""
		switch {
		case !passed:
		case strings.HasSuffix(kind, "::MODULE"):
			why = "bring what `aws cloudformation get-template --template-stage Processed` prints"
		case slices.Contains(stacks, kind):
			why = a.adds(p.Value.Get("Properties"), read)
		}
		if why == "" {
			continue
		}
		why = fmt.Sprintf("%s gets the API %s or a part of it, and may add routes to it: %s", p.Key, a.id, why)
		a.report.Refuse(p.At, p.Key, why)
		because = why
	}
	return because
}

// noteOutputs notes the outputs by which other stacks can add routes to the API.
func (a *reader) noteOutputs() {
	for _, name := range slices.Sorted(maps.Keys(a.template.Outputs)) {
		if v := a.template.Outputs[name]; v.Is(tree.Reference) && v.Resource == a.id && v.Attribute == "RootResourceId" {
			a.report.Approximate(v.At, "output "+name, "other stacks can add routes to the API by it, which are not known here: bring them in this template, or the export of the API")
		}
	}
}

// belongs reports whether a value names the API, or a resource that may be a part of it.
func (a *reader) belongs(n *tree.Node) bool {
	if !n.Is(tree.Reference) {
		return a.names(n)
	}
	kind, _ := a.template.Resources.Get(n.Resource).Get("Type").Scalar()
	return n.Resource == a.id || strings.HasPrefix(kind, "AWS::ApiGateway::Resource") || strings.HasPrefix(kind, "AWS::ApiGateway::Authorizer")
}

// adds says why a nested stack may add routes to an API; it is empty if the stack's template has none.
func (a *reader) adds(properties *tree.Node, read func(name string) ([]byte, error)) string {
	name, local := location(properties)
	if !local || read == nil {
		return "name a local file as its template"
	}
	data, err := read(name)
	if err != nil {
		return "its template cannot be read: " + err.Error()
	}
	root, faults := tree.Parse(name, data)
	if len(faults) > 0 {
		return "its template cannot be read: " + faults[0].Text()
	}
	if name := macro(root.Get("Transform")); name != nil {
		return fmt.Sprintf("its macro %s (%s:%d) may add resources; write them in the template of the API", fault.Quoted(name.Text), name.At.File, name.At.Line)
	}
	resources := root.Get("Resources")
	if !resources.Is(tree.Map) {
		return "its template " + name + " has no Resources, which must be a map of logical ids"
	}
	for _, p := range resources.Pairs {
		if harmless(p) {
			continue
		}
		return fmt.Sprintf("its resource %s (%s:%d) may be a route; write it in the template of the API", p.Key, p.At.File, p.At.Line)
	}
	return ""
}

// macro returns the name of a transform that may add resources, nil if there is none. Of AWS's own, only AWS::Include does.
func macro(transforms *tree.Node) *tree.Node {
	for n := range transforms.All() {
		if n.Is(tree.Text) && (!strings.HasPrefix(n.Text, "AWS::") || n.Text == "AWS::Include") {
			return n
		}
	}
	return nil
}

// harmless reports whether a resource of a nested template adds no route to an API.
func harmless(p tree.Pair) bool {
	kind, ok := p.Value.Get("Type").Scalar()
	if !ok || strings.HasSuffix(kind, "::MODULE") || strings.HasPrefix(p.Key, "Fn::") {
		return false
	}
	return !slices.Contains(routed, kind) && !slices.Contains(stacks, kind)
}
