package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/sigv4/sigv4test"
)

// checkHTTPDenial compares a denial with what an HTTP API answers.
func checkHTTPDenial(t *testing.T, d authz.Decision, status int, code authz.Code, message string) {
	t.Helper()
	if d.Allow || d.Denial.Status != status || d.Reason.Code != code || d.Denial.Body != `{"message":"`+message+`"}` {
		t.Errorf("allow %v, %d %q %s, want %d %q %q\nreason: %+v", d.Allow, d.Denial.Status, d.Reason.Code, d.Denial.Body, status, code, message, d.Reason)
	}
	if len(d.SetHeaders)+len(d.RemoveHeaders)+len(d.ResponseHeaders) != 0 {
		t.Errorf("a denial changes the request or the upstream's answer: %+v", d)
	}
	want := []authz.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "apigw-requestid", Value: d.RequestID}}
	if diff := cmp.Diff(want, d.Denial.Headers); diff != "" || !isUUID(d.RequestID) {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestHTTPFaults(t *testing.T) {
	change := func(f func(*API)) Config {
		a := httpAPI("GET /", "GET /pets")
		f(&a)
		return Config{APIs: []API{a}}
	}
	rest := func(f func(*API)) Config {
		a := testAPI("GET /", "GET /pets")
		f(&a)
		return Config{APIs: []API{a}}
	}
	origins := func(credentials bool, origins ...string) Config {
		return change(func(a *API) { a.CORS = &CORS{AllowOrigins: origins, AllowCredentials: credentials} })
	}
	policed := guardedBy(t, testAPI("GET /"), allowBut()).ResourcePolicy
	for _, tt := range []struct {
		config        Config
		path, message string
	}{
		{change(func(a *API) { a.ResourcePolicy = policed }), "apis[0].resourcePolicy", "kind: REST"},
		{change(func(a *API) { a.Private = true }), "apis[0].endpoint", "regional"},
		{change(func(a *API) { a.GatewayResponses = map[string]GatewayResponse{"DEFAULT_4XX": {StatusCode: 404}} }), "apis[0].gatewayResponses", "cannot be customized"},
		{change(func(a *API) { a.LegacyMessages = true }), "apis[0].legacyMessages", "remove legacyMessages"},
		{change(func(a *API) { a.Routes[1].Authorization = Cognito }), "apis[0].routes[1].authorization", "write a jwt authorizer"},
		{change(func(a *API) { a.Authorizers = map[string]Authorizer{"pool": {Authorization: Cognito}} }), `apis[0].authorizers["pool"]`, "write a jwt authorizer"},
		{change(func(a *API) { a.Authorizers = map[string]Authorizer{"f": {Authorization: Custom, TokenType: true}} }), `apis[0].authorizers["f"]`, "type: REQUEST"},
		{change(func(a *API) { a.Routes[1].Authorization = "" }), "apis[0].routes[1].authorization", "not supported"},
		{change(func(a *API) { a.Routes[1].Method = "PROPFIND" }), "apis[0].routes[1].route", "is not a method; write"},
		{change(func(a *API) { a.Routes[1] = a.Routes[0] }), "apis[0].routes[1].route", "given twice; remove"},
		{change(func(a *API) { a.Routes[0].Method, a.Routes[0].Resource = DefaultRoute, "/" }), "apis[0].routes[0].route", "write $default alone"},
		{change(func(a *API) {
			a.Routes[0] = Route{Method: DefaultRoute, Authorization: None}
			a.Routes[1] = a.Routes[0]
		}), "apis[0].routes[1].route", "given twice; remove"},
		{change(func(a *API) { a.Routes[0].Resource = "/pets/" }), "apis[0].routes[0].route", "empty path part"},
		{change(func(a *API) { a.Stages[0].Name = "$other" }), "apis[0].stages[0].name", "is not a stage name"},
		{change(func(a *API) { a.Stages = append(a.Stages, Stage{Name: DefaultStage}) }), "apis[0].stages[1].name", "given twice; remove"},
		{change(func(a *API) { a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.resourcePath"}} }), `apis[0].upstreamHeaders["x-a"]`, "unknown variable context.resourcePath"},
		{change(func(a *API) { a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.identity.vpceId"}} }), `apis[0].upstreamHeaders["x-a"]`, "context.routeKey"},
		{change(func(a *API) {
			a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$request.header.authorization"}}
		}), `apis[0].upstreamHeaders["x-a"]`, "the upstream gets them from the client; remove"},
		{change(func(a *API) { a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.http.method"}} }), `apis[0].upstreamHeaders["x-a"]`, "unknown variable"},
		{rest(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}} }), "apis[0].cors", "kind: HTTP"},
		{rest(func(a *API) { a.Routes[1] = Route{Method: DefaultRoute, Authorization: None} }), "apis[0].routes[1].route", "kind: HTTP"},
		{rest(func(a *API) { a.Stages[0].Name = DefaultStage }), "apis[0].stages[0].name", "kind: HTTP"},
		{rest(func(a *API) { a.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.routeKey"}} }), `apis[0].upstreamHeaders["x-a"]`, "unknown variable context.routeKey"},
		{origins(false), "apis[0].cors.allowOrigins", "at least one"},
		{origins(true, "https://a.example", "*"), "apis[0].cors.allowOrigins[1]", "credentials"},
		{origins(false, "https://a.example", "https://a.example"), "apis[0].cors.allowOrigins[1]", "given twice; remove"},
		{origins(false, "https://*.example.com"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, "https://a.example/"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, "https://A.example"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, "a.example"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, "null"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, "https://a.example\r\nx: y"), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{origins(false, ""), "apis[0].cors.allowOrigins[0]", "is not an origin as browsers send it; write"},
		{change(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}, AllowMethods: []string{"GET", "get"}} }), "apis[0].cors.allowMethods[1]", "is not a method; write"},
		{change(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}, AllowMethods: []string{"ANY"}} }), "apis[0].cors.allowMethods[0]", "is not a method; write"},
		{change(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}, AllowHeaders: []string{"a b"}} }), "apis[0].cors.allowHeaders[0]", "is not a header name; write"},
		{change(func(a *API) { a.CORS = &CORS{AllowOrigins: []string{"*"}, ExposeHeaders: []string{"a", ""}} }), "apis[0].cors.exposeHeaders[1]", "is not a header name; write"},
	} {
		g, faults := New(tt.config)
		if g != nil {
			t.Errorf("%s %q: compiled", tt.path, tt.message)
		}
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.At.String() == tt.path && strings.Contains(f.Message, tt.message) && !f.Warning
		}) {
			t.Errorf("%s %q is not among %+v", tt.path, tt.message, faults)
		}
	}
}

