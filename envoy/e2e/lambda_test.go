package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// doors are APIs whose routes ask a function that runs by its command, in every form of event and answer. FUNCTION stands for
// what runs it.
const doors = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers:
      token: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s}}
      request:
        lambda:
          type: REQUEST
          function: arn:aws:lambda:eu-west-1:111122223333:function:door
          identitySource: [method.request.header.Authorization, method.request.querystring.q]
          resultTtl: 0s
      expression: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s, identityValidationExpression: "a[a-z]+"}}
      hurried: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", resultTtl: 0s, timeout: 1s}}
    upstreamHeaders: {x-principal: $context.authorizer.principalId, x-tier: $context.authorizer.tier, x-pets: $context.authorizer.pets, x-member: $context.authorizer.member}
    routes:
      - {route: GET /token, authorizer: token}
      - {route: GET /request, authorizer: request}
      - {route: GET /expression, authorizer: expression}
      - {route: GET /hurried, authorizer: hurried}
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    kind: HTTP
    stages: [{name: $default, domains: [http.example.com]}]
    authorizers:
      v1: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "1.0"}}
      v2: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0"}}
      simple: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0", enableSimpleResponses: true}}
      hurried: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [$request.header.Authorization], payloadFormatVersion: "2.0", timeout: 1s}}
    upstreamHeaders: {x-principal: $context.authorizer.principalId, x-tier: $context.authorizer.tier, x-pets: $context.authorizer.pets, x-member: $context.authorizer.member}
    routes:
      - {route: GET /v1, authorizer: v1}
      - {route: GET /v2, authorizer: v2}
      - {route: GET /simple, authorizer: simple}
      - {route: GET /hurried, authorizer: hurried}
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:door": FUNCTION
`

// The answers of API Gateway where a function decides, word for word.
const (
	functionDenies = `{"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`
	functionSilent = `{"Message":"User is not authorized to access this resource because no identity-based policy allows the execute-api:Invoke action"}`
	nothingSaid    = `{"message":null}`
	internalError  = `{"message":"Internal Server Error"}`
)

// doorway is a route that asks a function, and what it answers in a REST API's or an HTTP API's words.
type doorway struct {
	host, target string
	http         bool
}

var doorways = []doorway{
	{"pets.example.com", "/token", false},
	{"pets.example.com", "/request?q=1", false},
	{"http.example.com", "/v1", true},
	{"http.example.com", "/v2", true},
	{"http.example.com", "/simple", true},
}

// outcome is what a client gets: on a REST API status, error type and body, on an HTTP API status and body.
type outcome struct {
	token           string
	status          int
	errorType, body string
	httpStatus      int
	httpBody        string
}

var outcomes = []outcome{
	{"allow", 200, "", "", 200, ""},
	{"deny", 403, "AccessDeniedException", functionDenies, 403, forbidden},
	{"silent", 403, "AccessDeniedException", functionSilent, 403, forbidden},
	{"Unauthorized", 401, "UnauthorizedException", unauthorized, 401, unauthorized},
	{"error", 500, "AuthorizerConfigurationException", nothingSaid, 500, internalError},
	{"garbage", 500, "AuthorizerConfigurationException", nothingSaid, 500, internalError},
	{"null", 500, "AuthorizerConfigurationException", nothingSaid, 500, internalError},
	{"large", 500, "AuthorizerConfigurationException", nothingSaid, 500, internalError},
	{"crash", 500, "AuthorizerConfigurationException", nothingSaid, 500, internalError},
	{"allow", 200, "", "", 200, ""},
}

// check fails unless a doorway answers so.
func (o outcome) check(t *testing.T, s *stack, d doorway, a answer) {
	t.Helper()
	status, errorType, body := o.status, o.errorType, o.body
	if d.http {
		status, errorType, body = o.httpStatus, "", o.httpBody
	}
	if status == 200 {
		seen := s.allowed(t, a)
		for name, want := range map[string]string{"x-tier": "gold", "x-pets": "7", "x-member": "true"} {
			if got := strings.Join(seen.Header(name), ","); got != want {
				t.Errorf("%s %s: the upstream sees %s: %q, want %q", d.target, o.token, name, got, want)
			}
		}
		if got := strings.Join(seen.Header("x-principal"), ","); got != "ann" && d.target != "/simple" || got != "" && d.target == "/simple" {
			t.Errorf("%s %s: the upstream sees x-principal: %q", d.target, o.token, got)
		}
		return
	}
	if seen := s.upstream.Take(); len(seen) > 0 || a.status != status || a.body != body || a.header.Get("X-Amzn-Errortype") != errorType {
		t.Errorf("%s %s: status %d, %q, body %s, upstream %v: want %d, %q, %s", d.target, o.token, a.status, a.header.Get("X-Amzn-Errortype"), a.body, seen, status, errorType, body)
	}
}

