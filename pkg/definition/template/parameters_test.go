package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
