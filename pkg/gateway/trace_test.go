package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// authorizeExplained is Authorize, and checks that an explanation agrees with the decision.
func authorizeExplained(t *testing.T, g *Gateway, r *authz.Request) authz.Decision {
	t.Helper()
	again := *r // a decision may release the body
	d := g.Authorize(t.Context(), r)
	again.ID = d.RequestID
	explained, trace := g.Explain(t.Context(), &again, ExplainOptions{})
	if diff := gocmp.Diff(d, explained, cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(authz.Decision{}, "Cache", "Claims", "RequestID")); diff != "" {
		t.Errorf("the explanation does not agree with the decision (-decision +explanation):\n%s", diff)
	}
	last := trace.Steps[len(trace.Steps)-1]
	if ends := map[bool]string{true: "allows", false: "denies"}[d.Allow]; last.Name != d.Step || last.Outcome != ends && last.Outcome != "answers" {
		t.Errorf("the last step is %+v, and the decision ended at %s", last, d.Step)
	}
	checkEvaluations(t, d, trace)
	return d
}

// checkEvaluations checks that the deciding statement is among those that apply.
func checkEvaluations(t *testing.T, d authz.Decision, trace *Trace) {
	t.Helper()
	if d.Reason.Statement == "" {
		return
	}
	if !slices.ContainsFunc(trace.Evaluations, func(e Evaluation) bool {
		return slices.ContainsFunc(e.Statements, func(s policy.StatementOutcome) bool {
			return s.Applies && s.Statement == d.Reason.Statement && (s.Policy == d.Reason.Policy || d.Reason.Policy == d.Authorizer)
		})
	}) {
		t.Errorf("no statement %s of %s applies in %+v", d.Reason.Statement, d.Reason.Policy, trace.Evaluations)
	}
}

// A value that only an explanation looks at, and that cannot be determined, does not change the decision.
func TestExplainDoesNotChangeTheDecision(t *testing.T) {
	const statements = `{"Sid":"First","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},
		{"Sid":"Second","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"StringEquals":{"aws:Referer":"x"}}}`
	g := mustNew(t, guardedBy(t, testAPI("GET /pets"), `{"Version":"2012-10-17","Statement":[`+statements+`]}`))
	r := get("/pets", "referer", "one", "referer", "two")
	if d := authorizeExplained(t, g, r); d.Reason.Statement != "First" && d.Allow {
		t.Errorf("%+v", d)
	}
}

func TestTraceOfDenial(t *testing.T) {
	const deny = `{"Sid":"Office","Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}`
	g := mustNew(t, guardedBy(t, testAPI("GET /pets", "POST /pets", "GET /{proxy+}"), allowBut(deny)))
	d, trace := g.Explain(t.Context(), get("/pets?token=secret"), ExplainOptions{})
	if d.Reason.Condition != "NotIpAddress" || d.Reason.ConditionKey != "aws:SourceIp" || trace.Evaluations[0].Values["aws:SourceIp"] != "192.0.2.9" {
		t.Errorf("%+v %+v", d.Reason, trace)
	}
	want := []TraceRoute{{Route: "GET /pets", Chosen: true}, {Route: "POST /pets", Why: "its method is POST"}, {Route: "GET /{proxy+}", Why: "it is less specific than GET /pets"}}
	if diff := gocmp.Diff(want, trace.Routes); diff != "" {
		t.Error(diff)
	}
	if plain := g.Authorize(t.Context(), get("/pets")); plain.Reason != d.Reason {
		t.Errorf("without a trace the reason is %+v", plain.Reason)
	}
}

// The condition of the Allow that would fit is named, because the log line alone has to say what to fix.
func TestDeniedByConditionOfAnAllow(t *testing.T) {
	const statements = `{"Sid":"Elsewhere","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/other","Condition":{"Bool":{"aws:SecureTransport":"true"}}},
		{"Sid":"Agents","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"StringEquals":{"aws:UserAgent":"x"}}}`
	g := mustNew(t, guardedBy(t, testAPI("GET /pets"), `{"Version":"2012-10-17","Statement":[`+statements+`]}`))
	d, trace := g.Explain(t.Context(), get("/pets", "user-agent", "hidden-agent"), ExplainOptions{})
	if d.Reason.Condition != "StringEquals" || d.Reason.ConditionKey != "aws:UserAgent" {
		t.Errorf("%+v", d.Reason)
	}
	if value := trace.Evaluations[0].Values["aws:UserAgent"]; !strings.HasPrefix(value, "present") {
		t.Errorf("a header's value is shown: %q", value)
	}
}

