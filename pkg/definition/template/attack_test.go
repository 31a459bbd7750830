package template

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template/parameters"
	"github.com/portcullis-authz/portcullis/pkg/definition/template/variable"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// repeated returns n items with commas between them.
func repeated(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

// laughs returns resources each of which has ten times the name of the one before it.
func laughs(n int) string {
	var text strings.Builder
	text.WriteString("Resources:\n  F0: {Type: AWS::Lambda::Function, Properties: {FunctionName: aaaaaaaaaa}}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&text, "  F%d: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Join ['', [%s]]}}\n", i, repeated(fmt.Sprintf("!Ref F%d", i-1), 10))
	}
	return text.String()
}

// nestedLoops returns loops in loops that make ten to the power of n resources.
func nestedLoops(n int) string {
	fragment := "{'R" + func() string {
		name := ""
		for i := range n {
			name += fmt.Sprintf("${V%d}", i)
		}
		return name
	}() + "': {Type: T}}"
	for i := range n {
		fragment = fmt.Sprintf("{'Fn::ForEach::L%d': [V%d, [a,b,c,d,e,f,g,h,i,j], %s]}", i, i, fragment)
	}
	return "Transform: AWS::LanguageExtensions\nResources: " + fragment
}

// numbers returns the numbers from 0 to n with commas between them.
func numbers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return strings.Join(all, ",")
}

func TestAttacks(t *testing.T) {
	big := strings.Repeat("x", 500_000)
	for _, test := range []struct{ name, text, want string }{
		{"laughs by names", laughs(12), "the functions of the template make more than 32 MB of it"},
		{"laughs by Sub", "Parameters: {P: {Type: String, Default: " + big + "}}\nResources: {}\nOutputs: {O: {Value: !Sub '" + strings.Repeat("${P}", 200) + "'}}", "more than 32 MB"},
		{"laughs by Join", "Parameters: {P: {Type: String, Default: " + big + "}}\nResources: {}\nOutputs: {O: {Value: !Join [!Ref P, [" + repeated("a", 100) + "]]}}", "more than 32 MB"},
		{"laughs by a map", "Mappings: {M: {a: {b: " + big + "}}}\nResources: {}\nOutputs: {O: {Value: !Join ['', [" + repeated("!FindInMap [M, a, b]", 100) + "]]}}", "more than 32 MB"},
		{"laughs by loops", nestedLoops(7), "Fn::ForEach makes more than 5000 keys"},
		{"loops of large values", "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [N, [" + numbers(200) + "], {'R${N}': {Type: '${N}" + strings.Repeat("x", 200_000) + "'}}]}", "more than 32 MB"},
		{"too many resources", "Resources: {" + strings.ReplaceAll(numbers(501), ",", ": {Type: T},") + ": {Type: T}}", "the template has 501 resources"},
		{"laughs by a list in JSON", "Parameters: {P: {Type: CommaDelimitedList, Default: '" + strings.Repeat("x,", 250_000) + "'}}\nResources: {}\nOutputs: {" + func() string {
			var outputs []string
			for i := range 40 {
				outputs = append(outputs, fmt.Sprintf("O%d: {Value: {'Fn::ToJsonString': {x: !Ref P}}}", i))
			}
			return strings.Join(outputs, ", ")
		}() + "}", "more than 32 MB"},
		{"a name of itself", "Resources: {F: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub '${F.Arn}x'}}}", "the name of the function F depends on itself"},
		{"names of each other", "Resources: {F: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Ref G}}, G: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Ref F}}}", "depends on itself"},
		{"an alias of itself", "Resources: {A: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref A, Name: x}}}", "does not depend on itself"},
		{"resources in a circle", "Resources: {A: {Type: T, Properties: {x: !Ref B}}, B: {Type: T, DependsOn: C}, C: {Type: T, Properties: {x: !GetAtt A.x}}}", "the resources depend on each other in a circle, A → B → C → A"},
		{"a circle by Sub", "Resources: {A: {Type: T, Properties: {x: !Sub '${B.x}'}}, B: {Type: T, Properties: {x: !Ref A}}}", "in a circle, A → B → A"},
		{"Resources that are a list", "Resources: [a]", "the template has no Resources"},
		{"no Resources", "Outputs: {}", "the template has no Resources"},
		{"a resource that is text", "Resources: {A: b}", `t.yaml:1:16: the resource "A" must be a map with a Type`},
		{"Parameters that are a list", "Parameters: [a]\nResources: {}", "Parameters must be a map of names"},
	} {
		start := time.Now()
		_, faults, _ := resolve(t, test.text, inputs())
		if !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %.300v, want %s", test.name, faults.Error(), test.want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", test.name, took)
		}
	}
}

// A stack that is nested in itself ends.
func TestStackInItself(t *testing.T) {
	in := inputs()
	reads := 0
	text := "Resources: {N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml}}}\nOutputs: {V: {Value: !GetAtt N.Outputs.V}}"
	in.Read = func(string) ([]byte, error) {
		reads++
		return []byte(text), nil
	}
	made, faults, _ := resolve(t, text, in)
	if made == nil || !made.Outputs["V"].Is(tree.Unresolved) {
		t.Errorf("got %v", faults)
	}
	if reads > maxNested {
		t.Errorf("read %d times", reads)
	}
}

// Aliases are not copied.
func TestAliasesAreShared(t *testing.T) {
	made, faults, _ := resolve(t, "x: &x {a: [b, {c: d}], e: !Ref AWS::Region}\nResources: {A: {Type: T, Properties: {p: *x, q: *x}}}", inputs())
	if made == nil {
		t.Fatal(faults)
	}
	p, q := made.Resources.Way("A", "Properties", "p"), made.Resources.Way("A", "Properties", "q")
	if p != q || p == nil {
		t.Error("the value of an alias is copied")
	}
}

func FuzzResolve(f *testing.F) {
	f.Add([]byte("x: &v !Sub '${Env}'"+known), "Stage=prod", "Ref Pool=x")
	f.Add([]byte(nestedLoops(2)), "", "")
	f.Add([]byte(laughs(3)), "", "")
	f.Add([]byte(`{"Resources": {"A": {"Type": "T", "Properties": {"Fn::If": ["C", {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/a"}}}, null]}}}, "Conditions": {"C": {"Fn::Not": [{"Condition": "C"}]}}}`), "", "")
	f.Add([]byte("Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a}}}\nOutputs: {O: {Value: !GetAtt A.Outputs.O}}"), "", "")
	f.Fuzz(func(t *testing.T, data []byte, overrides, value string) {
		root, faults := tree.Parse("t.yaml", data)
		if root == nil {
			if len(faults) == 0 {
				t.Fatal("no value and no faults")
			}
			return
		}
		in := inputs()
		in.Read = func(string) ([]byte, error) { return data, nil }
		if values, err := parameters.Overrides(overrides); err == nil {
			in.Parameters = values
		}
		key, text, _ := strings.Cut(value, "=")
		in.Values[key] = text
		in.Values["${"+key+"}"] = text
		variable.Fill(root, in.Values)
		var r portability.Report
		opened, faults := Open(root, in, &r)
		if opened == nil {
			if !faults.Fatal() {
				t.Fatal("no template and no faults")
			}
			return
		}
		made, faults := Resolve(opened, in, &r)
		if (made == nil) != faults.Fatal() {
			t.Fatalf("template %v, faults %v", made != nil, faults)
		}
	})
}
