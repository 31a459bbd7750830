package e2e

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/sigv4"
)

// remote are APIs whose function runs at a url.
const remote = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      token: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s, timeout: 1s}}
    upstreamHeaders: {x-principal: $context.authorizer.principalId, x-tier: $context.authorizer.tier, x-pets: $context.authorizer.pets, x-member: $context.authorizer.member}
    routes:
      - {route: GET /token, authorizer: token}
      - {route: GET /open, authorization: NONE}
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages: [{name: $default, domains: [http.example.com]}]
    authorizers:
      v2: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0", timeout: 1s}}
      simple: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0", enableSimpleResponses: true, timeout: 1s}}
    upstreamHeaders: {x-principal: $context.authorizer.principalId, x-tier: $context.authorizer.tier, x-pets: $context.authorizer.pets, x-member: $context.authorizer.member}
    routes:
      - {route: GET /v2, authorizer: v2}
      - {route: GET /simple, authorizer: simple}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "URL"}
`

const (
	misconfigured = "AuthorizerConfigurationException"
	failure       = "AuthorizerFailureException"
)

// answersOf are what a function, or what stands in its place, may answer: one by one what API Gateway makes of it.
var answersOf = []struct {
	name      string
	answer    func(w http.ResponseWriter, event map[string]any)
	status    int
	errorType string
	body      string
	// http is the status of an HTTP API, of one that takes policies; simple of one that takes simple responses.
	http, simple int
}{
	{"a policy that allows", tells(func(e map[string]any) string { return policyFor("Allow", arnOf(e)) }), 200, "", "", 200, 500},
	{"a policy that denies", tells(func(e map[string]any) string { return policyFor("Deny", arnOf(e)) }), 403, "AccessDeniedException", functionDenies, 403, 500},
	{"a policy about another API", text(policyFor("Allow", "arn:aws:execute-api:eu-west-1:111122223333:z1z2z3z4z5/*")), 403, "AccessDeniedException", functionSilent, 403, 500},
	{"a policy without statements", text(`{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[]}}`), 403, "AccessDeniedException", functionSilent, 403, 500},
	{"a Deny of no Resource and an Allow of no Action", text(`{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":[]},{"Effect":"Allow","Action":[],"Resource":"*"}]}}`), 403, "AccessDeniedException", functionSilent, 403, 500},
	{"an Allow of no Resource", text(`{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":[]}]}}`), 403, "AccessDeniedException", functionSilent, 403, 500},
	{"isAuthorized", text(`{"isAuthorized":true,"context":{"tier":"gold","pets":7,"member":true}}`), 500, misconfigured, nothingSaid, 500, 200},
	{"isAuthorized: false", text(`{"isAuthorized":false}`), 500, misconfigured, nothingSaid, 500, 403},
	{"isAuthorized as text", text(`{"isAuthorized":"true"}`), 500, misconfigured, nothingSaid, 500, 500},
	{"isAuthorized as a number", text(`{"isAuthorized":1}`), 500, misconfigured, nothingSaid, 500, 500},
	{"isAuthorized twice", text(`{"isAuthorized":false,"isAuthorized":true}`), 500, misconfigured, nothingSaid, 500, 500},
	{"isAuthorized and a policy", tells(func(e map[string]any) string {
		return strings.Replace(policyFor("Allow", arnOf(e)), "{", `{"isAuthorized":true,`, 1)
	}), 500, misconfigured, nothingSaid, 500, 500},
	{"nothing", text(""), 500, misconfigured, nothingSaid, 500, 500},
	{"null", text("null"), 500, misconfigured, nothingSaid, 500, 500},
	{"true", text("true"), 500, misconfigured, nothingSaid, 500, 500},
	{"a page", text("<html>ok</html>"), 500, misconfigured, nothingSaid, 500, 500},
	{"a proxy's answer", text(`{"statusCode":200,"body":"{\"isAuthorized\":true}"}`), 500, misconfigured, nothingSaid, 500, 500},
	{"a policy as text", text(`{"principalId":"ann","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}`), 500, misconfigured, nothingSaid, 500, 500},
	{"a policy without a principal", text(`{"policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}`), 500, misconfigured, nothingSaid, 500, 500},
	{"a policy in lower case", text(`{"principalId":"ann","policyDocument":{"version":"2012-10-17","statement":[{"effect":"Allow","action":"*","resource":"*"}]}}`), 500, misconfigured, nothingSaid, 500, 500},
	{"a policy that is cut off", text(policyFor("Allow", "*")[:150]), 500, misconfigured, nothingSaid, 500, 500},
	{"two answers", text(policyFor("Allow", "*") + policyFor("Allow", "*")), 500, misconfigured, nothingSaid, 500, 500},
	{"10 MB", func(w http.ResponseWriter, _ map[string]any) {
		for range 10 {
			fmt.Fprint(w, strings.Repeat(" ", 1<<20))
		}
	}, 500, misconfigured, nothingSaid, 500, 500},
	{"the error Unauthorized", functionError(`{"errorMessage":"Unauthorized"}`), 401, "UnauthorizedException", unauthorized, 401, 401},
	{"the error Unauthorized without its header", text(`{"errorType":"Error","errorMessage":"Unauthorized","trace":[]}`), 401, "UnauthorizedException", unauthorized, 401, 401},
	{"the error Unauthorized of Python without its header", text(`{"errorMessage": "Unauthorized", "errorType": "Exception", "requestId": "", "stackTrace": ["  File"]}`), 401, "UnauthorizedException", unauthorized, 401, 401},
	{"another error without its header", text(`{"errorType":"TypeError","errorMessage":"Unauthorized: no token","trace":[]}`), 500, misconfigured, nothingSaid, 500, 500},
	{"an error without a message or its header", text(`{"errorType":"Runtime.ExitError"}`), 500, misconfigured, nothingSaid, 500, 500},
	{"isAuthorized beside an error without its header", text(`{"errorType":"Error","errorMessage":"Unauthorized","isAuthorized":false}`), 500, misconfigured, nothingSaid, 500, 403},
	{"the error unauthorized", functionError(`{"errorMessage":"unauthorized"}`), 500, misconfigured, nothingSaid, 500, 500},
	{"an error beside an answer that allows", functionError(policyFor("Allow", "*")), 500, misconfigured, nothingSaid, 500, 500},
	{"isAuthorized as an error", functionError(`{"isAuthorized":true}`), 500, misconfigured, nothingSaid, 500, 500},
	{"status 201", status(201, `{"isAuthorized":true}`), 500, misconfigured, nothingSaid, 500, 500},
	{"status 204", status(204, ""), 500, misconfigured, nothingSaid, 500, 500},
	{"status 302 to one that allows", redirect, 500, misconfigured, nothingSaid, 500, 500},
	{"status 403", status(403, policyFor("Allow", "*")), 500, misconfigured, nothingSaid, 500, 500},
	{"status 404", status(404, policyFor("Allow", "*")), 500, misconfigured, nothingSaid, 500, 500},
	{"status 429", status(429, policyFor("Allow", "*")), 500, failure, nothingSaid, 500, 500},
	{"status 500", status(500, policyFor("Allow", "*")), 500, failure, nothingSaid, 500, 500},
	{"a connection that breaks", func(http.ResponseWriter, map[string]any) { panic(http.ErrAbortHandler) }, 500, failure, nothingSaid, 500, 500},
	{"an answer that breaks off", func(w http.ResponseWriter, _ map[string]any) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, policyFor("Allow", "*"))
		panic(http.ErrAbortHandler)
	}, 500, failure, nothingSaid, 500, 500},
	{"a late answer", func(w http.ResponseWriter, e map[string]any) {
		time.Sleep(1500 * time.Millisecond)
		fmt.Fprint(w, policyFor("Allow", arnOf(e)))
	}, 500, failure, nothingSaid, 500, 500},
}

