package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// vector is one row of testdata/apigateway.jsonl: what API Gateway is documented or was observed to do.
type vector struct {
	ID, Area string
	Given    struct {
		API, Stage     string
		StageVariables map[string]string
		Authorizer     struct {
			Type           Type
			IdentitySource json.RawMessage
			TTL            json.RawMessage
			Payload        string
			Simple         bool
		}
		Function json.RawMessage
		Route    string
	}
	Request  json.RawMessage
	Expected expected
}

type expected struct {
	Decision, Kind string
	Status, Calls  int
	Headers        map[string]string
	Context        map[string]string
	Event          map[string]any
	Rejected       bool
	Message        string
	Sequence       []expected

	EventKeys, RequestContextKeys []string
}

// gatewayRows are the rows that the gateway answers before, or after, this package is asked.
var gatewayRows = map[string]string{
	"token-1": "identity source", "token-2": "identity source", "token-14": "identityValidationExpression",
	"req-2": "identity source", "req-3": "identity source", "req-4": "identity source", "req-6": "identity source",
	"http-5": "identity source", "http-7": "identity source", "cache-11": "resource policy",
}

// statements are the policies that the rows name.
func answerWith(statements string) string {
	return `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":` + statements + `}}`
}

const (
	allowStar = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`
	denyStar  = `{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"*"}`
)

// onMethod is a statement about the request itself.
func onMethod(effect string, event []byte) string {
	var e struct{ MethodARN string }
	if json.Unmarshal(event, &e) != nil {
		return ""
	}
	return fmt.Sprintf(`{"Effect":%q,"Action":"execute-api:Invoke","Resource":%q}`, effect, e.MethodARN)
}

// functions are the functions that the rows describe.
var functions = map[string]func(event []byte) (string, error){
	"": func([]byte) (string, error) { return allowAll, nil },

	"Allow":   func([]byte) (string, error) { return allowAll, nil },
	"Allow *": func([]byte) (string, error) { return allowAll, nil },
	"Deny *":  func([]byte) (string, error) { return answerWith(denyStar), nil },

	"throws Error('Unauthorized')":         func([]byte) (string, error) { return "", &FunctionError{Message: "Unauthorized"} },
	"throws Error('Error: Invalid token')": func([]byte) (string, error) { return "", &FunctionError{Message: "Error: Invalid token"} },
	"returns policy Deny on methodArn":     func(e []byte) (string, error) { return answerWith(onMethod("Deny", e)), nil },
	"Allow event.methodArn only":           func(e []byte) (string, error) { return answerWith(onMethod("Allow", e)), nil },
	"Allow * plus Deny on methodArn": func(e []byte) (string, error) {
		return answerWith("[" + allowStar + "," + onMethod("Deny", e) + "]"), nil
	},
	"returns policy Allow on another ARN": func([]byte) (string, error) {
		return answerWith(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/other"}`), nil
	},
	"returns policy with empty Statement list": func([]byte) (string, error) { return answerWith(`[]`), nil },
	"returns null":                      func([]byte) (string, error) { return "null", nil },
	"returns {statusCode:401,body:'x'}": func([]byte) (string, error) { return `{"statusCode":401,"body":"x"}`, nil },
	"returns policy Allow + context {a:['x']}": func([]byte) (string, error) {
		return strings.Replace(allowAll, `{"principalId"`, `{"context":{"a":["x"]},"principalId"`, 1), nil
	},
	"Allow + context {s:'v',n:1,b:true}": func([]byte) (string, error) {
		return strings.Replace(allowAll, `{"principalId"`, `{"context":{"s":"v","n":1,"b":true},"principalId"`, 1), nil
	},
	"policyDocument key 'statement' lower-case": func([]byte) (string, error) {
		return strings.Replace(allowAll, `"Statement"`, `"statement"`, 1), nil
	},
	"times out":                  func([]byte) (string, error) { return "", &InvokeError{Failure: TimedOut} },
	"no invoke permission":       func([]byte) (string, error) { return "", &InvokeError{Failure: NotPermitted} },
	"not invokable":              func([]byte) (string, error) { return "", &InvokeError{Failure: NotPermitted} },
	"Allow, principalId missing": func([]byte) (string, error) { return strings.Replace(allowAll, `"principalId":"user",`, ``, 1), nil },
	`{"isAuthorized": true}`:     func([]byte) (string, error) { return `{"isAuthorized": true}`, nil },
	`{"isAuthorized": false}`:    func([]byte) (string, error) { return `{"isAuthorized": false}`, nil },
	`{"isAuthorized": "false"}`:  func([]byte) (string, error) { return `{"isAuthorized": "false"}`, nil },
	"Statement as a single object, Action list, Resource list, Allow": func([]byte) (string, error) {
		return answerWith(`{"Effect":"Allow","Action":["execute-api:Invoke"],"Resource":["arn:aws:execute-api:*:*:*"]}`), nil
	},
	"Allow with Action 'execute-api:InvalidateCache' only": func([]byte) (string, error) {
		return answerWith(`{"Effect":"Allow","Action":"execute-api:InvalidateCache","Resource":"*"}`), nil
	},
}

