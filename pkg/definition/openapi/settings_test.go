package openapi

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

func TestSettings(t *testing.T) {
	const policy = "{Version: 2012-10-17, Statement: [{Effect: Allow, Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*'"
	const open, refused = "GET /a: authorization NONE", "GET /a: unresolved"
	account := rest
	account.Account = "111122223333"
	unguarded, something := rest, rest
	unguarded.Values, something.Values = map[string]string{"resource policy": "none"}, map[string]string{"resource policy": "open"}
	for _, test := range []struct {
		name, text string
		o          Options
		routes     string
		field      string
		want, note string
	}{
		{"a policy", "x-amazon-apigateway-policy: " + policy + "}]}", rest, open, "resourcePolicy", "{inline: " + strings.ReplaceAll(policy, "'", "") + "}]}}", ""},
		{"a policy as text", `x-amazon-apigateway-policy: '{"Statement": []}'`, rest, open, "resourcePolicy", `{inline: {"Statement": []}}`, ""},
		{"a variable of the policy language", "x-amazon-apigateway-policy: " + policy + ", Condition: {StringEquals: {'aws:PrincipalTag/a': '${aws:PrincipalTag/b}'}}}]}", rest, open, "kind", "REST", ""},
		{"a variable of API Gateway", "x-amazon-apigateway-policy: {Statement: [{Principal: {AWS: '${AWS::AccountId}'}}]}", account, open, "resourcePolicy", "{inline: {Statement: [{Principal: {AWS: 111122223333}}]}}", ""},
		{"a variable of API Gateway without a value", "x-amazon-apigateway-policy: {Statement: [{Principal: {AWS: '${AWS::AccountId}'}}]}", rest, refused, "resourcePolicy", "null", `3: resource policy: "${AWS::AccountId}" is not replaced`},
		{"a policy of Terraform", "x-amazon-apigateway-policy: {Statement: [{Condition: {StringEquals: {'aws:SourceVpce': '${vpce}'}}}]}", rest, refused, "resourcePolicy", "null", `3: resource policy: "${vpce}" is not replaced`},
		{"a policy with a function", "x-amazon-apigateway-policy: {Statement: [{Condition: {StringEquals: {'aws:SourceVpce': {'Fn::ImportValue': a}}}}]}", rest, refused, "resourcePolicy", "null", "the value is made by Fn::ImportValue"},
		{"a policy that is a function", "x-amazon-apigateway-policy: {'Fn::Transform': {}}", rest, refused, "resourcePolicy", "null", "the value is made by Fn::Transform"},
		{"a policy that is nothing", "x-amazon-apigateway-policy:", rest, refused, "resourcePolicy", "null", "3: resource policy: the policy must be a map"},
		{"a policy that is a list", "x-amazon-apigateway-policy: []", rest, refused, "resourcePolicy", "null", "the policy must be a map"},
		{"an empty policy", "x-amazon-apigateway-policy: {}", rest, refused, "resourcePolicy", "null", "--value 'resource policy=none'"},
		{"an empty policy", "x-amazon-apigateway-policy: {}", unguarded, open, "resourcePolicy", "null", "3: resource policy: none, as values say"},
		{"an empty policy that is something", "x-amazon-apigateway-policy: {}", something, refused, "resourcePolicy", "null", "the policy is empty"},
		{"a policy, and a value for an empty one", "x-amazon-apigateway-policy: " + policy + "}]}", unguarded, open, "resourcePolicy", "{inline: " + strings.ReplaceAll(policy, "'", "") + "}]}}", ""},
		{"a policy of an HTTP API", "x-amazon-apigateway-policy: " + policy + "}]}", http, refused, "resourcePolicy", "null", "3: resource policy: an HTTP API has no resource policy"},

		{"the key source", "x-amazon-apigateway-api-key-source: authorizer", rest, open, "apiKeySource", "AUTHORIZER", ""},
		{"another key source", "x-amazon-apigateway-api-key-source: QUERY", rest, refused, "apiKeySource", "null", "must be HEADER or AUTHORIZER"},
		{"a key source of Terraform", "x-amazon-apigateway-api-key-source: ${a}", rest, refused, "apiKeySource", "null", `"${a}" is not replaced`},
		{"the key source of an HTTP API", "x-amazon-apigateway-api-key-source: HEADER", http, open, "apiKeySource", "null", ""},

		{"the endpoint off", "x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}", rest, open, "executeApiEndpoint", "false", ""},
		{"the endpoint off, by servers", "servers: [{url: x}, {url: y, x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: 'true'}}]", http, open, "executeApiEndpoint", "false", ""},
		{"the endpoint on", "x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: false}", rest, open, "executeApiEndpoint", "null", ""},
		{"the endpoint by a function", "x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: {Ref: A}}", rest, open, "executeApiEndpoint", "false", ""},
		{"VPC endpoints", "x-amazon-apigateway-endpoint-configuration: {vpcEndpointIds: [vpce-1]}", rest, open, "endpoint", "PRIVATE", "3: endpoint: taken for a private API"},
		{"VPC endpoints by a function", "x-amazon-apigateway-endpoint-configuration: {vpcEndpointIds: {Ref: A}}", rest, open, "endpoint", "PRIVATE", ""},
		{"no VPC endpoints", "x-amazon-apigateway-endpoint-configuration: {vpcEndpointIds: []}", rest, open, "endpoint", "null", ""},

		{"gateway responses", "x-amazon-apigateway-gateway-responses: {UNAUTHORIZED: {statusCode: '405', responseParameters: {gatewayresponse.header.A: \"'a'\"}, responseTemplates: {application/json: '{\"message\":$context.error.messageString}'}}, DEFAULT_4XX: {}}", rest, open,
			"gatewayResponses", "{UNAUTHORIZED: {statusCode: 405, responseParameters: {gatewayresponse.header.A: 'a'}, responseTemplates: {application/json: {\"message\":$context.error.messageString}}}, DEFAULT_4XX: {}}", ""},
		{"gateway responses by reference", "x-amazon-apigateway-gateway-responses: {DEFAULT_4XX: {$ref: '#/x-a'}}\nx-a: {statusCode: 400}", rest, open, "gatewayResponses", "{DEFAULT_4XX: {statusCode: 400}}", ""},
		{"gateway responses that are not known", "x-amazon-apigateway-gateway-responses: {DEFAULT_4XX: {statusCode: {Ref: A}, responseParameters: {gatewayresponse.header.A: '${a}', gatewayresponse.header.B: \"'b'\"}, responseTemplates: {a/b: [c]}}, DEFAULT_5XX: {'Fn::If': []}}", rest, open,
			"gatewayResponses", "{DEFAULT_4XX: {responseParameters: {gatewayresponse.header.B: 'b'}}}", "gateway response DEFAULT_4XX: left out"},
		{"gateway responses of an HTTP API", "x-amazon-apigateway-gateway-responses: {DEFAULT_4XX: {}}", http, open, "gatewayResponses", "null", ""},

		{"cors", "x-amazon-apigateway-cors: {allowOrigins: ['https://a'], allowMethods: [GET], allowHeaders: '*', exposeHeaders: [x], maxAge: 5, allowCredentials: true}", http, open,
			"cors", "{allowOrigins: [https://a], allowMethods: [GET], allowHeaders: [*], exposeHeaders: [x], maxAge: 5, allowCredentials: true}", ""},
		{"cors that is not known", "x-amazon-apigateway-cors: {allowOrigins: [{Ref: A}], allowMethods: [GET]}", http, open, "cors", "null", "it allows no origin that is known"},
		{"cors that is not known in part", "x-amazon-apigateway-cors: {allowOrigins: ['*'], allowMethods: ['${m}'], allowWhat: x, allowCredentials: maybe}", http, open, "cors", "{allowOrigins: [*]}", "left out"},
		{"cors of a REST API", "x-amazon-apigateway-cors: {allowOrigins: ['*']}", rest, open, "cors", "null", ""},

		{"what is not ours", "basePath: /v1\nservers: [{url: 'https://a/v1'}]\nx-amazon-apigateway-binary-media-types: ['*/*']\nx-amazon-apigateway-request-validators: {}\nx-amazon-apigateway-documentation: {}\nx-amazon-apigateway-minimum-compression-size: 1\ntags: [{name: a, x-amazon-apigateway-tag-value: b}]", rest, open, "kind", "REST", ""},
		{"a misspelled extension", "x-amazon-apigateway-polcy: {}", rest, refused, "kind", "REST", "3: the document: the extension x-amazon-apigateway-polcy is not known, and may be meant to say who may call: remove it, or write x-amazon-apigateway-policy"},
		{"an extension that may guard", "x-amazon-apigateway-mutual-tls: x", rest, refused, "kind", "REST", "3: the document: the extension x-amazon-apigateway-mutual-tls is not known here"},
		{"an extension that may not", "x-amazon-apigateway-color: x", rest, open, "kind", "REST", ""},
		{"a function at the root", "'Fn::Transform': {}", rest, refused, "kind", "REST", "1: the document: the value is made by Fn::Transform"},
	} {
		r := read(t, "openapi: 3.0.1\npaths: {/a: {get: {}}}\n"+test.text, test.o)
		check(t, test.name, r, test.routes, test.note)
		if got := show(r.api.Get(test.field)); got != test.want {
			t.Errorf("%s: %s is %s, want %s", test.name, test.field, got, test.want)
		}
	}
}

