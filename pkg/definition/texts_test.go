package definition_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const methods = `Parameters: {Pool: {Type: String, Default: Pool}}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: pets}}
  Auth: {Type: AWS::ApiGateway::Authorizer, Properties: {RestApiId: !Ref Api, Type: COGNITO_USER_POOLS, IdentitySource: method.request.header.Authorization, ProviderARNs: [!Ref Pool]}}
  Get: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: GET, AuthorizationType: COGNITO_USER_POOLS, AuthorizerId: !Ref Auth}}
  Put: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: PUT, AuthorizationType: NONE}}
`

func load(text string, values map[string]string) (*definition.Definition, string) {
	return loadWith(text, nil, values)
}

func loadWith(text string, parameters, values map[string]string) (*definition.Definition, string) {
	d, faults := definition.Load(definition.Spec{
		File: "t.yaml", Parameters: parameters, Values: values, Folder: ".", Account: "111122223333", Region: "eu-west-1",
		Read: func(string, int64) ([]byte, error) { return []byte(text), nil },
	})
	return d, faults.Error()
}

// A value that is the whole of a text replaces it, and leaves names of parameters and resources alone.
func TestTextIsReplaced(t *testing.T) {
	d, faults := load(methods, map[string]string{"Pool": "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"})
	if d == nil || len(d.Refusals()) > 0 || len(d.Unasked) > 0 {
		t.Fatalf("got %v, %s", d, faults)
	}
	if got := guard(d.Node.Get("routes").Items[0]); got != "authorizer Auth" {
		t.Errorf("got %s", got)
	}
}

// Texts that say what guards a route are not replaced.
func TestGuardsAreNotReplaced(t *testing.T) {
	for _, word := range []string{"COGNITO_USER_POOLS", "none", "AWS_IAM", "AWS::ApiGateway::Method", "*"} {
		if d, faults := load(methods, map[string]string{word: "NONE"}); d != nil || !strings.Contains(faults, "stands for what guards routes") {
			t.Errorf("%s: got %v, %s", word, d, faults)
		}
	}
}

// What decides conditions stays: a value for one side of a comparison would turn it.
func TestConditionsAreNotReplaced(t *testing.T) {
	const template = `Parameters: {Stage: {Type: String, Default: prod}}
Mappings: {Of: {live: {Stage: prod}}}
Conditions: {Guarded: !Equals [!Ref Stage, prod], Mapped: !Equals [!FindInMap [Of, live, Stage], !Ref Stage]}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: prod}}
  Get: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: GET, AuthorizationType: !If [%, AWS_IAM, NONE]}}
`
	for _, condition := range []string{"Guarded", "Mapped", "!Equals [!Ref Stage, prod]", "!Not [!Not [!Equals [!Ref Stage, prod]]]"} {
		for _, parameters := range []map[string]string{nil, {"Stage": "prod"}} {
			d, faults := loadWith(strings.Replace(template, "%", condition, 1), parameters, map[string]string{"prod": "live"})
			if d == nil || d.Node == nil {
				t.Fatalf("%s: got %v, %s", condition, d, faults)
			}
			if got := guard(d.Node.Get("routes").Items[0]); got != "authorization AWS_IAM" {
				t.Errorf("%s with %v: got %s, want authorization AWS_IAM", condition, parameters, got)
			}
		}
	}
}

// A value that nothing asks for is found, with what is meant.
func TestUnaskedValues(t *testing.T) {
	text := strings.Replace(methods, "!Ref Pool", "!ImportValue pool-arn", 1)
	d, _ := load(text, map[string]string{"Fn::ImportValue pol-arn": "x"})
	if got := d.Unasked["Fn::ImportValue pol-arn"]; got != "Fn::ImportValue pool-arn" {
		t.Errorf("got %v, want what is meant", d.Unasked)
	}
	if len(d.Refusals()) == 0 {
		t.Error("nothing is refused")
	}
}

// Of several APIs, those without routes and those that a condition leaves out are told apart.
func TestServed(t *testing.T) {
	text := methods + "  Empty: {Type: AWS::ApiGateway::RestApi, Properties: {Name: empty}}\n  Gone: {Type: AWS::ApiGateway::RestApi, Condition: Never, Properties: {Name: gone}}\nConditions: {Never: !Equals [a, b]}\n"
	served, others, _ := apis(text)
	if len(served) != 1 || served[0] != "Api" || len(others) != 2 || others[0].Notes[0].At.Line != 7 || !strings.Contains(others[1].Notes[0].Message, "its condition Never is false") {
		t.Errorf("got %v, %v", served, others)
	}
}

