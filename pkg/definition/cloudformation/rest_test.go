package cloudformation

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
)

// api is a REST API with a resource /pets, an authorizer of each kind, and room for a method in line 18.
const api = `Parameters: {Mode: {Type: String}, Off: {Type: String, Default: 'no'}}
Conditions: {Undecided: !Equals [!Ref Mode, x], Not: !Equals [!Ref Off, 'yes'], Is: !Equals [!Ref Off, 'no']}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: pets}}
  Pets: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: pets}}
  Pet: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !Ref Pets, PathPart: "{id}"}}
  Fn: {Type: AWS::Lambda::Function, Properties: {FunctionName: partners}}
  Token: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Api, Type: TOKEN, IdentitySource: method.request.header.Auth,
    AuthorizerUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}
  Pool: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Api, Type: COGNITO_USER_POOLS, IdentitySource: method.request.header.Authorization,
    ProviderARNs: ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"]}}
  Maybe: {Type: AWS::ApiGateway::Authorizer, Condition: Undecided, Properties: {RestApiId: !Ref Api, Type: TOKEN, IdentitySource: method.request.header.Auth,
    AuthorizerUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}
  Other: {Type: AWS::ApiGateway::RestApi, Properties: {Name: other}}
  Theirs: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Other, Type: TOKEN, IdentitySource: method.request.header.Auth,
    AuthorizerUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}

`

// method is a method of the API with more properties.
func method(more string) string {
	return api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: GET, " + more + "}}\n"
}

func TestMethods(t *testing.T) {
	for _, test := range []struct{ properties, route, says string }{
		{"AuthorizationType: NONE", "authorization NONE", ""},
		{"AuthorizationType: none", "authorization NONE", ""},
		{"AuthorizationType: NONE, ApiKeyRequired: true", "authorization NONE, apiKeyRequired true", ""},
		{"AuthorizationType: AWS_IAM", "authorization AWS_IAM", ""},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Ref Token", "authorizer Token", ""},
		{"AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Pool, AuthorizationScopes: [pets/read]", "authorizer Pool, scopes [pets/read]", ""},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Sub '${Token}'", "authorizer Token", ""},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Join ['', [!Ref Token]]", "authorizer Token", ""},
		{"AuthorizationType: !If [Is, AWS_IAM, NONE]", "authorization AWS_IAM", ""},

		{"ApiKeyRequired: true", "unresolved", "18: GET /pets: AuthorizationType is missing, or is not one that API Gateway has: write NONE if the route is open"},
		{"AuthorizerId: !Ref Token", "unresolved", "18: GET /pets: AuthorizationType is missing"},
		{"AuthorizationType: ''", "unresolved", "AuthorizationType is missing"},
		{"AuthorizationType: null", "unresolved", "AuthorizationType is missing"},
		{"AuthorizationType: [NONE]", "unresolved", "AuthorizationType is missing"},
		{"AuthorizationType: SIGV4", "unresolved", "AuthorizationType is missing, or is not one"},
		{"AuthorizationType: !Ref Mode", "unresolved", "the parameter Mode has no default: give it by --parameter Mode=…"},
		{"AuthorizationType: !If [Undecided, AWS_IAM, NONE]", "unresolved", "--parameter Mode=…"},
		{"AuthorizationType: !ImportValue type", "unresolved", "what another stack exports is not known: give it by --value 'Fn::ImportValue type=…', or in values: of the definition"},
		{"AuthorizationType: CUSTOM", "unresolved", "AuthorizerId does not name an authorizer of the template: write AuthorizerId with a Ref to it"},
		{"AuthorizationType: CUSTOM, AuthorizerId: abc123", "unresolved", "AuthorizerId does not name an authorizer of the template"},
		{"AuthorizationType: CUSTOM, AuthorizerId: !ImportValue auth", "unresolved", "bring the authorizer into the template; what another stack exports is not known: give it by --value 'Fn::ImportValue auth=…'"},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Ref Fn", "unresolved", "AuthorizerId does not name an authorizer"},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Ref Theirs", "unresolved", `security scheme "Theirs": security names it, and the document has no such scheme`},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Ref Maybe", "unresolved", "the condition Undecided is not decided"},
		{"AuthorizationType: CUSTOM, AuthorizerId: !Ref Pool, AuthorizationScopes: [pets/read]", "authorizer Pool, scopes [pets/read]", ""},
		{"AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Token", "unresolved", "AuthorizationType is COGNITO_USER_POOLS, and the authorizer Token is for CUSTOM: write CUSTOM"},
		{"AuthorizationType: NONE, ApiKeyRequired: !Ref Mode", "unresolved", "--parameter Mode=…"},
		{"AuthorizationType: NONE, ApiKeyRequired: maybe", "unresolved", "ApiKeyRequired must be true or false"},
		{"AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Pool, AuthorizationScopes: [!Ref Mode]", "unresolved", "--parameter Mode=…"},
	} {
		check(t, test.properties, read(method(test.properties), nil), "GET /pets: "+test.route, test.says)
	}
}

