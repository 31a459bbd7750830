package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParameters(t *testing.T) {
	want := map[string]string{"Stage": "prod", "Name": "a b"}
	for _, test := range []struct{ name, file, text string }{
		{"the CLI's list", "p.json", `[{"ParameterKey": "Stage", "ParameterValue": "prod"}, {"ParameterKey": "Name", "ParameterValue": "a b", "UsePreviousValue": false}]`},
		{"a list of texts", "p.json", `["Stage=prod", "Name=\"a b\""]`},
		{"CodePipeline", "p.json", `{"Parameters": {"Stage": "prod", "Name": "a b"}, "Tags": {"x": "y"}}`},
		{"a list in Parameters", "p.json", `{"Parameters": [{"ParameterKey": "Stage", "ParameterValue": "prod"}, {"ParameterKey": "Name", "ParameterValue": "a b"}]}`},
		{"a map", "p.yaml", "Stage: prod\nName: a b"},
		{"samconfig with a text", "samconfig.yaml", "version: 0.1\ndefault:\n  deploy:\n    parameters:\n      parameter_overrides: Stage=prod Name=\"a b\""},
		{"samconfig with a list", "samconfig.yaml", "version: 0.1\ndefault:\n  global:\n    parameters:\n      parameter_overrides: [Stage=prod, 'Name=''a b''']"},
		{"samconfig.toml", "samconfig.toml", "version = 0.1\n[default.deploy.parameters]\ncapabilities = \"CAPABILITY_IAM\"\nparameter_overrides = \"Stage=\\\"prod\\\" Name=\\\"a b\\\"\"\n[prod.deploy.parameters]\nparameter_overrides = \"Stage=x\""},
		{"samconfig.toml with a list", "samconfig.toml", "version = 0.1\n[default.global.parameters]\nparameter_overrides = ['Stage=prod', 'Name=\"a b\"']"},
		{"a map in TOML", "p.toml", "Stage = 'prod'\nName = 'a b'"},
	} {
		got, faults := Parameters(test.file, []byte(test.text))
		if len(faults) > 0 || !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, %v", test.name, got, faults)
		}
	}
	got, faults := Parameters("p.json", []byte(`{"A": 012, "B": [1, "x"], "C": true}`))
	if len(faults) > 0 || got["A"] != "012" || got["B"] != "1,x" || got["C"] != "true" {
		t.Errorf("values as written: got %v, %v", got, faults)
	}
}

func TestParameterFileFaults(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"no value", "p.json", `[{"ParameterKey": "A", "UsePreviousValue": true}]`, `p.json:1:2: the parameter "A" has no ParameterValue`},
		{"no key", "p.json", `[{"Key": "A"}]`, "an item must have a ParameterKey"},
		{"a map in a map", "p.yaml", "A: {B: c}", `p.yaml:1:1: the value of the parameter "A" must be a text`},
		{"twice", "p.json", `["A=1", "A=2"]`, `"A" is given twice`},
		{"twice in a map", "p.json", `{"A": 1, "A": 2}`, `"A" is given twice`},
		{"no name", "p.json", `["=1"]`, "must be written as NAME=VALUE"},
		{"a quote", "p.json", `["A='x"]`, `"A" has no closing quote`},
		{"not TOML", "samconfig.toml", "version = 0.1\n[default\n", "samconfig.toml:3:9: not TOML: "},
		{"a table in TOML", "p.toml", "[[A]]\nb = 1", `the value of the parameter "A" must be`},
		{"no overrides in TOML", "samconfig.toml", "version = 0.1\n[default.build.parameters]\ncached = true", "no parameter_overrides"},
		{"a number", "p.yaml", "3", "the file must have a map of parameters"},
		{"no overrides", "samconfig.yaml", "version: 0.1\ndefault: {deploy: {}}", "no parameter_overrides"},
		{"not YAML", "p.yaml", "{", "not YAML"},
	} {
		_, faults := Parameters(test.file, []byte(test.text))
		if !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, faults, test.want)
		}
	}
}

func TestOverrides(t *testing.T) {
	got, err := Overrides(`ParameterKey=A,ParameterValue=1 B=x=y C='a "b"' D=a\ b E= F="a\"b"`)
	want := map[string]string{"A": "1", "B": "x=y", "C": `a "b"`, "D": "a b", "E": "", "F": `a"b`}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v: %s", err, cmp.Diff(want, got))
	}
	for _, text := range []string{"A", "A B=c", `A="b`, "A=1 A=2", `"A"=b`} {
		if got, err := Overrides(text); err == nil {
			t.Errorf("%s: got %v, want an error", text, got)
		}
	}
}

