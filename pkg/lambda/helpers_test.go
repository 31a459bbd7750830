package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testFunction = "arn:aws:lambda:us-east-1:123456789012:function:partners"
	testARN      = "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/pets"
	allowAll     = `{"principalId":"user","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]}}`
)

// function is an Invoker in this process, and counts its calls.
type function struct {
	calls  atomic.Int64
	events chan []byte // the events, if anybody wants them
	answer func(ctx context.Context, call int, event []byte) (string, error)
}

func (f *function) Invoke(ctx context.Context, _ string, event []byte) ([]byte, error) {
	n := f.calls.Add(1)
	if f.events != nil {
		f.events <- slices.Clone(event)
	}
	answer, err := f.answer(ctx, int(n), event)
	return []byte(answer), err
}

func answers(text string) *function {
	return &function{answer: func(context.Context, int, []byte) (string, error) { return text, nil }}
}

func fails(err error) *function {
	return &function{answer: func(context.Context, int, []byte) (string, error) { return allowAll, err }}
}

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

// newCache is a cache for one test.
func newCache(t testing.TB) *cache.Cache[*Answer] {
	t.Helper()
	c, err := cache.New[*Answer](cache.Config{Name: "authorizers", MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustNew(t testing.TB, c Config) *Authorizer {
	t.Helper()
	if c.Name == "" {
		c.Name = "partners"
	}
	if c.Function == "" {
		c.Function = testFunction
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tokenConfig is a TOKEN authorizer of a REST API that keeps nothing.
func tokenConfig(f Invoker) Config {
	return Config{Type: Token, IdentitySource: []string{"method.request.header.Authorization"}, TTL: seconds(0), Invoker: f}
}

// simpleConfig is an authorizer of an HTTP API with simple responses that keeps nothing.
func simpleConfig(f Invoker) Config {
	return Config{
		Type: Request, HTTP: true, PayloadFormatVersion: "2.0", EnableSimpleResponses: true,
		IdentitySource: []string{"$request.header.Authorization"}, TTL: seconds(0), Invoker: f,
	}
}

// testEvent is an event that is ready.
type testEvent struct{ e *authz.Event }

func (e testEvent) Event() *authz.Event { return e.e }

// newEvent is the event of a request as the gateway would tell it.
func newEvent(method, target string, lines ...authz.Field) *authz.Event {
	r := &authz.Request{Method: method, Target: target, Host: "abc123.execute-api.us-east-1.amazonaws.com", Protocol: "HTTP/1.1", Time: time.Unix(1718636523, 35e6)}
	r.SetHeaders(lines)
	path, err := url.PathUnescape(r.Path())
	if err != nil {
		path = r.Path()
	}
	return &authz.Event{
		Request: r, MethodARN: "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/" + method + path,
		API: "abc123", Account: "123456789012", Stage: "prod", Route: method + " " + path, Resource: path,
		Path: path, FullPath: "/prod" + path, RequestID: "141d6671-99b4-40ca-9997-7a22f01eac74",
		Domain: r.Host, DomainPrefix: "abc123", SourceIP: "192.0.2.1", UserAgent: "curl/8",
	}
}

func call(identity ...string) Call {
	return Call{API: "abc123", Stage: "prod", Identity: identity, Event: testEvent{newEvent("GET", "/pets")}}
}

// refusalOf is the refusal behind an error; an Answer beside it fails the test.
func refusalOf(t testing.TB, answer *Answer, err error) *authz.Refusal {
	t.Helper()
	r, ok := errors.AsType[*authz.Refusal](err)
	if !ok || answer != nil {
		t.Fatalf("answer %v, error %v: want no answer and a refusal", answer, err)
	}
	return r
}

// allows reports whether the gateway allows by an answer, without a resource policy.
func allows(answer *Answer, arn string) bool {
	if answer == nil {
		return false
	}
	if answer.Policy() == nil {
		return answer.Allowed()
	}
	return decision(answer, arn).Decision == policy.Allow
}

func decision(answer *Answer, arn string) policy.Result {
	return answer.Policy().Evaluate(&policy.Request{Action: "execute-api:Invoke", Resource: arn, Context: noContext{}})
}

type noContext struct{}

func (noContext) Lookup(*policy.Key) (policy.Value, bool) { return policy.Value{}, false }

// object decodes JSON.
func object(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return m
}

// at finds a value by the keys on its way, with dots between.
func at(m map[string]any, path string) any {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			return m[name]
		}
		inner, ok := m[name].(map[string]any)
		if !ok {
			return nil
		}
		m, path = inner, rest
	}
}
