package cloudformation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// maxDepth is how many resources a path may have, as API Gateway bounds it and with room.
const maxDepth = 300

// restDocument adds to a document what stands in resources of a REST API.
func (a *reader) restDocument(d *document) {
	a.policy(d)
	d.root.Set("x-amazon-apigateway-api-key-source", a.property("ApiKeySourceType"))
	a.endpoint(d)
	for _, p := range a.parts("AWS::ApiGateway::Authorizer", "RestApiId") {
		d.scheme(p.id, a.restScheme(p))
	}
	for _, p := range a.parts("AWS::ApiGateway::Method", "RestApiId") {
		a.method(d, p)
	}
	for _, p := range a.parts("AWS::ApiGateway::GatewayResponse", "RestApiId") {
		a.gatewayResponse(d, p)
	}
}

// policy sets the resource policy. One that stands in the Body too is not told apart from it: nobody says which of them AWS keeps.
func (a *reader) policy(d *document) {
	const key = "x-amazon-apigateway-policy"
	policy := a.property("Policy")
	switch {
	case policy == nil:
	case policy.Is(tree.Text) && policy.Text == "":
		a.report.Pass(policy.At, "Policy", "an empty text is not a policy")
	case d.root.Has(key):
		d.root.Set(key, unknown(policy.At, "the API has a Policy, and its Body has another: remove one"))
	default:
		d.root.Set(key, policy)
	}
}

// endpoint sets how the API is reached.
func (a *reader) endpoint(d *document) {
	const key = "x-amazon-apigateway-endpoint-configuration"
	disabled := a.property("DisableExecuteApiEndpoint")
	endpoints := a.property("EndpointConfiguration").Get("VpcEndpointIds") // endpointType says what is wrong with it
	if disabled == nil && endpoints == nil {
		return
	}
	if configuration := d.within(key); configuration != nil {
		configuration.Set("disableExecuteApiEndpoint", disabled).Set("vpcEndpointIds", endpoints)
	}
}

// restScheme makes a security scheme of an authorizer.
func (a *reader) restScheme(p part) *tree.Node {
	kind, ok := p.properties.Get("Type").Scalar()
	scheme := headerScheme(a.tokenHeader(p, kind), p.at)
	authType := "custom"
	if ok && strings.EqualFold(kind, "COGNITO_USER_POOLS") {
		authType = "cognito_user_pools"
	}
	scheme.Set("x-amazon-apigateway-authtype", tree.NewText(authType, p.at))
	return scheme.Set("x-amazon-apigateway-authorizer", a.authorizer(p, "Type", map[string]string{
		"Type": "type", "AuthorizerUri": "authorizerUri", "AuthorizerCredentials": "authorizerCredentials",
		"AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds", "IdentitySource": "identitySource",
		"IdentityValidationExpression": "identityValidationExpression", "ProviderARNs": "providerARNs",
	}))
}

// tokenHeader is the header of a scheme. It counts if the authorizer has no identity source, which API Gateway requires of an authorizer
// of tokens.
func (a *reader) tokenHeader(p part, kind string) string {
	if p.undecided != nil || p.properties.Has("IdentitySource") || strings.EqualFold(kind, "REQUEST") {
		return "Unused"
	}
	a.report.Approximate(p.at, p.id, "IdentitySource is missing, which API Gateway requires: the token is taken from the header Authorization")
	return "Authorization"
}

// headerScheme makes a security scheme of a header. An authorizer's own identity source counts in place of the header.
func headerScheme(name string, at tree.Position) *tree.Node {
	return tree.NewMap(at).Set("type", tree.NewText("apiKey", at)).Set("name", tree.NewText(name, at)).Set("in", tree.NewText("header", at))
}

// authorizer makes the extension of a scheme of an authorizer's properties, by their names in OpenAPI.
func (a *reader) authorizer(p part, kind string, names map[string]string) *tree.Node {
	if p.undecided != nil {
		return p.undecided
	}
	made := tree.NewMap(p.at)
	for _, property := range p.properties.Pairs {
		name := names[property.Key]
		value := property.Value
		if text, ok := value.Scalar(); ok && property.Key == kind {
			value = tree.NewText(strings.ToLower(text), value.At)
		}
		if name != "" {
			made.Set(name, value)
		}
	}
	return made
}

