package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

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
		case kind == "AWS::CloudFormation::Stack", kind == "AWS::Serverless::Application":
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
		return n.Intrinsic != "" && a.names(n)
	}
	kind, _ := a.template.Resources.Get(n.Resource).Get("Type").Scalar()
	return n.Resource == a.id || strings.HasPrefix(kind, "AWS::ApiGateway::Resource") || strings.HasPrefix(kind, "AWS::ApiGateway::Authorizer")
}

// adds says why a nested stack may add routes to an API; it is empty if the stack's template has none.
func (a *reader) adds(properties *tree.Node, read func(name string) ([]byte, error)) string {
	name, ok := properties.Get("TemplateURL").Scalar()
	if !ok {
		name, ok = properties.Get("Location").Scalar()
	}
	if !ok || read == nil || strings.Contains(name, "://") {
		return "name a local file as its template"
	}
	data, err := read(name)
	if err != nil {
		return "its template cannot be read: " + err.Error()
	}
	root, faults := tree.Parse(name, data)
	if root == nil {
		return "its template cannot be read: " + faults[0].Text()
	}
	for _, p := range root.Get("Resources").Pairs {
		if harmless(p) {
			continue
		}
		return fmt.Sprintf("its resource %s (%s:%d) may be a route; write it in the template of the API", p.Key, p.At.File, p.At.Line)
	}
	return ""
}

// harmless reports whether a resource of a nested template adds no route to an API.
func harmless(p tree.Pair) bool {
	kind, ok := p.Value.Get("Type").Scalar()
	if !ok || strings.HasSuffix(kind, "::MODULE") || strings.HasPrefix(p.Key, "Fn::") {
		return false
	}
	return !slices.Contains([]string{"AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route", overrides, "AWS::CloudFormation::Stack", "AWS::Serverless::Application"}, kind)
}
