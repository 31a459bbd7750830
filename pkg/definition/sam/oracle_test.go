package sam

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// answer is the result of AWS's translator for a template.
type answer struct {
	Template map[string]any `json:"template"`
	Refused  []string       `json:"refused"`
}

// translate asks AWS's translator for what it makes of templates.
func translate(t *testing.T, files []string) []answer {
	t.Helper()
	wheels := envoytest.Translator.Require(t)
	cmd := exec.Command("python3", append([]string{"../../../hack/sam/translate.py"}, files...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+wheels, "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answers []answer
	for in := bufio.NewReader(bytes.NewReader(out)); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(files) {
		t.Fatalf("%d answers for %d templates\n%s", len(answers), len(files), stderr.Bytes())
	}
	return answers
}

// transformFile returns what Transform makes of a template in a file.
func transformFile(t *testing.T, file string) (*tree.Node, fault.List) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, faults := tree.Parse(filepath.Base(file), data)
	if len(faults) > 0 {
		return nil, faults
	}
	return Transform(root, map[string]string{"AWS::Region": "us-east-1", "AWS::Partition": "aws"}, &portability.Report{})
}

// stricter are the templates that Transform refuses and the translator does not, for CloudFormation refuses what that makes of them.
var stricter = []string{"authorizer-without-function.yaml", "statemachine-policy-without-stage.yaml"}

// TestTransformAgreesWithAWS compares what Transform makes of the templates in testdata with what AWS's translator does. Those whose
// names begin with refused- are refused by both.
func TestTransformAgreesWithAWS(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d templates: %v", len(files), err)
	}
	for i, want := range translate(t, files) {
		t.Run(filepath.Base(files[i]), func(t *testing.T) {
			got, faults := transformFile(t, files[i])
			if slices.Contains(stricter, filepath.Base(files[i])) {
				if want.Refused != nil || len(faults) == 0 {
					t.Fatalf("the translator: %v\nTransform: %v", want.Refused, faults)
				}
				return
			}
			if name := filepath.Base(files[i]); strings.HasPrefix(name, "refused-") != (want.Refused != nil) {
				t.Errorf("the translator: %v", want.Refused)
			}
			agree(t, got, faults, want)
		})
	}
}

func agree(t *testing.T, got *tree.Node, faults fault.List, want answer) {
	t.Helper()
	switch {
	case want.Refused != nil && len(faults) == 0:
		t.Errorf("accepted; the translator refuses: %s", strings.Join(want.Refused, "\n"))
	case want.Refused == nil && len(faults) > 0:
		t.Errorf("refused; the translator accepts:\n%v", faults)
	case want.Refused == nil:
		if diff := cmp.Diff(compared(want.Template), compared(plain(got).(map[string]any))); diff != "" {
			t.Errorf("-translator +Transform\n%s", diff)
		}
	}
	for _, f := range faults {
		if f.Line == 0 || f.File == "" {
			t.Errorf("a fault without a position: %v", f)
		}
	}
}

// plain returns a value as encoding/json reads it.
func plain(n *tree.Node) any {
	switch {
	case n == nil || n.Kind == tree.Null:
		return nil
	case n.Kind == tree.Map:
		m := map[string]any{}
		for _, p := range n.Pairs {
			if p.Value.Is(tree.Unresolved) { // the mark of an operation that the translator leaves unguarded
				continue
			}
			m[p.Key] = plain(p.Value)
		}
		return m
	case n.Kind == tree.List:
		l := []any{}
		for _, item := range n.Items {
			l = append(l, plain(item))
		}
		return l
	case n.Kind == tree.Bool:
		return n.Text == "true"
	case n.Kind == tree.Number:
		var f float64
		if json.Unmarshal([]byte(n.Text), &f) == nil {
			return f
		}
	}
	return n.Text
}

