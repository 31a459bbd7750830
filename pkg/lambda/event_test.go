package lambda

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// eventOf returns the event that an authorizer's function gets.
func eventOf(t testing.TB, c Config, e *authz.Event, identity ...string) []byte {
	t.Helper()
	f := answers(allowAll)
	f.events = make(chan []byte, 1)
	c.Invoker = f
	if c.EnableSimpleResponses {
		f.answer = answers(`{"isAuthorized":true}`).answer
	}
	if _, err := mustNew(t, c).Authorize(t.Context(), Call{API: e.API, Stage: e.Stage, Identity: identity, Event: testEvent{e}}); err != nil {
		t.Fatal(err)
	}
	return <-f.events
}

// The configurations of the four formats, with two identity sources where there may be two.
func formats() map[string]Config {
	http1 := simpleConfig(nil)
	http1.PayloadFormatVersion, http1.EnableSimpleResponses = "1.0", false
	http1.IdentitySource = []string{"$request.header.HeaderAuth1", "$request.querystring.QueryString1"}
	http2 := simpleConfig(nil)
	http2.IdentitySource = http1.IdentitySource
	return map[string]Config{
		"token": tokenConfig(nil),
		"request": {
			Type: Request, IdentitySource: []string{"method.request.header.HeaderAuth1", "method.request.querystring.QueryString1"}, TTL: seconds(0),
		},
		"http1": http1,
		"http2": http2,
	}
}

// TestEvents compares whole events with files. A change of a file is a change of what functions are told.
func TestEvents(t *testing.T) {
	for name, c := range formats() {
		e := newEvent("GET", "/request/a%2Fb?QueryString1=queryValue1&x=1&x=%C3%A9+%26&y&%zz=%&=",
			authz.Field{Name: "accept", Value: "*/*"}, authz.Field{Name: "headerauth1", Value: "headerValue1"},
			authz.Field{Name: "x-amz-date", Value: "20170718T062915Z"}, authz.Field{Name: "x-two", Value: "1"}, authz.Field{Name: "x-two", Value: "2, <3>"},
			authz.Field{Name: "cookie", Value: "a=1; b=2"}, authz.Field{Name: "cookie", Value: "c=\"3\";"}, authz.Field{Name: "user-agent", Value: "curl/8"})
		e.PathParameters = []authz.Field{{Name: "proxy", Value: "a/b"}}
		e.StageVariables = map[string]string{"StageVar1": "stageValue1"}
		e.Route, e.Resource = "GET /request/{proxy+}", "/request/{proxy+}"
		identity := []string{"headerValue1", "queryValue1"}
		got := eventOf(t, c, e, identity[:len(c.IdentitySource)]...)
		compareWithFile(t, "testdata/event-"+name+".json", got)
		bare := newEvent("GET", "/")
		bare.SourceIP, bare.UserAgent = "", ""
		c.IdentitySource, identity = c.IdentitySource[:1], identity[:1]
		compareWithFile(t, "testdata/event-"+name+"-bare.json", eventOf(t, c, bare, identity...))
	}
}