func TestNumericPrincipalID(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) {
		fmt.Fprint(w, strings.Replace(policyFor("Allow", arnOf(event)), `"ann"`, "4711", 1))
	})
	s := start(t, setup{config: strings.Replace(remote, "URL", f.URL, 1), edits: byHost("pets.example.com", "http.example.com")})
	for _, d := range []doorway{{"pets.example.com", "/token", false}, {"http.example.com", "/v2", true}} {
		if got := s.allowed(t, s.at(t, d.host, d.target, shows("t"))).Header("x-principal"); !slices.Equal(got, []string{"4711"}) {
			t.Errorf("%s: the upstream sees x-principal: %q", d.target, got)
		}
	}
}

// TestPathsOfEvents: a REST API's events have the path as the client sent it, with the base path of its domain; those of an HTTP API
// have it decoded.
func TestPathsOfEvents(t *testing.T) {
	t.Parallel()
	events := make(chan map[string]any, 1)
	f := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) {
		events <- event
		fmt.Fprint(w, policyFor("Allow", arnOf(event)))
	})
	config := strings.NewReplacer("URL", f.URL, "[pets.example.com]", "[pets.example.com, api.example.com/v1]", "type: TOKEN", "type: REQUEST, identitySource: [method.request.header.Authorization]",
		"GET /token", `"GET /users/{userId}"`, "GET /v2", `"GET /users/{userId}"`).Replace(remote)
	s := start(t, setup{config: config, edits: append(byHost("pets.example.com", "api.example.com", "http.example.com"), anyBasePath)})
	const arn = "arn:aws:execute-api:eu-west-1:111122223333:"
	for _, c := range []struct{ host, target, path, context, userID, arn string }{
		{"pets.example.com", "/users/test%7Cid", "/users/test%7Cid", "/users/test%7Cid", "test%7Cid", "a1b2c3d4e5/prod/GET/users/test|id"},
		{"pets.example.com", "/users/a%2Bb@example.com", "/users/a%2Bb@example.com", "/users/a%2Bb@example.com", "a%2Bb@example.com", "a1b2c3d4e5/prod/GET/users/a+b@example.com"},
		{"api.example.com", "/v1/users/7", "/v1/users/7", "/v1/users/7", "7", "a1b2c3d4e5/prod/GET/users/7"},
		{"api.example.com", "/v1/users/%C3%A9/", "/v1/users/%C3%A9/", "/v1/users/%C3%A9/", "%C3%A9", "a1b2c3d4e5/prod/GET/users/é/"},
		{"http.example.com", "/users/test%7Cid", "", "/users/test|id", "test|id", "b1b2c3d4e5/$default/GET/users/test|id"},
	} {
		if a := s.at(t, c.host, c.target, shows("t")); a.status != http.StatusOK {
			t.Errorf("%s%s: %d %s", c.host, c.target, a.status, a.body)
			continue
		}
		event := <-events
		path, _ := event["path"].(string)
		context, _ := event["requestContext"].(map[string]any)
		contextPath, _ := context["path"].(string)
		if http2, ok := context["http"].(map[string]any); ok {
			contextPath, _ = http2["path"].(string)
		}
		parameters, _ := event["pathParameters"].(map[string]any)
		if path != c.path || contextPath != c.context || parameters["userId"] != c.userID || arnOf(event) != arn+c.arn {
			t.Errorf("%s%s: path %q, context's %q, %v, %v", c.host, c.target, path, contextPath, parameters, arnOf(event))
		}
	}
}

