package document

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const authorizerKey = "x-amazon-apigateway-authorizer"

// Authorizer is an authorizer of an API as a security scheme.
type Authorizer struct {
	Name   string
	Scheme *tree.Node
	// Scopes are its AuthorizationScopes, nil for none.
	Scopes *tree.Node
	At     tree.Position
}

// IAM returns the authorizer AWS_IAM.
func IAM(at tree.Position) Authorizer {
	return Authorizer{Name: "AWS_IAM", At: at, Scheme: value.Object(at, "type", "apiKey", "name", "Authorization", "in", "header",
		"x-amazon-apigateway-authtype", "awsSigv4")}
}

// maker makes the scheme of one authorizer.
type maker struct {
	name      string
	given     *tree.Node
	partition string
	http      bool
	faults    *value.Faults
}

func (m maker) refuse(at *tree.Node, format string, args ...any) {
	position := m.given.At
	if at != nil {
		position = at.At
	}
	m.faults.Add(position, "authorizer %s: "+format, append([]any{m.name}, args...)...)
}

// RESTAuthorizer returns an authorizer of a REST API, from an entry of Authorizers.
func RESTAuthorizer(p tree.Pair, partition string, faults *value.Faults) Authorizer {
	m := maker{name: p.Key, given: p.Value, partition: partition, faults: faults}
	made := Authorizer{Name: p.Key, At: p.At, Scopes: p.Value.Get("AuthorizationScopes")}
	if !m.check() {
		return made
	}
	kind, detail := "custom", (*tree.Node)(nil)
	name := tree.NewText("Authorization", p.At)
	if header := m.identity().Get("Header"); value.Truthy(header) {
		name = header
	}
	switch {
	case value.Truthy(m.given.Get("UserPoolArn")):
		kind, detail = "cognito_user_pools", m.cognito()
	case m.request():
		name = tree.NewText("Unused", p.At)
		detail = m.lambda("request")
	default:
		detail = m.lambda("token")
	}
	made.Scheme = value.Object(p.At, "type", "apiKey", "name", name, "in", "header", "x-amazon-apigateway-authtype", kind, authorizerKey, detail)
	return made
}

func (m maker) identity() *tree.Node { return m.given.Get("Identity") }
func (m maker) request() bool        { return value.Says(m.given.Get("FunctionPayloadType"), "REQUEST") }

// check reports whether an authorizer of a REST API is one that the translator takes. What it does not take is a fault.
func (m maker) check() bool {
	if !m.given.Is(tree.Map) {
		m.refuse(m.given, "it must be a map")
		return false
	}
	payload := m.given.Get("FunctionPayloadType")
	if !value.None(payload) && !value.Says(payload, "TOKEN") && !value.Says(payload, "REQUEST") {
		m.refuse(payload, "FunctionPayloadType must be TOKEN or REQUEST")
	}
	if n := m.identity(); value.Truthy(n) && !n.Is(tree.Map) {
		m.refuse(n, "Identity must be a map")
		return false
	}
	if m.request() && m.lacksSource() {
		m.refuse(m.identity(), "a REQUEST authorizer must have one of Headers, QueryStrings, StageVariables and Context in Identity, or ReauthorizeEvery 0")
	}
	if n := m.given.Get("AuthorizationScopes"); !value.None(n) && !n.Is(tree.List) {
		m.refuse(n, "AuthorizationScopes must be a list")
	}
	if n := m.given.Get("DisableFunctionDefaultPermissions"); !value.None(n) && !n.Is(tree.Bool) {
		m.refuse(n, "DisableFunctionDefaultPermissions must be true or false")
	}
	if !value.Truthy(m.given.Get("UserPoolArn")) && value.None(m.given.Get("FunctionArn")) {
		m.refuse(nil, "it has neither UserPoolArn nor FunctionArn: write one")
	}
	return true
}

var integer = regexp.MustCompile(`^\s*[+-]?[0-9]+(_[0-9]+)*\s*$`)

