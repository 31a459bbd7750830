package openapi

import (
	"strings"
	"testing"
)

// schemes are security schemes of every kind. Operations follow them.
const schemes = `openapi: 3.0.1
components:
  securitySchemes:
    token: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authtype: custom, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}
    pool: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: COGNITO_USER_POOLS, x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: ["` + aPool + `"]}}
    iam: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: AWSSigV4}
    key: {type: apiKey, name: x-api-key, in: header}
    bearer: {type: http, scheme: bearer}
    basic: {type: http, scheme: basic}
    query: {type: apiKey, name: x-api-key, in: query}
    other: {type: apiKey, name: X-Token, in: header}
    half: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authtype: custom}
    two: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authtype: awsSigv4, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}
    more: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-access: x}
    unknown: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "${uri}"}}
paths:
  /a:
    get: `

// TestRootSecuritySpelled: the security of the root in another spelling is refused where one in the right spelling guards.
func TestRootSecuritySpelled(t *testing.T) {
	const text = "openapi: 3.0.1\nSecurity: [{s: []}]\npaths: {/a: {get: {}}, /b: {get: {security: []}}}\ncomponents: {securitySchemes: {s: {x-amazon-apigateway-authtype: awsSigv4}}}"
	const refused = "GET /a: unresolved\nGET /b: authorization NONE"
	check(t, "HTTP", read(t, text, http), refused, `2: GET /a: OpenAPI writes "Security" as security`)
	check(t, "a kind that is not known", read(t, text, Options{}), refused, `2: GET /a: OpenAPI writes "Security" as security`)
	check(t, "REST", read(t, text, rest), refused, `2: GET /a: OpenAPI writes "Security" as security`)
	swagger := strings.NewReplacer("openapi: 3.0.1", `swagger: "2.0"`, "components:", "x-components:").Replace(text)
	check(t, "Swagger", read(t, swagger, rest), "GET /a: authorization NONE\nGET /b: authorization NONE", "")
}

