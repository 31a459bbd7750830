package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// API is an API of a template.
type API struct {
	// ID is the logical id.
	ID   string
	HTTP bool
	At   tree.Position
}

const (
	restAPI = "AWS::ApiGateway::RestApi"
	httpAPI = "AWS::ApiGatewayV2::Api"
)

// APIs returns the REST and HTTP APIs of a template, in its order. WebSocket APIs are not among them.
func APIs(resources *tree.Node) []API {
	var apis []API
	for _, p := range resources.Pairs {
		kind, _ := p.Value.Get("Type").Scalar()
		if kind == restAPI || kind == httpAPI && !isSocket(p.Value) {
			apis = append(apis, API{ID: p.Key, HTTP: kind == httpAPI, At: p.At})
		}
	}
	return apis
}

// Read reads the API with a logical id, in the terms of portcullis.yaml. The faults are what keeps it from being read at all; what
// cannot be told of a route stands in the Report, and the route refuses.
func Read(t *template.Template, id string, o openapi.Options, r *portability.Report) (*tree.Node, fault.List) {
	a := &reader{template: t, id: id, report: r}
	for _, api := range APIs(t.Resources) {
		if api.ID == id {
			a.http = api.HTTP
			a.api = t.Resources.Pair(id)
		}
	}
	if a.api == nil {
		return nil, fault.List{t.Resources.Position().Fault("the template has no API %s: %s", fault.Quoted(id), choices(t.Resources))}
	}
	a.checkProperties()
	a.noteSockets()
	document := a.document()
	elsewhere := a.elsewhere(o.Read)
	if len(a.faults) > 0 {
		return nil, a.faults
	}
	o.HTTP = &a.http
	if o.Upstreams != nil {
		o.Upstreams.Variables = commonVariables(a.stages(), o.Upstreams.Stages)
	}
	node, faults := openapi.Read(document, o, r)
	if node != nil {
		a.finish(node)
		if elsewhere != "" {
			refuseAll(node, a.api.At, elsewhere)
		}
	}
	return node, faults
}

// choices says which APIs there are.
func choices(resources *tree.Node) string {
	var names []string
	for _, api := range APIs(resources) {
		names = append(names, api.ID)
	}
	if len(names) == 0 {
		return "it has no REST or HTTP API"
	}
	return "it has " + source.OneOf(names)
}

// reader reads one API.
type reader struct {
	template *template.Template
	id       string
	api      *tree.Pair
	http     bool
	report   *portability.Report
	faults   fault.List
}

// property returns a property of the API.
func (a *reader) property(name string) *tree.Node { return a.api.Value.Way("Properties", name) }

func (a *reader) fault(at tree.Position, format string, args ...any) {
	a.faults = append(a.faults, at.Fault(format, args...))
}

// part is a resource that belongs to the API.
type part struct {
	id         string
	at         tree.Position
	properties *tree.Node
	// undecided is the condition of the resource, if it is not known. It is nil if the resource is there.
	undecided *tree.Node
}

// defaults returns the parameters whose defaults decided that the part is there, or what guards it.
func (p part) defaults() []string {
	if p.properties == nil {
		return nil
	}
	all := slices.Clone(p.properties.Defaults)
	for _, name := range []string{"HttpMethod", "RouteKey", "AuthorizationType", "AuthorizerId", "AuthorizationScopes", "ApiKeyRequired"} {
		for n := range p.properties.Get(name).All() {
			all = append(all, n.Defaults...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// owned are the resources that say who may call. Each of them must name its API, and one that may be a part of this API counts as one.
var owned = []string{"AWS::ApiGateway::Method", "AWS::ApiGateway::Authorizer", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Authorizer", overrides}

// checkProperties reports properties that are not a map, as of a function whose condition is not known: nobody can tell whose they are.
func (a *reader) checkProperties() {
	for _, p := range a.template.Resources.Pairs {
		kind, _ := p.Value.Get("Type").Scalar()
		properties := p.Value.Get("Properties")
		switch {
		case !strings.HasPrefix(kind, "AWS::ApiGateway") || properties == nil || properties.Is(tree.Map):
		case properties.Is(tree.Unresolved):
			a.fault(properties.At, "the Properties of %s are not known: %s", p.Key, properties.Unknown.Message)
		default:
			a.fault(properties.At, "the Properties of %s must be a map, and are %s", p.Key, properties.Kind)
		}
	}
}

// noteSockets notes the WebSocket APIs of the template.
func (a *reader) noteSockets() {
	for _, p := range a.template.Resources.Pairs {
		if isSocket(p.Value) {
			a.report.Pass(p.At, p.Key, socketNote)
		}
	}
}

// parts returns the resources of a type that belong to the API by a property, RestApiId or ApiId.
func (a *reader) parts(kind, owner string) []part {
	var parts []part
	for _, p := range a.template.Resources.Pairs {
		if name, _ := p.Value.Get("Type").Scalar(); name != kind {
			continue
		}
		properties := p.Value.Get("Properties")
		of, guards := properties.Get(owner), slices.Contains(owned, kind)
		switch {
		case a.names(of):
			parts = append(parts, part{p.Key, p.At, properties, a.template.Undecided(p.Key)})
		case of.Is(tree.Unresolved):
			a.report.Refuse(p.At, p.Key, fmt.Sprintf("its %s is not known, so it may be a part of %s: %s", owner, a.id, of.Unknown.Message))
			if guards {
				parts = append(parts, part{p.Key, p.At, properties, of})
			}
		case guards && !a.ofAnother(of):
			a.fault(p.At, "the %s of %s does not name an API: write a Ref to it", owner, p.Key)
		}
	}
	return parts
}

// names reports whether a value names the API.
func (a *reader) names(n *tree.Node) bool {
	if text, ok := n.Scalar(); ok {
		return text != "" && text == a.template.APIID
	}
	return n.Is(tree.Reference) && n.Resource == a.id && (n.Attribute == "" || n.Attribute == "RestApiId" || n.Attribute == "ApiId")
}

// ofAnother reports whether a value names another API: one of the template, or one by its id.
func (a *reader) ofAnother(n *tree.Node) bool {
	text, ok := n.Scalar()
	return ok && text != "" || a.resource(n, restAPI) != nil || a.resource(n, httpAPI) != nil
}

// resource returns the resource of a type that a value refers to, nil if it refers to none of the template.
func (a *reader) resource(n *tree.Node, kind string) *tree.Pair {
	if !n.Is(tree.Reference) {
		return nil
	}
	p := a.template.Resources.Pair(n.Resource)
	if p == nil {
		return nil
	}
	if name, _ := p.Value.Get("Type").Scalar(); name != kind {
		return nil
	}
	return p
}

// unknown is a value that is not known, for a reason.
func unknown(at tree.Position, format string, args ...any) *tree.Node {
	return &tree.Node{Kind: tree.Unresolved, At: at, Unknown: &tree.Unknown{Message: fmt.Sprintf(format, args...)}}
}