// lacksSource reports whether a REQUEST authorizer names nothing that identifies the caller, though its answers are cached.
func (m maker) lacksSource() bool {
	for _, key := range []string{"Headers", "QueryStrings", "StageVariables", "Context"} {
		if value.Truthy(m.identity().Get(key)) {
			return false
		}
	}
	ttl := m.identity().Get("ReauthorizeEvery")
	text, ok := ttl.Scalar()
	if !ok {
		return true
	}
	switch {
	case ttl.Is(tree.Bool):
		return text == "true"
	case ttl.Is(tree.Number):
		f, err := strconv.ParseFloat(text, 64)
		return err != nil || math.Trunc(f) > 0
	case integer.MatchString(text):
		n, err := strconv.Atoi(strings.ReplaceAll(strings.TrimSpace(text), "_", ""))
		return err != nil || n > 0
	default:
		return true
	}
}

func (m maker) cognito() *tree.Node {
	pools := m.given.Get("UserPoolArn")
	if !pools.Is(tree.List) {
		pools = tree.NewList(pools.At, pools)
	}
	made := value.Object(m.given.At, "type", "cognito_user_pools", "providerARNs", pools)
	m.addValidation(made)
	return made
}

func (m maker) addValidation(to *tree.Node) {
	if n := m.identity().Get("ValidationExpression"); value.Truthy(n) {
		value.Put(to, "identityValidationExpression", n.At, n)
	}
}

// lambda returns the part of a Lambda authorizer that API Gateway's extension holds.
func (m maker) lambda(kind string) *tree.Node {
	made := value.Object(m.given.At, "type", kind, "authorizerUri", m.uri())
	if n := m.identity().Get("ReauthorizeEvery"); !value.None(n) {
		value.Put(made, "authorizerResultTtlInSeconds", n.At, n)
	}
	if role := m.given.Get("FunctionInvokeRole"); value.Truthy(role) && !value.Says(role, "NONE") {
		value.Put(made, "authorizerCredentials", role.At, role)
	}
	switch {
	case m.http && value.Truthy(m.identity()):
		value.Put(made, "identitySource", m.identity().At, tree.NewList(m.identity().At, m.sources(httpSources)...))
	case !m.http && kind == "request":
		if sources := m.sources(restSources); len(sources) > 0 {
			texts := make([]string, len(sources))
			for i, s := range sources {
				texts[i] = s.Text
			}
			value.Put(made, "identitySource", m.identity().At, tree.NewText(strings.Join(texts, ", "), sources[0].At))
		}
	case !m.http:
		m.addValidation(made)
	}
	return made
}

// uri returns the URI by which API Gateway calls the function of the authorizer.
func (m maker) uri() *tree.Node {
	arn := m.given.Get("FunctionArn")
	return value.SubWith("arn:"+m.partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations",
		"__FunctionArn__", arn, arn.Position())
}

// restSources and httpSources are the lists of Identity with what stands before each of their items in an identity source.
var (
	restSources = [][2]string{
		{"Headers", "method.request.header."}, {"QueryStrings", "method.request.querystring."}, {"StageVariables", "stageVariables."},
		{"Context", "context."},
	}
	httpSources = [][2]string{
		{"Headers", "$request.header."}, {"QueryStrings", "$request.querystring."}, {"StageVariables", "$stageVariables."},
		{"Context", "$context."},
	}
)

// sources returns the identity sources, in the order of the lists.
func (m maker) sources(lists [][2]string) []*tree.Node {
	var all []*tree.Node
	for _, l := range lists {
		list := m.identity().Get(l[0])
		if !value.Truthy(list) {
			continue
		}
		if !list.Is(tree.List) {
			m.refuse(list, "%s of Identity must be a list", l[0])
		}
		for _, item := range list.Items {
			text, ok := value.Text(item)
			if !ok {
				m.refuse(item, "each of %s of Identity must be a text, and not an intrinsic function", l[0])
			}
			all = append(all, tree.NewText(l[1]+text, item.At))
		}
	}
	return all
}

