package document

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const (
	endpointConfiguration = "x-amazon-apigateway-endpoint-configuration"
	disableEndpoint       = "disableExecuteApiEndpoint"
)

// Skeleton returns the document of a REST API without paths.
func Skeleton(at tree.Position) *tree.Node {
	info := value.Object(at, "version", "1.0", "title", value.Ref("AWS::StackName", at))
	return value.Object(at, "swagger", "2.0", "info", info, "paths", tree.NewMap(at))
}

// Integration is the integration of a method.
type Integration struct {
	URI *tree.Node
	// Credentials are those that API Gateway calls the integration with, nil for none.
	Credentials *tree.Node
	// Streams says that the answer is streamed.
	Streams bool
	// Condition is the condition that the function or state machine depends on, empty for none.
	Condition string
	// Templates are the request templates of a state machine.
	Templates *tree.Node
	At        tree.Position
}

// AddLambda adds a method of a REST API that calls a function.
func (d *Document) AddLambda(p Place, i Integration) {
	d.integrate(p, i.Condition, func(operation *tree.Node) {
		made := value.Object(i.At, "type", "aws_proxy", "httpMethod", "POST", "uri", i.uri())
		if i.Streams {
			value.Put(made, "responseTransferMode", i.At, tree.NewText("STREAM", i.At))
		}
		if i.Credentials != nil {
			value.Put(made, "credentials", i.At, i.Credentials)
		}
		value.Put(operation, integration, i.At, made)
		putNew(operation, "responses", tree.NewMap(i.At))
	})
}

// AddStateMachine adds a method of a REST API that starts a state machine.
func (d *Document) AddStateMachine(p Place, i Integration) {
	status := func(code string) *tree.Node { return value.Object(i.At, "statusCode", code) }
	described := func(text string) *tree.Node { return value.Object(i.At, "description", text) }
	d.integrate(p, i.Condition, func(operation *tree.Node) {
		responses := value.Object(i.At, "200", status("200"), "400", status("400"))
		value.Put(operation, integration, i.At, value.Object(i.At, "type", "aws", "httpMethod", "POST", "uri", i.uri(),
			"responses", responses, "credentials", i.Credentials, "requestTemplates", i.Templates))
		putNew(operation, "responses", value.Object(i.At, "200", described("OK"), "400", described("Bad Request")))
	})
}

// uri returns the URI of an integration, which depends on the function's condition, for CloudFormation knows the function only then.
func (i Integration) uri() *tree.Node {
	if i.Condition == "" {
		return i.URI
	}
	return value.If(i.Condition, i.URI, i.At)
}

func putNew(n *tree.Node, key string, v *tree.Node) {
	if !n.Has(key) {
		value.Put(n, key, v.At, v)
	}
}

// CORS is the Cors property of a REST API.
type CORS struct {
	Origin, Headers, Methods, MaxAge *tree.Node
	Credentials                      bool
	At                               tree.Position
}

// AddCORS adds a preflight, an OPTIONS method with a mock integration, to each path that has none. Of paths that differ by a slash at
// the end alone the first one gets it.
func (d *Document) AddCORS(c CORS) {
	var done []string
	for _, path := range d.Paths() {
		plain := path
		if path != "/" {
			plain = strings.TrimRight(path, "/")
		}
		if slices.Contains(done, plain) {
			continue
		}
		done = append(done, plain)
		d.addPreflight(path, c)
	}
}

func (d *Document) addPreflight(path string, c CORS) {
	for _, item := range d.items(path) {
		if item.Has("options") {
			continue
		}
		if !value.Truthy(c.Origin) {
			d.faults.Add(c.At, "Cors has no AllowOrigin: write it, such as \"'*'\"")
			return
		}
		if !value.Truthy(c.Methods) {
			// The methods of the first branch serve the others too.
			c.Methods = tree.NewText("'"+allowedMethods(item)+"'", c.At)
		}
		value.Put(item, "options", c.At, c.preflight())
	}
}

