package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// reported is a request whose answer on API Gateway a public issue tells.
type reported struct {
	report       string
	routes       []string
	http, simple bool
	kind         lambda.Type
	sources      []string
	answer       func(event string) string
	request      *authz.Request
	status       int // 200 for an Allow
}

const reportedAPI = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/"

// answered is an answer that allows some resources, and denies others after them.
func answered(statements string) func(string) string {
	return func(string) string {
		return `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":[` + statements + `]}}`
	}
}

func allowing(resource string) func(string) string {
	return answered(fmt.Sprintf(`{"Action":"execute-api:Invoke","Effect":"Allow","Resource":[%q]}`, resource))
}

// What users report of API Gateway beside emulators and frameworks that do otherwise.
func TestPublicReports(t *testing.T) {
	denies := answered(`{"Action":"execute-api:Invoke","Effect":"Allow","Resource":["` + reportedAPI + `*/*"],"Condition":{}},{"Action":"execute-api:Invoke","Effect":"Deny","Resource":["` + reportedAPI + `DELETE/foo/bar/*"],"Condition":{}}`)
	authorization := []string{"method.request.header.Authorization"}
	for _, c := range []reported{
		{"dherault/serverless-offline#1191: a Resource allows nothing below it", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, allowing(reportedAPI + "GET/organizations"), get("/organizations/0000", "authorization", "t"), 403},
		{"dherault/serverless-offline#1191: a Resource allows no path that ends in it", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, allowing(reportedAPI + "GET/me"), get("/x/me", "authorization", "t"), 403},
		{"dherault/serverless-offline#340: a later Deny counts", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, denies, method("DELETE", get("/foo/bar/1", "authorization", "t")), 403},
		{"dherault/serverless-offline#340: and nothing else is denied", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, denies, get("/foo/bar/1", "authorization", "t"), 200},
		{"dherault/serverless-offline#1638: without identity sources the function is asked", []string{"GET /hello"}, false, false, lambda.Request, []string{}, allowing("*"), get("/hello"), 200},
		{"dherault/serverless-offline#1674: two headers identify", []string{"GET /hello"}, false, false, lambda.Request, []string{"method.request.header.Authorization", "method.request.header.AnotherHeader"}, allowing("*"), get("/hello", "authorization", "t", "anotherheader", "u"), 200},
		{"dherault/serverless-offline#1674: and both are needed", []string{"GET /hello"}, false, false, lambda.Request, []string{"method.request.header.Authorization", "method.request.header.AnotherHeader"}, allowing("*"), get("/hello", "authorization", "t"), 401},
		{"dherault/serverless-offline#207: a TOKEN authorizer reads Authorization by default", []string{"GET /hello"}, false, false, lambda.Token, nil, allowing("*"), get("/hello", "authorization", "t"), 200},
		{"dherault/serverless-offline#1766: another header than Authorization identifies", []string{"GET /hello"}, false, false, lambda.Request, []string{"method.request.header.access-key"}, allowing("*"), get("/hello", "access-key", "t"), 200},
		{"dherault/serverless-offline#1259: /dashboard/* does not allow /dashboard", []string{"POST /dashboard"}, false, false, lambda.Token, nil, allowing(reportedAPI + "*/dashboard/*"), method("POST", get("/dashboard", "authorization", "t")), 403},
		{"dherault/serverless-offline#1341: a simple response has no principalId", []string{"GET /hello"}, true, true, lambda.Request, []string{"$request.header.Authorization"}, func(string) string { return `{"isAuthorized":true}` }, get("/hello", "authorization", "t"), 200},
		{"aws/chalice#1775: a colon in the path", []string{"ANY /{proxy+}"}, false, false, lambda.Request, authorization, allowing(reportedAPI + "*/shops/2021-08-01T00:00:00Z/x"), get("/shops/2021-08-01T00:00:00Z/x", "authorization", "t"), 200},
		{"aws/chalice#403: a Resource for the root allows nothing else", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, allowing(reportedAPI + "GET/"), get("/x", "authorization", "t"), 403},
		{"aws/chalice#1619: no routes at all", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, answered(`{"Action":"execute-api:Invoke","Effect":"Allow","Resource":[]}`), get("/today", "authorization", "t"), 403},
		{"aws-amplify/amplify-cli#1679: two slashes after the verb allow nothing", []string{"ANY /{proxy+}"}, false, false, lambda.Token, nil, allowing(reportedAPI + "GET//*"), get("/items", "authorization", "t"), 403},
	} {
		t.Run(c.report, func(t *testing.T) {
			config := lambda.Config{
				Name: "partners", Type: c.kind, HTTP: c.http, IdentitySource: c.sources, EnableSimpleResponses: c.simple,
				Function: "arn:aws:lambda:eu-west-1:111122223333:function:f", Invoker: &recorder{answer: func(int, []byte) (string, error) { return c.answer(""), nil }}, TTL: new(time.Duration),
			}
			if c.kind == lambda.Token {
				config.IdentitySource = authorization
			}
			if c.http {
				config.PayloadFormatVersion = "2.0"
			}
			a, err := lambda.New(config)
			if err != nil {
				t.Fatal(err)
			}
			api := testAPI(c.routes...)
			api.HTTP, api.Authorizers = c.http, map[string]Authorizer{"partners": asked(a, config)}
			api.Routes[0].Authorization, api.Routes[0].Authorizer = Custom, "partners"
			d := mustNew(t, api).Authorize(t.Context(), c.request)
			status := d.Denial.Status
			if d.Allow {
				status = 200
			}
			if status != c.status {
				t.Errorf("%d, want %d: %+v", status, c.status, d.Reason)
			}
		})
	}
}
