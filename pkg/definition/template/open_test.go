package template

import (
	"strings"
	"testing"
)

// body is a template with an API whose body is a value.
func body(expression string) string {
	return "Parameters: {Bucket: {Type: String}, Env: {Type: String, Default: dev}}\nResources:\n  Api:\n    Type: AWS::ApiGateway::RestApi\n    Properties:\n      Body: " + expression + "\n"
}

func including(location string) string {
	return "{'Fn::Transform': {Name: AWS::Include, Parameters: {Location: " + location + "}}}"
}

func TestInclude(t *testing.T) {
	in := inputs()
	in.Read = folder(map[string]string{
		"api.yaml":          "openapi: 3.0.1\npaths: {/a: {}}",
		"specs/api.yaml":    "paths: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: paths.yaml}}}",
		"specs/paths.yaml":  "/b: {x: !Sub '${Env}'}",
		"specs/top.yaml":    "paths: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: top/p.yaml}}}",
		"top/p.yaml":        "/c: {}",
		"../up.yaml":        "up: true",
		"list.json":         `["a", "b"]`,
		"dev/api.yaml":      "env: dev",
		"deep/key/api.json": `{"deep": "\/"}`,
	})
	for _, test := range []struct{ name, expression, want string }{
		{"a file", including("api.yaml"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"a file with a dot", including("./api.yaml"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"above", including("../up.yaml"), `{up: true}`},
		{"S3", including("s3://bucket/api.yaml"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"S3 with a key", including("s3://bucket/deep/key/api.json"), `{deep: "/"}`},
		{"S3 with another key", including("s3://bucket/release/7/api.yaml"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"a bucket by Sub", including("!Sub 's3://${Bucket}/api.yaml'"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"a bucket by Join", including("!Join ['/', ['s3:/', !Ref Bucket, api.yaml]]"), `{openapi: "3.0.1", paths: {/a: {}}}`},
		{"a key by Sub", including("!Sub 's3://b/${Bucket}/${Env}/api.yaml'"), `{env: "dev"}`},
		{"a file in a file", including("specs/api.yaml"), `{paths: {/b: {x: "dev"^Env}}}`},
		{"a file in a file, beside the template", including("specs/top.yaml"), `{paths: {/c: {}}}`},
		{"a list", "{a: " + including("list.json") + "}", `{a: ["a", "b"]}`},
		{"beside keys", "{x: y, 'Fn::Transform': {Name: AWS::Include, Parameters: {Location: api.yaml}}}", `{x: "y", openapi: "3.0.1", paths: {/a: {}}}`},
		{"beside the same key", "{paths: {/never: {}}, 'Fn::Transform': {Name: AWS::Include, Parameters: {Location: api.yaml}}}", `{paths: {/a: {}}, openapi: "3.0.1"}`},
		{"several", "{'Fn::Transform': [{Name: AWS::Include, Parameters: {Location: api.yaml}}, {Name: AWS::Include, Parameters: {Location: dev/api.yaml}}]}", `{openapi: "3.0.1", paths: {/a: {}}, env: "dev"}`},
	} {
		made, faults, _ := resolve(t, body(test.expression), in)
		if made == nil {
			t.Errorf("%s: %v", test.name, faults)
		} else if got := show(made.Resources.Way("Api", "Properties", "Body")); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	made, _, _ := resolve(t, body(including("specs/api.yaml")), in)
	if got := made.Resources.Way("Api", "Properties", "Body", "paths", "/b", "x").Position().String(); got != "specs/paths.yaml:1:9" {
		t.Errorf("got the position %s", got)
	}
}

func TestIncludeFaults(t *testing.T) {
	in := inputs()
	in.Read = folder(map[string]string{
		"self.yaml": "a: " + including("self.yaml"), "one.yaml": including("two.yaml"), "two.yaml": "x: " + including("one.yaml"),
		"bad.yaml": "a: [", "text.yaml": "text",
	})
	for _, test := range []struct{ name, expression, want string }{
		{"not there", including("nothing.yaml"), `t.yaml:6:75: AWS::Include: the file "nothing.yaml" cannot be read: file does not exist`},
		{"a URL", including("https://example.com/a.yaml"), "a file is not fetched from a URL"},
		{"an absolute path", including("/etc/passwd"), "must be named relative to the template"},
		{"itself", including("self.yaml"), `self.yaml:1:66: AWS::Include: the file "self.yaml" includes itself`},
		{"each other", including("one.yaml"), "includes itself"},
		{"not YAML", including("bad.yaml"), "bad.yaml:1:4: not YAML"},
		{"text beside keys", "{a: b, 'Fn::Transform': {Name: AWS::Include, Parameters: {Location: text.yaml}}}", "text.yaml:1:1: this must be a map"},
		{"no location", "{'Fn::Transform': {Name: AWS::Include}}", "it has no Location"},
		{"what is not known", including("!ImportValue x"), "the Location is not known"},
		{"a macro", "{a: {'Fn::Transform': {Name: Mine}}}", "portcullis cannot run the macro"},
	} {
		made, faults, _ := resolve(t, body(test.expression), in)
		if made != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, faults, test.want)
		}
	}
}

// What another API includes need not be there, and that API cannot be read.
func TestIncludeOfAnotherAPI(t *testing.T) {
	in := inputs()
	in.Read = folder(nil)
	made, faults, _ := resolve(t, body("{a: b}")+"  Other: {Type: AWS::ApiGateway::RestApi, Properties: {Body: "+including("nothing.yaml")+"}}\n  Sam: {Type: AWS::Serverless::Api, Properties: {DefinitionBody: "+including("nothing.yaml")+"}}", in)
	if made == nil {
		t.Fatal(faults)
	}
	if got, want := show(made.Resources.Way("Other", "Properties", "Body")), "<?>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := show(made.Resources.Way("Sam", "Properties", "DefinitionBody")), `{openapi: "3.0.1", paths: {}, x-amazon-apigateway-policy: {Version: "2012-10-17", Statement: [<?>]}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, part := range []string{
		"M: {Type: AWS::ApiGateway::Method, Properties: " + including("nothing.yaml") + "}",
		"F: {Type: AWS::Serverless::Function, Properties: {Events: " + including("nothing.yaml") + "}}",
		"F: {Type: AWS::Serverless::Function, Properties: " + including("nothing.yaml") + "}",
		"F: " + including("nothing.yaml"),
		"'Fn::Transform': {Name: AWS::Include, Parameters: {Location: nothing.yaml}}",
	} {
		made, faults, _ := resolve(t, body("{a: b}")+"  "+part, in)
		if made != nil || !strings.Contains(faults.Error(), `the file "nothing.yaml" cannot be read`) {
			t.Errorf("%s: got %v", part, faults)
		}
	}
}

func TestTransforms(t *testing.T) {
	in := inputs()
	in.Read = folder(map[string]string{"more.yaml": "Mappings: {M: {a: {b: c}}}"})
	for _, test := range []struct{ transform, want string }{
		{"AWS::Serverless-2016-10-31", ""},
		{"[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]", ""},
		{"{Name: AWS::Include, Parameters: {Location: more.yaml}}", ""},
		{"Mine", `the macro "Mine" may change any part of the template`},
		{"[{Name: Mine, Parameters: {a: b}}]", `the macro "Mine" may change`},
	} {
		made, faults, _ := resolve(t, "Transform: "+test.transform+"\n"+body("!FindInMap [M, a, b]"), in)
		switch {
		case test.want != "" && !strings.Contains(faults.Error(), test.want):
			t.Errorf("%s: got %v, want %s", test.transform, faults, test.want)
		case strings.Contains(test.transform, "Include") && (made == nil || show(made.Resources.Way("Api", "Properties", "Body")) != `"c"`):
			t.Errorf("%s: got %v", test.transform, faults)
		}
	}
}

// A definition in S3 is read as it is.
func TestBodyS3Location(t *testing.T) {
	in := inputs()
	in.Read = folder(map[string]string{"api.yaml": "paths: {/a: {x: !Ref Env}}"})
	text := strings.Replace(body("x"), "Body: x", "BodyS3Location: api.yaml", 1)
	made, faults, _ := resolve(t, text, in)
	if made == nil {
		t.Fatal(faults)
	}
	if got, want := show(made.Resources.Way("Api", "Properties")), `{Body: {paths: {/a: {x: {Ref: "Env"}}}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	made, _, _ = resolve(t, strings.Replace(text, "api.yaml", "other.yaml", 1), in)
	if got := made.Resources.Way("Api", "Properties", "Body"); show(got) != "<?>" || !strings.Contains(got.Unknown.Message, `the file "other.yaml" cannot be read`) {
		t.Errorf("got %s", show(got))
	}
	made, _, _ = resolve(t, strings.Replace(text, "api.yaml", "{Bucket: b, Key: k}", 1), in)
	if got, want := show(made.Resources.Way("Api", "Properties")), `{BodyS3Location: {Bucket: "b", Key: "k"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A definition in S3 is read from the file that a value names, or that a tool has uploaded.
func TestBodyS3LocationBrought(t *testing.T) {
	const hash = "0a1b2c3d"
	for _, tt := range []struct {
		name, location, file string
		values               map[string]string
	}{
		{"by its place", "{Bucket: !Sub 'assets-${AWS::Region}', Key: api/pets.yaml}", "copy.yaml", map[string]string{"s3://assets-eu-west-1/api/pets.yaml": "copy.yaml"}},
		{"by the API", "{Bucket: b, Key: !GetAtt Writer.Key}", "copy.yaml", map[string]string{"BodyS3Location Api": "copy.yaml"}},
		{"by its key", "{Bucket: b, Key: api/pets.yaml}", "api/pets.yaml", nil},
		{"by the last part of its key", "{Bucket: b, Key: api/pets.yaml}", "pets.yaml", nil},
		{"an asset of the CDK", "{Bucket: !Sub 'assets-${AWS::AccountId}', Key: " + hash + ".yaml}", "asset." + hash + ".yaml", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := inputs()
			in.Read, in.Values = folder(map[string]string{tt.file: "paths: {}"}), tt.values
			text := strings.Replace(body("x"), "Body: x", "BodyS3Location: "+tt.location, 1) + "\n  Writer: {Type: Custom::Writer}\n"
			made, faults, _ := resolve(t, text, in)
			if made == nil {
				t.Fatal(faults)
			}
			if got, want := show(made.Resources.Way("Api", "Properties")), `{Body: {paths: {}}}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestForEach(t *testing.T) {
	for _, test := range []struct{ name, resources, want string }{
		{"a list", "{'Fn::ForEach::L': [N, [A, B], {'R${N}': {Type: T, Properties: {x: '${N}', y: !Ref N, z: !Sub '${N}-${Env}'}}}]}",
			`{RA: {Type: "T", Properties: {x: "A", y: "A", z: "A-dev"^Env}}, RB: {Type: "T", Properties: {x: "B", y: "B", z: "B-dev"^Env}}}`},
		{"beside others", "{X: {Type: T}, 'Fn::ForEach::L': [N, [A], {'${N}': {Type: T}}]}", `{X: {Type: "T"}, A: {Type: "T"}}`},
		{"letters alone", "{'Fn::ForEach::L': [N, [10.0.0.0/8], {'R&{N}': {Type: '${N}'}}]}", `{R100008: {Type: "10.0.0.0/8"}}`},
		{"a parameter", "{'Fn::ForEach::L': [N, !Ref Names, {'R${N}': {Type: T}}]}", `{Ra: {Type: "T"}^Names, Rb: {Type: "T"}^Names}`},
		{"within each other", "{'Fn::ForEach::L': [N, [A, B], {'Fn::ForEach::M': [O, [C, D], {'${N}${O}': {Type: T}}]}]}",
			`{AC: {Type: "T"}, AD: {Type: "T"}, BC: {Type: "T"}, BD: {Type: "T"}}`},
		{"properties", "{R: {Type: T, Properties: {'Fn::ForEach::L': [N, [A, B], {'P${N}': !Ref N}]}}}", `{R: {Type: "T", Properties: {PA: "A", PB: "B"}}}`},
		{"an attribute by name", "{'Fn::ForEach::L': [N, [A], {'${N}': {Type: AWS::S3::Bucket}, 'R${N}': {Type: T, Properties: {x: !GetAtt '${N}.Arn'}}}]}",
			`{A: {Type: "AWS::S3::Bucket"}, RA: {Type: "T", Properties: {x: <A.Arn>}}}`},
		{"nothing", "{'Fn::ForEach::L': [N, [], {'${N}': {Type: T}}]}", "{}"},
	} {
		made, faults, _ := resolve(t, "Transform: AWS::LanguageExtensions\nParameters: {Env: {Type: String, Default: dev}, Names: {Type: CommaDelimitedList, Default: 'a,b'}}\nResources: "+test.resources, inputs())
		if made == nil {
			t.Errorf("%s: %v", test.name, faults)
			continue
		}
		if got := show(made.Resources); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	for _, test := range []struct{ name, text, want string }{
		{"without the extensions", "Resources: {'Fn::ForEach::L': [N, [A], {'${N}': {Type: T}}]}", "t.yaml:1:13: Fn::ForEach needs Transform: AWS::LanguageExtensions"},
		{"the same key", "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [N, [A, B], {R: {Type: T}}]}", `makes "R" twice`},
		{"a key that is there", "Transform: AWS::LanguageExtensions\nResources: {A: {Type: T}, 'Fn::ForEach::L': [N, [A], {'${N}': {Type: T}}]}", `"A" is given twice`},
		{"what is not known", "Transform: AWS::LanguageExtensions\nParameters: {P: {Type: CommaDelimitedList}}\nResources: {'Fn::ForEach::L': [N, !Ref P, {'${N}': {Type: T}}]}", "the collection of Fn::ForEach is not known: the parameter P has no default"},
		{"a text", "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [N, a, {'${N}': {Type: T}}]}", "must be a list"},
		{"too few", "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [N, [a]]}", "must have a list of an identifier"},
	} {
		_, faults, _ := resolve(t, test.text, inputs())
		if !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, faults, test.want)
		}
	}
}

func TestNestedStacks(t *testing.T) {
	in := inputs()
	in.Read = folder(map[string]string{
		"nested/auth.yaml": `
Parameters: {Env: {Type: String}, List: {Type: CommaDelimitedList}, Size: {Type: Number, Default: 3}}
Conditions: {Big: !Equals [!Ref Size, 3]}
Resources:
  Pool: {Type: AWS::Cognito::UserPool}
  Fn: {Type: AWS::Lambda::Function}
Outputs:
  Env: {Value: !Sub "${Env}!"}
  List: {Value: !Join ['-', !Ref List]}
  Pool: {Value: !GetAtt Pool.Arn}
  Fn: {Value: !GetAtt Fn.Arn}
  Size: {Value: !If [Big, NONE, AWS_IAM]}
  Inner: {Value: !Ref AWS::Region}
  Import: {Value: !ImportValue x}
`,
	})
	in.Values = map[string]string{"Fn::ImportValue x": "imported"}
	text := func(kind, location, output string) string {
		return "Parameters: {Stage: {Type: String, Default: dev}, P: {Type: String}}\nResources:\n  N: {Type: " + kind + ", Properties: {" + location + ": nested/auth.yaml, Parameters: {Env: !Ref Stage, List: [a, b]}}}\nOutputs: {V: {Value: !GetAtt N.Outputs." + output + "}}"
	}
	for _, test := range []struct{ output, want string }{
		{"Env", `"dev!"^Stage`},
		{"List", `"a-b"`},
		{"Pool", "<?Fn::GetAtt N.Outputs.Pool>"},
		{"Fn", `"arn:aws:lambda:eu-west-1:111122223333:function:Fn"`},
		{"Size", `"NONE"^N.Size`},
		{"Inner", `"eu-west-1"`},
		{"Import", `"imported"`},
		{"Other", "<N.Outputs.Other>"},
	} {
		for _, kind := range [][2]string{{"AWS::CloudFormation::Stack", "TemplateURL"}, {"AWS::Serverless::Application", "Location"}} {
			made, faults, _ := resolve(t, text(kind[0], kind[1], test.output), in)
			if made == nil {
				t.Errorf("%s: %v", test.output, faults)
			} else if got := show(made.Outputs["V"]); got != test.want {
				t.Errorf("%s: got %s, want %s", test.output, got, test.want)
			}
		}
	}
	_, faults, _ := resolve(t, strings.Replace(text("AWS::CloudFormation::Stack", "TemplateURL", "Env"), "Env:", "Envi:", 1), in)
	if want := `t.yaml:3:98: the template of the nested stack has no parameter "Envi": did you mean Env?`; !strings.Contains(faults.Error(), want) {
		t.Errorf("got %v, want %s", faults, want)
	}
	in.Values["Fn::GetAtt N.Outputs.Pool"] = "arn:pool"
	made, _, _ := resolve(t, text("AWS::CloudFormation::Stack", "TemplateURL", "Pool"), in)
	if got := show(made.Outputs["V"]); got != `"arn:pool"` {
		t.Errorf("a given output: got %s", got)
	}
	made, _, _ = resolve(t, strings.Replace(text("AWS::CloudFormation::Stack", "TemplateURL", "Pool"), "nested/auth.yaml", "https://s3.amazonaws.com/b/k", 1), inputs())
	if got := show(made.Outputs["V"]); got != "<N.Outputs.Pool>" {
		t.Errorf("a stack in S3: got %s", got)
	}
}
