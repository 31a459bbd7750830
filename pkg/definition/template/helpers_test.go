package template

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// show writes a value in one line: what is not known as <?KEY>, a resource as <NAME>, defaults as ^NAME.
func show(n *tree.Node) string {
	if n == nil {
		return "nil"
	}
	text := ""
	switch n.Kind {
	case tree.Null:
		text = "null"
	case tree.Text:
		text = fmt.Sprintf("%q", n.Text)
	case tree.Map:
		var parts []string
		for _, p := range n.Pairs {
			parts = append(parts, p.Key+": "+show(p.Value))
		}
		text = "{" + strings.Join(parts, ", ") + "}"
	case tree.List:
		var parts []string
		for _, v := range n.Items {
			parts = append(parts, show(v))
		}
		text = "[" + strings.Join(parts, ", ") + "]"
	case tree.Reference:
		text = "<" + strings.TrimSuffix(n.Resource+"."+n.Attribute, ".") + ">"
	case tree.Unresolved:
		text = "<?" + n.Unknown.Key + ">"
	case tree.Number, tree.Bool:
		text = n.Text
	}
	for _, name := range n.Defaults {
		text += "^" + name
	}
	return text
}

// inputs are those of an API in Ireland.
func inputs() Inputs {
	return Inputs{Account: "111122223333", Region: "eu-west-1", API: "Api", APIID: "a1b2c3d4e5", Parameters: map[string]string{}, Values: map[string]string{}}
}

// folder returns a reader of files that are texts.
func folder(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[path.Clean(name)]
		if !ok {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	}
}

func parse(t *testing.T, text string) *tree.Node {
	t.Helper()
	root, faults := tree.Parse("t.yaml", []byte(text))
	if root == nil {
		t.Fatal(faults)
	}
	return root
}

// resolve opens and resolves a template. The template is nil if there are faults that are more than warnings.
func resolve(t *testing.T, text string, in Inputs) (*Template, fault.List, *portability.Report) {
	t.Helper()
	var r portability.Report
	opened, faults := Open(parse(t, text), in, &r)
	if opened == nil {
		return nil, faults, &r
	}
	made, more := Resolve(opened, in, &r)
	return made, append(faults, more...), &r
}

// known are the parts that the templates of tables share. What is tested stands in line 1, from column 2.
const known = `
Parameters:
  Stage: {Type: String}
  Env: {Type: String, Default: dev}
  Nets: {Type: CommaDelimitedList, Default: "10.0.0.0/8, 10.1.0.0/16"}
  Size: {Type: Number, Default: 3}
  Path: {Type: "AWS::SSM::Parameter::Value<String>", Default: /pool/arn}
Mappings:
  ByRegion: {eu-west-1: {Pool: p1, List: [a, b]}, us-east-1: {Pool: p2}}
  ByEnv: {dev: {Auth: open}}
Conditions:
  Always: !Equals [a, a]
  Never: !Not [!Condition Always]
  IsDev: !Equals [!Ref Env, dev]
  IsProd: !Equals [!Ref Stage, prod]
Outputs:
  V: {Value: *v}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi}
  Http: {Type: AWS::ApiGatewayV2::Api}
  Pool: {Type: AWS::Cognito::UserPool}
  Fn: {Type: AWS::Lambda::Function}
  Named: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub "${Env}-named"}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Fn, Name: live}}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !GetAtt Named.Arn}}
`

// value resolves a value in the template of the tables.
func value(t *testing.T, expression string, in Inputs) (*tree.Node, fault.List) {
	t.Helper()
	made, faults, _ := resolve(t, "x: &v "+expression+known, in)
	if made == nil {
		return nil, faults
	}
	return made.Outputs["V"], faults
}