// A default that decides a guard is noted.
func TestDefaultDecides(t *testing.T) {
	r := read(method("AuthorizationType: !If [Is, NONE, AWS_IAM]"), nil)
	for _, n := range r.report.Notes() {
		if n.What == "GET /pets" && n.Message == "the value is decided by the default of the parameter Off: give the parameter to be sure" && n.At.Line == 18 {
			return
		}
	}
	t.Errorf("no note of the default: %v", r.report.Notes())
}

func TestResources(t *testing.T) {
	for _, test := range []struct{ name, text, routes, says string }{
		{"a resource that is not created", api + "  M: {Type: AWS::ApiGateway::Method, Condition: Not, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: AWS_IAM}}", "", ""},
		{"a condition that is not decided", api + "  M: {Type: AWS::ApiGateway::Method, Condition: Undecided, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: NONE}}",
			"GET /pets: unresolved", "18: GET /pets: the condition Undecided is not decided, because the parameter Mode has no default"},
		{"any method of a child", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pet, HttpMethod: ANY, AuthorizationType: AWS_IAM}}", "ANY /pets/{id}: authorization AWS_IAM", ""},
		{"the root by Sub", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Sub '${Api}', ResourceId: !Sub '${Api.RootResourceId}', HttpMethod: GET, AuthorizationType: AWS_IAM}}", "GET /: authorization AWS_IAM", ""},
		{"a method of another API", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Other, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: NONE}}", "", ""},
		{"an API that is not known", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !ImportValue api, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: AWS_IAM}}", "GET /pets: unresolved",
			"18: M: its RestApiId is not known, so it may be a part of Api: what another stack exports is not known: give it by --value 'Fn::ImportValue api=…'"},
		{"a resource elsewhere", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !ImportValue pets, HttpMethod: GET, AuthorizationType: AWS_IAM}}", "",
			"18: the path of the method M is not known: it names a resource that is not in the template; what another stack exports is not known: give it by --value 'Fn::ImportValue pets=…'"},
		{"a parent elsewhere", api + "  R: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !ImportValue root, PathPart: x}}\n  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref R, HttpMethod: GET, AuthorizationType: AWS_IAM}}", "",
			"19: the path of the method M is not known: it names a resource that is not in the template"},
		{"a path in a circle", api + "  R: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !Ref R, PathPart: x}}\n  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref R, HttpMethod: GET, AuthorizationType: AWS_IAM}}", "", "in a circle"},
		{"a method that is not known", api + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: !Ref Mode, AuthorizationType: AWS_IAM}}", "", "18: the method M has no HttpMethod that is known: the parameter Mode has no default"},
		{"a method given twice", method("AuthorizationType: AWS_IAM") + "  N: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: get, AuthorizationType: NONE}}", "GET /pets: unresolved", "19: GET /pets: GET /pets stands in the template twice: remove one"},
	} {
		check(t, test.name, read(test.text, nil), test.routes, test.says)
	}
}