// properties that are compared, of each type of resource; nil for all.
var comparedProperties = map[string][]string{
	"AWS::ApiGateway::RestApi":           nil,
	"AWS::ApiGateway::Stage":             {"StageName", "RestApiId", "Variables", "CacheClusterEnabled", "MethodSettings", "CanarySetting"},
	"AWS::ApiGateway::DomainName":        nil,
	"AWS::ApiGateway::DomainNameV2":      nil,
	"AWS::ApiGateway::BasePathMapping":   nil,
	"AWS::ApiGateway::BasePathMappingV2": nil,
	"AWS::ApiGateway::UsagePlan":         nil,
	"AWS::ApiGateway::UsagePlanKey":      nil,
	"AWS::ApiGateway::ApiKey":            nil,
	"AWS::ApiGatewayV2::Api":             nil,
	"AWS::ApiGatewayV2::Stage":           {"StageName", "ApiId", "StageVariables", "AutoDeploy", "DefaultRouteSettings"},
	"AWS::ApiGatewayV2::DomainName":      nil,
	"AWS::ApiGatewayV2::ApiMapping":      nil,
	"AWS::Lambda::Function":              {"FunctionName"},
	"AWS::Lambda::Alias":                 {"Name", "FunctionName"},
	"AWS::StepFunctions::StateMachine":   {"StateMachineName"},
	"AWS::Cognito::UserPool":             {"UserPoolName"},
	"AWS::CloudFormation::Stack":         {"Parameters"},
}

// compared returns what is compared of a template: the conditions, and the resources that comparedProperties lists.
func compared(template map[string]any) map[string]any {
	resources := map[string]any{}
	all, _ := template["Resources"].(map[string]any)
	for id, v := range all {
		r, _ := v.(map[string]any)
		kind, _ := r["Type"].(string)
		keys, ok := comparedProperties[kind]
		if !ok {
			continue
		}
		properties := map[string]any{}
		given, _ := r["Properties"].(map[string]any)
		for key, p := range given {
			if key != "Tags" && (keys == nil || slices.Contains(keys, key)) {
				properties[key] = p
			}
		}
		withoutRequests(properties["Body"])
		resources[id] = map[string]any{"Type": kind, "Condition": r["Condition"], "Properties": properties}
	}
	conditions, _ := template["Conditions"].(map[string]any)
	shared, _ := conditions["SharedUsagePlanCondition"].(map[string]any)
	if all, ok := shared["Fn::Or"].([]any); ok { // of a Python set
		slices.SortFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	} else if shared != nil {
		conditions["SharedUsagePlanCondition"] = shared["Condition"]
	}
	return map[string]any{"Resources": resources, "Conditions": conditions, "Globals": template["Globals"]}
}

// withoutRequests takes out of a document what says how requests look, and its tags.
func withoutRequests(body any) {
	document, _ := body.(map[string]any)
	delete(document, "tags")
	delete(document, "x-amazon-apigateway-request-validators")
	if policy, ok := document["x-amazon-apigateway-policy"].(map[string]any); ok {
		sortPolicy(policy)
	}
	paths, _ := document["paths"].(map[string]any)
	withoutParameters(paths)
}

// sortPolicy sorts what the translator writes in the order of a hash.
func sortPolicy(policy map[string]any) {
	byText := func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	all, ok := policy["Statement"].([]any)
	if !ok {
		all = []any{policy["Statement"]}
	}
	for _, s := range all {
		if statement, ok := s.(map[string]any); ok {
			if resources, ok := statement["Resource"].([]any); ok {
				slices.SortFunc(resources, byText)
			}
		}
	}
	slices.SortFunc(all, byText)
}

func withoutParameters(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"x-amazon-apigateway-request-validator", "parameters", "requestBody", "cacheKeyParameters"} {
			delete(v, key)
		}
		for _, child := range v {
			withoutParameters(child)
		}
	case []any:
		for _, child := range v {
			withoutParameters(child)
		}
	}
}