// The stage is the one that the first segment names, or else $default; a domain is mapped to one.
func TestHTTPStages(t *testing.T) {
	const host = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
	both := httpAPI("GET /pets", "GET /{x}/pets", "GET /")
	both.ExecuteAPIEndpoint = true
	both.Stages = append(both.Stages, Stage{Name: "prod", Domains: []string{"prod.example.com", "api.example.com/v1"}})
	named := both
	named.Stages = both.Stages[1:]
	off := both
	off.ExecuteAPIEndpoint = false
	for _, tt := range []struct {
		api          API
		host, target string
		stage, route string
		status       int
	}{
		{both, host, "/pets", "$default", "GET /pets", 0},
		{both, host, "/prod/pets", "prod", "GET /pets", 0},
		{both, host, "/%70rod/pets", "prod", "", 400},
		{both, host, "//prod/pets", "prod", "", 400},
		{both, host, "/prod", "prod", "GET /", 0},
		{both, host, "/prod/", "prod", "GET /", 0},
		{both, host, "/", "$default", "GET /", 0},
		{both, host, "/PROD/pets", "$default", "GET /{x}/pets", 400},
		{both, host, "/$default/pets", "$default", "GET /{x}/pets", 0},
		{both, host, "/%24default/pets", "$default", "GET /{x}/pets", 0},
		{both, "pets.example.com", "/prod/pets", "$default", "GET /{x}/pets", 0},
		{both, "prod.example.com", "/pets", "prod", "GET /pets", 0},
		{both, "api.example.com", "/v1/pets", "prod", "GET /pets", 0},
		{both, "api.example.com", "/v2/pets", "", "", 403},
		{named, host, "/prod/pets", "prod", "GET /pets", 0},
		{named, host, "/pets", "", "", 404},
		{named, host, "/", "", "", 404},
		{named, host, "/$default/pets", "", "", 404},
		{off, host, "/prod/pets", "", "", 403},
	} {
		d := mustNew(t, tt.api).Authorize(t.Context(), on(tt.host, get(tt.target)))
		if d.Allow != (tt.status == 0) || d.Denial.Status != tt.status || d.Stage != tt.stage || d.Route != tt.route {
			t.Errorf("%s%s: allow %v, status %d, stage %q, route %q; want %d, %q, %q", tt.host, tt.target, d.Allow, d.Denial.Status, d.Stage, d.Route, tt.status, tt.stage, tt.route)
		}
		if tt.status == 404 {
			checkHTTPDenial(t, d, 404, authz.CodeNoRoute, "Not Found")
		}
	}
	d := mustNew(t, named).Authorize(t.Context(), as("a1b2c3d4e5", on(host, get("/pets"))))
	checkHTTPDenial(t, d, 404, authz.CodeNoRoute, "Not Found")
	if d := mustNew(t, both).Authorize(t.Context(), as("a1b2c3d4e5", on(host, get("/prod/pets")))); !d.Allow || d.Stage != "prod" {
		t.Errorf("named by Envoy: %+v", d)
	}
}

