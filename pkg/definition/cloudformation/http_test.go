package cloudformation

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const httpAPIText = `Parameters: {Mode: {Type: String}}
Conditions: {Undecided: !Equals [!Ref Mode, x]}
Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: pets, ProtocolType: HTTP}}
  Fn: {Type: AWS::Lambda::Function, Properties: {FunctionName: partners}}
  Jwt: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, AuthorizerType: JWT, IdentitySource: [$request.header.Authorization],
    JwtConfiguration: {Issuer: "https://id.example.com/", Audience: [pets]}}}
  Fun: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, AuthorizerType: REQUEST, AuthorizerPayloadFormatVersion: "2.0", IdentitySource: [$request.header.Authorization],
    AuthorizerUri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}

`

func TestRoutes(t *testing.T) {
	for _, test := range []struct{ properties, routes, says string }{
		{"RouteKey: GET /pets, AuthorizationType: NONE", "GET /pets: authorization NONE", ""},
		{"RouteKey: GET /pets", "GET /pets: authorization NONE", ""}, // as AWS has it
		{"RouteKey: ANY /pets, AuthorizationType: AWS_IAM", "ANY /pets: authorization AWS_IAM", ""},
		{"RouteKey: $default, AuthorizationType: AWS_IAM", "$default: authorization AWS_IAM", ""},
		{"RouteKey: GET /pets, AuthorizationType: JWT, AuthorizerId: !Ref Jwt, AuthorizationScopes: [read]", "GET /pets: authorizer Jwt, scopes [read]", ""},
		{"RouteKey: GET /pets, AuthorizationType: CUSTOM, AuthorizerId: !Ref Fun", "GET /pets: authorizer Fun", ""},

		{"RouteKey: GET /pets, AuthorizerId: !Ref Jwt", "GET /pets: unresolved", "11: GET /pets: AuthorizationType is missing"},
		{"RouteKey: GET /pets, AuthorizationType: ''", "GET /pets: unresolved", "AuthorizationType is missing"},
		{"RouteKey: GET /pets, AuthorizationType: null", "GET /pets: unresolved", "AuthorizationType is missing"},
		{"RouteKey: GET /pets, AuthorizationType: !Ref Mode", "GET /pets: unresolved", "--parameter Mode=…"},
		{"RouteKey: GET /pets, AuthorizationType: JWT", "GET /pets: unresolved", "AuthorizerId does not name an authorizer"},
		{"RouteKey: GET /pets, AuthorizationType: JWT, AuthorizerId: !Ref Fun", "GET /pets: unresolved", "AuthorizationType is JWT, and the authorizer Fun is for CUSTOM: write CUSTOM"},
		{"RouteKey: !Ref Mode, AuthorizationType: AWS_IAM", "", "11: the RouteKey of the route R is not known: the parameter Mode has no default"},
		{"RouteKey: pets, AuthorizationType: AWS_IAM", "", "11: the RouteKey must be a method (ANY,"},
	} {
		text := httpAPIText + "  R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, " + test.properties + "}}\n"
		check(t, test.properties, read(text, nil), test.routes, test.says)
	}
}

// What an integration says of the caller counts, however the route's Target names it.
func TestIntegrationsOfRoutes(t *testing.T) {
	for _, target := range []string{`!Sub "integrations/${I}"`, `!Join ["", [integrations/, !Ref I]]`, `!Join [/, [integrations, !Ref I]]`} {
		text := httpAPIText + "  I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: HTTP_PROXY, RequestParameters: {'overwrite:header.X-Sub': $context.authorizer.claims.sub}}}\n" +
			"  R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: GET /pets, AuthorizationType: JWT, AuthorizerId: !Ref Jwt, Target: " + target + "}}\n"
		r := read(text, nil)
		if got := itemsOf(r.api.Get("routes"))[0].Way("upstreamHeaders", "X-Sub"); got == nil || textOf(got) != "$context.authorizer.claims.sub" {
			t.Errorf("Target %s: upstream headers %v; %s", target, got, r.says())
		}
	}
}