func TestBody(t *testing.T) {
	const body = `Body: {openapi: 3.0.1, paths: {/pets: {get: {x-amazon-apigateway-auth: {type: AWS_IAM}}}}`
	rest := func(properties string) string {
		return "Parameters: {P: {Type: String}}\nResources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {" + properties + "}}\n"
	}
	const m = "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref R, HttpMethod: GET, AuthorizationType: NONE}}\n  R: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: pets}}\n"
	const iam = "GET /pets: authorization AWS_IAM"
	for _, test := range []struct{ name, text, routes, says string }{
		{"a body", rest(body + "}"), iam, ""},
		{"a policy", rest(body + "}, Policy: {Version: '2012-10-17', Statement: []}"), iam, ""},
		{"a policy in both", rest(body + ", x-amazon-apigateway-policy: {Version: '2012-10-17', Statement: []}}, Policy: {Version: '2012-10-17', Statement: []}"), "GET /pets: unresolved",
			"3: resource policy: the API has a Policy, and its Body has another: remove one"},
		{"a policy that is an empty text, as the Serverless Framework writes it", rest(body + "}, Policy: ''"), iam, ""},
		{"a policy that is empty", rest(body + "}, Policy: {}"), "GET /pets: unresolved", "3: resource policy: the policy is empty"},
		{"a policy that is not known", rest(body + "}, Policy: !Ref P"), "GET /pets: unresolved", "--parameter P=…"},
		{"a method that the body has", rest(body+"}") + m, "GET /pets: unresolved", "4: GET /pets: GET /pets stands in the template twice"},
		{"an endpoint that is not known", rest(body + "}, EndpointConfiguration: {Types: [!Ref P]}"), "GET /pets: unresolved", "3: EndpointConfiguration: whether the API is private is not known"},
		{"a body that is not known", rest("Body: !Ref P"), "", "3: the Body is not known: the parameter P has no default"},
		{"a body in a place that is not known", rest("BodyS3Location: {Bucket: b, Key: !ImportValue Elsewhere}"), "", "give the name of the copy by --value 'BodyS3Location Api=FILE'"},
		{"a body in S3", rest("BodyS3Location: {Bucket: b, Key: api/pets.yaml}"), "", "copy it beside the template, and give the name of the copy by --value 's3://b/api/pets.yaml=FILE'"},
		{"a clone", rest("CloneFrom: abc123"), "", "3: CloneFrom is not in the template"},
	} {
		check(t, test.name, read(test.text, nil), test.routes, test.says)
	}
}

// An authorizer of tokens without an identity source takes the header Authorization.
func TestTokenHeader(t *testing.T) {
	for name, text := range map[string]string{
		"a function": strings.Replace(method("AuthorizationType: CUSTOM, AuthorizerId: !Ref Token"), "Type: TOKEN, IdentitySource: method.request.header.Auth", "Type: TOKEN", 1),
		"a pool":     strings.Replace(method("AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Pool"), ", IdentitySource: method.request.header.Authorization", "", 1),
	} {
		r := read(text, map[string]string{"Mode": "y"})
		var source string
		for _, p := range r.api.Get("authorizers").Pairs {
			for _, kind := range p.Value.Pairs {
				source = strings.Trim(textOf(kind.Value.Get("identitySource")), "[]")
			}
		}
		if source != "method.request.header.Authorization" && source != "" {
			t.Errorf("%s: the identity source is %q", name, source)
		}
		if !slices.ContainsFunc(r.report.Notes(), func(n portability.Note) bool { return strings.HasPrefix(n.Message, "IdentitySource is missing") }) {
			t.Errorf("%s: no note\n%s", name, r.says())
		}
	}
}
