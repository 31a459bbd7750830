package openapi

import (
	"strings"
	"testing"
)

// TestAuthorizers reads one authorizer. A want that begins with "refused" is what the refusal says.
func TestAuthorizers(t *testing.T) {
	const u = `authorizerUri: "` + uri + `"`
	const fn = "function: arn:aws:lambda:eu-west-1:111122223333:function:partners"
	const header = `type: apiKey, name: Auth, in: header, `
	const jwt = `jwtConfiguration: {issuer: "https://i.example.com/", audience: [a, b]}`
	for _, test := range []struct {
		name, scheme, extension string
		o                       Options
		want, note              string
	}{
		{"token", header, `type: token, ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"type in capitals", header, `type: TOKEN, ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"token with all", header, `type: token, ` + u + `, authorizerResultTtlInSeconds: 60, identityValidationExpression: "^x-[a-z]+", authorizerCredentials: "arn:aws:iam::111122223333:role/a/invoke"`, rest,
			"lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], identityValidationExpression: ^x-[a-z]+, resultTtl: 60s, credentials: arn:aws:iam::111122223333:role/a/invoke}", ""},
		{"as exports have it", header, `type: token, ` + u + `, authorizerCredentials: "", identitySource: "", identityValidationExpression: ""`, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"token with a source", header, `type: token, ` + u + `, identitySource: method.request.header.Token`, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Token], resultTtl: 300s}", ""},
		{"token with two sources", header, `type: token, ` + u + `, identitySource: "method.request.header.A, method.request.header.B"`, rest, "refused", "has one identity source"},
		{"token in the query", `type: apiKey, name: Auth, in: query, `, `type: token, ` + u, rest, "refused", "looks at a header"},
		{"token of the query", header, `type: token, ` + u + `, identitySource: method.request.querystring.A`, rest, "refused", "looks at a header"},
		{"ttl 0", header, `type: token, authorizerResultTtlInSeconds: "0", ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 0s}", ""},
		{"ttl 3601", header, `type: token, authorizerResultTtlInSeconds: 3601, ` + u, rest, "refused", "from 0 to 3600"},
		{"ttl of Terraform", header, `type: token, authorizerResultTtlInSeconds: "${ttl}", ` + u, rest, "refused", `"${ttl}" is not replaced`},
		{"an unknown field", header, `type: token, authorizerTTL: 0, ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", "authorizerTTL is not a field"},

		{"request", header, `type: request, identitySource: "method.request.header.A, method.request.querystring.b,stageVariables.c,context.httpMethod", ` + u, rest,
			"lambda: {type: REQUEST, " + fn + ", identitySource: [method.request.header.A, method.request.querystring.b, stageVariables.c, context.httpMethod], resultTtl: 300s}", ""},
		{"request with a list", header, `type: request, identitySource: [$request.header.A, "$request.querystring.b, $context.routeKey"], ` + u, rest,
			"lambda: {type: REQUEST, " + fn + ", identitySource: [method.request.header.A, method.request.querystring.b, context.routeKey], resultTtl: 300s}", ""},
		{"a source twice", header, `type: request, identitySource: [method.request.header.A, $request.header.A], ` + u, rest, "lambda: {type: REQUEST, " + fn + ", identitySource: [method.request.header.A], resultTtl: 300s}", ""},
		{"request without a source", header, `type: request, ` + u, rest, "lambda: {type: REQUEST, " + fn + ", resultTtl: 0s}", "the function is called for each request"},
		{"request without a source, ttl 0", header, `type: request, authorizerResultTtlInSeconds: 0, ` + u, rest, "lambda: {type: REQUEST, " + fn + ", resultTtl: 0s}", ""},
		{"request with an expression", header, `type: request, identityValidationExpression: x, identitySource: method.request.header.A, ` + u, rest, "lambda: {type: REQUEST, " + fn + ", identitySource: [method.request.header.A], resultTtl: 300s}", "it has no effect"},
		{"request of REST with simple responses", header, `type: request, enableSimpleResponses: true, authorizerPayloadFormatVersion: 2.0, identitySource: method.request.header.A, ` + u, rest,
			"lambda: {type: REQUEST, " + fn + ", identitySource: [method.request.header.A], resultTtl: 300s}", "only HTTP APIs have"},
		{"another source", header, `type: request, identitySource: method.request.body.a, ` + u, rest, "refused", `"method.request.body.a" is not an identity source`},
		{"a source without a name", header, `type: request, identitySource: method.request.header., ` + u, rest, "refused", "is not an identity source"},
		{"a source of Terraform", header, `type: request, identitySource: "method.request.header.${h}", ` + u, rest, "refused", `"${h}" is not replaced`},

		{"request of HTTP", header, `type: request, authorizerPayloadFormatVersion: "2.0", enableSimpleResponses: true, identitySource: "$request.header.A", authorizerResultTtlInSeconds: 5, ` + u, http,
			"lambda: {type: REQUEST, " + fn + ", identitySource: [$request.header.A], resultTtl: 5s, payloadFormatVersion: 2.0, enableSimpleResponses: true}", ""},
		{"request of HTTP, in REST's syntax", header, `type: request, authorizerPayloadFormatVersion: 1, enableSimpleResponses: false, identitySource: "method.request.header.A,route.request.querystring.b", ` + u, http,
			"lambda: {type: REQUEST, " + fn + ", identitySource: [$request.header.A, $request.querystring.b], resultTtl: 0s, payloadFormatVersion: 1.0}", ""},
		{"request of HTTP without a version", header, `type: request, ` + u, http, "lambda: {type: REQUEST, " + fn + ", resultTtl: 0s, payloadFormatVersion: 1.0}", "taken for 1.0"},
		{"simple responses of version 1.0", header, `type: request, authorizerPayloadFormatVersion: 1.0, enableSimpleResponses: true, ` + u, http, "refused", "simple responses need authorizerPayloadFormatVersion 2.0"},
		{"another version", header, `type: request, authorizerPayloadFormatVersion: 3.0, ` + u, http, "refused", "must be 1.0 or 2.0"},
		{"simple responses by a word", header, `type: request, authorizerPayloadFormatVersion: 2.0, enableSimpleResponses: maybe, ` + u, http, "refused", "must be true or false"},

		{"another partition", header, `type: token, authorizerUri: "arn:aws-cn:apigateway:cn-north-1:lambda:path/2015-03-31/functions/arn:aws-cn:lambda:cn-north-1:111122223333:function:a:live/invocations"`, rest,
			"lambda: {type: TOKEN, function: arn:aws-cn:lambda:cn-north-1:111122223333:function:a:live, identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"a version", header, `type: token, authorizerUri: "arn:aws-us-gov:apigateway:us-gov-west-1:lambda:path/2015-03-31/functions/arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:a:7/invocations"`, rest,
			"lambda: {type: TOKEN, function: arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:a:7, identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"API Gateway's variables", header, `type: token, authorizerUri: "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:a/invocations"`,
			Options{HTTP: &no, Account: "111122223333", Region: "us-gov-west-1"}, "lambda: {type: TOKEN, function: arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:a, identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"a stage variable", header, `type: token, authorizerUri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:${stageVariables.fn}/invocations"`,
			Options{HTTP: &no, StageVariables: map[string]string{"fn": "a"}}, "lambda: {type: TOKEN, function: arn:aws:lambda:eu-west-1:111122223333:function:a, identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"an unknown stage variable", header, `type: token, authorizerUri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:${stageVariables.fn}/invocations"`, rest, "refused", "the stage variable fn has no value"},
		{"a value", header, `type: token, authorizerUri: "${uri}"`, Options{HTTP: &no, Values: map[string]string{"${uri}": uri}}, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},
		{"the function's ARN", header, `type: token, authorizerUri: "arn:aws:lambda:eu-west-1:111122223333:function:partners"`, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", "it is taken for the ARN of the function"},
		{"a dynamic reference", header, `type: token, authorizerUri: "{{resolve:ssm:/uri}}"`, rest, "refused", `"{{resolve:ssm:/uri}}" is not replaced`},
		{"a directive of Terraform", header, `type: token, authorizerUri: "%{if a}x%{endif}"`, rest, "refused", "is not replaced"},
		{"another service", header, `type: token, authorizerUri: "arn:aws:apigateway:eu-west-1:sqs:path/x"`, rest, "refused", "invokes no Lambda function"},
		{"a name that is not an ARN", header, `type: token, authorizerUri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/partners/invocations"`, rest, "refused", "invokes no Lambda function"},
		{"no URI", header, `type: token`, rest, "refused", "lacks its authorizerUri"},
		{"URI by a function", header, `type: token, authorizerUri: {"Fn::Sub": x}`, rest, "refused", "the value is made by Fn::Sub"},
		{"credentials by a function", header, `type: token, authorizerCredentials: {"Fn::GetAtt": [Role, Arn]}, ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", "called with the credentials of the process"},
		{"other credentials", header, `type: token, authorizerCredentials: "arn:aws:iam::*:user/*", ` + u, rest, "refused", "must be the ARN of a role"},
		{"no type", header, u, rest, "refused", "lacks its type"},
		{"another type", header, `type: oauth, ` + u, rest, "refused", `the type "oauth" is not known`},
		{"authtype and type", header + `x-amazon-apigateway-authtype: cognito_user_pools, `, `type: token, ` + u, rest, "refused", "write the same"},
		{"authtype of its own", header + `x-amazon-apigateway-authtype: "Custom scheme with corporate claims", `, `type: token, ` + u, rest, "lambda: {type: TOKEN, " + fn + ", identitySource: [method.request.header.Auth], resultTtl: 300s}", ""},

		{"a pool", header + `x-amazon-apigateway-authtype: cognito_user_pools, `, `type: cognito_user_pools, providerARNs: ["` + aPool + `"]`, rest, "cognito: {userPools: [" + aPool + "], identitySource: method.request.header.Auth}", ""},
		{"a pool as text", ``, `type: cognito_user_pools, authorizerResultTtlInSeconds: 300, identityValidationExpression: "a|b", providerARNs: "` + aPool + `"`, rest, "cognito: {userPools: [" + aPool + "], identitySource: method.request.header.Authorization, identityValidationExpression: a|b}", ""},
		{"no pool", header, `type: cognito_user_pools`, rest, "refused", "providerARNs is missing"},
		{"an empty list of pools", header, `type: cognito_user_pools, providerARNs: []`, rest, "refused", "providerARNs is empty"},
		{"not a pool", header, `type: cognito_user_pools, providerARNs: ["arn:…"]`, rest, "refused", "is not the ARN of a user pool"},
		{"a pool of Terraform", header, `type: cognito_user_pools, providerARNs: ["${pool}"]`, rest, "refused", `"${pool}" is not replaced`},

		{"JWT of HTTP", `type: oauth2, `, `type: jwt, identitySource: $request.header.Authorization, ` + jwt, http, "jwt: {issuer: https://i.example.com/, audiences: [a, b], identitySource: $request.header.Authorization}", ""},
		{"JWT of the query", `type: oauth2, `, `type: jwt, identitySource: $request.querystring.t, ` + jwt, http, "jwt: {issuer: https://i.example.com/, audiences: [a, b], identitySource: $request.querystring.t}", ""},
		{"JWT without a source", `type: oauth2, `, `type: jwt, ` + jwt, http, "jwt: {issuer: https://i.example.com/, audiences: [a, b], identitySource: $request.header.Authorization}", "identitySource is missing"},
		{"openIdConnect", `type: openIdConnect, openIdConnectUrl: "https://i.example.com/x/.well-known/openid-configuration", `, `type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: {audience: a}`, http,
			"jwt: {issuer: https://i.example.com/x, audiences: [a], identitySource: $request.header.Authorization}", "taken from openIdConnectUrl"},
		{"no issuer", `type: oauth2, `, `type: jwt, jwtConfiguration: {audience: [a]}`, http, "refused", "lacks its issuer"},
		{"no audience", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuer: "https://a"}`, http, "refused", "audience is missing"},
		{"an empty audience", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuer: "https://a", audience: []}`, http, "refused", "audience is empty"},
		{"an issuer without https", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuer: "http://a", audience: [a]}`, http, "refused", "must be an https URL"},
		{"no configuration", `type: oauth2, `, `type: jwt`, http, "refused", "lacks its jwtConfiguration"},
		{"another rule", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuer: "https://a", audience: [a], subject: x}`, http, "refused", `"subject" is not a field of jwtConfiguration`},
		{"an issuer of Terraform", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuer: "https://${a}", audience: [a]}`, http, "refused", `"${a}" is not replaced`},
		{"issuers of HTTP", `type: oauth2, `, `type: jwt, jwtConfiguration: {issuers: []}`, http, "refused", "only a REST API has issuers"},
		{"JWT of REST", header, `type: jwt, identitySource: method.request.header.T, jwtConfiguration: {defaultAlgorithms: [ES256], issuers: [{issuer: "https://a", audiences: [x], additionalClaims: [{claimName: tier, format: SINGLE_STRING, required: true, expectedValues: [gold]}]}, {issuer: "https://b", audiences: y}]}`, rest,
			"jwt: {issuers: [{issuer: https://a, audiences: [x], additionalClaims: [{claimName: tier, format: SINGLE_STRING, required: true, expectedValues: [gold]}]}, {issuer: https://b, audiences: [y]}], algorithms: [ES256], identitySource: method.request.header.T}", ""},
		{"JWT of REST in HTTP's form", header, `type: jwt, identitySource: method.request.header.T, ` + jwt, rest, "jwt: {issuer: https://i.example.com/, audiences: [a, b], identitySource: method.request.header.T}", "API Gateway asks for issuers on a REST API"},
		{"both forms", header, `type: jwt, jwtConfiguration: {issuer: "https://a", issuers: []}`, rest, "refused", "either issuer and audience, or issuers"},
		{"no issuers", header, `type: jwt, jwtConfiguration: {issuers: []}`, rest, "refused", "must be a list of issuers"},
		{"an issuer without audiences", header, `type: jwt, jwtConfiguration: {issuers: [{issuer: "https://a"}]}`, rest, "refused", "audiences is missing"},
		{"an issuer that is text", header, `type: jwt, jwtConfiguration: {issuers: ["https://a"]}`, rest, "refused", "issuer is missing"},
		{"another claim", header, `type: jwt, jwtConfiguration: {issuers: [{issuer: "https://a", audiences: [x], additionalClaims: [{claimName: a, pattern: b}]}]}`, rest, "refused", `"pattern" is not a field of an additional claim`},
		{"claims that are not a list", header, `type: jwt, jwtConfiguration: {issuers: [{issuer: "https://a", audiences: [x], additionalClaims: a}]}`, rest, "refused", "additionalClaims must be a list"},
	} {
		document := "openapi: 3.0.1\npaths: {/a: {get: {security: [{it: []}]}}}\ncomponents:\n  securitySchemes:\n    it: {" + test.scheme + "x-amazon-apigateway-authorizer: {" + test.extension + "}}\n"
		r := read(t, document, test.o)
		if test.want == "refused" {
			check(t, test.name, r, "GET /a: unresolved", "5: ", test.note)
			continue
		}
		check(t, test.name, r, "GET /a: authorizer it", "", test.note)
		if got := show(r.api.Way("authorizers", "it")); got != "{"+test.want+"}" {
			t.Errorf("%s: got %s, want {%s}", test.name, got, test.want)
		}
	}
}

// TestAuthorizerNames: a name that portcullis.yaml cannot have is written in another way, and stays one of its own.
func TestAuthorizerNames(t *testing.T) {
	scheme := `{type: apiKey, name: A, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `"}}`
	long := strings.Repeat("n", 200)
	r := read(t, `openapi: 3.0.1
paths:
  /a: {get: {security: [{a b: []}]}, put: {security: [{a/b: []}]}, post: {security: [{a_b: []}]}, delete: {security: [{`+long+`: []}]}}
components:
  securitySchemes:
    a b: `+scheme+`
    a/b: `+scheme+`
    a_b: `+scheme+`
    `+long+`: `+scheme, rest)
	check(t, "names", r, "GET /a: authorizer a_b-1\nPUT /a: authorizer a_b-2\nPOST /a: authorizer a_b\nDELETE /a: authorizer "+long[:100], "")
}