func apis(text string) ([]string, []*definition.Definition, fault.List) {
	return definition.APIs(definition.Spec{File: "t.yaml", Folder: ".", Account: "111122223333", Region: "eu-west-1",
		Read: func(name string, _ int64) ([]byte, error) {
			if name != "t.yaml" {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		}})
}

// A file without an API is no fault where nothing of an API is looked for. Its notes say why it has none.
func TestFilesWithoutAPI(t *testing.T) {
	const gone = "Conditions: {Never: !Equals [a, b]}\nResources:\n  Gone: {Type: AWS::ApiGateway::RestApi, Condition: Never, Properties: {Name: gone}}\n"
	for _, test := range []struct{ text, says string }{
		{"Resources: {B: {Type: AWS::S3::Bucket}}", "a template without a REST or HTTP API"},
		{"Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {InlineCode: pass, Handler: a.b, Runtime: python3.12}}", "a template without a REST or HTTP API"},
		{"components: {securitySchemes: {}}", "a part of an OpenAPI document without paths"},
		{gone, "left out: the API Gone is not created"},
	} {
		served, others, faults := apis(test.text)
		if len(served) > 0 || len(faults) > 0 || len(others) != 1 || !strings.Contains(fmt.Sprint(others[0].Notes), test.says) {
			t.Errorf("%s: got %v, %v, %v, want %s", test.text, served, others, faults, test.says)
		}
	}
	const routeless = "  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: none}}\n"
	if served, others, _ := apis(gone + routeless); len(served) > 0 || len(others) != 2 {
		t.Errorf("got %v, %v, want two APIs that are left out", served, others)
	}
	for _, text := range []string{"Resources: {M: {Type: AWS::ApiGateway::Method}}", "openapi: 3.0.1", "Resources: x", "Parameters: {}"} {
		if served, others, faults := apis(text); len(others) > 0 || len(served) == 0 && len(faults) == 0 {
			t.Errorf("%s: got %v, %v, %v, want a fault", text, served, others, faults)
		}
	}
}

// A value of a parameter counts where SAM puts parameters in, as it does elsewhere: the default would open the API.
func TestValuesOfSAMParameters(t *testing.T) {
	const text = `Transform: AWS::Serverless-2016-10-31
Parameters: {Range: {Type: String, Default: 0.0.0.0/0}}
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod, Auth: {ResourcePolicy: {IpRangeWhitelist: [!Ref Range]}}}}
  List:
    Type: AWS::Serverless::Function
    Properties: {Events: {Get: {Type: Api, Properties: {Path: /pets, Method: get, RestApiId: !Ref Api}}}}
`
	d, faults := load(text, map[string]string{"Ref Range": "10.0.0.0/8"})
	if d == nil || faults != "" || len(d.Unasked) > 0 {
		t.Fatalf("got %v, %s", d, faults)
	}
	var ranges []string
	for n := range d.Node.All() {
		if strings.HasSuffix(n.Text, "/0") || strings.HasSuffix(n.Text, "/8") {
			ranges = append(ranges, n.Text)
		}
	}
	if len(ranges) != 1 || ranges[0] != "10.0.0.0/8" {
		t.Errorf("the policy has %v, want the value that is given", ranges)
	}
}

// The kind of an API that its owner gives decides how an OpenAPI document is read.
func TestKindIsGiven(t *testing.T) {
	const document = `openapi: 3.0.1
paths: {/a: {get: {security: [{iam: []}], x-amazon-apigateway-integration: {type: mock, integrationSubtype: SQS-SendMessage}}}}
components: {securitySchemes: {iam: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}}}
`
	for _, tt := range []struct {
		name, kind string
		values     map[string]string
		want       string
	}{
		{"not given", "", nil, "REST, REFUSES"},
		{"REST", "REST", nil, "REST, authorization AWS_IAM"},
		{"HTTP", "HTTP", nil, "HTTP, authorization AWS_IAM"},
		{"REST, by a value", "", map[string]string{"API kind": "REST"}, "REST, authorization AWS_IAM"},
		{"HTTP, by a value", "", map[string]string{"API kind": "HTTP"}, "HTTP, authorization AWS_IAM"},
		{"both", "HTTP", map[string]string{"API kind": "HTTP"}, "HTTP, authorization AWS_IAM"},
		{"different ones", "HTTP", map[string]string{"API kind": "REST"}, `the value "API kind" is "REST", and the API has kind: HTTP: remove one of them`},
		{"another", "", map[string]string{"API kind": "http"}, `the value "API kind" is "http": write REST or HTTP`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, faults := definition.Load(definition.Spec{
				File: "t.yaml", Kind: tt.kind, Values: tt.values, Folder: ".", Account: "111122223333", Region: "eu-west-1",
				Read: func(string, int64) ([]byte, error) { return []byte(document), nil },
			})
			got := faults.Error()
			if d.Node != nil {
				got = d.Node.Get("kind").Text + ", " + guard(d.Node.Get("routes").Items[0])
			}
			if !strings.Contains(got, tt.want) || len(d.Unasked) > 0 {
				t.Errorf("got %s, not asked for %v; want %s", got, d.Unasked, tt.want)
			}
		})
	}
}

// A template with many APIs is not read for each of them without end.
func TestAPIsAreBounded(t *testing.T) {
	text := "Resources:\n"
	for i := range 400 {
		text += fmt.Sprintf("  Api%d: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {openapi: 3.0.1, paths: {}}}}\n", i)
	}
	text += "#" + strings.Repeat("x", 200_000)
	_, _, faults := definition.APIs(definition.Spec{File: "t.yaml", Folder: ".", Read: func(string, int64) ([]byte, error) { return []byte(text), nil }})
	if !strings.Contains(faults.Error(), "the template has 400 APIs, and is read for each: name those to read by --api") {
		t.Errorf("got %v", faults)
	}
}