// Every response type has an answer of an HTTP API, none of which tells more than its status.
func TestHTTPAnswers(t *testing.T) {
	g := mustNew(t, httpAPI("GET /pets"))
	want := map[authz.ResponseType]string{
		authz.ResponseInternalError: "500 Internal Server Error", authz.ResponseBadRequest: "400 Bad Request", authz.ResponseForbidden: "403 Forbidden", authz.ResponseURITooLong: "414 Request URI too long",
		authz.ResponseNotFound: "404 Not Found", authz.ResponseAccessDenied: "403 Forbidden", "API_CONFIGURATION_ERROR": "500 Internal Server Error",
		authz.ResponseAuthorizerConfigurationError: "500 Internal Server Error", authz.ResponseAuthorizerFailure: "500 Internal Server Error", "BAD_REQUEST_BODY": "400 Bad Request",
		"BAD_REQUEST_PARAMETERS": "400 Bad Request", authz.ResponseExpiredToken: "403 Forbidden", "INTEGRATION_FAILURE": "503 Service Unavailable", "INTEGRATION_TIMEOUT": "503 Service Unavailable",
		"INVALID_API_KEY": "403 Forbidden", authz.ResponseInvalidSignature: "403 Forbidden", authz.ResponseMissingAuthenticationToken: "403 Forbidden", "QUOTA_EXCEEDED": "429 Too Many Requests",
		"REQUEST_TOO_LARGE": "413 Request Entity Too Large", "RESOURCE_NOT_FOUND": "404 Not Found", "THROTTLED": "429 Too Many Requests", authz.ResponseUnauthorized: "401 Unauthorized",
		"UNSUPPORTED_MEDIA_TYPE": "500 Internal Server Error", "WAF_FILTERED": "403 Forbidden", "SOMETHING_ELSE": "500 Internal Server Error",
	}
	for kind := range want {
		in := &invocation{gateway: g.model, request: get("/pets"), requestID: testID}
		if err := in.find(); err != nil {
			t.Fatal(err)
		}
		const challenge = `Bearer scope="" error="invalid_token"`
		d := in.denial(&authz.Refusal{ResponseType: kind, Message: "secret", ErrorType: "SecretException", Challenge: challenge, Reason: authz.Reason{Detail: "secret"}})
		status, message, _ := strings.Cut(want[kind], " ")
		if fmt.Sprint(d.Denial.Status) != status || d.Denial.Body != `{"message":"`+message+`"}` || d.Allow {
			t.Errorf("%s: %d %s, want %s", kind, d.Denial.Status, d.Denial.Body, want[kind])
		}
		if header(d, "x-amzn-ErrorType")+header(d, "x-amzn-RequestId") != "" || header(d, "apigw-requestid") != testID {
			t.Errorf("%s: headers %v", kind, d.Denial.Headers)
		}
		if got := header(d, "www-authenticate"); got != "" && status != "401" && status != "403" || got != challenge && (status == "401" || status == "403") {
			t.Errorf("%s: www-authenticate %q", kind, got)
		}
	}
	d := g.Authorize(t.Context(), get("/nothing", "authorization", "Bearer x"))
	checkHTTPDenial(t, d, 404, authz.CodeNoRoute, "Not Found")
	checkHTTPDenial(t, g.Authorize(t.Context(), method("POST", get("/pets"))), 404, authz.CodeNoRoute, "Not Found")
	checkHTTPDenial(t, g.Authorize(t.Context(), with(get("/pets"), func(r *authz.Request) { r.API = "a1b2c3d4e5"; r.Host = "other.example"; r.VPCEndpoint = "vpce-1" })),
		403, authz.CodeWrongEndpoint, "Forbidden")
}

