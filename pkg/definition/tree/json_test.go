package tree

import (
	"fmt"
	"strings"
	"testing"
)

// JSON has escapes that yaml/v3 does not know, and tabs wherever blanks may stand.
func TestParseJSON(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a slash", `{"uri": "arn:aws:apigateway:x:lambda:path\/2015-03-31\/functions"}`, `{uri: "arn:aws:apigateway:x:lambda:path/2015-03-31/functions"}`},
		{"a surrogate pair", `{"title": "\ud83d\ude00 \u00e9"}`, `{title: "😀 é"}`},
		{"tabs", "{\n\t\"a\":\t[\n\t\t1,\t2\n\t]\n}", `{a: [1, 2]}`},
		{"numbers as written", `[012345678901, 1e3]`, `[012345678901, 1e3]`},
		{"kinds", `{"a": [1.50, true, false, null, "yes", "<<", {}]}`, `{a: [1.50, true, false, null, "yes", "<<", {}]}`},
		{"a merge key is a key", `{"<<": {"a": 1}}`, `{<<: {a: 1}}`},
		{"a byte order mark", "\ufeff{\"a\": 1}", `{a: 1}`},
	} {
		n, faults := Parse("t.json", []byte(test.text))
		if len(faults) > 0 {
			t.Errorf("%s: %v", test.name, faults)
		} else if got := show(n); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	for _, test := range []struct{ name, text, want string }{
		{"a duplicate key", "{\n  \"a\": 1,\n  \"a\\u0062\": 2,\n  \"ab\": 3}", `t.json:4:3: "ab" is given twice, first in line 3: keep one`},
		{"half of a surrogate pair", "{\n\"a\": \"\\ud83d\"}", "t.json:2:7: "},
		{"a character that turns text round", "{\"a\": \"\u202e\"}", "t.json:1:8: U+202E"},
		{"a comma at the end, and a fault", "{\"a\": 1, \"a\": 2,}", `t.json:1:10: "a" is given twice`},
	} {
		n, faults := Parse("t.json", []byte(test.text))
		if n != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want %s", test.name, show(n), faults, test.want)
		}
	}
}

func TestPositionsInJSON(t *testing.T) {
	n, faults := Parse("t.json", []byte("{\n\t\"é\": {\"a\\/b\": [1,\n   \"x\"]}\n}"))
	if n == nil {
		t.Fatal(faults)
	}
	list := n.Way("é", "a/b")
	for got, want := range map[string]string{
		n.At.String(): "t.json:1:1", n.Pair("é").At.String(): "t.json:2:2", n.Get("é").Pair("a/b").At.String(): "t.json:2:8",
		list.At.String(): "t.json:2:16", list.Items[1].At.String(): "t.json:3:4",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A file that is too large is refused before it is parsed: what follows would be a fault of its own.
func TestSizes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		size       int
		want       string
	}{
		{"a template", "Resources: {}\n#", 1<<20 + 1, "a template has at most 1 MB"},
		{"a template with an API in it", "Resources:\n  A: {Properties: {Body: {openapi: 3.0.1}}}\n  B:\n    openapi: 3.0.1\n#", 1<<20 + 1, "a template has at most 1 MB"},
		{"a template in JSON", `{"Resources": {"openapi": "3.0.1"}, "x": ["swagger", ":"], "y": "\"openapi\":", "z": "`, 1<<20 + 1, "a template has at most 1 MB"},
		{"OpenAPI", "openapi: 3.0.1\n]", 1<<20 + 1, "not YAML"},
		{"Swagger in JSON", `{"info": {}, "swagger" : "2.0", ]`, 1<<20 + 1, "not YAML"},
		{"OpenAPI that is too large", "openapi: 3.0.1\n]", 6<<20 + 1, "at most 6 MB"},
		{"a template that is not too large", "Resources: {}\n]", 1 << 20, "not YAML"},
	} {
		n, faults := Parse("t.yaml", []byte(test.text+strings.Repeat(" ", test.size-len(test.text))))
		if n != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, faults, test.want)
		}
	}
}

// Entries are counted before a file is parsed: parsing millions of them takes long, and much memory.
func TestEntriesAreBounded(t *testing.T) {
	for _, text := range []string{"a,", "[],", "{a: b},", "a: b\n", "- a\n"} {
		text = "openapi: 3.0.1\nx: [" + strings.Repeat(text, maxEntries+1)
		if len(text) > 6<<20 {
			text = text[:6<<20]
		}
		n, faults := Parse("t.yaml", []byte(text))
		if n != nil || !strings.Contains(faults.Error(), "lines and list items") {
			t.Errorf("%.30q: got %.200v", text, faults.Error())
		}
	}
}

