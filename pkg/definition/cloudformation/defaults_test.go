package cloudformation

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// A guard that the default of a parameter decides is noted, also one that is taken away or a route that is not there.
func TestGuardsThatDefaultsDecide(t *testing.T) {
	const text = `
Parameters: {Secure: {Type: String, Default: "false"}}
Conditions: {IsSecure: !Equals [!Ref Secure, "true"]}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}
  Pets: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: pets}}
  Get: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: !If [IsSecure, AWS_IAM, NONE]}}
  Post: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: POST, AuthorizationType: NONE, ApiKeyRequired: !If [IsSecure, true, !Ref AWS::NoValue]}}
  Put: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: PUT, AuthorizationType: AWS_IAM}}
  Delete: {Type: AWS::ApiGateway::Method, Condition: IsSecure, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: DELETE, AuthorizationType: AWS_IAM}}
`
	for _, test := range []struct {
		parameters map[string]string
		want       []string
	}{
		{nil, []string{"Delete", "GET /pets", "POST /pets"}},
		{map[string]string{"Secure": "false"}, nil},
		{map[string]string{"Secure": "true"}, nil},
	} {
		root, faults := tree.Parse("t.yaml", []byte(text))
		if root == nil {
			t.Fatal(faults)
		}
		var r portability.Report
		in := template.Inputs{Parameters: test.parameters, Account: "111122223333", Region: "eu-west-1", API: "Api"}
		resolved, faults := template.Resolve(root, in, &r)
		if resolved == nil {
			t.Fatal(faults)
		}
		if _, faults := Read(resolved, "Api", openapi.Options{Account: in.Account, Region: in.Region}, &r); faults.Fatal() {
			t.Fatal(faults)
		}
		var got []string
		for _, n := range r.Notes() {
			if n.Verdict == portability.Approximated && strings.Contains(n.Message, "by the default of the parameter Secure") && n.What != "ApiKeyRequired" {
				got = append(got, n.What)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%v: got notes of %q, want %q", test.parameters, got, test.want)
		}
	}
}
