package gateway

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

const testID = "0f6d2f0e-9a3b-4c58-8d0a-5f0f5b1c2d3e"

// testAPI is an API with the stage prod on pets.example.com.
func testAPI(routes ...string) API {
	a := API{
		ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
		Stages: []Stage{{Name: "prod", Domains: []string{"pets.example.com"}}},
	}
	for _, key := range routes {
		method, resource, _ := strings.Cut(key, " ")
		a.Routes = append(a.Routes, Route{Method: method, Resource: resource, Authorization: None})
	}
	return a
}

// guardedBy gives an API a resource policy.
func guardedBy(t testing.TB, a API, document string) API {
	t.Helper()
	p, faults := policy.Parse([]byte(document), policy.Options{Name: "resource-policy", Kind: policy.Resource, ExpandPrefix: a.ARNPrefix()})
	if p == nil {
		t.Fatalf("the policy is at fault: %v", faults)
	}
	a.ResourcePolicy = p
	return a
}

// allowBut is a policy that allows everything but for the statements given.
func allowBut(statements ...string) string {
	all := append([]string{`{"Sid":"All","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}`}, statements...)
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

func mustNew(t testing.TB, apis ...API) *Gateway {
	t.Helper()
	return mustCompile(t, Config{APIs: apis})
}

func mustCompile(t testing.TB, c Config) *Gateway {
	t.Helper()
	if c.Signatures == nil {
		c.Signatures = signatures(iam.NewBuilder())
	}
	g, faults := New(c)
	if g == nil {
		t.Fatalf("the configuration is at fault: %v", faults)
	}
	return g
}

// get is a request for a target on pets.example.com; header lines follow as name, value, name, value.
func get(target string, lines ...string) *authz.Request {
	r := &authz.Request{
		Method: "GET", Target: target, Host: "pets.example.com", Scheme: "https", Protocol: "HTTP/1.1", ID: testID,
		Time: time.Date(2020, 3, 12, 19, 3, 58, 0, time.UTC), Peer: netip.MustParseAddr("192.0.2.9"),
	}
	setHeaders(r, lines...)
	return r
}

func setHeaders(r *authz.Request, lines ...string) {
	var fields []authz.Field
	for i := 0; i+1 < len(lines); i += 2 {
		fields = append(fields, authz.Field{Name: lines[i], Value: lines[i+1]})
	}
	r.SetHeaders(fields)
}

// with changes a request before it is used.
func with(r *authz.Request, change func(*authz.Request)) *authz.Request {
	change(r)
	return r
}

// header returns a header of an answer.
func header(d authz.Decision, name string) string {
	for _, f := range d.Denial.Headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// checkDenial compares a denial with what it should be, and any decision with what a denial never is.
func checkDenial(t *testing.T, d authz.Decision, status int, code authz.Code, errorType, body string) {
	t.Helper()
	if d.Allow {
		t.Fatalf("allowed: %+v", d)
	}
	if len(d.SetHeaders)+len(d.RemoveHeaders) != 0 {
		t.Errorf("a denial changes the upstream's request: %+v", d)
	}
	if d.Denial.Status != status || d.Reason.Code != code || header(d, "x-amzn-ErrorType") != errorType || d.Denial.Body != body {
		t.Errorf("%d %q %q %s, want %d %q %q %s\nreason: %+v", d.Denial.Status, d.Reason.Code, header(d, "x-amzn-ErrorType"), d.Denial.Body,
			status, code, errorType, body, d.Reason)
	}
	if header(d, "Content-Type") != "application/json" || header(d, "x-amzn-RequestId") != d.RequestID || header(d, "x-amz-apigw-id") != d.RequestID || !isUUID(d.RequestID) {
		t.Errorf("headers %v of request %q", d.Denial.Headers, d.RequestID)
	}
}

// httpAPI is an HTTP API with open routes on pets.example.com, in the stage $default.
func httpAPI(routes ...string) API {
	a := testAPI(routes...)
	a.HTTP = true
	a.Stages[0].Name = DefaultStage
	return a
}

// find runs the steps that find a request's route.
func (in *invocation) find() error {
	for _, s := range order {
		if s.name == authz.StepLength {
			break
		}
		if out := s.run(in, context.Background()); out.verdict != goesOn {
			return cmp.Or(out.refusal, &authz.Refusal{})
		}
	}
	return nil
}

// mapContext maps all $context variables of an API to headers of their names.
func mapContext(a *API) {
	for _, name := range a.ContextVariables() {
		a.UpstreamHeaders = append(a.UpstreamHeaders, UpstreamHeader{Name: "x-" + strings.ReplaceAll(strings.TrimPrefix(name, "context."), ".", "-"), Value: "$" + name})
	}
}
