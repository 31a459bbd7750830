package cloudformation

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// httpDocument adds to a document what stands in resources of an HTTP API.
func (a *reader) httpDocument(d *document) {
	if cors := a.property("CorsConfiguration"); cors != nil {
		d.root.Set("x-amazon-apigateway-cors", lowered(cors))
	}
	a.endpoint(d)
	for _, p := range a.parts("AWS::ApiGatewayV2::Authorizer", "ApiId") {
		d.scheme(p.id, a.httpScheme(p))
	}
	for _, p := range a.parts("AWS::ApiGatewayV2::Route", "ApiId") {
		a.route(d, p)
	}
	a.quickCreate(d)
}

// overrides is the resource that changes the route of an API with a Target.
const overrides = "AWS::ApiGatewayV2::ApiGatewayManagedOverrides"

// quickCreate adds the route that an API with a Target has. It is open unless overrides guard it.
func (a *reader) quickCreate(d *document) {
	target := a.property("Target")
	if target == nil {
		return
	}
	key := a.property("RouteKey")
	text, ok := key.Scalar()
	if key == nil {
		text, ok = "$default", true
	}
	if !ok {
		a.fault(key.At, "the RouteKey is not known: %s", giveIt(key))
		return
	}
	operation := tree.NewMap(target.At)
	switch all := a.parts(overrides, "ApiId"); len(all) {
	case 0:
	case 1:
		operation = a.overridden(d, all[0])
	default:
		operation.Set("security", unknown(all[1].at, "%s and %s both override the route of the API: remove one", all[0].id, all[1].id))
	}
	kind := "aws_proxy"
	if uri, _ := target.Scalar(); strings.HasPrefix(uri, "http") {
		kind = "http_proxy"
	}
	operation.Set(xIntegration, tree.NewMap(target.At).Set("type", tree.NewText(kind, target.At)).Set("uri", target))
	a.addRoute(d, text, target.At, operation)
}

// overridden makes the operation of a route whose guard overrides change.
func (a *reader) overridden(d *document, p part) *tree.Node {
	route := p.properties.Get("Route")
	if p.undecided == nil && route != nil && !route.Is(tree.Map) {
		p.undecided = unknown(route.At, "the Route of %s is not known: %s", p.id, giveIt(route))
	}
	p.properties = route
	return a.operation(d, p, "AWS::ApiGatewayV2::Authorizer", func(kind string) guard { return httpGuard(kind, p) })
}

// httpScheme makes a security scheme of an authorizer.
func (a *reader) httpScheme(p part) *tree.Node {
	scheme := headerScheme("Unused", p.at)
	if kind, _ := p.properties.Get("AuthorizerType").Scalar(); strings.EqualFold(kind, "JWT") {
		scheme = tree.NewMap(p.at).Set("type", tree.NewText("oauth2", p.at))
	}
	extension := a.authorizer(p, "AuthorizerType", map[string]string{
		"AuthorizerType": "type", "AuthorizerUri": "authorizerUri", "AuthorizerCredentialsArn": "authorizerCredentials",
		"AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds", "IdentitySource": "identitySource",
		"IdentityValidationExpression": "identityValidationExpression", "EnableSimpleResponses": "enableSimpleResponses",
		"AuthorizerPayloadFormatVersion": "authorizerPayloadFormatVersion",
	})
	if configuration := p.properties.Get("JwtConfiguration"); configuration != nil && p.undecided == nil {
		extension.Set("jwtConfiguration", lowered(configuration))
	}
	return scheme.Set("x-amazon-apigateway-authorizer", extension)
}

// route adds an operation for a route.
func (a *reader) route(d *document, p part) {
	key, ok := p.properties.Get("RouteKey").Scalar()
	if !ok {
		a.fault(p.at, "the RouteKey of the route %s is not known: %s", p.id, giveIt(p.properties.Get("RouteKey")))
		return
	}
	operation := a.operation(d, p, "AWS::ApiGatewayV2::Authorizer", func(kind string) guard { return httpGuard(kind, p) })
	if integration := a.integration(p.properties.Get("Target")); integration != nil {
		operation.Set(xIntegration, extension(integration))
	}
	a.addRoute(d, key, p.at, operation)
}

// httpGuard reads the authorization type of a route. A route without one is open, as AWS has it, unless it names an authorizer.
func httpGuard(kind string, p part) guard {
	switch strings.ToUpper(kind) {
	case "":
		if p.properties.Has("AuthorizationType") || p.properties.Has("AuthorizerId") {
			return noGuard
		}
		return openGuard
	case "NONE":
		return openGuard
	case "AWS_IAM":
		return iamGuard
	case "CUSTOM", "JWT":
		return authorizerGuard
	}
	return noGuard
}

// addRoute adds an operation under a route key.
func (a *reader) addRoute(d *document, key string, at tree.Position, operation *tree.Node) {
	if key == "$default" {
		d.operation("/$default", anyMethod, operation.Set("isDefaultRoute", tree.NewBool(true, at)))
		return
	}
	method, path, ok := strings.Cut(key, " ")
	if !ok || !isMethod(method) || !strings.HasPrefix(path, "/") {
		a.fault(at, "the RouteKey must be a method (%s) and a path, such as GET /pets, or $default", strings.Join(httpMethods, ", "))
		return
	}
	d.operation(path, methodKey(method), operation)
}

// integration returns the properties of the integration that a route's Target names, nil if it is not in the template. They are not known
// if the integration may be absent.
func (a *reader) integration(target *tree.Node) *tree.Node {
	for n := range target.All() {
		for _, id := range referred(n) {
			p := a.template.Resources.Pair(id)
			if p == nil {
				continue
			}
			if kind, _ := p.Value.Get("Type").Scalar(); kind != "AWS::ApiGatewayV2::Integration" {
				continue
			}
			if undecided := a.template.Undecided(id); undecided != nil {
				return undecided
			}
			return p.Value.Get("Properties")
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9]+)\}`)

// referred returns the resources that a value names: itself, or within a text that Fn::Sub or Fn::Join makes.
func referred(n *tree.Node) (ids []string) {
	switch {
	case n.Is(tree.Reference):
		return []string{n.Resource}
	case n.Is(tree.Unresolved):
		for _, m := range placeholder.FindAllStringSubmatch(n.Text, -1) {
			ids = append(ids, m[1])
		}
	}
	return ids
}

const xIntegration = "x-amazon-apigateway-integration"

// openAPINames are OpenAPI's names of an integration's fields, where they differ in more than the first letter.
var openAPINames = map[string]string{
	"integrationHttpMethod": "httpMethod", "integrationMethod": "httpMethod", "integrationType": "type", "integrationUri": "uri", "integrationResponses": "responses",
}

// extension returns the extension of OpenAPI that the properties of an integration amount to.
func extension(integration *tree.Node) *tree.Node {
	made := lowered(integration, "RequestParameters", "RequestTemplates", "IntegrationResponses", "ResponseParameters")
	if !made.Is(tree.Map) {
		return made
	}
	for i, p := range made.Pairs {
		if name := openAPINames[p.Key]; name != "" {
			made.Pairs[i].Key = name
		}
	}
	return made
}