// method adds an operation.
func (a *reader) method(d *document, p part) {
	method, ok := p.properties.Get("HttpMethod").Scalar()
	if !ok {
		a.fault(p.at, "the method %s has no HttpMethod that is known: %s", p.id, giveIt(p.properties.Get("HttpMethod")))
		return
	}
	if !isMethod(method) {
		a.fault(p.at, "the HttpMethod of %s must be one of %s", p.id, strings.Join(httpMethods, ", "))
		return
	}
	path, wrong := a.path(p.properties.Get("ResourceId"), 0)
	if wrong != "" {
		a.fault(p.at, "the path of the method %s is not known: %s", p.id, wrong)
		return
	}
	d.operation(path, methodKey(method), a.operation(d, p, "AWS::ApiGateway::Authorizer", restGuard))
}

// operation makes an operation of a method or a route.
func (a *reader) operation(d *document, p part, authorizers string, guard func(string) guard) *tree.Node {
	operation := tree.NewMap(p.at)
	operation.Defaults = p.defaults()
	if integration := p.properties.Get("Integration"); integration.Is(tree.Map) {
		operation.Set(xIntegration, extension(integration))
	}
	kind := p.properties.Get("AuthorizationType")
	text, known := kind.Scalar()
	switch g := guard(text); {
	case p.undecided != nil:
		return operation.Set("security", p.undecided)
	case kind.Is(tree.Unresolved):
		return operation.Set("security", kind)
	case kind != nil && !known, g == noGuard:
		return operation.Set("security", unknown(p.at, "AuthorizationType is missing, or is not one that API Gateway has: write NONE if the route is open"))
	case g == openGuard:
		return a.keyed(d, p, operation, nil)
	case g == iamGuard:
		operation.Set("x-amazon-apigateway-auth", tree.NewMap(kind.At).Set("type", tree.NewText("AWS_IAM", kind.At)))
		return a.keyed(d, p, operation, nil)
	default:
		return a.authorized(d, p, operation, authorizers, text)
	}
}

// authorized has an operation guarded by the authorizer that it names.
func (a *reader) authorized(d *document, p part, operation *tree.Node, authorizers, kind string) *tree.Node {
	named := p.properties.Get("AuthorizerId")
	authorizer := a.resource(named, authorizers)
	if authorizer == nil {
		return operation.Set("security", unknown(p.at, "AuthorizerId does not name an authorizer of the template: %s", giveAuthorizer(named)))
	}
	switch its := authorizerKind(authorizer.Value.Get("Properties")); {
	case its == "" || its == strings.ToUpper(kind):
	case its == "COGNITO_USER_POOLS" && strings.EqualFold(kind, "CUSTOM"): // as the documentation of AuthorizerId used to ask for
		a.report.Approximate(p.at, p.id, "AuthorizationType is CUSTOM, and the authorizer "+authorizer.Key+" asks for tokens of a user pool: the route asks for them too")
	default:
		return operation.Set("security", unknown(p.at, "AuthorizationType is %s, and the authorizer %s is for %s: write %s", kind, authorizer.Key, its, its))
	}
	scopes := p.properties.Get("AuthorizationScopes")
	if scopes == nil {
		scopes = tree.NewList(p.at)
	}
	return a.keyed(d, p, operation, tree.NewMap(named.At).Set(authorizer.Key, scopes))
}

// authorizerKind returns the authorization type that an authorizer is for, empty if that is not known.
func authorizerKind(properties *tree.Node) string {
	kind, _ := properties.Get("Type").Scalar()
	if kind == "" {
		kind, _ = properties.Get("AuthorizerType").Scalar()
	}
	switch strings.ToUpper(kind) {
	case "TOKEN", "REQUEST":
		return "CUSTOM"
	case "COGNITO_USER_POOLS", "JWT":
		return strings.ToUpper(kind)
	}
	return ""
}