// TestFunctionsDecide runs the same function in two languages, by their own runtimes of AWS.
func TestFunctionsDecide(t *testing.T) {
	t.Parallel()
	for _, language := range languages() {
		t.Run(language.name, func(t *testing.T) {
			t.Parallel()
			calls := filepath.Join(t.TempDir(), "calls")
			config := strings.Replace(doors, "FUNCTION", language.function(t, calls), 1)
			s := start(t, setup{config: config, edits: byHost("pets.example.com", "http.example.com")})
			nobodyIsAsked(t, s, calls)
			for _, o := range outcomes {
				for _, d := range doorways {
					up(t, s, d)
					before := times(called(t, calls), o.token)
					o.check(t, s, d, s.at(t, d.host, d.target, shows(o.token), "X-Tier: platinum", "x_principal: root", "X-Principal: root"))
					if now := times(called(t, calls), o.token); now != before+1 {
						t.Errorf("%s %s: %d calls, want one", d.target, o.token, now-before)
					}
				}
			}
			nested(t, s)
			timedOut(t, s, calls)
			if log := s.portcullis.Stderr(); strings.Contains(log, "no such user") && strings.Contains(log, `"detail":"no such user`) {
				t.Error("a decision's line has the text of the function's error")
			}
		})
	}
}

// up waits until the function's process, which may have crashed, answers.
func up(t *testing.T, s *stack, d doorway) {
	t.Helper()
	eventually(t, "the function answers", func() bool { return s.at(t, d.host, d.target, shows("allow")).status == 200 })
	s.upstream.Take()
}

// nested has the function answer a context with a list, which an HTTP API takes and a REST API does not.
func nested(t *testing.T, s *stack) {
	t.Helper()
	for _, d := range doorways[:4] {
		outcome{"nested", 500, "AuthorizerConfigurationException", nothingSaid, 200, ""}.check(t, s, d, s.at(t, d.host, d.target, shows("nested")))
	}
}

// timedOut has the function sleep. The process that does is ended, and its successor answers.
func timedOut(t *testing.T, s *stack, calls string) {
	t.Helper()
	hang := outcome{"hang", 500, "AuthorizerFailureException", nothingSaid, 500, internalError}
	for _, d := range []doorway{{"pets.example.com", "/hurried", false}, {"http.example.com", "/hurried", true}} {
		up(t, s, d)
		before, began := times(called(t, calls), "hang"), time.Now()
		hang.check(t, s, d, s.at(t, d.host, d.target, shows("hang")))
		if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: the answer took %v, want the authorizer's timeout of 1s", d.target, took)
		}
		if now := times(called(t, calls), "hang"); now != before+1 {
			t.Errorf("%s: %d calls, want one", d.target, now-before)
		}
	}
	up(t, s, doorway{"pets.example.com", "/hurried", false})
}

