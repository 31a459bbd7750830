package sam

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

func parse(t *testing.T, text string) *tree.Node {
	t.Helper()
	root, faults := tree.Parse("template.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return root
}

func transformed(t *testing.T, text string, parameters map[string]string) *tree.Node {
	t.Helper()
	made, faults := Transform(parse(t, text), parameters, &portability.Report{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return made
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"Transform: AWS::Serverless-2016-10-31":                              true,
		"Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]":   true,
		"Transform: AWS::LanguageExtensions":                                 false,
		"Resources: {A: {Type: AWS::Serverless::Api}}":                       false,
		"Transform: {Name: AWS::Include, Parameters: {Location: here.yaml}}": false,
	} {
		if got := Is(parse(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestRefusals has each refusal with where it stands and what to do, in the order of the templates in testdata.
func TestRefusals(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, file := range files {
		_, faults := transformFile(t, file)
		for _, f := range faults {
			fmt.Fprintln(&got, f)
		}
	}
	want, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("-testdata/refusals.txt +got\n%s", diff)
	}
}

const petsTemplate = `Transform: AWS::Serverless-2016-10-31
Globals:
  Api:
    Auth:
      DefaultAuthorizer: Users
      Authorizers:
        Users: {UserPoolArn: arn:pool, AuthorizationScopes: [read]}
        Partners: {FunctionArn: arn:function}
      ResourcePolicy:
        IpRangeWhitelist: [10.0.0.0/8]
Resources:
  Pets:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        List:
          Type: Api
          Properties:
            Path: /pets
            Method: GET
        Add:
          Type: Api
          Properties:
            Path: /pets
            Method: POST
            Auth:
              Authorizer: Partners
`

// TestPositions checks that what is generated stands where the thing stands that asks for it.
func TestPositions(t *testing.T) {
	api := transformed(t, petsTemplate, nil).Way("Resources", "ServerlessRestApi")
	body := api.Way("Properties", "Body")
	for _, c := range []struct {
		what string
		got  *tree.Node
		line int
	}{
		{"implicit API", api, 16},
		{"path", body.Way("paths", "/pets"), 19},
		{"method", body.Way("paths", "/pets", "post"), 25},
		{"integration", body.Way("paths", "/pets", "post", "x-amazon-apigateway-integration"), 21},
		{"default security", body.Way("paths", "/pets", "get", "security"), 5},
		{"security of the event", body.Way("paths", "/pets", "post", "security"), 27},
		{"scheme", body.Way("securityDefinitions", "Users"), 7},
		{"pool", body.Way("securityDefinitions", "Users", "x-amazon-apigateway-authorizer", "providerARNs"), 7},
		{"statement", body.Way("x-amazon-apigateway-policy", "Statement").Items[0], 10},
	} {
		if c.got.Position().Line != c.line || c.got.Position().File != "template.yaml" {
			t.Errorf("%s stands at %v, want line %d", c.what, c.got.Position(), c.line)
		}
	}
}

// TestTemplateIsNotChanged checks that Nodes, which are shared, stay as they are.
func TestTemplateIsNotChanged(t *testing.T) {
	root := parse(t, petsTemplate)
	before := value.JSON(root)
	if _, faults := Transform(root, nil, &portability.Report{}); len(faults) > 0 {
		t.Fatal(faults)
	}
	if after := value.JSON(root); after != before {
		t.Errorf("the template has become\n%s", after)
	}
}

// TestAliasesAreNotShared checks that an event's own values are its own, where an anchor stands for the values of two.
func TestAliasesAreNotShared(t *testing.T) {
	made := transformed(t, `Transform: AWS::Serverless-2016-10-31
Resources:
  One: {Type: AWS::Serverless::Api, Properties: &api {StageName: v1, DefinitionBody: {swagger: "2.0", paths: {/a: {get: &get {x-amazon-apigateway-integration: {type: mock}}, put: *get}}}}}
  Two: {Type: AWS::Serverless::Api, Properties: *api}
  Pets:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Get: {Type: Api, Properties: {Path: /a, Method: GET, RestApiId: !Ref One, Auth: {ApiKeyRequired: true, OverrideApiAuth: true}}}
`, nil)
	for _, c := range []struct {
		api, method string
		guarded     bool
	}{{"One", "get", true}, {"One", "put", false}, {"Two", "get", false}} {
		operation := made.Way("Resources", c.api, "Properties", "Body", "paths", "/a", c.method)
		if got := operation.Has("security"); got != c.guarded {
			t.Errorf("%s %s: guarded is %v", c.api, c.method, got)
		}
	}
}

// TestPartition checks that ARNs have the partition of AWS::Partition, or leave it to CloudFormation.
func TestPartition(t *testing.T) {
	const text = `Transform: AWS::Serverless-2016-10-31
Globals: {Api: {Auth: {DefaultAuthorizer: AWS_IAM}}}
Resources:
  Pets:
    Type: AWS::Serverless::Function
    Properties: {Events: {List: {Type: Api, Properties: {Path: /pets, Method: GET}}}}
`
	way := []string{"Resources", "ServerlessRestApi", "Properties", "Body", "paths", "/pets", "get", "x-amazon-apigateway-integration"}
	known := transformed(t, text, map[string]string{"AWS::Partition": "aws-cn"})
	for key, want := range map[string]string{
		"credentials": `"arn:aws-cn:iam::*:user/*"`,
		"uri":         `{"Fn::Sub":"arn:aws-cn:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Pets.Arn}/invocations"}`,
	} {
		if got := value.JSON(known.Way(way...).Get(key)); got != want {
			t.Errorf("%s is %s", key, got)
		}
	}
	if got := value.JSON(known.Way("Resources", "ServerlessRestApi", "Properties", "EndpointConfiguration")); got != `{"Types":["REGIONAL"]}` {
		t.Errorf("the endpoint in a partition without edge endpoints is %s", got)
	}
	unknown := transformed(t, text, nil)
	if got := value.JSON(unknown.Way(way...).Get("credentials")); got != `{"Fn::Sub":"arn:${AWS::Partition}:iam::*:user/*"}` {
		t.Errorf("credentials are %s", got)
	}
}

// TestParameters checks that given values win over defaults, and that a default that guards is noted.
func TestParameters(t *testing.T) {
	const text = `Transform: AWS::Serverless-2016-10-31
Parameters: {Default: {Type: String, Default: Users}}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth: {DefaultAuthorizer: !Ref Default, Authorizers: {Users: {UserPoolArn: arn:pool}, Partners: {FunctionArn: arn:function}}}
  Pets:
    Type: AWS::Serverless::Function
    Properties: {Events: {List: {Type: Api, Properties: {Path: /pets, Method: GET, RestApiId: !Ref Api}}}}
`
	for _, c := range []struct {
		given map[string]string
		want  string
		notes int
	}{
		{nil, `[{"Users":[]}]`, 1},
		{map[string]string{"Default": "Partners"}, `[{"Partners":[]}]`, 0},
	} {
		r := &portability.Report{}
		made, faults := Transform(parse(t, text), c.given, r)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if got := value.JSON(made.Way("Resources", "Api", "Properties", "Body", "paths", "/pets", "get", "security")); got != c.want {
			t.Errorf("%v: security is %s", c.given, got)
		}
		if notes := r.Notes(); len(notes) != c.notes {
			t.Errorf("%v: %v", c.given, notes)
		}
	}
}

// TestKeysOfAnEventsAuth checks that a key that SAM does not read is noted: what it says guards nothing.
func TestKeysOfAnEventsAuth(t *testing.T) {
	const template = `
Transform: AWS::Serverless-2016-10-31
Conditions: {C: !Equals [a, a]}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: a.b
      InlineCode: x
      Events: {E: {Type: Api, Properties: {Path: /a, Method: get, Auth: `
	for auth, want := range map[string]string{
		"{Authorizer: AWS_IAM}":                                         "",
		"{Authoriser: AWS_IAM}":                                         `SAM ignores "Authoriser" in its Auth`,
		"!If [C, {Authorizer: AWS_IAM}, !Ref AWS::NoValue]":             `SAM ignores "Fn::If" in its Auth`,
		"{Authorizer: AWS_IAM, InvokeRole: NONE, ApiKeyRequired: true}": "",
	} {
		r := &portability.Report{}
		if _, faults := Transform(parse(t, template+auth+"}}}"), nil, r); len(faults) > 0 {
			t.Fatal(faults)
		}
		notes := fmt.Sprint(r.Notes())
		if want == "" && strings.Contains(notes, "SAM ignores") || !strings.Contains(notes, want) {
			t.Errorf("%s: got %s, want %s", auth, notes, want)
		}
	}
}

// TestNotes checks that what AWS leaves out without a warning is noted.
func TestNotes(t *testing.T) {
	for file, want := range map[string]string{
		"body-rest-events-ignored":    "SAM ignores its Auth, for Api has a definition of its own",
		"uri-events-ignored":          "SAM ignores its Auth, for Api has a definition of its own",
		"default-without-authorizers": "SAM ignores it, for Auth has no Authorizers",
		"openapi-schemes-replaced":    "SAM replaces them by the Authorizers of the API",
		"policy-event":                "the policy does not apply to the stage",
		"policy-rest":                 `SAM ignores "other"`,
	} {
		data, err := os.ReadFile("testdata/" + file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		r := &portability.Report{}
		if _, faults := Transform(parse(t, string(data)), nil, r); len(faults) > 0 {
			t.Fatal(faults)
		}
		if notes := r.Notes(); len(notes) != 1 || !notes[0].Guards || notes[0].At.Line == 0 || !strings.Contains(notes[0].Message, want) {
			t.Errorf("%s: %v", file, notes)
		}
	}
}

// TestOtherTransformsAreKept checks that a transform that is not SAM's is left for who reads the template next.
func TestOtherTransformsAreKept(t *testing.T) {
	made := transformed(t, `Transform: [Mine, AWS::Serverless-2016-10-31]
Resources: {Topic: {Type: AWS::SNS::Topic}, Table: {Type: AWS::Serverless::SimpleTable}}
`, nil)
	if got := value.JSON(made); got != `{"Resources":{"Table":{"Type":"AWS::Serverless::SimpleTable"},"Topic":{"Type":"AWS::SNS::Topic"}},"Transform":["Mine"]}` {
		t.Error(got)
	}
}

// TestDefinitionInAFile checks that a definition that is put in the place of DefinitionUri is the document of the API, to which nothing
// is added.
func TestDefinitionInAFile(t *testing.T) {
	made := transformed(t, `Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: v1, DefinitionUri: {swagger: "2.0", paths: {/a: {get: {}}}}}}
  Local: {Type: AWS::Serverless::Api, Properties: {StageName: v1, DefinitionUri: ./api.yaml}}
  Pets:
    Type: AWS::Serverless::Function
    Properties: {Events: {List: {Type: Api, Properties: {Path: /pets, Method: GET, RestApiId: !Ref Api}}}}
`, nil)
	if got := value.JSON(made.Way("Resources", "Api", "Properties")); got != `{"Body":{"paths":{"/a":{"get":{}}},"swagger":"2.0"}}` {
		t.Error(got)
	}
	if got := value.JSON(made.Way("Resources", "Local", "Properties")); got != `{"BodyS3Location":"./api.yaml"}` {
		t.Error(got)
	}
}

// A template of which SAM makes more than CloudFormation takes is refused before it is made.
func TestTransformRefusesWhatMultiplies(t *testing.T) {
	list := "[" + strings.Repeat("10.0.0.1, ", 20_000) + "10.0.0.2]"
	apis, events := "", ""
	for i := range 400 {
		apis += fmt.Sprintf("  A%d: {Type: AWS::Serverless::Api, Properties: {StageName: prod}}\n", i)
	}
	for i := range 501 {
		events += fmt.Sprintf("E%d: {Type: %s, Properties: {Path: /%d, Method: get}}, ", i, []string{"Api", "HttpApi"}[i%2], i)
	}
	for name, test := range map[string]struct{ text, want string }{
		"Globals": {"Globals:\n  Api: {Auth: {ResourcePolicy: {IpRangeWhitelist: " + list + "}}}\nResources:\n" + apis, "2:3: SAM would merge the section Api of Globals into 400 resources"},
		"a policy": {"Resources:\n  A: {Type: AWS::Serverless::Api, Properties: {StageName: prod, Auth: {ResourcePolicy: {IpRangeWhitelist: " + list + "}}}}\n" +
			"  F: {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: Api, Properties: {RestApiId: !Ref A, Path: /a, Method: get}}}}}\n",
			"the lists of ResourcePolicy have more than 1000 items"},
		"events": {"Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Events: {" + strings.TrimSuffix(events, ", ") + "}}\n", "more than 500 events of APIs"},
	} {
		root, faults := tree.Parse("t.yaml", []byte(test.text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if made, faults := Transform(root, nil, &portability.Report{}); made != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %.300s, want %s", name, faults, test.want)
		}
	}
}