// keyed adds an API key to what an operation asks for.
func (a *reader) keyed(d *document, p part, operation, requirement *tree.Node) *tree.Node {
	const scheme = "portcullis_api_key"
	required := p.properties.Get("ApiKeyRequired")
	needed, known := required.Truth()
	if required != nil && !known {
		if required.Is(tree.Unresolved) {
			return operation.Set("security", required)
		}
		return operation.Set("security", unknown(required.At, "ApiKeyRequired must be true or false"))
	}
	security := tree.NewList(p.at)
	if requirement != nil {
		security.Items = append(security.Items, requirement)
	}
	if needed {
		d.scheme(scheme, headerScheme("x-api-key", required.At))
		security.Items = append(security.Items, tree.NewMap(required.At).Set(scheme, tree.NewList(required.At)))
	}
	if len(security.Items) > 0 {
		operation.Set("security", security)
	}
	return operation
}

// guard is the guard that an authorization type asks for. API Gateway does not have the zero guard.
type guard uint8

const (
	noGuard guard = iota
	openGuard
	iamGuard
	authorizerGuard
)

func restGuard(kind string) guard {
	switch strings.ToUpper(kind) {
	case "NONE":
		return openGuard
	case "AWS_IAM":
		return iamGuard
	case "CUSTOM", "COGNITO_USER_POOLS", "JWT":
		return authorizerGuard
	}
	return noGuard
}

// plainNumber matches a number that all readers of YAML write as it stands: 010 is 8 for some.
var plainNumber = regexp.MustCompile(`^(?:0|[1-9][0-9]*)$`)

// path returns the path of a resource, or what is wrong with it.
func (a *reader) path(n *tree.Node, depth int) (path, wrong string) {
	if n.Is(tree.Reference) && n.Resource == a.id && n.Attribute == "RootResourceId" {
		return "/", ""
	}
	resource := a.resource(n, "AWS::ApiGateway::Resource")
	switch {
	case depth > maxDepth:
		return "", "its resources lie within each other in a circle"
	case resource == nil:
		return "", "it names a resource that is not in the template; " + giveIt(n)
	}
	properties := resource.Value.Get("Properties")
	part, ok := properties.Get("PathPart").Scalar()
	if !ok {
		return "", fmt.Sprintf("the PathPart of %s is not known: %s", resource.Key, giveIt(properties.Get("PathPart")))
	}
	if n := properties.Get("PathPart"); n.Is(tree.Number) && !plainNumber.MatchString(part) {
		return "", fmt.Sprintf("CloudFormation may read the number %s of the PathPart of %s as another one: write it in quotes", part, resource.Key)
	}
	if path, wrong = a.path(properties.Get("ParentId"), depth+1); wrong != "" {
		return "", wrong
	}
	return strings.TrimSuffix(path, "/") + "/" + part, ""
}

// giveIt says how to give a value that is not known.
func giveIt(n *tree.Node) string {
	switch {
	case n.Is(tree.Unresolved):
		return n.Unknown.Message
	case n == nil:
		return "write it"
	default:
		return "name a resource of this template"
	}
}

func giveAuthorizer(n *tree.Node) string {
	if n.Is(tree.Unresolved) {
		return "bring the authorizer into the template; " + n.Unknown.Message
	}
	return "write AuthorizerId with a Ref to it"
}

// gatewayResponse adds a gateway response.
func (a *reader) gatewayResponse(d *document, p part) {
	kind, ok := p.properties.Get("ResponseType").Scalar()
	if !ok || p.undecided != nil {
		a.report.Refuse(p.at, "gateway response "+p.id, "its ResponseType or its condition is not known: give it, or remove the resource")
		return
	}
	if responses := d.within("x-amazon-apigateway-gateway-responses"); responses != nil {
		responses.Set(kind, tree.NewMap(p.at).Set("statusCode", p.properties.Get("StatusCode")).
			Set("responseParameters", p.properties.Get("ResponseParameters")).Set("responseTemplates", p.properties.Get("ResponseTemplates")))
	}
}