func TestSecurityOfREST(t *testing.T) {
	for _, test := range []struct{ name, op, want, note string }{
		{"nothing", `{}`, "authorization NONE", ""},
		{"empty", `{security: []}`, "authorization NONE", ""},
		{"optional", `{security: [{}]}`, "authorization NONE", ""},
		{"SAM's marker", `{security: [{NONE: []}]}`, "authorization NONE", ""},
		{"SAM's marker and a key", `{security: [{NONE: []}, {key: []}]}`, "authorization NONE, apiKeyRequired true", ""},
		{"SAM's marker and an authorizer", `{security: [{NONE: []}, {token: []}]}`, "authorizer token", ""},
		{"an authorizer", `{security: [{token: []}]}`, "authorizer token", ""},
		{"an authorizer without a list of scopes", `{security: [{token: }]}`, "authorizer token", ""},
		{"scopes", `{security: [{pool: [a, b/c]}]}`, "authorizer pool, scopes [a, b/c]", ""},
		{"scopes of a function", `{security: [{token: [a]}]}`, "authorizer token", "18: GET /a: only tokens of user pools and JWTs have scopes"},
		{"scopes of IAM and of a key", `{security: [{iam: [a], key: [b]}]}`, "authorization AWS_IAM, apiKeyRequired true", `those of "key" have no effect`},
		{"optional or an authorizer", `{security: [{}, {token: []}]}`, "authorizer token", ""},
		{"IAM", `{security: [{iam: []}]}`, "authorization AWS_IAM", ""},
		{"a key", `{security: [{key: []}]}`, "authorization NONE, apiKeyRequired true", ""},
		{"a key and an authorizer", `{security: [{key: [], token: []}]}`, "authorizer token, apiKeyRequired true", ""},
		{"a key or an authorizer", `{security: [{token: []}, {key: []}]}`, "authorizer token, apiKeyRequired true", ""},
		{"a key and IAM", `{security: [{key: []}], x-amazon-apigateway-auth: {type: aws_iam}}`, "authorization AWS_IAM, apiKeyRequired true", ""},
		{"the same twice", `{security: [{pool: [a]}, {pool: [a]}]}`, "authorizer pool, scopes [a]", ""},
		{"two with other scopes", `{security: [{pool: [a]}, {pool: [b]}]}`, "unresolved", `18: GET /a: security names "pool" twice with different scopes`},
		{"two with scopes and none", `{security: [{pool: [a]}, {pool: []}]}`, "unresolved", "twice with different scopes"},
		{"two authorizers", `{security: [{token: []}, {pool: []}]}`, "unresolved", `18: GET /a: a method has one authorizer, and security names "pool" beside "token"`},
		{"two authorizers at once", `{security: [{token: [], pool: []}]}`, "unresolved", "a method has one authorizer"},
		{"IAM beside an authorizer", `{security: [{iam: []}, {token: []}]}`, "unresolved", "a method has one authorizer"},
		{"an authorizer beside IAM", `{security: [{token: []}, {iam: []}]}`, "unresolved", "a method has one authorizer"},
		{"-auth", `{x-amazon-apigateway-auth: {type: AWS_IAM}}`, "authorization AWS_IAM", ""},
		{"-auth in lower case", `{x-amazon-apigateway-auth: {type: aws_iam}}`, "authorization AWS_IAM", ""},
		{"-auth NONE", `{x-amazon-apigateway-auth: {type: none}}`, "authorization NONE", ""},
		{"-auth NONE and a key", `{security: [{key: []}], x-amazon-apigateway-auth: {type: NONE}}`, "authorization NONE, apiKeyRequired true", ""},
		{"-auth NONE and an authorizer", `{security: [{token: []}], x-amazon-apigateway-auth: {type: NONE}}`, "unresolved", "18: GET /a: x-amazon-apigateway-auth says NONE, and security names a guard"},
		{"-auth and an authorizer", `{security: [{token: []}], x-amazon-apigateway-auth: {type: AWS_IAM}}`, "unresolved", "a method has one authorizer"},
		{"-auth and IAM", `{security: [{iam: []}], x-amazon-apigateway-auth: {type: AWS_IAM}}`, "authorization AWS_IAM", ""},
		{"-auth CUSTOM", `{x-amazon-apigateway-auth: {type: CUSTOM}}`, "unresolved", `18: GET /a: the type "CUSTOM" of x-amazon-apigateway-auth is not known`},
		{"-auth as text", `{x-amazon-apigateway-auth: AWS_IAM}`, "unresolved", "must be {type: NONE} or {type: AWS_IAM}"},
		{"-auth of Terraform", `{x-amazon-apigateway-auth: {type: "${auth}"}}`, "unresolved", `18: GET /a: "${auth}" is not replaced: give it by --value '${auth}=…', or in values: of the definition`},
		{"-auth by a function", `{x-amazon-apigateway-auth: {type: {Ref: Auth}}}`, "unresolved", "18: GET /a: the value is made by Ref"},
		{"no such scheme", `{security: [{nobody: []}]}`, "unresolved", `18: security scheme "nobody": security names it, and the document has no such scheme: write it under components.securitySchemes`},
		{"no such scheme beside an authorizer", `{security: [{nobody: []}, {token: []}]}`, "unresolved", "no such scheme"},
		{"bearer", `{security: [{bearer: []}]}`, "unresolved", `8: security scheme "bearer": it has neither x-amazon-apigateway-authorizer nor x-amazon-apigateway-authtype`},
		{"basic", `{security: [{basic: []}]}`, "unresolved", `9: security scheme "basic": it has neither`},
		{"a key in the query", `{security: [{query: []}]}`, "unresolved", `10: security scheme "query": it has neither`},
		{"another key", `{security: [{other: []}]}`, "unresolved", `11: security scheme "other": it has neither`},
		{"bearer and a key", `{security: [{bearer: [], key: []}]}`, "unresolved", `8: security scheme "bearer": it has neither`},
		{"bearer and an authorizer", `{security: [{bearer: []}, {token: []}]}`, "authorizer token", `18: GET /a: API Gateway ignores the security scheme "bearer"`},
		{"authtype alone", `{security: [{half: []}]}`, "unresolved", `12: security scheme "half": it has x-amazon-apigateway-authtype and lacks x-amazon-apigateway-authorizer`},
		{"IAM and an authorizer in one scheme", `{security: [{two: []}]}`, "unresolved", `13: security scheme "two": x-amazon-apigateway-authtype says awsSigv4`},
		{"another extension", `{security: [{more: []}]}`, "unresolved", `14: security scheme "more": the extension x-amazon-apigateway-access is not known`},
		{"an authorizer that is not known", `{security: [{unknown: []}]}`, "unresolved", `15: security scheme "unknown": "${uri}" is not replaced: give it by --value '${uri}=…', or in values: of the definition`},
		{"a name that is not known", `{security: [{"${scheme}": []}]}`, "unresolved", `18: GET /a: "${scheme}" is not replaced`},
		{"null", `{security: }`, "unresolved", "18: GET /a: security must be a list, such as [] for an open operation, and is nothing"},
		{"a map", `{security: {token: []}}`, "unresolved", "18: GET /a: security must be a list, such as [] for an open operation, and is a map"},
		{"security of Terraform", `{security: "${security}"}`, "unresolved", `18: GET /a: "${security}" is not replaced`},
		{"names", `{security: [token]}`, "unresolved", "18: GET /a: an entry of security must be a map"},
		{"scopes as text", `{security: [{pool: a}]}`, "unresolved", `18: GET /a: the scopes of "pool" must be a list, such as [] for none, and is text`},
		{"scopes by a function", `{security: [{pool: [{Ref: Scope}]}]}`, "unresolved", "18: GET /a: the value is made by Ref"},
		{"security by a function", `{security: {"Fn::If": [a, b, c]}}`, "unresolved", "18: GET /a: the value is made by Fn::If"},
		{"a misspelled extension", `{x-amazon-apigateway-atuh: {type: AWS_IAM}}`, "unresolved", "or write x-amazon-apigateway-auth"},
		{"the source of keys, where it has no effect", `{x-amazon-apigateway-api-key-source: HEADER}`, "authorization NONE", ""},
		{"another source of keys", `{x-amazon-apigateway-api-key-source: AUTHORIZER}`, "unresolved", "18: GET /a: the extension x-amazon-apigateway-api-key-source is not known here"},
		{"an extension that may guard", `{x-amazon-apigateway-authorization: x}`, "unresolved", "18: GET /a: the extension x-amazon-apigateway-authorization is not known here, and may say who may call"},
		{"an extension that may not", `{x-amazon-apigateway-color: x, x-other: y}`, "authorization NONE", ""},
		{"another spelling", `{Security: [{token: []}]}`, "unresolved", `18: GET /a: OpenAPI writes "Security" as security`},
		{"a blank behind", `{"security ": [{token: []}]}`, "unresolved", `18: GET /a: OpenAPI writes "security " as security`},
		{"not a map", `[]`, "unresolved", "18: GET /a: an operation must be a map, and is a list"},
		{"nothing at all", ``, "unresolved", "18: GET /a: an operation must be a map, and is nothing"},
		{"a function", `{"Fn::Transform": {Name: "AWS::Include"}}`, "unresolved", "18: GET /a: the value is made by Fn::Transform"},
	} {
		check(t, test.name, read(t, schemes+test.op, rest), "GET /a: "+test.want, test.note)
	}
}