// A challenge that no header can carry is left out; the denial stays.
func TestHTTPChallengeIsAHeaderValue(t *testing.T) {
	g := mustNew(t, httpAPI("GET /pets"))
	in := &invocation{gateway: g.model, request: get("/pets"), requestID: testID}
	if err := in.find(); err != nil {
		t.Fatal(err)
	}
	d := in.denial(denyFor(&authz.Refusal{ResponseType: "UNAUTHORIZED", Challenge: "Bearer\r\nx: y", Reason: authz.Reason{Code: authz.CodeUnauthorized}}).refusal)
	checkHTTPDenial(t, d, 401, authz.CodeUnauthorized, "Unauthorized")
	d = in.denial(denyFor(&authz.Refusal{ResponseType: "UNAUTHORIZED", Challenge: "Bearer", Reason: authz.Reason{Code: authz.CodeUnauthorized}}).refusal)
	if header(d, "www-authenticate") != "Bearer" {
		t.Errorf("headers %v", d.Denial.Headers)
	}
}

// A token that is refused is answered with what the authorizer asks for; the caller may read it in a browser.
func TestHTTPTokens(t *testing.T) {
	refuse := func(response authz.ResponseType, challenge string, code authz.Code) error {
		return &authz.Refusal{ResponseType: response, Challenge: challenge, Reason: authz.Reason{Code: code}}
	}
	a := httpAPI("$default")
	a.CORS = &CORS{AllowOrigins: []string{app}}
	a.Authorizers = map[string]Authorizer{"staff": {Authorization: JWT, Token: func(_ context.Context, shown string, scopes []string) (Token, error) {
		switch {
		case shown == "expired":
			return nil, refuse("UNAUTHORIZED", `Bearer scope="" error="invalid_token"`, authz.CodeExpiredToken)
		case shown == "narrow" && len(scopes) > 0:
			return nil, refuse("ACCESS_DENIED", `Bearer scope="write" error="insufficient_scope"`, authz.CodeMissingScope)
		case shown == "outage":
			return nil, refuse("AUTHORIZER_FAILURE", "", authz.CodeAuthorizerFailed)
		}
		return testToken{"sub": "alice"}, nil
	}}}
	a.Routes[0].Authorization, a.Routes[0].Authorizer, a.Routes[0].Scopes = JWT, "staff", []string{"write"}
	g := mustNew(t, a)
	for _, tt := range []struct {
		shown             string
		status            int
		message, asks, by string
	}{
		{"", 401, "Unauthorized", "Bearer", "unauthorized"},
		{"expired", 401, "Unauthorized", `Bearer scope="" error="invalid_token"`, "expired_token"},
		{"narrow", 403, "Forbidden", `Bearer scope="write" error="insufficient_scope"`, "missing_scope"},
		{"outage", 500, "Internal Server Error", "", "authorizer_failed"},
	} {
		for _, d := range []authz.Decision{
			g.Authorize(t.Context(), get("/pets", "authorization", tt.shown, "origin", app)),
			g.Authorize(t.Context(), preflight("/pets", app, "authorization", tt.shown)),
		} {
			if d.Allow || d.Denial.Status != tt.status || d.Denial.Body != `{"message":"`+tt.message+`"}` || header(d, "www-authenticate") != tt.asks || string(d.Reason.Code) != tt.by {
				t.Errorf("%q: %+v %+v", tt.shown, d.Denial, d.Reason)
			}
			if header(d, "access-control-allow-origin") != app {
				t.Errorf("%q: headers %v", tt.shown, d.Denial.Headers)
			}
		}
	}
	if d := g.Authorize(t.Context(), get("/pets", "authorization", "good")); !d.Allow || d.Caller.Principal != "alice" || d.Route != DefaultRoute {
		t.Errorf("%+v", d)
	}
}

