package gateway

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// refusing is an API on which each request is refused for want of a route.
func refusing(responses map[string]GatewayResponse) API {
	a := testAPI("POST /pets/{petId}")
	a.Stages[0].Variables = map[string]string{"alias": "li\"ve"}
	a.GatewayResponses = responses
	return a
}

func TestGatewayResponses(t *testing.T) {
	const missing = "MISSING_AUTHENTICATION_TOKEN"
	jsonTemplate := func(text string) map[string]string { return map[string]string{"application/json": text} }
	for _, tt := range []struct {
		name        string
		responses   map[string]GatewayResponse
		status      int
		contentType string
		body        string
	}{
		{"built in", nil, 403, "application/json", `{"message":"Missing Authentication Token"}`},
		{"status", map[string]GatewayResponse{missing: {StatusCode: 404}}, 404, "application/json", `{"message":"Missing Authentication Token"}`},
		{"default", map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: 423}}, 423, "application/json", `{"message":"Missing Authentication Token"}`},
		{"exact before default", map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: 423}, missing: {StatusCode: 404}}, 404, "application/json", `{"message":"Missing Authentication Token"}`},
		{"exact without status is not filled from the default", map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: 423}, missing: {}}, 403, "application/json", `{"message":"Missing Authentication Token"}`},
		{"of another class", map[string]GatewayResponse{"DEFAULT_5XX": {StatusCode: 423}}, 403, "application/json", `{"message":"Missing Authentication Token"}`},
		{"of another type", map[string]GatewayResponse{"ACCESS_DENIED": {StatusCode: 423}}, 403, "application/json", `{"message":"Missing Authentication Token"}`},
		{"success", map[string]GatewayResponse{missing: {StatusCode: 200}}, 200, "application/json", `{"message":"Missing Authentication Token"}`},
		{"template", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`{"m":$context.error.messageString,"t":"$context.error.responseType","v":"$context.error.validationErrorString"}`)}},
			403, "application/json", `{"m":"Missing Authentication Token","t":"MISSING_AUTHENTICATION_TOKEN","v":""}`},
		{"default's template", map[string]GatewayResponse{"DEFAULT_4XX": {ResponseTemplates: jsonTemplate(`{"t":"$context.error.responseType"}`)}},
			403, "application/json", `{"t":"MISSING_AUTHENTICATION_TOKEN"}`},
		{"message", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`{"m":"$context.error.message."}`)}},
			403, "application/json", `{"m":"Missing Authentication Token."}`},
		{"context", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`["$context.apiId","$context.stage","$context.requestId","$context.path","$context.resourcePath","$context.identity.sourceIp"]`)}},
			403, "application/json", `["a1b2c3d4e5","prod","` + testID + `","/a\"b","","192.0.2.9"]`},
		{"what nobody has", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`["$context.extendedRequestId","$context.identity.apiKey","$context.identity.cognitoIdentityId","$context.identity.userArn"]`)}},
			403, "application/json", `["` + testID + `","","",""]`},
		{"stage variable", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`"$stageVariables.alias"`)}}, 403, "application/json", `"li\"ve"`},
		{"request", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`["$method.request.header.X-Odd","$method.request.querystring.q","$method.request.path.petId","$method.request.header.none"]`)}},
			403, "application/json", `["a\"}\\\u000a","x\"y","",""]`},
		{"no variables", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate(`{"price":"$5","n":"#1","c":"#fff","d":"100$"}`)}},
			403, "application/json", `{"price":"$5","n":"#1","c":"#fff","d":"100$"}`},
		{"empty", map[string]GatewayResponse{missing: {ResponseTemplates: jsonTemplate("")}}, 403, "application/json", ""},
		{"only XML", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"application/xml": `<e p="$context.path">$context.error.messageString</e>`}}},
			403, "application/xml", `<e p="/a&#34;b">"Missing Authentication Token"</e>`},
		{"JSON before others", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"application/a": "a", "application/json": `{}`, "text/html": "b"}}},
			403, "application/json", `{}`},
		{"text", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"text/plain": `$context.path`}}}, 403, "text/plain", `/a"b`},
		{"HTML", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"text/html; charset=utf-8": `$method.request.querystring.h`}}},
			403, "text/html; charset=utf-8", `&lt;script&gt;`},
		{"problem", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"application/problem+json": `{"p":"$context.path"}`}}},
			403, "application/problem+json", `{"p":"/a\"b"}`},
		{"another JSON", map[string]GatewayResponse{missing: {ResponseTemplates: map[string]string{"application/x-amz-json-1.1": `{"p":"$method.request.header.X-Odd","m":$context.error.messageString}`}}},
			403, "application/x-amz-json-1.1", `{"p":"a\"}\\\u000a","m":"Missing Authentication Token"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, faults := New(Config{APIs: []API{refusing(tt.responses)}})
			if g == nil {
				t.Fatal(faults)
			}
			d := g.Authorize(t.Context(), get("/a%22b?q=x%22y&h=%3Cscript%3E", "x-odd", "a\"}\\\n"))
			if d.Allow || d.Denial.Status != tt.status || header(d, "Content-Type") != tt.contentType || d.Denial.Body != tt.body {
				t.Errorf("%d %s %s\nwant %d %s %s", d.Denial.Status, header(d, "Content-Type"), d.Denial.Body, tt.status, tt.contentType, tt.body)
			}
			if strings.Contains(tt.contentType, "json") && tt.body != "" && !json.Valid([]byte(d.Denial.Body)) {
				t.Errorf("%s is no JSON", d.Denial.Body)
			}
			if header(d, "x-amzn-ErrorType") != "MissingAuthenticationTokenException" || header(d, "x-amzn-RequestId") != testID || d.Reason.Code != authz.CodeNoRoute {
				t.Errorf("%v %v", d.Denial.Headers, d.Reason)
			}
		})
	}
}

func TestGatewayResponseHeaders(t *testing.T) {
	a := refusing(map[string]GatewayResponse{"DEFAULT_4XX": {ResponseParameters: map[string]string{
		"gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
		"gatewayresponse.header.Content-Type":                "'application/problem+json'",
		"gatewayresponse.header.X-Id":                        "context.requestId",
		"gatewayresponse.header.X-Path":                      "context.path",
		"gatewayresponse.header.X-Alias":                     "stageVariables.alias",
		"gatewayresponse.header.X-Origin":                    "method.request.header.Origin",
		"gatewayresponse.header.X-Evil":                      "method.request.header.X-Evil",
		"gatewayresponse.header.X-Query":                     "method.request.querystring.q",
		"gatewayresponse.header.X-Evil-Query":                "method.request.querystring.e",
		"gatewayresponse.header.X-None":                      "method.request.path.petId",
	}}})
	d := mustNew(t, a).Authorize(t.Context(), get("/a?q=1&e=%0D%0Ax:y", "origin", "https://a.example", "x-evil", "a\r\nb: c"))
	got := map[string]string{}
	for _, f := range d.Denial.Headers {
		if _, ok := got[f.Name]; ok {
			t.Errorf("%s occurs twice", f.Name)
		}
		got[f.Name] = f.Value
	}
	want := map[string]string{
		"Content-Type": "application/problem+json", "x-amzn-ErrorType": "MissingAuthenticationTokenException", "x-amzn-RequestId": testID, "x-amz-apigw-id": testID,
		"Access-Control-Allow-Origin": "*", "X-Id": testID, "X-Path": "/a", "X-Alias": `li"ve`, "X-Origin": "https://a.example", "X-Query": "1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGatewayResponseWithPathParameter(t *testing.T) {
	a := guardedBy(t, refusing(map[string]GatewayResponse{"ACCESS_DENIED": {
		StatusCode:         404,
		ResponseParameters: map[string]string{"gatewayresponse.header.X-Pet": "method.request.path.petId"},
		ResponseTemplates:  map[string]string{"application/json": `{"m":$context.error.messageString,"r":"$context.resourcePath"}`},
	}}), allowOnly("execute-api:/other"))
	r := get("/pets/7")
	r.Method = "POST"
	d := mustNew(t, a).Authorize(t.Context(), r)
	if d.Allow || d.Denial.Status != 404 || header(d, "X-Pet") != "7" || !strings.HasSuffix(d.Denial.Body, `","r":"/pets/{petId}"}`) || !strings.HasPrefix(d.Denial.Body, `{"m":"User: anonymous`) {
		t.Errorf("%+v", d.Denial)
	}
}

// Answers that are given before an API is known, and internal errors, are the same for everybody.
func TestFixedResponsesCannotBeCustomized(t *testing.T) {
	g := mustNew(t, guardedBy(t, refusing(map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: 200}, "DEFAULT_5XX": {StatusCode: 200}}), allowBut()))
	checkDenial(t, g.Authorize(t.Context(), get("/../x")), 400, authz.CodeBadPath, "BadRequestException", `{"message":"Bad Request"}`)
	checkDenial(t, g.Authorize(t.Context(), with(get("/"), func(r *authz.Request) { r.Stage = "prod" })), 500, authz.CodeEnvoyConfig, "InternalServerErrorException", `{"message":"Internal server error"}`)
	checkDenial(t, g.Authorize(t.Context(), with(get("/pets/"+strings.Repeat("7", 1600)), func(r *authz.Request) { r.Method = "POST" })), 414, authz.CodeTooLong, "", `{"message":"Request URI too long"}`)
}