func (v *vector) function(t *testing.T) *function {
	name := ""
	if len(v.Given.Function) > 0 && json.Unmarshal(v.Given.Function, &name) != nil {
		name = string(v.Given.Function)
	}
	if first, then, two := strings.Cut(name, ", then "); two {
		first = map[string]string{"throws Unauthorized": "throws Error('Unauthorized')", "malformed": "returns null"}[first]
		return &function{answer: func(_ context.Context, n int, event []byte) (string, error) {
			return functions[map[bool]string{true: first, false: then}[n == 1]](event)
		}}
	}
	f := functions[name]
	if f == nil {
		t.Fatalf("there is no function %q", name)
	}
	return &function{answer: func(_ context.Context, _ int, event []byte) (string, error) { return f(event) }}
}

func (v *vector) config(f Invoker, c *cache.Cache[*Answer]) Config {
	a := v.Given.Authorizer
	config := Config{
		Name: "partners", Type: a.Type, HTTP: v.Given.API == "HTTP", PayloadFormatVersion: a.Payload, EnableSimpleResponses: a.Simple,
		IdentitySource: v.sources(), Function: testFunction, Invoker: f, Cache: c,
	}
	if config.HTTP || config.Type == "" && len(config.IdentitySource) == 0 {
		config.Type = Request
	}
	if config.Type == "" {
		config.Type = Token
	}
	if config.Type == Token && len(config.IdentitySource) == 0 {
		config.IdentitySource = []string{"method.request.header.Authorization"}
	}
	var ttl *int
	if json.Unmarshal(a.TTL, &ttl) == nil && ttl != nil {
		config.TTL = seconds(*ttl)
	}
	return config
}

func (v *vector) sources() []string {
	var list []string
	var text string
	switch {
	case json.Unmarshal(v.Given.Authorizer.IdentitySource, &list) == nil:
		return list
	case json.Unmarshal(v.Given.Authorizer.IdentitySource, &text) == nil && text != "":
		return strings.Split(text, ", ")
	}
	return nil
}

// request is one request of a row, in any of the notations that the rows have.
type request struct {
	stage string
	event *authz.Event
	at    time.Duration
}