// httpGateway guards an HTTP API by AWS_IAM, but for GET /open.
func (c callers) httpGateway(t testing.TB) *Gateway {
	t.Helper()
	return c.gateway(t, "", func(a *API) { a.HTTP, a.Stages[0].Name = true, DefaultStage })
}

// There is no resource policy: the caller's account is that of the API, and its policies allow, or nothing passes. Tables A and
// B, the column of a resource policy that is not there.
func TestHTTPIAM(t *testing.T) {
	for _, tt := range []struct {
		account, identity string
		allow             bool
		code              authz.Code
	}{
		{owner, "Allow", true, authz.CodeAllowed},
		{owner, "neither", false, authz.CodeImplicitDeny},
		{owner, "Deny", false, authz.CodeExplicitDeny},
		{foreign, "Allow", false, authz.CodeImplicitDeny},
		{foreign, "neither", false, authz.CodeImplicitDeny},
		{foreign, "Deny", false, authz.CodeExplicitDeny},
	} {
		g := callers{statement: identitySide(tt.identity)}.httpGateway(t)
		for _, s := range []sigv4test.Signer{signerOf(tt.account), sessionOf(tt.account)} {
			d := g.Authorize(t.Context(), signed(s, "/pets"))
			if d.Allow != tt.allow || d.Reason.Code != tt.code {
				t.Errorf("%s %s %s: allow %v, %+v", tt.account, tt.identity, s.KeyID, d.Allow, d.Reason)
			}
			if !tt.allow {
				checkHTTPDenial(t, d, 403, tt.code, "Forbidden")
			}
		}
	}
}

// The method ARN has $default in the place of the stage and the path of the request.
func TestHTTPMethodARN(t *testing.T) {
	const exact = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/$default/GET/pets/7"
	g := callers{statement: statement("Allow", exact)}.httpGateway(t)
	if d := g.Authorize(t.Context(), signed(signerOf(owner), "/pets/7")); !d.Allow {
		t.Errorf("%+v", d.Reason)
	}
	for _, target := range []string{"/pets/8", "/pets", "/pets/7/x"} {
		if d := g.Authorize(t.Context(), signed(signerOf(owner), target)); d.Allow {
			t.Errorf("%s is allowed", target)
		}
	}
	// A Deny holds with and without the slash at the end.
	closed := statement("Allow", all) + "," + strings.Replace(statement("Deny", exact), "Own", "Closed", 1)
	g = callers{statement: "[" + closed + "]"}.httpGateway(t)
	for _, target := range []string{"/pets/7", "/pets/7/", "/pets//7", "/pets/7//"} {
		if d := g.Authorize(t.Context(), signed(signerOf(owner), target)); d.Allow {
			t.Errorf("%s is allowed", target)
		}
	}
}