// A key that is given twice with the same value is a warning in a template. What stands in values many times is not compared without end.
func TestDuplicatesOfOneValue(t *testing.T) {
	const template = "Resources: {}\n"
	deep := "a0: &a0 [x, x]\n"
	for i := 1; i < 16; i++ {
		deep += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	for text, fatal := range map[string]bool{
		template + "Mappings: {Image: {eu-west-3: {ID: a}, eu-west-3: {ID: a}}}": false,
		template + "Mappings: {Image: {eu-west-3: {ID: a}, eu-west-3: {ID: b}}}": true,
		`{"Resources": {"A": {"Type": [1]}, "A": {"Type": [1]}}}`:                false,
		`{"Resources": {"A": 1, "A": "1"}}`:                                      true,
		template + "a: [b]\na: [b, c]":                                           true,
		template + "a: x\na: y\na: x":                                            true,
		template + deep + "b: *a15\nb: *a15\n":                                   true,
		"openapi: 3.0.1\nopenapi: 3.0.1":                                         true,
	} {
		n, faults := Parse("t.yaml", []byte(text))
		if (n == nil) != fatal || faults.Fatal() != fatal || !strings.Contains(faults.Error(), "is given twice, first in line ") {
			t.Errorf("%.80s: %v", text, faults)
		}
	}
}

// A key that is given twice is a warning where it says nothing of an API. The last value counts, as for CloudFormation.
func TestDuplicates(t *testing.T) {
	const bucket = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n"
	for _, test := range []struct {
		name, text string
		fatal      bool
	}{
		{"a property of a bucket", bucket + "    Properties: {Name: a, Name: b}", false},
		{"in a property", bucket + "    Properties: {Tags: [{Key: a, Value: b, Key: c}]}", false},
		{"JSON", `{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"Name": "a", "Name": "b"}}}}`, false},
		{"a variable of a function", "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {A: a, A: b}}}}}", false},
		{"metadata", "Metadata: {a: 1, a: 2}\nResources: {}", false},
		{"a schema", "openapi: 3.0.1\npaths: {}\ncomponents: {schemas: {A: {type: object, type: string}}}", false},
		{"an anchor", bucket + "    Properties: &p {Name: a, Name: b}\nMappings: *p", true},
		{"in an anchor", bucket + "    Properties: &p {Tags: {Name: a, Name: b}}", true},
		{"a logical id", "Resources: {B: {Type: AWS::S3::Bucket}, B: {Type: AWS::ApiGateway::RestApi}}", true},
		{"a type", "Resources: {B: {Type: AWS::S3::Bucket, Type: AWS::ApiGateway::RestApi}}", true},
		{"properties", bucket + "    Properties: {}\n    Properties: {a: b}", true},
		{"a condition", bucket + "    Condition: A\n    Condition: B", true},
		{"a method", "Resources: {M: {Type: AWS::ApiGateway::Method, Properties: {AuthorizationType: AWS_IAM, AuthorizationType: NONE}}}", true},
		{"a SAM API", "Resources: {M: {Type: AWS::Serverless::Api, Properties: {Auth: {A: a, A: b}}}}", true},
		{"events", "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: {A: a}, Events: {B: b}}}}", true},
		{"an event", "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: {A: {Type: Api, Type: SNS}}}}}", true},
		{"a nested stack", "Resources: {S: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a, TemplateURL: b}}}", true},
		{"a type that is not known", "Resources: {S: {Type: {Ref: A}, Properties: {a: 1, a: 2}}}", true},
		{"a module", "Resources: {S: {Type: AWS::Web::Api::MODULE, Properties: {a: 1, a: 2}}}", true},
		{"globals", "Globals: {Function: {A: a, A: b}}\nResources: {}", true},
		{"a condition of the template", "Conditions: {A: a, A: b}\nResources: {}", true},
		{"a section", bucket + "Resources: {}", true},
		{"a path", "openapi: 3.0.1\npaths: {/a: {}, /a: {get: {}}}", true},
		{"a scheme", "openapi: 3.0.1\ncomponents: {securitySchemes: {a: {}, a: {type: apiKey}}}", true},
		{"the schemas", "openapi: 3.0.1\ncomponents: {schemas: {a: {}}, schemas: {}}", true},
		{"a file that is neither", "a: {b: {c: {d: 1, d: 2}}}", true},
	} {
		n, faults := Parse("t.yaml", []byte(test.text))
		if (n == nil) != test.fatal || faults.Fatal() != test.fatal || len(faults) != 1 || !strings.Contains(faults[0].Message, "is given twice, first in line ") {
			t.Errorf("%s: got %v, %v", test.name, show(n), faults)
		}
	}
	n, _ := Parse("t.yaml", []byte(bucket+"    Properties: {Name: a, Other: c, Name: b}"))
	if got := show(n.Way("Resources", "B", "Properties")); got != `{Name: "b", Other: "c"}` {
		t.Errorf("got %s, want the last value", got)
	}
}

// Merge keys copy pairs, and not without end.
func TestMergesAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("a: &a {")
	for i := range 3000 {
		fmt.Fprintf(&text, "k%d: 1, ", i)
	}
	text.WriteString("}\n")
	for i := range 3000 {
		fmt.Fprintf(&text, "b%d: {<<: [*a, *a]}\n", i)
	}
	n, faults := Parse("t.yaml", []byte(text.String()))
	if n != nil || !strings.Contains(faults.Error(), "copy more than 2000000 values") {
		t.Errorf("got %.200v", faults.Error())
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"a: &x {b: !Ref c}\nd: {<<: *x}", `{"a": ["\ud83d\ude00", 1e3, null]}`, "a: !GetAtt [b, c]", "- *x", "? {a: b}\n: c", "a: !!binary x", "\t{}", "a: !If\n- x\n- y", "a: {<<: [*b]}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, faults := Parse("t.yaml", data)
		if (n == nil) != faults.Fatal() {
			t.Fatalf("value %s, faults %v", show(n), faults)
		}
		lines := strings.Count(string(data), "\n") + 1
		for v := range n.All() {
			if v.At.Line < 1 || v.At.Line > lines+1 || v.At.Column < 1 {
				t.Fatalf("a value at %s of %d lines", v.At, lines)
			}
		}
	})
}
