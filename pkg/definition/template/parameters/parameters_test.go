package parameters

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
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
		got, faults := Read(test.file, []byte(test.text))
		if len(faults) > 0 || !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, %v", test.name, got, faults)
		}
	}
	got, faults := Read("p.json", []byte(`{"A": 012, "B": [1, "x"], "C": true}`))
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
		_, faults := Read(test.file, []byte(test.text))
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

func FuzzRead(f *testing.F) {
	f.Add("p.json", []byte(`[{"ParameterKey": "A", "ParameterValue": "b"}, "C=d"]`))
	f.Add("samconfig.yaml", []byte("version: 0.1\ndefault: {deploy: {parameters: {parameter_overrides: A=b}}}"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		values, faults := Read(name, data)
		if (values == nil) != faults.Fatal() {
			t.Fatalf("values %v, faults %v", values, faults)
		}
	})
}