func tells(answer func(map[string]any) string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, e map[string]any) { fmt.Fprint(w, answer(e)) }
}

func text(answer string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) { fmt.Fprint(w, answer) }
}

func status(code int, body string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) {
		w.WriteHeader(code)
		if body != "" {
			fmt.Fprint(w, body)
		}
	}
}

func functionError(body string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(w, body)
	}
}

// redirect leads to an address that allows; who follows it is let in.
func redirect(w http.ResponseWriter, _ map[string]any) {
	w.Header().Set("Location", "/?token=allow")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// TestWhatAFunctionMayAnswer goes through API Gateway's table of failures.
func TestWhatAFunctionMayAnswer(t *testing.T) {
	t.Parallel()
	var row atomic.Int64
	f := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) { answersOf[row.Load()].answer(w, event) })
	s := start(t, setup{config: strings.Replace(remote, "URL", f.URL, 1), edits: byHost("pets.example.com", "http.example.com")})
	for i, o := range answersOf {
		row.Store(int64(i))
		httpBody := func(status int) string {
			return map[int]string{401: unauthorized, 403: forbidden, 500: internalError}[status]
		}
		for _, d := range []struct {
			doorway
			status int
		}{{doorway{"pets.example.com", "/token", false}, o.status}, {doorway{"http.example.com", "/v2", true}, o.http}, {doorway{"http.example.com", "/simple", true}, o.simple}} {
			want := outcome{o.name, d.status, o.errorType, o.body, d.status, httpBody(d.status)}
			want.check(t, s, d.doorway, s.at(t, d.host, d.target, shows("t")))
			if n := f.take("t"); n != 1 {
				t.Errorf("%s %s: %d calls, want one", o.name, d.target, n)
			}
		}
	}
}