// TestNotOurs: what has nothing to do with who may call is said to.
func TestNotOurs(t *testing.T) {
	r := read(t, "openapi: 3.0.1\nx-amazon-apigateway-binary-media-types: ['*/*']\npaths: {/a: {get: {operationId: a, x-amazon-apigateway-request-validator: all}, put: {operationId: a}}}", rest)
	var said []string
	for _, n := range r.notes {
		if n.Verdict == portability.NotOurs {
			said = append(said, n.What+": "+n.Message)
		}
	}
	for _, want := range []string{"the document: x-amazon-apigateway-binary-media-types: which bodies are binary", "GET /a: x-amazon-apigateway-request-validator: validation of requests", `PUT /a: the operationId "a" is written twice`, "GET /a: the operation has no x-amazon-apigateway-integration"} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("got %q, want %q", said, want)
		}
	}
}

// TestUnknownSchemes: operations that name a scheme wait for the schemes.
func TestUnknownSchemes(t *testing.T) {
	const text = "openapi: 3.0.1\npaths: {/a: {get: {security: [{a: []}]}}, /b: {get: {}}}\ncomponents: "
	for _, components := range []string{"{'Fn::Transform': {}}", "{securitySchemes: {'Fn::Transform': {}, a: {x-amazon-apigateway-authtype: awsSigv4}}}"} {
		check(t, components, read(t, text+components, rest), "GET /a: unresolved\nGET /b: authorization NONE", "the value is made by Fn::Transform")
	}
	r := read(t, "openapi: 3.0.1\npaths: {}\ncomponents: {securitySchemes: {a: {type: http}}}", rest)
	if last := r.notes[len(r.notes)-1]; last.Verdict != portability.NotOurs || last.Message != "no operation names it" {
		t.Errorf("got %+v", last)
	}
}