// HTTPAuthorizer returns an authorizer of an HTTP API, from an entry of Authorizers.
func HTTPAuthorizer(p tree.Pair, partition string, faults *value.Faults) Authorizer {
	m := maker{name: p.Key, given: p.Value, partition: partition, faults: faults, http: true}
	made := Authorizer{Name: p.Key, At: p.At, Scopes: p.Value.Get("AuthorizationScopes")}
	if !p.Value.Is(tree.Map) {
		m.refuse(p.Value, "it must be a map")
		return made
	}
	if n := p.Value.Get("OpenIdConnectUrl"); p.Value.Has("OpenIdConnectUrl") {
		m.refuse(n, "OpenIdConnectUrl is no longer supported: write JwtConfiguration")
		return made
	}
	if n := made.Scopes; !value.None(n) && !n.Is(tree.List) {
		m.refuse(n, "AuthorizationScopes must be a list")
	}
	if value.Truthy(p.Value.Get("JwtConfiguration")) {
		made.Scheme = m.jwt()
	} else {
		made.Scheme = m.httpLambda()
	}
	return made
}

var lambdaOnly = []string{
	"FunctionArn", "FunctionInvokeRole", "Identity", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "EnableFunctionDefaultPermissions",
}

func (m maker) onlyFor(what string, keys ...string) {
	for _, key := range keys {
		if n := m.given.Get(key); !value.None(n) {
			m.refuse(n, "%s is only for %s: remove it", key, what)
		}
	}
}

// jwt returns the scheme of a JWT authorizer. The keys of its configuration are in lower case, however they are written.
func (m maker) jwt() *tree.Node {
	m.onlyFor("Lambda authorizers, and this one has JwtConfiguration", lambdaOnly...)
	given := m.given.Get("JwtConfiguration")
	if !given.Is(tree.Map) {
		m.refuse(given, "JwtConfiguration must be a map")
	}
	source := m.given.Get("IdentitySource")
	if !value.Truthy(source) {
		m.refuse(nil, "it has no IdentitySource: write it, such as $request.header.Authorization")
	}
	configuration := tree.NewMap(given.At)
	for _, p := range given.Pairs {
		value.Put(configuration, strings.ToLower(p.Key), p.At, p.Value)
	}
	detail := value.Object(m.given.At, "jwtConfiguration", configuration, "identitySource", source, "type", "jwt")
	return value.Object(m.given.At, "type", "oauth2", authorizerKey, detail)
}

// httpLambda returns the scheme of a Lambda authorizer of an HTTP API.
func (m maker) httpLambda() *tree.Node {
	m.onlyFor("JWT authorizers, and this one has no JwtConfiguration", "AuthorizationScopes", "IdentitySource")
	version := m.given.Get("AuthorizerPayloadFormatVersion")
	if !value.Truthy(m.given.Get("FunctionArn")) {
		m.refuse(nil, "it has neither JwtConfiguration nor FunctionArn: write one")
	}
	if !value.Truthy(version) {
		m.refuse(nil, "it has no AuthorizerPayloadFormatVersion: write 1.0 or 2.0")
	}
	if n := m.given.Get("EnableFunctionDefaultPermissions"); !value.None(n) && !n.Is(tree.Bool) {
		m.refuse(n, "EnableFunctionDefaultPermissions must be true or false")
	}
	if n := m.identity(); value.Truthy(n) && !n.Is(tree.Map) {
		m.refuse(n, "Identity must be a map")
	}
	detail := m.lambda("request")
	if version != nil {
		value.Put(detail, "authorizerPayloadFormatVersion", version.At, version)
	}
	if n := m.given.Get("EnableSimpleResponses"); value.Truthy(n) {
		value.Put(detail, "enableSimpleResponses", n.At, n)
	}
	return value.Object(m.given.At, "type", "apiKey", "name", "Unused", "in", "header", authorizerKey, detail)
}
