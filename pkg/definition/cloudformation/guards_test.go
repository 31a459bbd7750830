package cloudformation

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// openRest is an API with an open route for all that has no other. The other tests add a guarded one, which must not get lost.
const openRest = `
Parameters: {X: {Type: String}}
Conditions: {C: !Equals [!Ref X, a]}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}
  Rest: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: "{proxy+}"}}
  Open: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Rest, HttpMethod: ANY, AuthorizationType: NONE}}
  Admin: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: admin}}
`

// guardedMethod is a guarded method of the API, with its RestApiId and HttpMethod.
func guardedMethod(api, method string) string {
	return "  Guarded: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: " + api + ", ResourceId: !Ref Admin, HttpMethod: " + method + ", AuthorizationType: AWS_IAM}}\n"
}

// files are the files that templates include.
var files = map[string]string{
	"routes.yaml": "Resources: {M: {Type: AWS::ApiGateway::Method}}", "alarms.yaml": "Resources: {A: {Type: AWS::CloudWatch::Alarm}}",
	"nothing.yaml": "Outputs: {}", "macro.yaml": "Transform: [AWS::Serverless-2016-10-31, Mine]\nResources: {A: {Type: AWS::CloudWatch::Alarm}}",
	"sam.yaml":  "Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: AWS::CloudWatch::Alarm}}",
	"loop.yaml": "Resources: {Fn::ForEach::M: [x, [a], {M: {Type: AWS::ApiGateway::Method}}]}",
}

