package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// answerVector is one row of testdata/answers.jsonl: what a function answers to GET /prod/pets, or how it fails, and what the client
// is told then. "API Gateway Lambda authorizers", their output and its failures, in the words of the documentation.
type answerVector struct {
	ID, API, Format string
	Simple          bool
	// Answer is what the function answers in JSON, Text the same as it stands; else it throws an error with a message, or cannot be
	// invoked.
	Answer   json.RawMessage
	Text     *string
	Throws   *string
	Failure  string
	Expected struct {
		Status    int
		Body      json.RawMessage
		ErrorType string
		Context   map[string]string
	}
}

// failures are the ways in which a function cannot be invoked.
var failures = map[string]lambda.Failure{
	"Unreachable": lambda.Unreachable, "TimedOut": lambda.TimedOut, "Throttled": lambda.Throttled, "NotPermitted": lambda.NotPermitted,
	"TooLarge": lambda.TooLarge, "Busy": lambda.Busy, "BreakerOpen": lambda.BreakerOpen, "NotRunning": lambda.NotRunning, "Broken": lambda.Broken,
}

func TestAnswerVectors(t *testing.T) {
	ran := 0
	for line := range rows(t, "testdata/answers.jsonl") {
		var v answerVector
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { v.run(t) })
	}
	if ran < 200 {
		t.Errorf("%d rows ran", ran)
	}
}

// invoke is the function.
func (v *answerVector) invoke(int, []byte) (string, error) {
	switch {
	case v.Throws != nil:
		return "", &lambda.FunctionError{Message: *v.Throws}
	case v.Failure != "":
		return "", &lambda.InvokeError{Failure: failures[v.Failure]}
	case v.Text != nil:
		return *v.Text, nil
	case v.Answer == nil:
		return "null", nil
	}
	return string(v.Answer), nil
}

func (v *answerVector) run(t *testing.T) {
	source := "method.request.header.Authorization"
	config := lambda.Config{
		Name: "partners", Type: lambda.Token, HTTP: v.API == "HTTP", PayloadFormatVersion: v.Format, EnableSimpleResponses: v.Simple,
		Function: "arn:aws:lambda:us-east-1:123456789012:function:f", Invoker: &recorder{answer: v.invoke}, TTL: new(time.Duration),
	}
	if config.HTTP {
		config.Type, source = lambda.Request, "$request.header.Authorization"
	}
	config.IdentitySource = []string{source}
	a, err := lambda.New(config)
	if err != nil {
		t.Fatal(err)
	}
	d := authorizeExplained(t, mustNew(t, v.api(a, config)), v.request())
	if d.Allow != (v.Expected.Status == 200) || !d.Allow && d.Denial.Status != v.Expected.Status {
		t.Fatalf("allow %v, %d %s %+v, want %d", d.Allow, d.Denial.Status, d.Denial.Body, d.Reason, v.Expected.Status)
	}
	if d.Allow {
		v.checkContext(t, d)
		return
	}
	checkBody(t, d.Denial.Body, v.Expected.Body)
	if got := header(d, "x-amzn-ErrorType"); got != v.Expected.ErrorType {
		t.Errorf("x-amzn-ErrorType: %s, want %s", got, v.Expected.ErrorType)
	}
}

func (v *answerVector) checkContext(t *testing.T, d authz.Decision) {
	t.Helper()
	for name, want := range v.Expected.Context {
		i := slices.IndexFunc(d.SetHeaders, func(f authz.Field) bool { return f.Name == "x-"+strings.ToLower(name) })
		if want == "<absent>" && i >= 0 || want != "<absent>" && (i < 0 || d.SetHeaders[i].Value != want) {
			t.Errorf("%s is none of %v, want %s", name, d.SetHeaders, want)
		}
	}
}

// asked is the authorizer of an API whose function is asked by a.
func asked(a *lambda.Authorizer, config lambda.Config) Authorizer {
	return Authorizer{
		Authorization: Custom, TokenType: config.Type == lambda.Token, IdentitySource: config.IdentitySource,
		Function: func(ctx context.Context, call LambdaCall) (LambdaAnswer, error) {
			answer, err := a.Authorize(ctx, lambda.Call(call))
			if err != nil {
				return nil, err
			}
			return answer, nil
		},
	}
}

func (v *answerVector) api(a *lambda.Authorizer, config lambda.Config) API {
	api := testAPI("GET /pets")
	api.ID, api.Account, api.Region, api.HTTP = "abc123", "123456789012", "us-east-1", config.HTTP
	api.Authorizers = map[string]Authorizer{"partners": asked(a, config)}
	api.Routes[0].Authorization, api.Routes[0].Authorizer = Custom, "partners"
	for name := range v.Expected.Context {
		api.UpstreamHeaders = append(api.UpstreamHeaders, UpstreamHeader{Name: "x-" + strings.ToLower(name), Value: "$context.authorizer." + name})
	}
	return api
}

func (v *answerVector) request() *authz.Request {
	return get("/pets", "authorization", "t", "user-agent", "curl/8")
}