// The client is told Forbidden for every fault of a signature.
func TestHTTPSignatureFaults(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.httpGateway(t)
	other := func(change func(*sigv4test.Signer)) *authz.Request {
		s := signerOf(owner)
		change(&s)
		return signed(s, "/pets")
	}
	for name, c := range map[string]struct {
		request *authz.Request
		code    authz.Code
	}{
		"none":          {get("/pets"), authz.CodeNotSigned},
		"a bearer":      {get("/pets", "authorization", "Bearer abc"), authz.CodeBadSignature},
		"wrong secret":  {other(func(s *sigv4test.Signer) { s.Secret = "other" }), authz.CodeBadSignature},
		"unknown key":   {other(func(s *sigv4test.Signer) { s.KeyID = "AKIANOBODY" }), authz.CodeUnknownKey},
		"wrong region":  {other(func(s *sigv4test.Signer) { s.Region = "us-east-1" }), authz.CodeBadSignature},
		"wrong service": {other(func(s *sigv4test.Signer) { s.Service = "s3" }), authz.CodeBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			checkHTTPDenial(t, g.Authorize(t.Context(), c.request), 403, c.code, "Forbidden")
		})
	}
	unbuffered := signed(signerOf(owner), "/pets")
	unbuffered.SetBody(nil, authz.BodyUnknown)
	checkHTTPDenial(t, g.Authorize(t.Context(), unbuffered), 500, authz.CodeEnvoyConfig, "Internal Server Error")
	// A route that does not exist says so, however the request is signed.
	missing := httpAPI("GET /pets")
	missing.Routes[0].Authorization = IAM
	checkHTTPDenial(t, mustNew(t, missing).Authorize(t.Context(), get("/nothing", "authorization", "AWS4-HMAC-SHA256 x")), 404, authz.CodeNoRoute, "Not Found")
}

// The method ARN that policies are asked about is bounded as that of a REST API.
func TestHTTPLongARN(t *testing.T) {
	g := callers{statement: statement("Allow", "*")}.httpGateway(t)
	checkHTTPDenial(t, g.Authorize(t.Context(), signed(signerOf(owner), "/"+strings.Repeat("x", 1600))), 414, authz.CodeTooLong, "Request URI too long")
}

func TestHTTPUpstreamHeaders(t *testing.T) {
	a := httpAPI("GET /pets/{petId}", "$default")
	mapContext(&a)
	g := mustNew(t, a)
	for target, key := range map[string]string{"/pets/7": "GET /pets/{petId}", "/other": "$default"} {
		got := map[string]string{}
		d := g.Authorize(t.Context(), get(target, "user-agent", "curl/8"))
		for _, f := range d.SetHeaders {
			got[f.Name] = f.Value
		}
		want := map[string]string{
			"x-accountid": "111122223333", "x-apiid": "a1b2c3d4e5", "x-domainname": "pets.example.com", "x-domainprefix": "pets", "x-httpmethod": "GET",
			"x-identity-sourceip": "192.0.2.9", "x-identity-useragent": "curl/8", "x-path": target, "x-protocol": "HTTP/1.1", "x-requestid": testID, "x-extendedrequestid": testID,
			"x-requesttime": "12/Mar/2020:19:03:58 +0000", "x-requesttimeepoch": "1584039838000", "x-routekey": key, "x-stage": "$default",
		}
		if diff := cmp.Diff(want, got); diff != "" || !d.Allow {
			t.Errorf("%s: allow %v (-want +got):\n%s", target, d.Allow, diff)
		}
	}
}

// An HTTP API costs no allocation more than a REST API.
func TestHTTPAllocations(t *testing.T) {
	g := mustNew(t, httpAPI("GET /pets/{petId}", "$default"))
	withCORS := httpAPI("GET /pets/{petId}", "$default")
	withCORS.CORS = &CORS{AllowOrigins: []string{"https://app.example.com"}}
	browsed := mustNew(t, withCORS)
	r := benchmarkRequest("pets.example.com", "/pets/7?page=2")
	fromBrowser := get("/pets/7", "origin", "https://app.example.com", "user-agent", "curl/8")
	for name, c := range map[string]struct {
		gateway *Gateway
		request *authz.Request
	}{"plain": {g, r}, "a browser's": {browsed, fromBrowser}} {
		got := testing.AllocsPerRun(100, func() {
			if d := c.gateway.Authorize(t.Context(), c.request); !d.Allow {
				t.Fatal(d.Reason)
			}
		})
		if got > 2 {
			t.Errorf("%s: %v allocations, want at most 2", name, got)
		}
	}
}