func TestSecurityOfHTTP(t *testing.T) {
	const document = `openapi: 3.0.1
components:
  securitySchemes:
    jwt: {type: oauth2, x-amazon-apigateway-authorizer: {type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: {issuer: "https://issuer.example.com", audience: [pets]}}}
    function: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: request, authorizerPayloadFormatVersion: 2.0, enableSimpleResponses: true, identitySource: [$request.header.Auth], authorizerUri: "` + uri + `"}}
    iam: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}
    key: {type: apiKey, name: x-api-key, in: header}
    token: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}
    pool: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: "` + aPool + `"}}
paths:
  /a:
    get: `
	for _, test := range []struct{ name, op, want, note string }{
		{"nothing", `{}`, "authorization NONE", ""},
		{"scopes", `{security: [{jwt: [pets/read]}]}`, "authorizer jwt, scopes [pets/read]", ""},
		{"a function", `{security: [{function: []}]}`, "authorizer function", ""},
		{"IAM", `{security: [{iam: []}]}`, "authorization AWS_IAM", ""},
		{"a key", `{security: [{key: []}]}`, "unresolved", `7: security scheme "key": an HTTP API has no API keys`},
		{"a key and an authorizer", `{security: [{key: []}, {jwt: []}]}`, "unresolved", "an HTTP API has no API keys"},
		{"token", `{security: [{token: []}]}`, "unresolved", `8: security scheme "token": an HTTP API has no authorizers of type token`},
		{"a pool", `{security: [{pool: []}]}`, "unresolved", `9: security scheme "pool": an HTTP API has no authorizers of type cognito_user_pools`},
		{"SAM's marker", `{security: [{NONE: []}]}`, "authorization NONE", ""},
	} {
		check(t, test.name, read(t, document+test.op, http), "GET /a: "+test.want, test.note)
	}
}

