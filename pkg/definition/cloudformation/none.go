package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// routed are the resources that are routes of an API, or change them.
var routed = []string{"AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route", overrides}

// None looks at a template without REST and HTTP APIs. It returns the faults of what is, or may be, an API or a route of one, and notes
// what else concerns APIs.
func None(resources *tree.Node, read func(name string) ([]byte, error), r *portability.Report) fault.List {
	var faults fault.List
	for _, p := range resources.Pairs {
		kind, known := p.Value.Get("Type").Scalar()
		api := p.Value.Way("Properties", "ApiId", "Ref")
		socket := api.Is(tree.Text) && isSocket(resources.Get(api.Text))
		why := ""
		switch {
		case !known, strings.HasSuffix(kind, "::MODULE"), strings.HasPrefix(p.Key, "Fn::"):
			why = "it may be an API: bring what `aws cloudformation get-template --template-stage Processed` prints"
		case isSocket(p.Value):
			r.Pass(p.At, p.Key, socketNote)
		case socket:
		case slices.Contains(routed, kind):
			why = p.Key + " belongs to one of another template; bring them in one template, or what `aws apigateway get-export` prints of the API"
		case slices.Contains(stacks, kind):
			why = nested(p, read, r)
		case strings.HasPrefix(kind, "AWS::ApiGateway"):
			r.Pass(p.At, p.Key, "the template has no route that it concerns")
		}
		if why != "" {
			faults = append(faults, p.At.Fault("the template has no REST or HTTP API: %s", why))
		}
	}
	return faults
}

const socketNote = "a WebSocket API, whose connections portcullis does not guard: leave it at API Gateway"

// isSocket reports whether a resource is a WebSocket API.
func isSocket(resource *tree.Node) bool {
	kind, _ := resource.Get("Type").Scalar()
	protocol, _ := resource.Way("Properties", "ProtocolType").Scalar()
	return kind == httpAPI && protocol == "WEBSOCKET"
}

// nested says which template of a nested stack to bring, empty if that has no API. One that is not a local file is noted.
func nested(p tree.Pair, read func(name string) ([]byte, error), r *portability.Report) string {
	name, local := location(p.Value.Get("Properties"))
	if !local || read == nil {
		r.Pass(p.At, p.Key, "a stack of another template, which is not looked at: if it defines an API, bring that template")
		return ""
	}
	data, err := read(name)
	if err != nil {
		r.Pass(p.At, p.Key, fmt.Sprintf("a stack of the template %s, which cannot be read: if it defines an API, bring that template", fault.Quoted(name)))
		return ""
	}
	root, wrong := tree.Parse(name, data)
	if len(wrong) > 0 {
		return fmt.Sprintf("the nested stack %s may have it, and its template cannot be read: %s", p.Key, wrong[0].Text())
	}
	for inner := range root.Get("Resources").All() {
		kind, _ := inner.Get("Type").Scalar()
		if strings.HasPrefix(kind, "AWS::ApiGateway") || strings.HasPrefix(kind, "AWS::Serverless::") || slices.Contains(stacks, kind) {
			return fmt.Sprintf("the nested stack %s may have it; bring its template %s", p.Key, fault.Quoted(name))
		}
	}
	r.Pass(p.At, p.Key, fmt.Sprintf("a stack of the template %s, which defines no API", fault.Quoted(name)))
	return ""
}

// location returns the file of a nested stack's template, and whether it is a local one.
func location(properties *tree.Node) (name string, local bool) {
	name, ok := properties.Get("TemplateURL").Scalar()
	if !ok {
		name, ok = properties.Get("Location").Scalar()
	}
	return name, ok && !strings.Contains(name, "://")
}