// load reads an API without faults.
func load(t *testing.T, text string) (*tree.Node, *portability.Report) {
	t.Helper()
	node, report, faults := tryLoad(t, text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return node, report
}

func tryLoad(t *testing.T, text string) (*tree.Node, *portability.Report, fault.List) {
	t.Helper()
	root, faults := tree.Parse("t.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	read := func(name string) ([]byte, error) {
		if text := files[name]; text != "" {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	report := &portability.Report{}
	resolved, faults := template.Resolve(root, template.Inputs{API: "Api", APIID: "abcdefghij", Account: "111122223333", Region: "eu-west-1", Read: read}, report)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	node, faults := Read(resolved, "Api", openapi.Options{Read: read}, report)
	return node, report, faults
}

// outcome reads an API. It is the routes in a line each, then the refusals; or the faults.
func outcome(t *testing.T, text string) string {
	t.Helper()
	node, report, faults := tryLoad(t, text)
	if len(faults) > 0 {
		return "fault: " + faults.Error()
	}
	var lines []string
	for _, route := range node.Get("routes").Items {
		guard, _ := route.Get("authorization").Scalar()
		if named, ok := route.Get("authorizer").Scalar(); ok {
			guard = "authorizer " + named
		}
		if route.Has("apiKeyRequired") {
			guard += " and a key"
		}
		if route.Has("unresolved") {
			guard = "refuses"
		}
		lines = append(lines, route.Get("route").Text+": "+guard)
	}
	for _, n := range portability.Refusals(report.Notes()) {
		lines = append(lines, "refused: "+n.Message)
	}
	return strings.Join(lines, "\n")
}

// TestGuardedRoutesStay: a guarded route is not lost, whatever names its API and its method, or it keeps the API from being read.
func TestGuardedRoutesStay(t *testing.T) {
	const whole = "ANY /{proxy+}: NONE\nANY /admin: AWS_IAM"
	const stack = "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "
	for _, test := range []struct{ name, resources, want string }{
		{"Ref", guardedMethod("!Ref Api", "ANY"), whole},
		{"Sub", guardedMethod("!Sub '${Api}'", "ANY"), whole},
		{"Join", guardedMethod("!Join ['', [!Ref Api]]", "ANY"), whole},
		{"the id", guardedMethod("abcdefghij", "ANY"), whole},
		{"another id", guardedMethod("bcdefghijk", "ANY"), "ANY /{proxy+}: NONE"},
		{"an id that is not known", guardedMethod("!Ref X", "ANY"), "ANY /admin: refuses\nrefused: its RestApiId is not known"},
		{"no API", guardedMethod("!Ref Admin", "ANY"), "fault: t.yaml:9:3: the RestApiId of Guarded does not name an API"},
		{"nothing", guardedMethod("null", "ANY"), "fault: t.yaml:9:3: the RestApiId of Guarded does not name an API"},
		{"a method in lower case", guardedMethod("!Ref Api", "any"), whole},
		{"a method with a blank", guardedMethod("!Ref Api", "'ANY '"), "fault: t.yaml:9:3: the HttpMethod of Guarded must be one of ANY,"},
		{"a method that is not one", guardedMethod("!Ref Api", "parameters"), "fault: t.yaml:9:3: the HttpMethod of Guarded must be one of ANY,"},
		{"properties that are not known", "  Guarded: {Type: AWS::ApiGateway::Method, Properties: !If [C, {RestApiId: !Ref Api}, {}]}", "the Properties of Guarded are not known: the condition C is not decided"},
		{"a stack with routes", stack + "routes.yaml, Parameters: {Api: !Ref Api}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets the API Api or a part of it, and may add routes to it: its resource M (routes.yaml:1) may be a route"},
		{"a stack with a loop", stack + "loop.yaml, Parameters: {Api: !Sub '${Api}'}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets"},
		{"a stack that is not here", stack + "'https://example.com/t', Parameters: {Root: !GetAtt Api.RootResourceId}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets the API Api or a part of it, and may add routes to it: name a local file"},
		{"a missing stack", stack + "none.yaml, Parameters: {Root: !Ref Admin}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets the API Api or a part of it, and may add routes to it: its template cannot be read"},
		{"a stack without routes", stack + "alarms.yaml, Parameters: {Api: !Ref Api}}}", "ANY /{proxy+}: NONE"},
		{"a stack without resources", stack + "nothing.yaml, Parameters: {Api: !Ref Api}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets the API Api or a part of it, and may add routes to it: its template nothing.yaml has no Resources"},
		{"a stack with a macro", stack + "macro.yaml, Parameters: {Api: !Ref Api}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets the API Api or a part of it, and may add routes to it: its macro \"Mine\" (macro.yaml:1)"},
		{"a stack of SAM", stack + "sam.yaml, Parameters: {Api: !Ref Api}}}", "ANY /{proxy+}: NONE"},
		{"a stack that gets the id", stack + "routes.yaml, Parameters: {Api: abcdefghij}}}", "ANY /{proxy+}: refuses\nrefused: Nested gets"},
		{"stacks of other accounts", "  Nested: {Type: AWS::CloudFormation::StackSet, Properties: {Parameters: [{ParameterKey: Api, ParameterValue: !Ref Api}]}}", "ANY /{proxy+}: refuses\nrefused: Nested gets"},
		{"a stack that does not get the API", stack + "routes.yaml}}", "ANY /{proxy+}: NONE"},
		{"a module", "  M: {Type: A::B::C::MODULE, Properties: {Api: !Ref Api}}", "ANY /{proxy+}: refuses\nrefused: M gets the API"},
	} {
		if got := outcome(t, openRest+test.resources); !strings.Contains(got, test.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// TestPathParts: a number that CloudFormation may read as another one is not a path.
func TestPathParts(t *testing.T) {
	for part, want := range map[string]string{
		"2024": "ANY /2024: AWS_IAM", "'010'": "ANY /010: AWS_IAM", "010": "fault: ", "0x10": "fault: ", "1e3": "fault: ", "1_000": "fault: ", "1.0": "fault: ",
	} {
		text := strings.Replace(openRest, "PathPart: admin", "PathPart: "+part, 1) + guardedMethod("!Ref Api", "ANY")
		if got := outcome(t, text); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", part, got, want)
		}
	}
}

func TestEndpointThatIsNotKnown(t *testing.T) {
	for _, configuration := range []string{
		"!If [C, {Types: [PRIVATE]}, !Ref AWS::NoValue]", "{Types: !If [C, [PRIVATE], [REGIONAL]]}", "{Types: [!If [C, PRIVATE, REGIONAL]]}", "!Ref X",
	} {
		text := strings.Replace(openRest, "{Name: a}", "{Name: a, EndpointConfiguration: "+configuration+"}", 1)
		if got := outcome(t, text); !strings.HasPrefix(got, "ANY /{proxy+}: refuses\nrefused: whether the API is private is not known") {
			t.Errorf("%s: got %s", configuration, got)
		}
	}
}

// TestImportParameters: they may make an API private, and change its paths.
func TestImportParameters(t *testing.T) {
	const parameters = "\nParameters: {X: {Type: String}}\nConditions: {C: !Equals [!Ref X, a]}\nResources:\n"
	const rest = "  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {swagger: '2.0', basePath: /v1, paths: {/a: {get: {}}}}, "
	const http = "  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Body: {openapi: 3.0.1, paths: {/a: {get: {}}}}, "
	for _, test := range []struct{ resources, want string }{
		{rest + "Parameters: {basepath: ignore}}}", "GET /a: NONE"},
		{rest + "Parameters: {BasePath: prepend}}}", "GET /a: refuses\nrefused: the base path of the Body may be"},
		{rest + "Parameters: {basepath: !Ref X}}}", "GET /a: refuses\nrefused: the base path of the Body may be"},
		{rest + "Parameters: !If [C, {basepath: prepend}, !Ref AWS::NoValue]}}", "GET /a: refuses\nrefused: "},
		{rest + "Parameters: {endpointConfigurationTypes: !Ref X}}}", "GET /a: refuses\nrefused: whether the API is private is not known"},
		{http + "BasePath: ignore}}", "GET /a: NONE"},
		{http + "BasePath: split}}", "GET /a: refuses\nrefused: the base path of the Body may be"},
	} {
		if got := outcome(t, parameters+test.resources); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.resources, got, test.want)
		}
	}
}

// TestGuardedDomains: a domain that guards by itself is noted, and one with a policy is not served.
func TestGuardedDomains(t *testing.T) {
	const mapping = `
  Stage: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: prod}}
  Mapping: {Type: AWS::ApiGateway::BasePathMappingV2, Properties: {RestApiId: !Ref Api, Stage: !Ref Stage, DomainNameArn: !GetAtt Domain.DomainNameArn}}
  Domain: {Type: AWS::ApiGateway::DomainNameV2, Properties: {DomainName: A.example.com`
	for _, test := range []struct{ properties, domains, note string }{
		{"}}", "a.example.com", ""},
		{", MutualTlsAuthentication: {TruststoreUri: s3://a/b}}}", "a.example.com", "callers of the domain need a certificate"},
		{", Policy: {Statement: []}}}", "", "the domain has a Policy of its own"},
		{", Policy: !If [C, {Statement: []}, !Ref AWS::NoValue]}}", "", "the domain has a Policy of its own"},
	} {
		node, report := load(t, openRest+mapping+test.properties)
		domains := ""
		for n := range node.Get("stages").All() {
			for _, d := range itemsOf(n.Get("domains")) {
				domains += d.Text
			}
		}
		notes := fmt.Sprint(report.Notes())
		if domains != test.domains || !strings.Contains(notes, test.note) || test.note == "" && strings.Contains(notes, "the domain") {
			t.Errorf("%s: got domains %q and %s", test.properties, domains, notes)
		}
	}
}

// TestOutputs: the output of the root resource lets other stacks add routes.
func TestOutputs(t *testing.T) {
	for output, want := range map[string]bool{"!GetAtt Api.RootResourceId": true, "!Ref Api": false, "!GetAtt Other.RootResourceId": false} {
		_, report := load(t, openRest+"  Other: {Type: AWS::ApiGateway::RestApi, Properties: {Name: b}}\nOutputs: {Root: {Value: "+output+", Export: {Name: root}}}")
		if got := strings.Contains(fmt.Sprint(report.Notes()), "other stacks can add routes"); got != want {
			t.Errorf("%s: noted is %t", output, got)
		}
	}
}

// TestSchemesOfOneName: an operation of the Body is not guarded by an authorizer that only has the name of its scheme.
func TestSchemesOfOneName(t *testing.T) {
	got := outcome(t, `
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {swagger: "2.0", paths: {/a: {get: {security: [{Auth: []}]}}}, securityDefinitions: {Auth: {x-amazon-apigateway-authtype: awsSigv4}}}}}
  Auth: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Api, Type: COGNITO_USER_POOLS, IdentitySource: method.request.header.A, ProviderARNs: ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"]}}
`)
	if !strings.HasPrefix(got, "GET /a: refuses\nrefused: the Body has a security scheme Auth") {
		t.Errorf("got %s", got)
	}
}

// TestKeysOfSeveralMethods: the scheme of API keys is made once.
func TestKeysOfSeveralMethods(t *testing.T) {
	keyed := "  Guarded%: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Admin, HttpMethod: %, AuthorizationType: NONE, ApiKeyRequired: true}}\n"
	got := outcome(t, openRest+strings.ReplaceAll(keyed, "%", "GET")+strings.ReplaceAll(keyed, "%", "PUT"))
	if got != "ANY /{proxy+}: NONE\nGET /admin: NONE and a key\nPUT /admin: NONE and a key" {
		t.Errorf("got %s", got)
	}
}

// TestManagedOverrides: they guard the route of an API with a Target.
func TestManagedOverrides(t *testing.T) {
	const http = "\nParameters: {X: {Type: String}}\nConditions: {C: !Equals [!Ref X, a]}\nResources:\n  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP, Target: 'https://example.com'}}\n"
	const of = "  O: {Type: AWS::ApiGatewayV2::ApiGatewayManagedOverrides, "
	for _, test := range []struct{ name, resources, want string }{
		{"none", "", "$default: NONE"},
		{"a guard", of + "Properties: {ApiId: !Ref Api, Route: {AuthorizationType: AWS_IAM}}}", "$default: AWS_IAM"},
		{"no route", of + "Properties: {ApiId: !Ref Api, Stage: {}}}", "$default: NONE"},
		{"a condition", of + "Condition: C, Properties: {ApiId: !Ref Api, Route: {AuthorizationType: AWS_IAM}}}", "$default: refuses"},
		{"a route that is not known", of + "Properties: {ApiId: !Ref Api, Route: !If [C, {AuthorizationType: AWS_IAM}, !Ref AWS::NoValue]}}", "$default: refuses"},
		{"a guard, and then none", of + "Properties: {ApiId: !Ref Api, Route: {AuthorizationType: AWS_IAM}}}\n" + strings.Replace(of, "O:", "P:", 1) + "Properties: {ApiId: !Ref Api, Stage: {}}}", "$default: refuses"},
		{"an API that is not known", of + "Properties: {ApiId: !Ref X, Route: {AuthorizationType: AWS_IAM}}}", "$default: refuses"},
		{"an authorizer elsewhere", of + "Properties: {ApiId: !Ref Api, Route: {AuthorizationType: JWT, AuthorizerId: abc}}}", "$default: refuses"},
	} {
		if got := outcome(t, http+test.resources); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
