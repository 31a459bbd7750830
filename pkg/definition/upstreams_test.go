package definition_test

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Templates have the upstreams of their integrations, whatever resource makes the route.
func TestUpstreamsOfTemplates(t *testing.T) {
	const rest = `Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}
  Pets: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: pets}}
  S: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: prod, Variables: {host: b.internal}}}
  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, ResourceId: !Ref Pets, HttpMethod: GET, AuthorizationType: NONE, Integration: `
	const http = `Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: HTTP}}
  I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, `
	const route = `}}
  R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: "ANY /pets/{proxy+}", AuthorizationType: NONE, Target: !Join [/, [integrations, !Ref I]]}}`
	const sam = `Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      OpenApiVersion: 3.0.1 # without it, SAM makes a stage Stage, which has no variables
      Variables: {host: b.internal}
      DefinitionBody:
        openapi: 3.0.1
        paths: {/pets: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: `
	for _, test := range []struct{ name, text, want, note string }{
		{"a method", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: GET, Uri: "http://a.internal:81/v1/pets"}}}`, "a.internal:81 /v1", ""},
		{"a method's stage variable", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: GET, Uri: "http://${stageVariables.host}/pets"}}}`, "b.internal:80", ""},
		{"another method", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: DELETE, Uri: "http://a.internal/pets"}}}`, "", "API Gateway sends DELETE"},
		{"another path", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: GET, Uri: "http://a.internal/admin"}}}`, "", "which is another one"},
		{"a function", rest + `{Type: AWS_PROXY, IntegrationHttpMethod: POST, Uri: "arn:aws:apigateway:x"}}}`, "", "names a function"},
		{"a URI by intrinsic functions", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: GET, Uri: !Sub ["http://${H}/pets", {H: a.internal}]}}}`, "a.internal:80", ""},
		{"a load balancer that is not known", rest + `{Type: HTTP_PROXY, IntegrationHttpMethod: GET, Uri: !Sub "http://${Balancer.DNSName}/pets"}}}
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}`, "", "upstream GET /pets"},
		{"without an integration", strings.TrimSuffix(rest, ", Integration: ") + "}}", "", "has no integration"},
		{"a route", http + `IntegrationType: HTTP_PROXY, IntegrationMethod: ANY, PayloadFormatVersion: "1.0", IntegrationUri: "http://a.internal/pets/{proxy}"` + route, "a.internal:80", ""},
		{"a route by Fn::Sub", http + `IntegrationType: HTTP_PROXY, IntegrationUri: "http://a.internal/pets/{proxy}"` + strings.Replace(route, "!Join [/, [integrations, !Ref I]]", "!Sub 'integrations/${I}'", 1), "a.internal:80", ""},
		{"a route into a VPC", http + `IntegrationType: HTTP_PROXY, IntegrationMethod: ANY, ConnectionType: VPC_LINK, PayloadFormatVersion: "1.0", IntegrationUri: "arn:aws:elasticloadbalancing:x"` + route, "", "leads into a VPC"},
		{"a route to a function", http + `IntegrationType: AWS_PROXY, PayloadFormatVersion: "2.0", IntegrationUri: "arn:aws:lambda:x"` + route, "", "names a function"},
		{"quick create", `Resources: {Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: HTTP, RouteKey: GET /pets, Target: "https://a.internal/pets"}}}`, "a.internal:443 tls", ""},
		{"quick create of a function", `Resources: {Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: HTTP, RouteKey: GET /pets, Target: "arn:aws:lambda:x"}}}`, "", "names a function"},
		{"SAM", sam + `"http://a.internal/pets"}}}}`, "a.internal:80", ""},
		{"SAM's stage variable", sam + `"http://${stageVariables.host}/pets"}}}}`, "b.internal:80", ""},
		{"a function of SAM", `Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: nodejs22.x, CodeUri: a, Events: {E: {Type: Api, Properties: {Path: /pets, Method: get}}}}}`, "", "names a function"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, faults := definition.Load(definition.Spec{
				File: "t.yaml", Account: "111122223333", Region: "eu-west-1", Partition: "aws", ID: "a1b2c3d4e5", Integrations: true,
				Read: func(string, int64) ([]byte, error) { return []byte(test.text), nil },
			})
			if len(faults) > 0 || d == nil || d.Node == nil {
				t.Fatal(faults)
			}
			var notes []string
			for _, n := range d.Refusals() {
				notes = append(notes, n.Message)
			}
			if got, said := upstreamOf(t, d), strings.Join(notes, "\n"); got != test.want || (test.want == "") != (said != "") || !strings.Contains(said, test.note) {
				t.Errorf("upstream %q, want %q; refusals: %s; want %q", got, test.want, said, test.note)
			}
		})
	}
}

// upstreamOf returns the upstream of the only route of a definition: its address, its prefix, and tls if it is encrypted; "" for none.
func upstreamOf(t *testing.T, d *definition.Definition) string {
	t.Helper()
	routes := d.Node.Get("routes").Items
	if len(routes) != 1 {
		t.Fatalf("%d routes", len(routes))
	}
	name := routes[0].Get("upstream")
	if name == nil {
		if routes[0].Get("unresolved") == nil {
			t.Error("a route without an upstream is not refused")
		}
		return ""
	}
	s := d.Upstreams.Get(name.Text)
	parts := []string{s.Get("address").Text}
	for _, part := range []*tree.Node{s.Get("pathPrefix")} {
		if part != nil {
			parts = append(parts, part.Text)
		}
	}
	if s.Get("tlsCa") != nil {
		parts = append(parts, "tls")
	}
	return strings.Join(parts, " ")
}

// A stage variable counts if all stages that are served share its value. SAM adds a stage Stage, which has none.
func TestVariablesOfServedStages(t *testing.T) {
	const text = `Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Variables: {host: b.internal}
      DefinitionBody: {openapi: 3.0.1, paths: {/pets: {get: {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "http://${stageVariables.host}/pets"}}}}}`
	for _, test := range []struct {
		stages []string
		want   string
	}{
		{[]string{"prod"}, "b.internal:80"},
		{[]string{"prod", "Stage"}, ""},
		{[]string{"Stage"}, ""},
		{[]string{"other"}, ""},
		{nil, ""},
	} {
		d, faults := definition.Load(definition.Spec{
			File: "t.yaml", Account: "111122223333", Region: "eu-west-1", Partition: "aws", ID: "a1b2c3d4e5", Integrations: true, Stages: test.stages,
			Read: func(string, int64) ([]byte, error) { return []byte(text), nil },
		})
		if len(faults) > 0 || d == nil || d.Node == nil {
			t.Fatal(faults)
		}
		if got := upstreamOf(t, d); got != test.want {
			t.Errorf("stages %q: %q, want %q", test.stages, got, test.want)
		}
	}
}

// Without being asked for, integrations are not read, and a note says so once.
func TestIntegrationsAreNotRead(t *testing.T) {
	const text = `openapi: 3.0.1
paths:
  /a: {get: {x-amazon-apigateway-integration: {type: http_proxy, uri: "http://a.internal/a"}}, post: {x-amazon-apigateway-integration: {type: http_proxy, uri: "http://b.internal/b"}}}`
	d, faults := definition.Load(definition.Spec{File: "t.yaml", Account: "111122223333", Region: "eu-west-1", Partition: "aws", Read: func(string, int64) ([]byte, error) { return []byte(text), nil }})
	if len(faults) > 0 || d.Upstreams != nil || len(d.Refusals()) > 0 {
		t.Fatal(faults, d.Upstreams, d.Refusals())
	}
	said := 0
	for _, n := range d.Notes {
		if strings.Contains(n.Message, "the servers of HTTP integrations are not read") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("it is said %d times: %+v", said, d.Notes)
	}
}
