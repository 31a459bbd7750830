package openapi_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi"
	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

const (
	uri   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:partners/invocations"
	aPool = "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"
)

// TestConfig loads what Read makes as a configuration: the terms are those of portcullis.yaml.
func TestConfig(t *testing.T) {
	for _, test := range []struct{ name, text string }{
		{"REST", `openapi: 3.0.1
components:
  securitySchemes:
    token: {type: apiKey, name: Auth, in: header, x-amazon-apigateway-authorizer: {type: token, authorizerUri: "` + uri + `", identityValidationExpression: "^a+$"}}
    request: {type: apiKey, name: Unused, in: header, x-amazon-apigateway-authorizer: {type: request, authorizerUri: "` + uri + `", authorizerResultTtlInSeconds: 0}}
    pool: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: ["` + aPool + `"]}}
    jwt: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authorizer: {type: jwt, identitySource: method.request.header.T, jwtConfiguration: {issuers: [{issuer: "https://a.example.com", audiences: [x], additionalClaims: [{claimName: tier, required: true}]}], defaultAlgorithms: [ES256]}}}
paths:
  /a/{b}/{c+}: {get: {security: [{token: []}], x-amazon-apigateway-integration: {requestParameters: {integration.request.header.X-User: context.authorizer.user}}}}
  /b: {x-amazon-apigateway-any-method: {security: [{pool: [a, b]}]}, get: {security: [{request: []}]}, post: {security: [{jwt: []}]}}
  /: {options: {x-amazon-apigateway-integration: {requestParameters: {integration.request.header.X-User: context.authorizer.user}}}}
x-amazon-apigateway-policy: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: '*', Action: 'execute-api:Invoke', Resource: ['execute-api:/*', 'execute-api:/prod/GET/b']}]}
x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}
x-amazon-apigateway-gateway-responses: {DEFAULT_4XX: {statusCode: '404', responseParameters: {gatewayresponse.header.A: "'a'"}, responseTemplates: {application/json: '{"message":$context.error.messageString}'}}}
`},
		{"HTTP", `openapi: 3.0.1
components:
  securitySchemes:
    jwt: {type: oauth2, x-amazon-apigateway-authorizer: {type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: {issuer: "https://a.example.com/", audience: [x]}}}
    function: {type: apiKey, name: A, in: header, x-amazon-apigateway-authorizer: {type: request, authorizerPayloadFormatVersion: 2.0, enableSimpleResponses: true, identitySource: method.request.header.A, authorizerResultTtlInSeconds: 5, authorizerUri: "` + uri + `"}}
paths:
  /a: {get: {security: [{jwt: [x/y]}], x-amazon-apigateway-integration: {requestParameters: {"overwrite:header.X-Sub": $context.authorizer.claims.sub}}}}
  /$default: {x-amazon-apigateway-any-method: {isDefaultRoute: true, security: [{function: []}]}}
x-amazon-apigateway-cors: {allowOrigins: ['https://a.example.com'], allowMethods: [GET, '*'], allowHeaders: '*', maxAge: 5, allowCredentials: true}
`},
	} {
		root, faults := tree.Parse("api.yaml", []byte(test.text))
		var report portability.Report
		read, more := openapi.Read(root, openapi.Options{}, &report)
		if len(faults) > 0 || len(more) > 0 || len(portability.Refusals(report.Notes())) > 0 {
			t.Fatalf("%s: %v %v %v", test.name, faults, more, portability.Refusals(report.Notes()))
		}
		api := strings.TrimPrefix(openapi.AsJSON(t, read), "{")
		file := filepath.Join(t.TempDir(), "portcullis.yaml")
		text := `{"apis": [{"id": "a1b2c3d4e5", "account": "111122223333", "region": "eu-west-1", "stages": [{"name": "prod", "domains": ["pets.example.com"]}], ` + api + `]}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := pool.New(slog.New(slog.DiscardHandler), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, err := config.Load(file, p)
		if err != nil {
			t.Errorf("%s: %v\n%s", test.name, err, text)
			continue
		}
		snapshot.Close()
	}
}