// The condition is one of the policy that denied: here the resource policy, although the function's policy was asked last.
func TestDeniedByConditionBesideAFunction(t *testing.T) {
	const (
		agents = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*","Condition":{"StringEquals":{"aws:UserAgent":"x"}}}`
		role   = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/dev"},"Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
		secure = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`
	)
	for statements, want := range map[string]string{role: "", role + "," + secure: "aws:SecureTransport"} {
		var calls []LambdaCall
		api := guardedByAuthorizer(function(&testAnswer{policy: answerPolicy(t, agents, allowEverything)}, nil, &calls), "GET /pets")
		g := mustNew(t, guardedBy(t, api, `{"Version":"2012-10-17","Statement":[`+statements+`]}`))
		if d := authorizeExplained(t, g, get("/pets", "authorization", "t")); d.Allow || d.Reason.ConditionKey != want {
			t.Errorf("%+v, want the key %q", d.Reason, want)
		}
	}
}

func TestExplainOffline(t *testing.T) {
	var calls []LambdaCall
	g := mustNew(t, guardedByAuthorizer(function(&testAnswer{allowed: true}, nil, &calls), "GET /pets"))
	d, trace := g.Explain(t.Context(), get("/pets", "authorization", "t"), ExplainOptions{Offline: true})
	if d.Allow || len(calls) != 0 || d.Reason.Code != authz.CodeAuthorizerFailed || trace.Steps[len(trace.Steps)-1].Name != authz.StepCaller {
		t.Errorf("%+v after %d calls", d, len(calls))
	}
}

// An explanation's request is made up: the function's answer to it must not decide about a client's.
func TestExplainedAnswersAreNotKept(t *testing.T) {
	var calls []LambdaCall
	g := mustNew(t, guardedByAuthorizer(function(&testAnswer{allowed: true}, nil, &calls), "GET /pets"))
	g.Explain(t.Context(), get("/pets", "authorization", "t"), ExplainOptions{})
	g.Authorize(t.Context(), get("/pets", "authorization", "t"))
	if len(calls) != 2 || !calls[0].Unkept || calls[1].Unkept {
		t.Errorf("calls %+v", calls)
	}
}

// factless is a signer without facts.
type factless struct{}

func (factless) Lookup(*policy.Key) (policy.Value, bool) { return policy.Value{}, false }

func TestExplainAs(t *testing.T) {
	api := testAPI("GET /pets")
	api.Routes[0].Authorization = IAM
	c := Config{APIs: []API{api}, Signatures: func(SignatureOptions) (Verify, error) {
		return func(*authz.Request) (*Signed, error) {
			return nil, &authz.Refusal{Reason: authz.Reason{Code: authz.CodeNotSigned}}
		}, nil
	}}
	g, faults := New(c)
	if g == nil {
		t.Fatal(faults)
	}
	alice := &Signed{
		Principal: policy.Principal{Kind: policy.User, Account: api.Account, ARN: "arn:aws:iam::111122223333:user/alice"}, Facts: factless{},
		Policies: policy.Policies{Identity: []*policy.Policy{answerPolicy(t, allowEverything)}},
	}
	if d, _ := g.Explain(t.Context(), get("/pets"), ExplainOptions{}); d.Allow || d.Reason.Code != authz.CodeNotSigned {
		t.Errorf("%+v", d)
	}
	d, trace := g.Explain(t.Context(), get("/pets"), ExplainOptions{As: alice})
	if !d.Allow || d.Caller.Principal != alice.Principal.ARN || len(trace.Evaluations) != 1 || !strings.HasPrefix(trace.Combined, "Table A") {
		t.Errorf("%+v %+v", d, trace)
	}
	if d := g.Authorize(t.Context(), get("/pets")); d.Allow || d.Reason.Code != authz.CodeNotSigned {
		t.Errorf("after an explanation as alice: %+v", d)
	}
}
