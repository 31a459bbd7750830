package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// eventVector is one row of testdata/events.jsonl: a request, and what the function of an authorizer is told of it; or the status of
// the answer, where it is told nothing. "Input to an API Gateway Lambda authorizer".
type eventVector struct {
	ID, API, Format, Type      string
	Stage, Route, Method, Host string
	StageVariables             map[string]string
	Sources                    []string
	Expression                 string
	TTL                        int
	// Target is the request's path and query, Lines its headers.
	Target string
	Lines  []string
	// Event are values of the event, by their paths; the empty path is the whole. Absent are keys that it has not got.
	Event  map[string]any
	Absent []string
	Status int
}

func TestEventVectors(t *testing.T) {
	ran := 0
	for line := range rows(t, "testdata/events.jsonl") {
		var v eventVector
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { v.run(t) })
	}
	if ran < 70 {
		t.Errorf("%d rows ran", ran)
	}
}

func (v *eventVector) run(t *testing.T) {
	f := &recorder{answer: func(int, []byte) (string, error) { return grants(everyMethod), nil }}
	ttl := time.Duration(v.TTL) * time.Second
	config := lambda.Config{
		Name: "partners", Type: lambda.Type(cmp.Or(v.Type, "REQUEST")), HTTP: v.API == "HTTP", PayloadFormatVersion: v.Format,
		IdentitySource: v.Sources, Function: "arn:aws:lambda:us-east-1:123456789012:function:f", Invoker: f, TTL: &ttl,
	}
	if config.Type == lambda.Token && v.Sources == nil {
		config.IdentitySource = []string{"method.request.header.Authorization"}
	}
	a, err := lambda.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r := get(v.Target, v.Lines...)
	r.Method, r.Host = v.Method, cmp.Or(v.Host, "abc123.execute-api.us-east-1.amazonaws.com")
	d := mustNew(t, v.api(a, config)).Authorize(t.Context(), r)
	if v.Status != 0 {
		if d.Allow || d.Denial.Status != v.Status || f.calls != 0 || !strings.HasPrefix(d.Denial.Body, `{"message":"Unauthorized"`) {
			t.Errorf("allow %v, %d %s after %d calls, want %d without one", d.Allow, d.Denial.Status, d.Denial.Body, f.calls, v.Status)
		}
		if got := header(d, "www-authenticate"); got != "" {
			t.Errorf("www-authenticate: %s, which is no function's", got)
		}
		return
	}
	if !d.Allow || f.calls != 1 {
		t.Fatalf("allow %v after %d calls: %+v", d.Allow, f.calls, d)
	}
	v.check(t, f.event)
}

func (v *eventVector) check(t *testing.T, data []byte) {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(data, &event); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	for path, want := range v.Event {
		got, there := any(event), true
		if path != "" {
			got, there = whatIsAt(event, path)
		}
		if diff := gocmp.Diff(want, got); diff != "" || !there {
			t.Errorf("%s is there: %v (-want +got):\n%s", path, there, diff)
		}
	}
	for _, key := range v.Absent {
		if got, there := event[key]; there {
			t.Errorf("%s is %v, want nothing", key, got)
		}
	}
}

// whatIsAt is a value of an object, by its path: of the header names that it ends in, none has a dot.
func whatIsAt(object map[string]any, path string) (any, bool) {
	for {
		key, rest, more := strings.Cut(path, ".")
		value, there := object[key]
		if !more || !there {
			return value, there
		}
		inner, _ := value.(map[string]any)
		object, path = inner, rest
	}
}

func (v *eventVector) api(a *lambda.Authorizer, config lambda.Config) API {
	api := testAPI(v.Route)
	api.ID, api.Account, api.Region, api.HTTP, api.ExecuteAPIEndpoint = "abc123", "123456789012", "us-east-1", config.HTTP, true
	api.Stages = []Stage{{Name: cmp.Or(v.Stage, "prod"), Domains: []string{"api.example.com/v1"}, Variables: v.StageVariables}}
	api.Authorizers = map[string]Authorizer{"partners": asked(a, config)}
	partners := api.Authorizers["partners"]
	partners.IdentityValidationExpression = v.Expression
	api.Authorizers["partners"] = partners
	api.Routes[0].Authorization, api.Routes[0].Authorizer = Custom, "partners"
	return api
}