// nobodyIsAsked has clients show nothing that a function could be asked about.
func nobodyIsAsked(t *testing.T, s *stack, calls string) {
	t.Helper()
	for _, tc := range []struct {
		host, target string
		headers      []string
	}{
		{"pets.example.com", "/token", nil},
		{"pets.example.com", "/token", []string{"Authorization:"}},
		{"pets.example.com", "/token", []string{"X-Authorization: allow"}},
		{"pets.example.com", "/request", []string{shows("allow")}},
		{"pets.example.com", "/request?q=", []string{shows("allow")}},
		{"pets.example.com", "/request?Q=1", []string{shows("allow")}},
		{"pets.example.com", "/request?q=1", nil},
		{"pets.example.com", "/expression", []string{shows("Bearer allow")}},
		{"pets.example.com", "/expression", []string{shows("allow!")}},
		{"pets.example.com", "/expression", nil},
		{"http.example.com", "/v1", nil},
		{"http.example.com", "/v2", []string{"Authorization:"}},
		{"http.example.com", "/simple", []string{"Cookie: Authorization=allow"}},
	} {
		a := s.at(t, tc.host, tc.target, tc.headers...)
		outcome{"nothing", 401, "UnauthorizedException", unauthorized, 401, unauthorized}.check(t, s, doorway{tc.host, tc.target, tc.host[0] == 'h'}, a)
	}
	if got := called(t, calls); len(got) > 0 {
		t.Errorf("the function was called: %v", got)
	}
	s.allowed(t, s.get(t, "/expression", shows("allow")))
	// Envoy itself makes one line of two Authorization headers: this is what the function is asked about, and the upstream sees.
	a := s.get(t, "/token", shows("allow"), shows("allow"))
	outcome{"allow,allow", 401, "UnauthorizedException", unauthorized, 0, ""}.check(t, s, doorways[0], a)
	if n := times(called(t, calls), "allow,allow"); n != 1 {
		t.Errorf("%d calls, want one", n)
	}
}

// TestDeniedByAFunction has what the function says of a caller in the answer to the denied.
func TestDeniedByAFunction(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, token string, event map[string]any) {
		effect := map[bool]string{true: "Allow", false: "Deny"}[token == "good"]
		_, _ = w.Write([]byte(strings.Replace(policyFor(effect, arnOf(event)), "gold", `go\"ld`, 1)))
	})
	s := start(t, setup{config: `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers: {partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:door"}}}
    routes: [{route: GET /pets, authorizer: partners}]
    gatewayResponses:
      ACCESS_DENIED:
        statusCode: 404
        responseParameters: {gatewayresponse.header.X-Tier: context.authorizer.tier}
        responseTemplates: {application/json: '{"for":"$context.authorizer.principalId","pets":$context.authorizer.pets,"why":$context.error.messageString}'}
functions: {"arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "` + f.URL + `"}}
`})
	s.allowed(t, s.get(t, "/pets", shows("good")))
	for range 2 { // asked, and remembered
		a := s.get(t, "/pets", shows("bad"))
		s.denied(t, a, 404)
		if want := `{"for":"ann","pets":7,"why":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`; a.body != want {
			t.Errorf("body %s, want %s", a.body, want)
		}
		if got := a.header.Get("X-Tier"); got != `go"ld` {
			t.Errorf("X-Tier: %s", got)
		}
	}
	if n := f.take("bad"); n != 1 {
		t.Errorf("%d calls, want one", n)
	}
}

// TestContextIsOneHeader has a function return what would be a header of its own, and headers be shown twice.
func TestContextIsOneHeader(t *testing.T) {
	t.Parallel()
	f := newCloud(t, func(w http.ResponseWriter, _ string, event map[string]any) {
		_, _ = w.Write([]byte(strings.Replace(policyFor("Allow", arnOf(event)), "gold", `gold\r\nx-admin: true`, 1)))
	})
	s := start(t, setup{config: `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers: {partners: {lambda: {type: REQUEST, function: "arn:aws:lambda:eu-west-1:111122223333:function:door", identitySource: [method.request.header.X-Key]}}}
    routes: [{route: GET /pets, authorizer: partners}]
    upstreamHeaders: {x-tier: $context.authorizer.tier, x-pets: $context.authorizer.pets}
functions: {"arn:aws:lambda:eu-west-1:111122223333:function:door": {url: "` + f.URL + `"}}
`})
	for range 2 { // asked, and remembered
		seen := s.allowed(t, s.get(t, "/pets", "X-Key: a", "X-Tier: platinum", "X-Admin: false"))
		for name, want := range map[string]string{"x-tier": "gold%0D%0Ax-admin: true", "x-admin": "false", "x-pets": "7"} {
			if got := strings.Join(seen.Header(name), ","); got != want {
				t.Errorf("the upstream sees %s: %q, want %q", name, got, want)
			}
		}
	}
	check(t, s, s.get(t, "/pets", "X-Key: a", "X-Key: b"), 401, "UnauthorizedException", unauthorized)
	check(t, s, s.get(t, "/pets", "X-Key: a", "X-Key: a"), 401, "UnauthorizedException", unauthorized)
}