func readRequest(t *testing.T, data json.RawMessage, v *vector) request {
	var text string
	if json.Unmarshal(data, &text) == nil { // "GET /a token t"
		fields := strings.Fields(text)
		return v.newRequest(fields[0], fields[1], []authz.Field{{Name: "authorization", Value: fields[3]}}, 0)
	}
	m := object(t, data)
	method, target := "GET", ""
	for _, key := range []string{"path", "GET"} {
		if s, ok := m[key].(string); ok {
			target = s
		}
	}
	if s, ok := m["method"].(string); ok {
		method = s
	}
	var lines []authz.Field
	add := func(name string, values any) {
		list, ok := values.([]any)
		if !ok {
			list = []any{values}
		}
		for _, value := range list {
			lines = append(lines, authz.Field{Name: strings.ToLower(name), Value: value.(string)})
		}
	}
	query := url.Values{}
	for name, value := range m {
		switch inner, _ := value.(map[string]any); name {
		case "headers":
			for name, value := range inner {
				add(name, value)
			}
		case "query":
			for name, value := range inner {
				list, ok := value.([]any)
				if !ok {
					list = []any{value}
				}
				for _, each := range list {
					query.Add(name, each.(string))
				}
			}
		case "q":
			query.Add("q", value.(string))
		case "Authorization", "auth", "X-Other":
			add(name, value)
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var wait time.Duration
	if s, ok := m["t"].(string); ok {
		wait, _ = time.ParseDuration(strings.TrimPrefix(s, "+"))
	}
	return v.newRequest(method, target, lines, wait)
}

func (v *vector) newRequest(method, target string, lines []authz.Field, at time.Duration) request {
	stage := v.Given.Stage
	if v.Given.API == "REST" {
		stage, target, _ = strings.Cut(strings.TrimPrefix(target, "/"), "/")
		target = "/" + target
	}
	e := newEvent(method, target, lines...)
	e.Stage, e.StageVariables = stage, v.Given.StageVariables
	return request{stage, e, at}
}

// identity reads the identity sources as the gateway does.
func identity(sources []string, e *authz.Event) (values []string) {
	for _, source := range sources {
		source = strings.TrimPrefix(strings.TrimPrefix(source, "method."), "$")
		where, name, _ := strings.Cut(strings.TrimPrefix(source, "request."), ".")
		value := ""
		switch where {
		case "header":
			value, _ = e.Request.Header(strings.ToLower(name))
		case "querystring":
			value = strings.Join(slices.Collect(e.Request.QueryValues(name)), "\x00")
		case "stageVariables":
			value = e.StageVariables[name]
		case "context":
			value = map[string]string{"routeKey": e.Route}[name]
		}
		values = append(values, value)
	}
	return values
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/apigateway.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range bytes.Lines(data) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if gatewayRows[v.ID] != "" {
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { synctest.Test(t, v.run) })
	}
	if ran < 40 {
		t.Errorf("%d rows were run", ran)
	}
}

func (v *vector) run(t *testing.T) {
	f := v.function(t)
	f.events = make(chan []byte, 8)
	c, err := cache.New[*Answer](cache.Config{Name: "authorizers", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	config := v.config(f, c)
	a, err := New(config)
	if v.Expected.Rejected {
		if err == nil || !strings.Contains(err.Error(), v.Expected.Message) {
			t.Errorf("the configuration: %v, want it refused: %s", err, v.Expected.Message)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var sequence struct{ Sequence []json.RawMessage }
	_ = json.Unmarshal(v.Request, &sequence)
	if sequence.Sequence == nil {
		sequence.Sequence, v.Expected.Sequence = []json.RawMessage{v.Request}, []expected{v.Expected}
	}
	begun := time.Now()
	for i, data := range sequence.Sequence {
		r := readRequest(t, data, v)
		time.Sleep(r.at - time.Since(begun))
		values := identity(config.IdentitySource, r.event)
		if v.ID == "req-9" { // shows the event's keys, and not what is in them
			values = []string{"a", "1", "s"}
		}
		answer, err := a.Authorize(t.Context(), Call{API: "abc123", Stage: r.stage, Identity: values, Event: testEvent{r.event}})
		v.Expected.Sequence[i].check(t, answer, err, r.event.MethodARN, f)
	}
}

// check holds an outcome against what is expected.
func (e *expected) check(t *testing.T, answer *Answer, err error, arn string, f *function) {
	t.Helper()
	if e.Calls != 0 && int(f.calls.Load()) != e.Calls {
		t.Errorf("%d calls, want %d", f.calls.Load(), e.Calls)
	}
	status, errorType, kind := outcomeOf(t, answer, err, arn)
	if e.Decision != "" && (e.Decision == "allow") != (status == 200) {
		t.Errorf("status %d, want %s", status, e.Decision)
	}
	if e.Status != 0 && status != e.Status {
		t.Errorf("status %d, want %d", status, e.Status)
	}
	if want := e.Headers["x-amzn-ErrorType"]; want != "" && errorType != want {
		t.Errorf("%s, want %s", errorType, want)
	}
	if e.Kind != "" && kind != e.Kind {
		t.Errorf("%s, want %s", kind, e.Kind)
	}
	for name, want := range e.Context {
		got, ok := answer.ContextValue(name)
		if name == "principalId" {
			got, ok = answer.PrincipalID(), true
		}
		if !ok || got != want {
			t.Errorf("context %s is %q, want %q", name, got, want)
		}
	}
	if e.Event != nil || e.EventKeys != nil {
		select {
		case event := <-f.events:
			e.checkEvent(t, object(t, event))
		default:
			t.Error("the function was not called")
		}
	}
}

func (e *expected) checkEvent(t *testing.T, event map[string]any) {
	t.Helper()
	for path, want := range e.Event {
		if diff := cmp.Diff(want, at(event, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, key := range e.EventKeys {
		if _, ok := event[key]; !ok {
			t.Errorf("the event has no %s", key)
		}
	}
	for _, key := range e.RequestContextKeys {
		if at(event, "requestContext."+key) == nil {
			t.Errorf("the event's requestContext has no %s", key)
		}
	}
}

// outcomeOf returns the outcome for a client, without a resource policy.
func outcomeOf(t *testing.T, answer *Answer, err error, arn string) (status int, errorType, kind string) {
	t.Helper()
	if err != nil {
		r := refusalOf(t, answer, err)
		switch r.ResponseType {
		case unauthorized:
			return 401, "UnauthorizedException", ""
		case configurationError:
			return 500, "AuthorizerConfigurationException", ""
		default:
			return 500, "AuthorizerFailureException", ""
		}
	}
	switch {
	case allows(answer, arn):
		return 200, "", ""
	case answer.Policy() == nil:
		return 403, "AccessDeniedException", ""
	case decision(answer, arn).Decision == policy.ExplicitDeny:
		return 403, "AccessDeniedException", "explicit-deny"
	default:
		return 403, "AccessDeniedException", "implicit-deny"
	}
}