// The values that a parameter takes are those that CloudFormation takes. No fault shows the value.
func TestDeclaredParameters(t *testing.T) {
	const secret = "hunter2"
	for _, test := range []struct{ declared, given, want string }{
		{"{Type: String}", secret, `"hunter2"`},
		{"{Type: String, Default: x}", secret, `"hunter2"`},
		{"{Type: String, Default: ''}", "", `""^P`},
		{"{Type: Number}", "12", "12"},
		{"{Type: Number}", secret, "the value of the parameter P must be a number"},
		{"{Type: List<Number>}", "1, 2", `["1", "2"]`},
		{"{Type: List<Number>}", "1,x", "must be a number"},
		{"{Type: CommaDelimitedList}", "a, b", `["a", "b"]`},
		{"{Type: 'List<AWS::EC2::Subnet::Id>'}", "subnet-1,subnet-2", `["subnet-1", "subnet-2"]`},
		{"{Type: 'AWS::EC2::VPC::Id'}", "vpc-1", `"vpc-1"`},
		{"{Type: 'AWS::SSM::Parameter::Name'}", "/a", `"/a"`},
		{"{Type: 'AWS::SSM::Parameter::Value<String>'}", "/a", "<?Ref P>"},
		{"{Type: String, AllowedValues: [a, b]}", secret, "not one of its AllowedValues"},
		{"{Type: String, AllowedValues: [hunter2, b]}", secret, `"hunter2"`},
		{"{Type: CommaDelimitedList, AllowedValues: [a, b]}", "a,c", "not one of its AllowedValues"},
		{"{Type: String, AllowedPattern: '[a-z]+'}", secret, "does not match its AllowedPattern"},
		{"{Type: String, AllowedPattern: '(?!java)x'}", secret, `"hunter2"`},
		{"{Type: String, MinLength: 9}", secret, "does not keep its MinLength"},
		{"{Type: String, MaxLength: '3'}", secret, "does not keep its MaxLength"},
		{"{Type: Number, MinValue: 3}", "2", "does not keep its MinValue"},
		{"{Type: Number, MaxValue: 1.5}", "2", "does not keep its MaxValue"},
		{"{Type: String, NoEcho: true, AllowedValues: [a]}", secret, "not one of its AllowedValues"},
		{"{Default: x}", "", "the parameter \"P\" must have a Type"},
		{"{Type: String, Default: c, AllowedValues: [a, b]}", "", "not one of its AllowedValues"},
	} {
		in := inputs()
		if test.given != "" {
			in.Parameters["P"] = test.given
		}
		made, faults, _ := resolve(t, "Parameters: {P: "+test.declared+"}\nResources: {}\nOutputs: {V: {Value: !Ref P}}", in)
		got := faults.Error()
		if made != nil {
			got = show(made.Outputs["V"])
		} else if strings.Contains(got, secret) {
			t.Errorf("%s: the fault shows the value: %s", test.declared, got)
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.declared, got, test.want)
		}
	}
}

func TestNamesThatAreNotThere(t *testing.T) {
	in := inputs()
	in.Parameters["Stge"] = "x"
	_, faults, _ := resolve(t, "x: &v !ImportValue pool-arn"+known, in)
	for _, want := range []string{
		`t.yaml: the parameter "Stge" is given, and the template has none of that name: did you mean Stage?`,
	} {
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("got %v, want %s", faults, want)
		}
	}
}

// What is not known is reported once, where the template asks for it first, with how to give it.
func TestMissing(t *testing.T) {
	made, faults, _ := resolve(t, `
Parameters: {P: {Type: String}}
Resources:
  A: {Type: T, Properties: {X: !ImportValue a, Y: !Ref P, Z: !ImportValue a}}
  B: {Type: T, Properties: {X: !Sub "${P}", Z: !ImportValue a}}
`, inputs())
	if made == nil {
		t.Fatal(faults)
	}
	var got []string
	for _, m := range made.Missing {
		got = append(got, m.At.String()+" "+m.Key+": "+m.Message)
	}
	want := []string{
		"t.yaml:2:17 Ref P: the parameter P has no default: give it by --parameter P=…, or in parameters: of the definition",
		"t.yaml:4:32 Fn::ImportValue a: what another stack exports is not known: give it by --value 'Fn::ImportValue a=…', or in values: of the definition",
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}