func TestQuickCreate(t *testing.T) {
	quick := strings.Replace(httpAPIText, "ProtocolType: HTTP", "ProtocolType: HTTP, Target: https://example.com", 1)
	check(t, "a target", read(quick, nil), "$default: authorization NONE", "")
	check(t, "a route key", read(strings.Replace(quick, "Target:", "RouteKey: GET /a, Target:", 1), nil), "GET /a: authorization NONE", "")
	check(t, "a route key that is not known", read(strings.Replace(quick, "Target:", "RouteKey: !Ref Mode, Target:", 1), nil), "", "4: the RouteKey is not known")
}

func TestStages(t *testing.T) {
	text := api + `  S: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: prod, Variables: {a: b}}}
  D: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref Api, StageName: test}}
  N: {Type: AWS::ApiGateway::DomainName, Properties: {DomainName: API.example.com}}
  B: {Type: AWS::ApiGateway::BasePathMapping, Properties: {RestApiId: !Ref Api, Stage: !Ref S, DomainName: !Ref N, BasePath: v1}}
  X: {Type: AWS::ApiGateway::BasePathMapping, Properties: {RestApiId: !Ref Other, Stage: prod, DomainName: !Ref N}}
`
	var got []string
	for _, s := range itemsOf(read(text, nil).api.Get("stages")) {
		got = append(got, textOf(s.Get("name"))+" "+textOf(s.Way("variables", "a"))+" "+textOf(s.Get("domains")))
	}
	if want := "prod b [api.example.com/v1]|test  "; strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
}

// TestStagesThatAreNotKnown: a stage whose condition is not decided is not one of the API's.
func TestStagesThatAreNotKnown(t *testing.T) {
	for _, stage := range []string{
		"{Type: AWS::ApiGateway::Stage, Condition: Undecided, Properties: {RestApiId: !Ref Api, StageName: prod, Variables: {a: b}}}",
		"{Type: AWS::ApiGateway::Deployment, Condition: Undecided, Properties: {RestApiId: !Ref Api, StageName: prod}}",
	} {
		if r := read(api+"  S: "+stage, nil); r.api == nil || r.api.Has("stages") {
			t.Errorf("%s: got %s, %s", stage, textOf(r.api.Get("stages")), r.says())
		}
	}
}

func TestTemplatesWithoutAPI(t *testing.T) {
	for _, test := range []struct{ resources, says string }{
		{"{S: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET}}, C: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref S}}}", "S a WebSocket API"},
		{"{C: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: abcdefghij}}}", "fault: the template has no REST or HTTP API: C belongs to one of another template"},
		{"{M: {Type: AWS::ApiGateway::Method}}", "fault: the template has no REST or HTTP API: M belongs to one of another template"},
		{"{A: {Type: AWS::ApiGateway::Authorizer}}", "A the template has no route that it concerns"},
		{"{A: {Type: Org::Web::Api::MODULE}}", "fault: the template has no REST or HTTP API: it may be an API"},
		{"{A: {Type: {Ref: Kind}}}", "fault: the template has no REST or HTTP API: it may be an API"},
		{"{N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./api.yaml}}}", `fault: the template has no REST or HTTP API: the nested stack N may have it; bring its template "./api.yaml"`},
		{"{N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: bad.yaml}}}", "fault: the template has no REST or HTTP API: the nested stack N may have it, and its template cannot be read: bad.yaml:1:1: "},
		{"{N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: bucket.yaml}}}", `N a stack of the template "bucket.yaml", which defines no API`},
		{"{N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: s3://b/k}}}", "N a stack of another template, which is not looked at"},
		{"{B: {Type: AWS::S3::Bucket}}", ""},
	} {
		files := map[string]string{"./api.yaml": "Resources: {F: {Type: AWS::Serverless::Function}}", "bad.yaml": "]", "bucket.yaml": "Resources: {B: {Type: AWS::S3::Bucket}}"}
		root, _ := tree.Parse("t.yaml", []byte(test.resources))
		var report portability.Report
		says := ""
		for _, f := range None(root, func(name string) ([]byte, error) { return []byte(files[name]), nil }, &report) {
			says += "fault: " + f.Message
		}
		for _, n := range report.Notes() {
			says += n.What + " " + n.Message
		}
		if !strings.Contains(says, test.says) || test.says == "" && says != "" || len(APIs(root)) > 0 {
			t.Errorf("%s: got %s, want %s", test.resources, says, test.says)
		}
	}
}