// TestFunctionsOnAWS has portcullis invoke a function by AWS Lambda's own API, with the credentials that it finds, signed.
func TestFunctionsOnAWS(t *testing.T) {
	const id, secret, function = "AKIAPORTCULLIS", "the-secret-of-portcullis", "arn:aws:lambda:eu-west-1:111122223333:function:door"
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_LAMBDA": "",
	} {
		t.Setenv(name, value)
	}
	verifier, err := sigv4.New(sigv4.Config{Regions: []string{"eu-west-1"}, Service: "lambda", Key: func(asked, _ string) (sigv4.Key, bool) {
		return sigv4.Key{Secret: secret, Version: 1}, asked == id
	}})
	if err != nil {
		t.Fatal(err)
	}
	var calls, throttled atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		headers := map[string]string{}
		for name := range r.Header {
			headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		_, err = verifier.Verify(&sigv4.Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Headers: maps.All(headers), Body: body, BodyComplete: true})
		if err != nil || r.URL.Path != "/2015-03-31/functions/"+function+"/invocations" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		calls.Add(1)
		switch {
		case throttled.Load() > 0:
			w.Header().Set("X-Amzn-ErrorType", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
		case strings.Contains(string(body), `"authorizationToken":"Unauthorized"`):
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, `{"errorMessage":"Unauthorized"}`)
		default:
			fmt.Fprint(w, policyFor("Allow", "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/token"))
		}
	}))
	t.Cleanup(api.Close)
	config := strings.Replace(remote, `url: "URL"`, `endpoint: "`+api.URL+`"`, 1)
	s := start(t, setup{config: config})
	s.allowed(t, s.get(t, "/token", shows("allow")))
	check(t, s, s.get(t, "/token", shows("Unauthorized")), 401, "UnauthorizedException", unauthorized)
	throttled.Store(1)
	check(t, s, s.get(t, "/token", shows("allow")), 500, failure, nothingSaid)
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls, want 3: no request is made twice", n)
	}
	if log := s.portcullis.Stderr(); strings.Contains(log, secret) || strings.Contains(log, "AWS4-HMAC") {
		t.Errorf("the secret or a signature is in the log: %s", log)
	}
}

// TestFunctionIsGone denies on the routes of a function in whose place a gateway answers, and on no others. It may answer so for
// what one client sends: the function is asked again for the next.
func TestFunctionIsGone(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, token string, e map[string]any) {
		switch token {
		case "crash":
			panic(http.ErrAbortHandler)
		case "error":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprint(w, policyFor("Allow", arnOf(e)))
		}
	})
	s := start(t, setup{config: strings.Replace(remote, "URL", f.URL, 1), edits: byHost("pets.example.com", "http.example.com")})
	// Tokens that the function cannot bear close nothing for others.
	for range 10 {
		check(t, s, s.get(t, "/token", shows("crash")), 500, failure, nothingSaid)
		check(t, s, s.get(t, "/token", shows("error")), 500, failure, nothingSaid)
	}
	s.allowed(t, s.get(t, "/token", shows("t")))
	f.mu.Lock()
	f.gone = true
	f.mu.Unlock()
	for range 20 {
		check(t, s, s.get(t, "/token", shows("t")), 500, failure, nothingSaid)
		s.allowed(t, s.get(t, "/open"))
	}
	f.mu.Lock()
	attempts := f.attempts
	f.gone = false
	f.mu.Unlock()
	if attempts != 20 {
		t.Errorf("the function was tried %d times for 20 requests", attempts)
	}
	if got := s.metric(t, `portcullis_function_breaker_open{function="arn:aws:lambda:eu-west-1:111122223333:function:door"}`); got != 0 {
		t.Errorf("the metric of the breaker is %v", got)
	}
	s.allowed(t, s.get(t, "/token", shows("t")))
}

// TestNothingListens is the same where the function's port is closed. After some failures it is left alone.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	l.Close()
	s := start(t, setup{config: strings.Replace(remote, "URL", address, 1), edits: byHost("pets.example.com", "http.example.com")})
	for range 8 {
		check(t, s, s.get(t, "/token", shows("t")), 500, failure, nothingSaid)
		s.denied(t, s.at(t, "http.example.com", "/simple", shows("t")), 500)
	}
	s.allowed(t, s.get(t, "/open"))
	if got := s.metric(t, `portcullis_function_breaker_open{function="arn:aws:lambda:eu-west-1:111122223333:function:door"}`); got != 1 {
		t.Errorf("the metric of the breaker is %v", got)
	}
	if text := s.portcullis.Stderr(); strings.Contains(text, address) {
		t.Error("the function's address is in the log of decisions")
	}
}
