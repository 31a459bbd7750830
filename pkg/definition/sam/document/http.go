package document

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const defaultPath = "$default"

// SkeletonHTTP returns the document of an HTTP API without paths.
func SkeletonHTTP(at tree.Position) *tree.Node {
	info := value.Object(at, "version", "1.0", "title", value.Ref("AWS::StackName", at))
	return value.Object(at, "openapi", "3.0.1", "info", info, "paths", tree.NewMap(at))
}

// AddHTTPLambda adds a method of an HTTP API that calls a function, unless the method integrates with something already.
func (d *Document) AddHTTPLambda(p Place, i Integration) {
	if d.Integrated(p.Path, p.Method) {
		return
	}
	d.integrate(p, i.Condition, func(operation *tree.Node) {
		value.Put(operation, integration, i.At, value.Object(i.At, "type", "aws_proxy", "httpMethod", "POST",
			"payloadFormatVersion", "2.0", "uri", i.uri()))
		if p.Path == defaultPath && Normalized(p.Method) == anyMethod {
			value.Put(operation, "isDefaultRoute", i.At, tree.NewBool(true, i.At))
		}
		putNew(operation, "responses", tree.NewMap(i.At))
	})
}

// SetPayloadFormat gives a method the version of the event that its function gets.
func (d *Document) SetPayloadFormat(path, method string, version *tree.Node) {
	for _, operation := range d.operations(path, method) {
		if n := operation.Get(integration); n.Is(tree.Map) {
			value.Put(n, "payloadFormatVersion", version.At, version)
		}
	}
}

// AddPathParameters declares the variables of a method's path.
func (d *Document) AddPathParameters(path, method string, names []string, at tree.Position) {
	for _, operation := range d.operations(path, method) {
		putNew(operation, "parameters", tree.NewList(at))
		parameters := operation.Get("parameters")
		for _, name := range names {
			i := slices.IndexFunc(parameters.Items, func(n *tree.Node) bool { return value.Says(n.Get("name"), name) })
			if i < 0 {
				i = len(parameters.Items)
				parameters.Items = append(parameters.Items, value.Object(at, "name", name))
			}
			value.Put(parameters.Items[i], "in", at, tree.NewText("path", at))
			value.Put(parameters.Items[i], "required", at, tree.NewBool(true, at))
		}
	}
}

// AddHTTPSchemes adds the security schemes of authorizers, in place of those of the same name.
func (d *Document) AddHTTPSchemes(authorizers []Authorizer, at tree.Position) {
	if len(authorizers) == 0 {
		return
	}
	schemes := child(child(d.root, "components", at), "securitySchemes", at)
	if !schemes.Is(tree.Map) {
		d.faults.Add(schemes.At, "securitySchemes of DefinitionBody must be a map")
		return
	}
	for _, a := range authorizers {
		value.Put(schemes, a.Name, a.At, a.Scheme)
	}
}

// SetHTTPDefault adds the default authorizer to each operation without a security, preflights aside.
func (d *Document) SetHTTPDefault(a Default) {
	for _, path := range d.Paths() {
		for _, item := range d.items(path) {
			for _, p := range item.Pairs {
				d.setHTTPDefault(a, path, item, p)
			}
		}
	}
}

func (d *Document) setHTTPDefault(a Default, path string, item *tree.Node, p tree.Pair) {
	method := Normalized(p.Key)
	if method == "parameters" || method == "options" {
		return
	}
	if !item.Has(method) {
		d.faults.Add(p.At, "the method %s of the path %s must be written %s in DefinitionBody", p.Key, path, method)
		return
	}
	for _, operation := range d.maps(p.Value, p.At, "the method "+p.Key+" of the path "+path) {
		if hasIntegration(operation) && !value.Truthy(operation.Get("security")) {
			value.Put(operation, "security", a.At, tree.NewList(a.At, requirement(a.Name, a.scopes(), a.At)))
		}
	}
}

// SetHTTPAuthorizer makes a method of an HTTP API ask for an authorizer, beside what it asks for already.
func (d *Document) SetHTTPAuthorizer(path, method, name string, scopes *tree.Node, at tree.Position) {
	for _, operation := range d.operations(path, method) {
		setSecurity(operation, append(slices.Clone(d.security(operation, path, method)), requirement(name, scopes, at)), at)
	}
}

// DisableEndpointHTTP tells API Gateway whether the execute-api endpoint of an HTTP API is off, in its servers.
func (d *Document) DisableEndpointHTTP(disable *tree.Node) {
	d.disableEndpoint(d.servers(disable.At), disable)
}

// httpCORS are the keys of CorsConfiguration with those of the document.
var httpCORS = [][2]string{
	{"AllowOrigins", "allowOrigins"}, {"AllowHeaders", "allowHeaders"}, {"AllowMethods", "allowMethods"},
	{"ExposeHeaders", "exposeHeaders"}, {"MaxAge", "maxAge"}, {"AllowCredentials", "allowCredentials"},
}

// SetCORS merges a CorsConfiguration over that of the document. An intrinsic function in place of the origins is the whole of it.
func (d *Document) SetCORS(configuration *tree.Node) {
	const key = "x-amazon-apigateway-cors"
	if !d.root.Has(key) {
		value.Put(d.root, key, configuration.At, tree.NewMap(configuration.At))
	}
	cors := d.root.Get(key)
	if !cors.Is(tree.Map) {
		d.faults.Add(cors.At, "%s of DefinitionBody must be a map", key)
		return
	}
	if origins := configuration.Get("AllowOrigins"); value.Intrinsic(origins) {
		for _, p := range lowered(origins).Pairs {
			value.Put(cors, p.Key, p.At, p.Value)
		}
		return
	}
	for _, k := range httpCORS {
		n := configuration.Get(k[0])
		set := value.Truthy(n)
		switch k[0] {
		case "MaxAge":
			set = !value.None(n)
		case "AllowCredentials":
			set = value.True(n)
		}
		if set {
			value.Put(cors, k[1], n.At, n)
		}
	}
}

// lowered returns a value with the document's names in place of those of CorsConfiguration, in keys and texts.
func lowered(n *tree.Node) *tree.Node {
	replace := func(text string) string {
		for _, k := range httpCORS {
			text = strings.ReplaceAll(text, k[0], k[1])
		}
		return text
	}
	made := value.Copy(n)
	for v := range made.All() {
		if v.Is(tree.Text) {
			v.Text = replace(v.Text)
		}
		for i := range v.Pairs {
			v.Pairs[i].Key = replace(v.Pairs[i].Key)
		}
	}
	return made
}

// SetInfo gives the document's info a value, which is made if need be.
func (d *Document) SetInfo(key string, v *tree.Node) {
	if info := child(d.root, "info", v.At); info.Is(tree.Map) {
		value.Put(info, key, v.At, v)
	}
}
