package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// lambdaVector is one row of testdata/lambda.jsonl: what API Gateway is documented or was observed to do where a function
// decides.
type lambdaVector struct {
	ID    string
	Given struct {
		API, APIID, Account, Region, Stage, Endpoint, Route, AuthorizerPolicy string

		Authorizer       json.RawMessage
		StageVariables   map[string]string
		Function         json.RawMessage
		ResourcePolicy   []json.RawMessage
		GatewayResponses map[string]GatewayResponse
	}
	Request  json.RawMessage
	Expected lambdaExpected
}

type lambdaExpected struct {
	Decision, Kind    string
	Status, Calls     int
	Body, LegacyBody  json.RawMessage
	Headers           map[string]string
	Context           map[string]string
	Event             map[string]any
	Rejected          bool
	Message           string
	AuthorizerInvoked *bool
	Sequence          []lambdaExpected

	EventKeys, RequestContextKeys []string
}

// authorizerOf is the authorizer that a row describes.
type authorizerOf struct {
	Type                         string
	IdentitySource               json.RawMessage
	IdentityValidationExpression string
	TTL                          *int
	Payload                      string
	Simple                       bool
}

// notRunHere is the row about what comes before all of this.
const notRunHere = "gwr-6" // WAF belongs to Envoy

func TestLambdaVectors(t *testing.T) {
	ran := 0
	for line := range rows(t, "testdata/lambda.jsonl") {
		var v lambdaVector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if v.ID == notRunHere {
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { v.run(t, line) }) })
	}
	if ran != 73 {
		t.Errorf("%d rows were run, want 73", ran)
	}
}

// recorder is a function that keeps what it was told.
type recorder struct {
	calls  int
	event  []byte
	answer func(n int, event []byte) (string, error)
}

func (r *recorder) Invoke(_ context.Context, _ string, event []byte) ([]byte, error) {
	r.calls++
	r.event = event
	answer, err := r.answer(r.calls, event)
	if err != nil {
		return nil, err
	}
	return []byte(answer), nil
}

