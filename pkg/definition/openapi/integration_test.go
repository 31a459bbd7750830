package openapi

import "testing"

func TestUpstreamHeaders(t *testing.T) {
	const document = `openapi: 3.0.1
components:
  securitySchemes:
    token: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}
    pool: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: "` + aPool + `"}}
    key: {type: apiKey, name: x-api-key, in: header}
paths:
  /a: {get: {security: [{%: []}], x-amazon-apigateway-integration: {requestParameters: {`
	const before = "integration.request.header."
	for _, test := range []struct{ name, scheme, mapping, want, note string }{
		{"what a function says", "token", before + "X-User: context.authorizer.user", "authorizer token, upstreamHeaders {X-User: $context.authorizer.user}", ""},
		{"the principal", "token", before + "X-User: $context.authorizer.principalId", "authorizer token, upstreamHeaders {X-User: $context.authorizer.principalId}", ""},
		{"a claim", "pool", before + "X-Role: context.authorizer.claims.custom:role", "authorizer pool, upstreamHeaders {X-Role: $context.authorizer.claims.custom:role}", ""},
		{"a claim in brackets", "pool", before + `X-Groups: "context.authorizer.claims['cognito:groups']"`, "authorizer pool, upstreamHeaders {X-Groups: $context.authorizer.claims['cognito:groups']}", ""},
		{"the identity", "key", before + "X-IP: context.identity.sourceIp", "authorization NONE, apiKeyRequired true, upstreamHeaders {X-IP: $context.identity.sourceIp}", ""},
		{"other mappings", "token", before + "A: \"'b'\", " + before + "C: method.request.header.D, " + before + "E: context.requestId, integration.request.path.id: method.request.path.id", "authorizer token", ""},
		{"without an authorizer", "key", before + "X-User: context.authorizer.user", "authorization NONE, apiKeyRequired true, upstreamHeaders {X-User: $context.authorizer.principalId}", "the operation has no authorizer that says $context.authorizer.user: the header is removed"},
		{"of another authorizer", "token", before + "X-Role: context.authorizer.claims.role", "unresolved", "8: GET /a: $context.authorizer.claims.role is not what the operation's authorizer says"},
		{"in the query", "token", "integration.request.querystring.u: context.authorizer.user", "authorizer token", `which is no header: portcullis does not set it, and a client may send it`},
		{"not known", "token", before + "X-User: {Ref: A}", "authorizer token", `8: GET /a: the mapping "integration.request.header.X-User" is left out`},
	} {
		text := replaceOnce(document, test.scheme) + test.mapping + "}}}}"
		check(t, test.name, read(t, text, rest), "GET /a: "+test.want, test.note)
	}
}

func replaceOnce(document, scheme string) string {
	for i := range document {
		if document[i] == '%' {
			return document[:i] + scheme + document[i+1:]
		}
	}
	return document
}

func TestUpstreamHeadersOfHTTP(t *testing.T) {
	const document = `openapi: 3.0.1
components:
  securitySchemes:
    jwt: {type: oauth2, x-amazon-apigateway-authorizer: {type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: {issuer: "https://i", audience: a}}}
  x-amazon-apigateway-integrations: {one: {requestParameters: {"overwrite:header.X-Sub": $context.authorizer.claims.sub}}}
paths:
  /a: {get: {security: [{jwt: []}], x-amazon-apigateway-integration: `
	for _, test := range []struct{ name, integration, want, note string }{
		{"overwrite", `{requestParameters: {"overwrite:header.X-Sub": $context.authorizer.claims.sub}}`, "authorizer jwt, upstreamHeaders {X-Sub: $context.authorizer.claims.sub}", ""},
		{"append", `{requestParameters: {"append:header.X-Sub": "${context.authorizer.claims.sub}"}}`, "authorizer jwt, upstreamHeaders {X-Sub: $context.authorizer.claims.sub}", ""},
		{"within a text", `{requestParameters: {"append:header.X-Sub": "user ${context.authorizer.claims.sub}"}}`, "unresolved", "carries what is known of the caller within a text"},
		{"two in a text", `{requestParameters: {"append:header.X-Sub": "${context.authorizer.claims.sub}-${context.requestId}"}}`, "unresolved", "within a text"},
		{"the parameters of a service", `{integrationSubtype: SQS-SendMessage, requestParameters: {MessageBody: "by $context.authorizer.claims.sub"}}`, "authorizer jwt", `goes upstream in "MessageBody", which is no header`},
		{"others", `{requestParameters: {"remove:header.A": "''", "overwrite:path": $request.path.b, "append:header.C": $context.requestId}}`, "authorizer jwt", ""},
		{"by reference", `{$ref: '#/components/x-amazon-apigateway-integrations/one'}`, "authorizer jwt, upstreamHeaders {X-Sub: $context.authorizer.claims.sub}", ""},
		{"a reference to nowhere", `{$ref: '#/nowhere'}`, "authorizer jwt", ""},
		{"parameters that are not known", `{requestParameters: {"Fn::If": []}}`, "unresolved", "the value is made by Fn::If"},
	} {
		check(t, test.name, read(t, document+test.integration+"}}", http), "GET /a: "+test.want, test.note)
	}
}
