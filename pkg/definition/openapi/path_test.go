package openapi

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const iam = "{x-amazon-apigateway-auth: {type: AWS_IAM}}"

func TestPaths(t *testing.T) {
	for _, test := range []struct {
		name, paths string
		o           Options
		want        string
		notes       []string
	}{
		{"methods", "\n  /: {get: " + iam + ", put: {}, post: {}, delete: {}, options: {}, head: {}, patch: {}, trace: {}}", rest,
			"GET /: authorization AWS_IAM\nPUT /: authorization NONE\nPOST /: authorization NONE\nDELETE /: authorization NONE\nOPTIONS /: authorization NONE\nHEAD /: authorization NONE\nPATCH /: authorization NONE", []string{""}},
		{"what a path item has beside them", "\n  /a: {summary: x, description: y, servers: [], parameters: [{$ref: '#/nowhere'}], x-vendor: {}, get: {}}", rest, "GET /a: authorization NONE", []string{""}},
		{"vendor extensions of paths", "\n  x-vendor: {get: {}}\n  /a: {get: {}}", rest, "GET /a: authorization NONE", []string{""}},
		{"ANY", "\n  /a: {x-amazon-apigateway-any-method: " + iam + ", get: {}}", rest, "ANY /a: authorization AWS_IAM\nGET /a: authorization NONE", []string{""}},
		{"parameters", "\n  /a/{b}/{c+}: {get: " + iam + "}", rest, "GET /a/{b}/{c+}: authorization AWS_IAM", []string{""}},
		{"no integration", "\n  /a: {get: " + iam + "}", rest, "GET /a: authorization AWS_IAM", []string{""}},

		{"a slash at the end", "\n  /a/: {get: " + iam + "}", rest, "GET /a: authorization AWS_IAM", []string{"", "3: /a/: taken for /a"}},
		{"no slash at the beginning", "\n  a/{b}: {get: " + iam + "}", rest, "GET /a/{b}: authorization AWS_IAM", []string{"", "3: a/{b}: taken for /a/{b}"}},
		{"with and without a slash", "\n  /a: {get: " + iam + "}\n  /a/: {get: {}}", rest, "GET /a: unresolved", []string{"4: GET /a: no route can have this path beside the others"}},
		{"a slash at the end of HTTP", "\n  /a/: {get: " + iam + "}\n  /b: {get: {}}", http, "GET /a: unresolved\nGET /b: authorization NONE", []string{`3: GET /a: a path of an HTTP API begins with a slash and does not end in one: write "/a"`}},
		{"no slash of HTTP", "\n  a: {get: {}}", http, "GET /a: unresolved", []string{"3: GET /a: a path of an HTTP API begins with a slash"}},

		{"a pattern", "\n  '/a/{id:[0-9]+}': {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{`3: GET /a/{id:[0-9]+}: no route can have this path beside the others`}},
		{"greedy within", "\n  '/a/{b+}/c': {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{"3: GET /a/{b+}/c: no route can have this path"}},
		{"a part with a parameter", "\n  '/a/x{b}': {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{"3: "}},
		{"an empty part", "\n  /a//b: {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{"3: "}},
		{"a query", "\n  '/a?b=c': {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{"3: "}},
		{"two names of a parameter", "\n  '/a/{b}': {get: " + iam + "}\n  '/a/{c}': {get: {}}", rest, "GET /a/{b}: unresolved", []string{"4: GET /a/{c}: no route can have this path beside the others"}},
		{"a path of Terraform", "\n  '/${base}/a': {get: " + iam + "}\n  /b: {get: {}}", rest, "GET /b: unresolved", []string{`3: the path "/${base}/a": "${base}" is not replaced`}},

		{"a method in capitals", "\n  /a: {GET: " + iam + ", put: {}}", rest, "GET /a: unresolved\nPUT /a: authorization NONE", []string{`3: GET /a: OpenAPI writes "GET" as get`}},
		{"a method with a blank", "\n  /a: {'get ': " + iam + "}", rest, "GET /a: unresolved", []string{`3: GET /a: OpenAPI writes "get " as get`}},
		{"a method in both", "\n  /a: {GET: {}, get: {}}", rest, "GET /a: unresolved", []string{"3: GET /a: no route can have this path beside the others"}},
		{"SAM's any", "\n  /a: {any: " + iam + "}", rest, "ANY /a: unresolved", []string{"write x-amazon-apigateway-any-method"}},
		{"security of a path", "\n  /a: {security: [{a: []}], get: {}, put: {security: []}}", rest, "GET /a: unresolved\nPUT /a: authorization NONE", []string{"3: GET /a: OpenAPI has no security of a path"}},
		{"-auth of a path", "\n  /a: {x-amazon-apigateway-auth: {type: AWS_IAM}, get: {}}", rest, "GET /a: unresolved", []string{"belongs to an operation"}},
		{"an extension of a path", "\n  /a: {x-amazon-apigateway-authorizer: {}, get: {}}", rest, "GET /a: unresolved", []string{"the extension x-amazon-apigateway-authorizer is not known here"}},

		{"a path that is not a map", "\n  /a: []\n  /b: {get: {}}", rest, "ANY /a: unresolved\nGET /b: authorization NONE", []string{"3: ANY /a: the operations of the path are not known: a path must be a map of operations, and is a list"}},
		{"a path by a function", "\n  /a: {'Fn::If': [a, b, c]}", rest, "ANY /a: unresolved", []string{"the value is made by Fn::If"}},
		{"a path with a transform", "\n  /a: {get: {}, 'Fn::Transform': {}}", rest, "ANY /a: unresolved", []string{"the value is made by Fn::Transform"}},
		{"paths by a function", " {'Fn::Transform': {}}", rest, "ANY /: unresolved\nANY /{proxy+}: unresolved", []string{"2: paths: the value is made by Fn::Transform"}},
		{"paths by a function, HTTP", " {'Fn::Transform': {}}", http, "$default: unresolved", []string{"the value is made by Fn::Transform"}},
		{"paths that are not a map", " []", rest, "ANY /: unresolved\nANY /{proxy+}: unresolved", []string{"paths must be a map of paths, and is a list"}},
		{"no paths", " {}", rest, "", []string{""}},

		{"the default route", "\n  /$default: {x-amazon-apigateway-any-method: {isDefaultRoute: true, x-amazon-apigateway-auth: {type: AWS_IAM}}}", Options{}, "$default: authorization AWS_IAM", []string{""}},
		{"the default route, as SAM writes it", "\n  $default: {x-amazon-apigateway-any-method: {isDefaultRoute: true}}", Options{}, "$default: authorization NONE", []string{""}},
		{"the default route, without a slash alone", "\n  $default: {x-amazon-apigateway-any-method: {}}", http, "$default: authorization NONE", []string{""}},
		{"a default route elsewhere", "\n  /a: {x-amazon-apigateway-any-method: {isDefaultRoute: true}}", http, "ANY /a: unresolved", []string{"isDefaultRoute makes the route $default"}},
		{"a default route of REST", "\n  /$default: {x-amazon-apigateway-any-method: {isDefaultRoute: true}}", rest, "ANY /$default: unresolved", []string{"isDefaultRoute makes the route $default"}},
		{"a default route that is not known", "\n  /$default: []", http, "$default: unresolved", []string{"the operations of the path are not known"}},
	} {
		check(t, test.name, read(t, "openapi: 3.0.1\npaths:"+test.paths, test.o), test.want, test.notes...)
	}
}

func TestDocuments(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"text", "hello", "api.yaml:1:1: this is not an OpenAPI document"},
		{"a function", "'Fn::Transform': {Name: AWS::Include}", "api.yaml:1:1: the OpenAPI document is not known: the value is made by Fn::Transform"},
		{"a template", "Resources: {}", "write openapi: 3.0.1"},
		{"a fragment", "get: {}", "write openapi: 3.0.1"},
		{"Swagger 1.2", "swagger: '1.2'\npaths: {}", `api.yaml:1:10: swagger must be "2.0"`},
		{"OpenAPI 4", "openapi: 4.0.0\npaths: {}", "api.yaml:1:10: openapi must be a version from 3.0.0 to 3.1"},
		{"OpenAPI 3.01", "openapi: 3.01\npaths: {}", "openapi must be"},
		{"both", "openapi: 3.0.1\nswagger: '2.0'\npaths: {}", "api.yaml:2:10: the document has both"},
		{"no paths", "openapi: 3.0.1\nx: 1", "api.yaml:1:1: the document has no paths"},
	} {
		root, faults := tree.Parse("api.yaml", []byte(test.text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		api, faults := Read(root, Options{}, &portability.Report{})
		if api != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want %s", test.name, api, faults, test.want)
		}
	}
	root, _ := tree.Parse("api.yaml", []byte("swagger: 2.0\npaths: {}"))
	if _, faults := Read(root, http, &portability.Report{}); !strings.Contains(faults.Error(), "imports HTTP APIs from OpenAPI 3.0 alone") {
		t.Errorf("Swagger of an HTTP API: %v", faults)
	}
	for _, version := range []string{"swagger: '2.0'", "swagger: 2.0", "openapi: 3.0", "openapi: 3.0.3", "openapi: 3.1.0", "openapi: '3.1'"} {
		if r := read(t, version+"\npaths: {}", Options{}); r.api == nil {
			t.Errorf("%s is refused", version)
		}
	}
}

func TestKind(t *testing.T) {
	paths := func(integration string) string {
		return "\npaths: {/a: {get: {x-amazon-apigateway-integration: " + integration + "}}}"
	}
	scheme := func(extension string) string {
		return "\npaths: {}\ncomponents: {securitySchemes: {a: {x-amazon-apigateway-authorizer: " + extension + "}}}"
	}
	for _, test := range []struct{ name, text, kind, note string }{
		{"nothing", "\npaths: {}", "REST", "1: kind: taken for a REST API, because nothing tells the kind"},
		{"a proxy", paths("{type: aws_proxy}"), "REST", "nothing tells the kind"},
		{"mock", paths("{type: MOCK}"), "REST", ""},
		{"payloadFormatVersion", paths("{type: aws_proxy, payloadFormatVersion: '2.0'}"), "HTTP", ""},
		{"integrationSubtype", paths("{type: aws_proxy, integrationSubtype: SQS-SendMessage}"), "HTTP", ""},
		{"an export", "\npaths: {}\nx-amazon-apigateway-importexport-version: '1.0'", "HTTP", ""},
		{"cors alone", "\npaths: {}\nx-amazon-apigateway-cors: {allowOrigins: ['*']}", "HTTP", "3: kind: taken for an HTTP API, because only they have"},
		{"cors of a REST API", "\npaths: {}\nx-amazon-apigateway-cors: {allowOrigins: ['*']}\nx-amazon-apigateway-api-key-source: HEADER", "REST", ""},
		{"a policy", "\npaths: {}\nx-amazon-apigateway-policy: {Version: 2012-10-17, Statement: []}", "REST", ""},
		{"a pool", scheme("{type: cognito_user_pools}"), "REST", ""},
		{"an API key", "\npaths: {}\nx-amazon-apigateway-cors: {}\ncomponents: {securitySchemes: {a: {type: apiKey, in: header, name: X-Api-Key}}}", "REST", ""},
		{"request", scheme("{type: request}"), "REST", "nothing tells the kind"},
		{"request of HTTP", scheme("{type: request, authorizerPayloadFormatVersion: '2.0'}"), "HTTP", ""},
		{"jwt", scheme("{type: jwt, jwtConfiguration: {audience: [a]}}"), "HTTP", ""},
		{"jwt of REST", scheme("{type: jwt, jwtConfiguration: {issuers: []}}"), "REST", ""},
		{"a source of HTTP", scheme("{type: request, identitySource: $request.header.A}"), "HTTP", ""},
		{"a source of REST", scheme("{type: request, identitySource: method.request.header.A}"), "REST", "taken for a REST API, by the identity source method.request.header.A"},
		{"a source of REST in an export", "\nx-amazon-apigateway-importexport-version: '1.0'" + scheme("{type: request, identitySource: method.request.header.A}"), "REST", "although x-amazon-apigateway-importexport-version in line 2 is of HTTP APIs"},
		{"a source of REST and a version", scheme("{type: request, identitySource: method.request.header.A, authorizerPayloadFormatVersion: '2.0'}"), "HTTP", ""},
		{"an export", "\nx-amazon-apigateway-importexport-version: '1.0'" + paths("{}"), "HTTP", ""},
		{"a version of REST", paths("{type: mock, payloadFormatVersion: '2.0'}"), "REST", "taken for a REST API, by an integration of type mock in line 2, although payloadFormatVersion in line 2 is of HTTP APIs"},
		{"a version in a policy's document", "\nx-amazon-apigateway-policy: {}" + paths("{payloadFormatVersion: '1.0'}"), "REST", "although payloadFormatVersion"},
	} {
		r := read(t, "openapi: 3.0.1"+test.text, Options{})
		if got := show(r.api.Get("kind")); got != test.kind || !strings.Contains(r.said(portability.Approximated), test.note) {
			t.Errorf("%s: got %s, want %s; notes %s", test.name, got, test.kind, r.said(portability.Approximated))
		}
	}
	r := read(t, "openapi: 3.0.1"+paths("{type: mock, integrationSubtype: SQS-SendMessage}"), Options{})
	check(t, "both kinds", r, "GET /a: unresolved", "what only REST APIs have (an integration of type mock in line 2) and what only HTTP APIs have (integrationSubtype in line 2): say it by --value 'API kind=…', or by kind: beside the definition, with REST or HTTP")
}