func compareWithFile(t *testing.T, file string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	b.WriteByte('\n')
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestEventsReadByAWSTypes reads the events with the types that functions in Go have for them.
func TestEventsReadByAWSTypes(t *testing.T) {
	e := newEvent("GET", "/request?QueryString1=queryValue1", authz.Field{Name: "headerauth1", Value: "headerValue1"}, authz.Field{Name: "cookie", Value: "a=1"})
	all := formats()
	read := func(data []byte, into any) {
		t.Helper()
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	var token events.APIGatewayCustomAuthorizerRequest
	read(eventOf(t, all["token"], e, "Bearer x"), &token)
	if token != (events.APIGatewayCustomAuthorizerRequest{Type: "TOKEN", AuthorizationToken: "Bearer x", MethodArn: e.MethodARN}) {
		t.Errorf("%+v", token)
	}
	var request events.APIGatewayCustomAuthorizerRequestTypeRequest
	read(eventOf(t, all["request"], e, "a", "b"), &request)
	if request.MethodArn != e.MethodARN || request.Headers["HeaderAuth1"] != "headerValue1" || request.QueryStringParameters["QueryString1"] != "queryValue1" ||
		request.RequestContext.Path != "/prod/request" || request.RequestContext.Identity.SourceIP != "192.0.2.1" || request.RequestContext.APIID != "abc123" {
		t.Errorf("%+v", request)
	}
	var one events.APIGatewayV2CustomAuthorizerV1Request
	read(eventOf(t, all["http1"], e, "a", "b"), &one)
	if one.Version != "1.0" || one.IdentitySource != "a,b" || one.AuthorizationToken != "a,b" || one.Headers["HeaderAuth1"] != "headerValue1" {
		t.Errorf("%+v", one)
	}
	var two events.APIGatewayV2CustomAuthorizerV2Request
	read(eventOf(t, all["http2"], e, "a", "b"), &two)
	if two.Version != "2.0" || len(two.IdentitySource) != 2 || two.RouteArn != e.MethodARN || two.Headers["headerauth1"] != "headerValue1" ||
		len(two.Cookies) != 1 || two.RequestContext.TimeEpoch != 1718636523035 || two.RequestContext.Time != "17/Jun/2024:15:02:03 +0000" {
		t.Errorf("%+v", two)
	}
}

// TestEventsAreJSON tells of random requests: each event is JSON that our own strict reader takes, and nothing is lost that is
// UTF-8.
func TestEventsAreJSON(t *testing.T) {
	all := formats()
	anything := rapid.Map(rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("%&=+;\"\\ \x00\x1f\x7f\xff\xc3\xa9<>{}"))), 0, 12), func(b []byte) string { return string(b) })
	token := rapid.StringMatching(`[a-z0-9-]{1,6}`)
	rapid.Check(t, func(r *rapid.T) {
		var lines []authz.Field
		for range rapid.IntRange(0, 8).Draw(r, "lines") {
			lines = append(lines, authz.Field{Name: token.Draw(r, "name"), Value: anything.Draw(r, "value")})
		}
		e := newEvent(token.Draw(r, "method"), "/"+strings.ReplaceAll(anything.Draw(r, "path"), "?", "")+"?"+anything.Draw(r, "query"), lines...)
		e.PathParameters = []authz.Field{{Name: anything.Draw(r, "parameter"), Value: anything.Draw(r, "value")}}
		e.StageVariables = map[string]string{anything.Draw(r, "variable"): anything.Draw(r, "value")}
		e.UserAgent, e.Route, e.Request.Protocol = anything.Draw(r, "agent"), anything.Draw(r, "route"), anything.Draw(r, "protocol")
		identity := []string{"x" + anything.Draw(r, "identity"), "y" + anything.Draw(r, "identity")}
		for name, c := range all {
			data := eventOf(t, c, e, identity[:len(c.IdentitySource)]...)
			problem := checkJSON(data)
			replaced := bytes.Contains(data, []byte("\uFFFD")) || bytes.Contains(data, []byte(`\ufffd`))
			if !json.Valid(data) || !utf8.Valid(data) || problem != "" && (!replaced || !strings.Contains(problem, "not Unicode")) {
				r.Fatalf("%s %s: %s", name, data, problem)
			}
			checkTold(r, name, object(t, data), e, identity)
		}
	})
}

func checkTold(r *rapid.T, format string, event map[string]any, e *authz.Event, identity []string) {
	told := func(got any, want string) {
		if utf8.ValidString(want) && got != want {
			r.Fatalf("%s: told %q of %q", format, got, want)
		}
	}
	switch format {
	case "token":
		told(event["authorizationToken"], identity[0])
		return
	case "http1":
		told(event["authorizationToken"], identity[0]+","+identity[1])
	case "http2":
		told(event["identitySource"].([]any)[1], identity[1])
		told(event["rawQueryString"], e.Request.RawQuery())
		return
	}
	for name := range e.Request.Headers() {
		lines := at(event, "multiValueHeaders."+httpName(name)).([]any)
		i := 0
		for value := range e.Request.HeaderValues(name) {
			told(lines[i], value)
			i++
		}
		if at(event, "headers."+httpName(name)) != lines[len(lines)-1] || len(lines) != i {
			r.Fatalf("%s: %v", name, event)
		}
	}
}

// httpName is the usual spelling of a header's name, written down once more.
func httpName(name string) string {
	b := []byte(name)
	for i := range b {
		if (i == 0 || b[i-1] == '-') && 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// TestDifferentBytesStayApart has two query names that are no UTF-8: one key must not swallow the other.
func TestDifferentBytesStayApart(t *testing.T) {
	e := newEvent("GET", "/?%ff=1&%fe=2")
	event := object(t, eventOf(t, formats()["request"], e, "a", "b"))
	if diff := cmp.Diff(map[string]any{"\uFFFD": []any{"1", "2"}}, event["multiValueQueryStringParameters"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	data := eventOf(t, tokenConfig(nil), e, "a\xffb\xfe\xfe")
	if got := object(t, data)["authorizationToken"]; got != "a\uFFFDb\uFFFD\uFFFD" {
		t.Errorf("%q", got)
	}
}