// allowedMethods returns the methods of a path as Access-Control-Allow-Methods has them.
func allowedMethods(item *tree.Node) string {
	methods := append(value.Names(item), "options")
	if item.Has(anyMethod) {
		methods = []string{"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}
	}
	for i, m := range methods {
		methods[i] = strings.ToUpper(m)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ",")
}

// preflight returns the OPTIONS method of the developer guide's "Enable CORS on a resource using the import API".
func (c CORS) preflight() *tree.Node {
	parameters, headers := tree.NewMap(c.At), tree.NewMap(c.At)
	add := func(header string, v *tree.Node, kind string) {
		value.Put(parameters, "method.response.header."+header, c.At, v)
		value.Put(headers, header, c.At, value.Object(c.At, "type", kind))
	}
	add("Access-Control-Allow-Origin", c.Origin, "string")
	if value.Truthy(c.Headers) {
		add("Access-Control-Allow-Headers", c.Headers, "string")
	}
	if value.Truthy(c.Methods) {
		add("Access-Control-Allow-Methods", c.Methods, "string")
	}
	if !value.None(c.MaxAge) {
		add("Access-Control-Max-Age", c.MaxAge, "integer")
	}
	if c.Credentials {
		add("Access-Control-Allow-Credentials", tree.NewText("'true'", c.At), "string")
	}
	template := func(text string) *tree.Node { return value.Object(c.At, "application/json", text) }
	media := tree.NewList(c.At, tree.NewText("application/json", c.At))
	answer := value.Object(c.At, "statusCode", "200", "responseParameters", parameters, "responseTemplates", template("{}\n"))
	mock := value.Object(c.At, "type", "mock", "requestTemplates", template("{\n  \"statusCode\" : 200\n}\n"),
		"responses", value.Object(c.At, "default", answer))
	described := value.Object(c.At, "description", "Default response for CORS method", "headers", headers)
	return value.Object(c.At, "summary", "CORS support", "consumes", media, "produces", media, integration, mock,
		"responses", value.Object(c.At, "200", described))
}

// SetBinaryMediaTypes tells API Gateway which bodies are binary. A slash may be written ~1.
func (d *Document) SetBinaryMediaTypes(types *tree.Node) {
	value.Put(d.root, "x-amazon-apigateway-binary-media-types", types.At, withSlashes(types))
}

func withSlashes(n *tree.Node) *tree.Node {
	made := value.Copy(n)
	for v := range made.All() {
		if v.Is(tree.Text) {
			v.Text = strings.ReplaceAll(v.Text, "~1", "/")
		}
		for i := range v.Pairs {
			v.Pairs[i].Key = strings.ReplaceAll(v.Pairs[i].Key, "~1", "/")
		}
	}
	return made
}

// AddGatewayResponses adds responses of API Gateway's own, by type.
func (d *Document) AddGatewayResponses(responses *tree.Node) {
	all := child(d.root, "x-amazon-apigateway-gateway-responses", responses.At)
	for _, p := range responses.Pairs {
		value.Put(all, p.Key, p.At, p.Value)
	}
}

// AddModels adds models of request bodies, by name in lower case.
func (d *Document) AddModels(models *tree.Node) {
	all := child(d.root, "definitions", models.At)
	for _, p := range models.Pairs {
		if !value.Truthy(p.Value.Get("type")) {
			d.faults.Add(p.At, "the model %s has no type: write it, such as object", p.Key)
		}
		value.Put(all, strings.ToLower(p.Key), p.At, p.Value)
	}
}

// DisableEndpointREST tells API Gateway whether the execute-api endpoint of a REST API is off: in the document itself, or, for OpenAPI 3, in its servers.
func (d *Document) DisableEndpointREST(disable *tree.Node) {
	holders := []*tree.Node{d.root}
	if value.Truthy(d.root.Get("openapi")) && IsVersion3(d.root.Get("openapi")) {
		holders = d.servers(disable.At)
	}
	d.disableEndpoint(holders, disable)
}

// servers returns the servers of the document, one without content if there are none.
func (d *Document) servers(at tree.Position) []*tree.Node {
	if !d.root.Has("servers") {
		value.Put(d.root, "servers", at, tree.NewList(at, tree.NewMap(at)))
	}
	servers := d.root.Get("servers")
	if !servers.Is(tree.List) {
		d.faults.Add(servers.At, "servers of DefinitionBody must be a list")
	}
	return servers.Items
}

func (d *Document) disableEndpoint(holders []*tree.Node, disable *tree.Node) {
	for _, holder := range holders {
		if !holder.Is(tree.Map) {
			d.faults.Add(holder.Position(), "a server of DefinitionBody must be a map")
			continue
		}
		putNew(holder, endpointConfiguration, tree.NewMap(disable.At))
		at := holder.Get(endpointConfiguration)
		if !at.Is(tree.Map) {
			d.faults.Add(at.Position(), "%s must be a map", endpointConfiguration)
			continue
		}
		value.Put(at, disableEndpoint, disable.At, disable)
	}
}
