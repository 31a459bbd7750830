package openapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRefs(t *testing.T) {
	const document = `openapi: 3.0.1
components:
  securitySchemes:
    direct: {x-amazon-apigateway-authtype: awsSigv4}
    iam: {$ref: '#/components/securitySchemes/direct'}
    outside: {$ref: 'shared/schemes.yaml#/iam'}
    circle: {$ref: '#/components/securitySchemes/circle'}
    key: {type: apiKey, name: x-api-key, in: header}
    beside: {$ref: '#/components/securitySchemes/key', x-amazon-apigateway-authtype: awsSigv4}
    token: {x-amazon-apigateway-authorizer: {$ref: '#/components/x-authorizers/a~1b%20c'}}
  x-authorizers:
    a/b c: {type: token, authorizerUri: "` + uri + `"}
  x-operations:
    get: {security: [{iam: []}]}
  x-paths:
    a: {get: {security: [{iam: []}]}}
    beside: {$ref: '#/components/x-paths/a', put: {}}
  schemas: {a: {$ref: '#/nowhere'}}
paths: `
	files := map[string]string{
		"shared/schemes.yaml":       "iam: {$ref: '#/x/iam'}\nx: {iam: {$ref: 'more/other.yaml#/list/1'}}",
		"shared/more/other.yaml":    "list: [{}, {x-amazon-apigateway-authtype: awsSigv4}]",
		"shared/path.yaml":          "get: {security: [{iam: []}]}\nput: {$ref: '../circle.yaml'}",
		"circle.yaml":               "$ref: 'circle.yaml'",
		"broken.yaml":               "a: [",
		"shared/open.yaml":          "get: {security: [{'${s}': []}]}",
		"deep/1/2/3.yaml":           "get: {}",
		"shared/more/unfilled.yaml": "get: {security: [{direct: ['${scope}']}]}",
	}
	o := rest
	o.Read = func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	for _, test := range []struct{ name, paths, want, note string }{
		{"a scheme", `{/a: {get: {security: [{iam: []}]}}}`, "GET /a: authorization AWS_IAM", ""},
		{"a scheme in another file", `{/a: {get: {security: [{outside: []}]}}}`, "GET /a: authorization AWS_IAM", ""},
		{"an authorizer", `{/a: {get: {security: [{token: []}]}}}`, "GET /a: authorizer token", ""},
		{"an operation", `{/a: {get: {$ref: '#/components/x-operations/get'}}}`, "GET /a: authorization AWS_IAM", ""},
		{"a path", `{/a: {$ref: '#/components/x-paths/a'}}`, "GET /a: authorization AWS_IAM", ""},
		{"a path with an operation beside", `{/a: {$ref: '#/components/x-paths/a', put: {}}}`, "GET /a: authorization AWS_IAM\nPUT /a: authorization NONE", ""},
		{"a path with the same operation beside", `{/a: {$ref: '#/components/x-paths/a', get: {}}}`, "ANY /a: unresolved", `"get" stands here and in what $ref leads to`},
		{"an operation with security beside", `{/a: {get: {$ref: '#/components/schemas', security: [{iam: []}]}}}`, "GET /a: unresolved", `"security" stands beside $ref`},
		{"an operation with words beside", `{/a: {get: {$ref: '#/components/x-operations/get', summary: a, description: b}}}`, "GET /a: authorization AWS_IAM", ""},
		{"a scheme with an extension beside", `{/a: {get: {security: [{beside: []}]}}}`, "GET /a: unresolved", `"x-amazon-apigateway-authtype" stands beside $ref`},
		{"a second reference with an operation beside", `{/a: {$ref: '#/components/x-paths/beside'}}`, "ANY /a: unresolved", `"put" stands beside $ref`},
		{"all paths", `{$ref: '#/components/x-all'}`, "ANY /: unresolved\nANY /{proxy+}: unresolved", `19: paths: $ref "#/components/x-all" leads nowhere`},
		{"a path in another file", `{/a: {$ref: shared/path.yaml}}`, "GET /a: authorization AWS_IAM\nPUT /a: unresolved", "$ref leads to more than 20 others, or to itself"},
		{"a circle", `{/a: {get: {security: [{circle: []}]}}}`, "GET /a: unresolved", `$ref leads to more than 20 others, or to itself`},
		{"nowhere", `{/a: {$ref: '#/nowhere'}, /b: {get: {}}}`, "ANY /a: unresolved\nGET /b: authorization NONE", `$ref "#/nowhere" leads nowhere`},
		{"no such file", `{/a: {$ref: 'missing.yaml'}}`, "ANY /a: unresolved", `$ref names the file "missing.yaml", which cannot be used: no such file`},
		{"a file that is broken", `{/a: {$ref: 'broken.yaml'}}`, "ANY /a: unresolved", `which cannot be used: broken.yaml:`},
		{"a URL", `{/a: {$ref: 'https://example.com/a.yaml'}}`, "ANY /a: unresolved", `"https://example.com/a.yaml", which is not a file in the document's folder`},
		{"an absolute path", `{/a: {$ref: '/etc/passwd'}}`, "ANY /a: unresolved", `"/etc/passwd", which is not a file`},
		{"of Terraform", `{/a: {$ref: '${a}.yaml'}}`, "ANY /a: unresolved", `"${a}" is not replaced`},
		{"not text", `{/a: {$ref: [a]}}`, "ANY /a: unresolved", "$ref must be text"},
		{"by a function", `{/a: {$ref: {Ref: a}}}`, "ANY /a: unresolved", "the value is made by Ref"},
		{"what another file leaves open", `{/a: {$ref: shared/open.yaml}}`, "GET /a: unresolved", `"${s}" is not replaced`},
		{"the root", `{/a: {$ref: '#'}}`, "", ""},
	} {
		check(t, test.name, read(t, document+test.paths, o), test.want, test.note)
	}
	check(t, "no files", read(t, document+`{/a: {$ref: other.yaml}}`, rest), "ANY /a: unresolved", "no other file can be read here")
}

// TestManyFiles: references name so many files and no more.
func TestManyFiles(t *testing.T) {
	const most = 50
	var b strings.Builder
	b.WriteString("openapi: 3.0.1\npaths:\n")
	for i := range most + 1 {
		fmt.Fprintf(&b, "  /p%d: {$ref: f%d.yaml}\n", i, i)
	}
	count := 0
	o := rest
	o.Read = func(string) ([]byte, error) { count++; return []byte("get: {}"), nil }
	r := read(t, b.String(), o)
	if count != most || !strings.Contains(r.refusals(), "references name more than 50 files") {
		t.Errorf("read %d files: %s", count, r.refusals())
	}
	o.Read = func(string) ([]byte, error) { return make([]byte, 6<<20+1), nil }
	check(t, "a large file", read(t, "openapi: 3.0.1\npaths: {/a: {$ref: a.yaml}}", o), "ANY /a: unresolved", "larger than 6 MB")
}