func (v *lambdaVector) run(t *testing.T, line []byte) {
	f := &recorder{answer: v.function(t)}
	c, err := cache.New[*lambda.Answer](cache.Config{Name: "answers", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	config := v.config(f, c)
	a, err := lambda.New(config)
	if v.Expected.Rejected {
		if err == nil || !strings.Contains(err.Error(), v.Expected.Message) {
			t.Errorf("the configuration: %v, want it refused: %s", err, v.Expected.Message)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	requests, wanted := v.sequence(t)
	api := v.api(t, requests, config, a)
	var endpoints []VPCEndpoint
	if api.Private {
		var plain vector
		if err := json.Unmarshal(line, &plain); err != nil {
			t.Fatal(err)
		}
		endpoints = plain.endpoints(t)
	}
	g := mustCompile(t, Config{APIs: []API{api}, VPCEndpoints: endpoints})
	begun := time.Now()
	for i, r := range requests {
		time.Sleep(r.at - time.Since(begun))
		wanted[i].check(t, g.Authorize(t.Context(), r.Request), f, config.IdentitySource)
	}
	if v.Expected.LegacyBody != nil {
		api.LegacyMessages = true
		checkBody(t, mustNew(t, api).Authorize(t.Context(), requests[0].Request).Denial.Body, v.Expected.LegacyBody)
	}
}

// config is the authorizer's configuration; if it is empty, a TOKEN authorizer whose answers are not kept.
func (v *lambdaVector) config(f lambda.Invoker, c *cache.Cache[*lambda.Answer]) lambda.Config {
	given := authorizerOf{Type: "TOKEN", TTL: new(int)}
	if data := v.Given.Authorizer; bytes.HasPrefix(data, []byte("{")) {
		given = authorizerOf{}
		if err := json.Unmarshal(data, &given); err != nil {
			panic(err)
		}
	}
	config := lambda.Config{
		Name: "partners", Type: lambda.Type(given.Type), HTTP: v.Given.API == "HTTP", PayloadFormatVersion: given.Payload,
		EnableSimpleResponses: given.Simple, Function: "arn:aws:lambda:us-east-1:123456789012:function:f", Invoker: f, Cache: c,
		IdentitySource: listOf(given.IdentitySource),
	}
	if config.HTTP {
		config.Type = lambda.Request
	}
	if config.Type == "" {
		config.Type = lambda.Token
	}
	if config.Type == lambda.Token && len(config.IdentitySource) == 0 {
		config.IdentitySource = []string{"method.request.header.Authorization"}
	}
	if given.TTL != nil {
		ttl := time.Duration(*given.TTL) * time.Second
		config.TTL = &ttl
	}
	return config
}

// listOf reads a list, or texts with commas between.
func listOf(data json.RawMessage) (list []string) {
	var text string
	if json.Unmarshal(data, &list) == nil {
		return list
	}
	if json.Unmarshal(data, &text) == nil && text != "" {
		list = strings.Split(text, ", ")
	}
	return list
}

// api is an API whose routes are those that are asked for, each guarded by the authorizer.
func (v *lambdaVector) api(t *testing.T, requests []timed, c lambda.Config, a *lambda.Authorizer) API {
	api := testAPI()
	api.ID, api.Account, api.Region, api.HTTP = v.Given.APIID, v.Given.Account, v.Given.Region, c.HTTP
	api.ExecuteAPIEndpoint, api.Private, api.GatewayResponses, api.Stages = true, v.Given.Endpoint == "PRIVATE", v.Given.GatewayResponses, nil
	var given authorizerOf
	_ = json.Unmarshal(v.Given.Authorizer, &given) // a text names a type alone
	api.Authorizers = map[string]Authorizer{"partners": {
		Authorization: Custom, TokenType: c.Type == lambda.Token, IdentitySource: c.IdentitySource,
		IdentityValidationExpression: given.IdentityValidationExpression,
		Function: func(ctx context.Context, call LambdaCall) (LambdaAnswer, error) {
			answer, err := a.Authorize(ctx, lambda.Call(call))
			if err != nil {
				return nil, err
			}
			return answer, nil
		},
	}}
	var stages, routes []string
	for _, r := range requests {
		if !slices.Contains(stages, r.stage) {
			stages = append(stages, r.stage)
			api.Stages = append(api.Stages, Stage{Name: r.stage, Variables: v.Given.StageVariables})
		}
		if key := r.Method + r.resource; !slices.Contains(routes, key) {
			routes = append(routes, key)
			api.Routes = append(api.Routes, Route{Method: r.Method, Resource: r.resource, Authorization: Custom, Authorizer: "partners"})
		}
	}
	for name := range v.Expected.Context {
		api.UpstreamHeaders = append(api.UpstreamHeaders, UpstreamHeader{Name: "x-" + name, Value: "$context.authorizer." + name})
	}
	if v.Given.ResourcePolicy != nil {
		statements, err := json.Marshal(v.Given.ResourcePolicy)
		if err != nil {
			t.Fatal(err)
		}
		return guardedBy(t, api, `{"Version":"2012-10-17","Statement":`+string(statements)+`}`)
	}
	return api
}

// timed is a request, and when it comes.
type timed struct {
	*authz.Request
	stage, resource string
	at              time.Duration
}

// sequence are the requests of a row, and what is expected of each.
func (v *lambdaVector) sequence(t *testing.T) ([]timed, []lambdaExpected) {
	var several struct{ Sequence []json.RawMessage }
	_ = json.Unmarshal(v.Request, &several)
	if several.Sequence == nil {
		return []timed{v.request(t, v.Request)}, []lambdaExpected{v.Expected}
	}
	var all []timed
	for _, data := range several.Sequence {
		all = append(all, v.request(t, data))
	}
	return all, v.Expected.Sequence
}

// request reads a request in any of the notations that the rows have.
func (v *lambdaVector) request(t *testing.T, data json.RawMessage) timed {
	t.Helper()
	var line string
	m := map[string]any{}
	if json.Unmarshal(data, &line) == nil { // "GET /a token t"
		fields := strings.Fields(line)
		m[fields[0]], m["Authorization"] = fields[1], fields[3]
	} else if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	target, _ := m["GET"].(string)
	if path, ok := m["path"].(string); ok {
		target = path
	}
	query := url.Values{}
	var lines []string
	add := func(name string, values any) {
		for _, value := range listed(values) {
			lines = append(lines, strings.ToLower(name), value)
		}
	}
	for name, value := range m {
		inner, _ := value.(map[string]any)
		for key, each := range inner {
			if name == "headers" {
				add(key, each)
			} else {
				query[key] = listed(each)
			}
		}
		switch name {
		case "q":
			query.Set("q", value.(string))
		case "Authorization", "auth", "X-Other":
			add(name, value)
		}
	}
	for _, source := range listOf(identitySourceOf(v.Given.Authorizer)) { // the row is about what the event has, not about these
		if name, ok := strings.CutPrefix(source, "method.request.header."); ok && v.ID == "req-9" {
			add(name, "a")
		} else if v.ID == "req-9" && strings.HasPrefix(source, "method.request.querystring.") {
			query.Set("q", "1")
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return v.newRequest(m, target, lines)
}

func identitySourceOf(authorizer json.RawMessage) json.RawMessage {
	var given authorizerOf
	_ = json.Unmarshal(authorizer, &given)
	return given.IdentitySource
}

func listed(values any) []string {
	list, ok := values.([]any)
	if !ok {
		list = []any{values}
	}
	var texts []string
	for _, value := range list {
		texts = append(texts, value.(string))
	}
	return texts
}

func (v *lambdaVector) newRequest(m map[string]any, target string, lines []string) timed {
	r := timed{Request: get(target, lines...), stage: v.Given.Stage}
	r.Host = v.Given.APIID + ".execute-api." + v.Given.Region + ".amazonaws.com"
	path, _, _ := strings.Cut(target, "?")
	r.resource = path
	if v.Given.API != "HTTP" {
		stage, rest, _ := strings.Cut(path[1:], "/")
		r.stage, r.resource = stage, "/"+rest
	}
	if address, ok := m["sourceIp"].(string); ok {
		r.Peer = netip.MustParseAddr(address)
	}
	r.VPCEndpoint, _ = m["vpce"].(string)
	if at, ok := m["t"].(string); ok {
		r.at, _ = time.ParseDuration(strings.TrimPrefix(at, "+"))
	}
	return r
}

// check holds a decision against what is expected.
func (e *lambdaExpected) check(t *testing.T, d authz.Decision, f *recorder, sources []string) {
	t.Helper()
	if e.Calls != 0 && f.calls != e.Calls {
		t.Errorf("%d calls, want %d", f.calls, e.Calls)
	}
	if e.AuthorizerInvoked != nil && *e.AuthorizerInvoked != (f.calls > 0) {
		t.Errorf("%d calls, want some: %v", f.calls, *e.AuthorizerInvoked)
	}
	if e.Decision != "" && (e.Decision == "allow") != d.Allow {
		t.Fatalf("allow %v, want %s: %+v", d.Allow, e.Decision, d.Reason)
	}
	same := vector{}
	same.Expected.Status, same.Expected.Body, same.Expected.Headers, same.Expected.Kind = e.Status, e.Body, e.Headers, e.Kind
	same.checkAnswer(t, d)
	for name, want := range e.Context {
		if !slices.Contains(d.SetHeaders, authz.Field{Name: "x-" + strings.ToLower(name), Value: want}) {
			t.Errorf("context %s is none of %v, want %q", name, d.SetHeaders, want)
		}
	}
	if e.Event == nil && e.EventKeys == nil {
		return
	}
	var event map[string]any
	if err := json.Unmarshal(f.event, &event); err != nil {
		t.Fatalf("the event %s: %v", f.event, err)
	}
	for path, want := range e.Event {
		if diff := gocmp.Diff(want, inside(event, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, key := range e.EventKeys {
		if inside(event, key) == nil {
			t.Errorf("the event has no %s", key)
		}
	}
	for _, key := range e.RequestContextKeys {
		if inside(event, "requestContext."+key) == nil {
			t.Errorf("the event's requestContext has no %s", key)
		}
	}
}

// inside is a value of an object, by its path.
func inside(object any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		m, _ := object.(map[string]any)
		object = m[key]
	}
	return object
}