// TestUnresolved: values of a template that nothing decides, and references to its resources, are not known.
func TestUnresolved(t *testing.T) {
	root, faults := tree.Parse("api.yaml", []byte("openapi: 3.0.1\npaths: {/a: {get: {security: [{t: []}]}}, /b: {get: {security: [{p: []}]}}}\ncomponents:\n  securitySchemes:\n"+
		"    t: {x-amazon-apigateway-authorizer: {type: token, authorizerUri: x}}\n    p: {x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: [x]}}"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	u := root.Way("components", "securitySchemes", "t", xAuthorizer).Pair("authorizerUri")
	u.Value = &tree.Node{Kind: tree.Unresolved, At: u.At, Unknown: &tree.Unknown{Message: "the parameter Uri has no value: give it by parameters"}}
	p := root.Way("components", "securitySchemes", "p", xAuthorizer).Get("providerARNs")
	p.Items[0] = &tree.Node{Kind: tree.Reference, At: p.At, Resource: "Pool", Attribute: "Arn"}
	var report portability.Report
	api, _ := Read(root, rest, &report)
	r := result{api, report.Notes()}
	check(t, "unresolved", r, "GET /a: unresolved\nGET /b: unresolved", "the parameter Uri has no value: give it by parameters", `only CloudFormation knows Arn of Pool: give it by --value`)
}

// TestDefaults: a guard that the default of a parameter decided is noted.
func TestDefaults(t *testing.T) {
	root, _ := tree.Parse("api.yaml", []byte("openapi: 3.0.1\npaths: {/a: {get: {x-amazon-apigateway-auth: {type: NONE}}}}"))
	kind := root.Way("paths", "/a", "get", xAuth).Pair("type")
	kind.Value = &tree.Node{Kind: tree.Text, Text: "NONE", At: kind.At, Defaults: []string{"Auth"}}
	var report portability.Report
	api, _ := Read(root, rest, &report)
	check(t, "defaults", result{api, report.Notes()}, "GET /a: authorization NONE", "the value is decided by the default of the parameter Auth")
}