// TestRootSecurity: a document of Swagger 2.0 does not use it, and any other operation below it is guarded.
func TestRootSecurity(t *testing.T) {
	document := strings.Replace(schemes, "paths:\n", "security: [{token: []}]\npaths:\n", 1)
	const applied = "19: GET /a: guarded by the security of the document's root (line 16), as OpenAPI says, and as API Gateway imports it"
	unsure := `openapi: 3.0.1
components:
  securitySchemes:
    token: {x-amazon-apigateway-authorizer: {type: request, authorizerUri: "` + uri + `", identitySource: method.request.header.Auth}}
security: [{token: []}]
paths:
  /a:
    get: `
	swagger := `swagger: "2.0"
security: [{token: []}]
securityDefinitions:
  token: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}
paths:
  /a:
    get: `
	for _, test := range []struct {
		name, document, op string
		o                  Options
		want, note         string
	}{
		{"REST", document, `{}`, rest, "authorizer token", applied},
		{"REST, by its authorizers", document, `{}`, Options{}, "authorizer token", applied},
		{"REST, with its own", document, `{security: [{pool: []}]}`, rest, "authorizer pool", ""},
		{"Swagger", swagger, `{}`, Options{}, "authorization NONE", "7: GET /a: OPEN: API Gateway does not use the security of the root of a Swagger 2.0 document (line 2)"},
		{"nothing tells the kind", unsure, `{}`, Options{}, "authorizer token", "guarded by the security of the document's root"},
		{"nothing tells the kind, with its own", unsure, `{security: []}`, Options{}, "authorization NONE", ""},
		{"nothing tells the kind, and -auth", unsure, `{x-amazon-apigateway-auth: {type: NONE}}`, Options{}, "unresolved", "says NONE, and security names a guard"},
		{"HTTP", strings.ReplaceAll(unsure, "method.request.header", "$request.header"), `{}`, http, "authorizer token", "guarded by the security"},
		{"REST, and open", document, `{security: []}`, rest, "authorization NONE", ""},
		{"REST, -auth", document, `{x-amazon-apigateway-auth: {type: AWS_IAM}}`, rest, "unresolved", "a method has one authorizer"},
		{"REST, scopes", strings.Replace(document, "security: [{token: []}]", "security: [{pool: [email]}]", 1), `{}`, rest, "authorizer pool, scopes [email]", applied},
		{"Swagger, -auth", swagger, `{x-amazon-apigateway-auth: {type: AWS_IAM}}`, rest, "authorization AWS_IAM", ""},
	} {
		check(t, test.name, read(t, test.document+test.op, test.o), "GET /a: "+test.want, test.note)
	}
}

// TestValuesOfSchemes: the reader says what a scheme stands for that API Gateway does not know, and opens no other.
func TestValuesOfSchemes(t *testing.T) {
	for _, test := range []struct{ scheme, value, want, note string }{
		{"bearer", "NONE", "authorization NONE", `8: security scheme "bearer": taken for NONE, as values say`},
		{"bearer", "AWS_IAM", "authorization AWS_IAM", ""},
		{"bearer", "API_KEY", "authorization NONE, apiKeyRequired true", ""},
		{"bearer", "authorizer partners", "authorizer partners, scopes [a]", ""},
		{"bearer", "authorizer a b", "unresolved", `"security bearer" must be NONE`},
		{"bearer", "none", "unresolved", `"security bearer" must be NONE`},
		{"nobody", "NONE", "authorization NONE", `18: security scheme "nobody": taken for NONE`},
		{"half", "NONE", "authorization NONE", ""},
		{"half", "authorizer partners", "authorizer partners, scopes [a]", ""},
		{"token", "NONE", "unresolved", `4: security scheme "token": values: "security token" is NONE, and the scheme's extension guards`},
		{"token", "API_KEY", "unresolved", "the scheme's extension guards"},
		{"unknown", "NONE", "unresolved", "the scheme's extension guards"},
		{"iam", "NONE", "unresolved", "the scheme's extension guards"},
		{"unknown", "authorizer partners", "authorizer partners, scopes [a]", ""},
	} {
		o := rest
		o.Values = map[string]string{"security " + test.scheme: test.value}
		r := read(t, schemes+`{security: [{`+test.scheme+`: [a]}]}`, o)
		check(t, test.scheme+" "+test.value, r, "GET /a: "+test.want, test.note)
	}
}

// TestValuesOfKeys: what stands for a path, the name of a scheme or a scope is given like what stands in a text.
func TestValuesOfKeys(t *testing.T) {
	text := strings.Replace(schemes, "  /a:", "  /${base}/a:", 1) + `{security: [{"${scheme}": ["${scope}/read"]}]}`
	o := rest
	o.Values = map[string]string{"${base}": "v1", "${scheme}": "pool", "${scope}": "pets"}
	check(t, "values", read(t, text, o), "GET /v1/a: authorizer pool, scopes [pets/read]", "")
}
