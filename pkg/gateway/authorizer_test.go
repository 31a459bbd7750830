package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// testToken is what a token's authorizer finds in these tests: who checks tokens has tests of its own.
type testToken map[string]string

func (t testToken) Caller() authz.Caller { return authz.Caller{Principal: t["sub"]} }

func (t testToken) Cache() authz.CacheState { return authz.CacheMiss }

func (t testToken) Claim(name string) (string, bool) {
	value, ok := t[name]
	return value, ok
}

// testAnswer is what a function answers in these tests.
type testAnswer struct {
	principal string
	policy    *policy.Policy
	allowed   bool
	usageKey  string
	context   map[string]string
}

func (a *testAnswer) Cache() authz.CacheState    { return authz.CacheMiss }
func (a *testAnswer) PrincipalID() string        { return a.principal }
func (a *testAnswer) Policy() *policy.Policy     { return a.policy }
func (a *testAnswer) Allowed() bool              { return a.allowed }
func (a *testAnswer) UsageIdentifierKey() string { return a.usageKey }

func (a *testAnswer) ContextValue(name string) (string, bool) {
	value, ok := a.context[name]
	return value, ok
}

func answerPolicy(t testing.TB, statements ...string) *policy.Policy {
	t.Helper()
	document := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	p, faults := policy.Parse([]byte(document), policy.Options{Name: "partners", Kind: policy.Identity})
	if p == nil {
		t.Fatalf("the policy is at fault: %v", faults)
	}
	return p
}

const (
	allowEverything = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`
	denyEverything  = `{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"*"}`
	allowElsewhere  = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/GET/other"}`
)

// function is a Lambda authorizer whose function answers so, and the calls that it gets.
func function(answer LambdaAnswer, err error, calls *[]LambdaCall) Authorizer {
	return Authorizer{Authorization: Custom, TokenType: true, Function: func(_ context.Context, c LambdaCall) (LambdaAnswer, error) {
		c.Identity = slices.Clone(c.Identity)
		*calls = append(*calls, c)
		return answer, err
	}}
}

// guardedByAuthorizer is an API whose only route asks an authorizer.
func guardedByAuthorizer(a Authorizer, route string, scopes ...string) API {
	api := testAPI(route)
	api.Authorizers = map[string]Authorizer{"partners": a}
	api.Routes[0].Authorization, api.Routes[0].Authorizer, api.Routes[0].Scopes = a.Authorization, "partners", scopes
	return api
}

func TestTableAOfLambdaAuthorizers(t *testing.T) {
	const (
		resourceAllow   = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
		resourceSilent  = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/other"}`
		resourceDeny    = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
		byFunction      = "User is not authorized to access this resource"
		explicit        = " with an explicit deny in an identity-based policy"
		implicit        = " because no identity-based policy allows the execute-api:Invoke action"
		byResourceOfOld = "User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/pets"
	)
	for _, tt := range []struct {
		row, answer, resource string
		message               string // empty: allowed
		calls                 int
	}{
		{"A1", allowEverything, resourceAllow, "", 1},
		{"A2", allowEverything, resourceSilent, "", 1},
		{"A2 without a policy", allowEverything, "", "", 1},
		{"A3", allowEverything, resourceDeny, byResourceOfOld + " with an explicit deny in a resource-based policy", 0},
		{"A4", allowElsewhere, resourceAllow, "", 1},
		{"A5", allowElsewhere, resourceSilent, byFunction + implicit, 1},
		{"A5 without a policy", allowElsewhere, "", byFunction + implicit, 1},
		{"A6", allowElsewhere, resourceDeny, byResourceOfOld + " with an explicit deny in a resource-based policy", 0},
		{"A7", denyEverything, resourceAllow, byFunction + explicit, 1},
		{"A8", denyEverything, resourceSilent, byFunction + explicit, 1},
		{"A9", denyEverything, resourceDeny, byResourceOfOld + " with an explicit deny in a resource-based policy", 0},
	} {
		t.Run(tt.row, func(t *testing.T) {
			var calls []LambdaCall
			api := guardedByAuthorizer(function(&testAnswer{principal: "alice", policy: answerPolicy(t, tt.answer)}, nil, &calls), "GET /pets")
			if tt.resource != "" {
				api = guardedBy(t, api, `{"Version":"2012-10-17","Statement":[`+tt.resource+`]}`)
			}
			d := mustNew(t, api).Authorize(t.Context(), get("/pets", "authorization", "t"))
			if len(calls) != tt.calls {
				t.Errorf("the function was called %d times, want %d", len(calls), tt.calls)
			}
			if tt.message == "" {
				if !d.Allow || d.Reason.Code != authz.CodeAllowed || d.Caller.Principal != "alice" {
					t.Errorf("%+v", d)
				}
				return
			}
			code := authz.CodeExplicitDeny
			if strings.Contains(tt.message, "because no") {
				code = authz.CodeImplicitDeny
			}
			checkDenial(t, d, 403, code, "AccessDeniedException", `{"Message":"`+tt.message+`"}`)
		})
	}
}

// A resource policy whose Allow names AWS principals fails whoever is not known by a signature, whatever the function says.
func TestLambdaAuthorizerBesideAWSPrincipals(t *testing.T) {
	const (
		forRole   = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/dev"},"Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
		elsewhere = `{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/other"}`
		denyRole  = `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/dev"},"Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
		forAll    = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/pets"}`
		byPolicy  = `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********3333:a1b2c3d4e5/prod/GET/pets because no resource-based policy allows the execute-api:Invoke action"}`
		denied    = `{"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`
	)
	for name, tt := range map[string]struct{ answer, resource, body string }{
		"allowed by the function":       {allowEverything, forRole, byPolicy},
		"elsewhere":                     {allowEverything, elsewhere, byPolicy},
		"function silent":               {allowElsewhere, forRole, byPolicy},
		"denied by the function":        {denyEverything, forRole, denied},
		"everybody in one more":         {allowEverything, forRole + "," + forAll, ""},
		"everybody, function silent":    {allowElsewhere, forRole + "," + forAll, ""},
		"a Deny alone is no such Allow": {allowEverything, denyRole, ""},
	} {
		var calls []LambdaCall
		api := guardedByAuthorizer(function(&testAnswer{principal: "alice", policy: answerPolicy(t, tt.answer)}, nil, &calls), "GET /pets")
		api = guardedBy(t, api, `{"Version":"2012-10-17","Statement":[`+tt.resource+`]}`)
		d := mustNew(t, api).Authorize(t.Context(), get("/pets", "authorization", "t"))
		if d.Allow != (tt.body == "") || !d.Allow && d.Denial.Body != tt.body || len(calls) != 1 {
			t.Errorf("%s: allow %v, %s, %d calls", name, d.Allow, d.Denial.Body, len(calls))
		}
	}
}

func TestIdentitySources(t *testing.T) {
	for _, tt := range []struct {
		sources []string
		target  string
		lines   []string
		want    []string // nil: 401, and the function is not called
	}{
		{[]string{"method.request.header.auth"}, "/pets", []string{"auth", "a"}, []string{"a"}},
		{[]string{"method.request.header.AUTH"}, "/pets", []string{"auth", "Bearer  a "}, []string{"Bearer  a "}},
		{[]string{"method.request.header.auth"}, "/pets", nil, nil},
		{[]string{"method.request.header.auth"}, "/pets", []string{"auth", ""}, nil},
		{[]string{"method.request.header.auth"}, "/pets", []string{"auth", "a", "auth", "b"}, nil},
		{[]string{"method.request.header.auth"}, "/pets", []string{"auth", "a", "auth", "a"}, nil},
		{[]string{"method.request.querystring.q"}, "/pets?q=1", nil, []string{"1"}},
		{[]string{"method.request.querystring.q"}, "/pets?Q=1", nil, nil},
		{[]string{"method.request.querystring.q"}, "/pets?q=", nil, nil},
		{[]string{"method.request.querystring.q"}, "/pets?q", nil, nil},
		{[]string{"method.request.querystring.q"}, "/pets?%71=a%20b", nil, []string{"a b"}},
		{[]string{"method.request.querystring.q"}, "/pets?q=%zz", nil, nil},
		{[]string{"method.request.querystring.q"}, "/pets?q=1%00", nil, nil},
		{[]string{"method.request.querystring.q"}, "/pets?q=1&q=2", nil, []string{"1\x002"}},
		{[]string{"method.request.querystring.q"}, "/pets?q=&q=", nil, nil},
		{[]string{"stageVariables.alias"}, "/pets", nil, []string{"live"}},
		{[]string{"stageVariables.none"}, "/pets", nil, nil},
		{[]string{"context.identity.sourceIp", "context.httpMethod"}, "/pets", nil, []string{"192.0.2.9", "GET"}},
		{[]string{"method.request.header.a", "method.request.header.b"}, "/pets", []string{"b", "2", "a", "1"}, []string{"1", "2"}},
		{[]string{"method.request.header.a", "method.request.header.b"}, "/pets", []string{"a", "1"}, nil},
		{nil, "/pets", nil, []string{}},
	} {
		var calls []LambdaCall
		a := function(&testAnswer{policy: answerPolicy(t, allowEverything)}, nil, &calls)
		a.TokenType, a.IdentitySource = false, tt.sources
		api := guardedByAuthorizer(a, "GET /pets")
		api.Stages[0].Variables = map[string]string{"alias": "live"}
		d := mustNew(t, api).Authorize(t.Context(), get(tt.target, tt.lines...))
		if tt.want == nil {
			checkDenial(t, d, 401, authz.CodeUnauthorized, "UnauthorizedException", `{"message":"Unauthorized"}`)
			if len(calls) != 0 {
				t.Errorf("%v %s %q: the function was called", tt.sources, tt.target, tt.lines)
			}
			continue
		}
		if !d.Allow || len(calls) != 1 || !slices.Equal(calls[0].Identity, tt.want) {
			t.Errorf("%v %s %q: %+v, calls %+v, want one with %q", tt.sources, tt.target, tt.lines, d.Reason, calls, tt.want)
		}
	}
}

func TestIdentityValidationExpression(t *testing.T) {
	for value, want := range map[string]bool{"x-abc": true, "x-": false, "y-abc": false, "x-abc1": false, "ax-abc": false, "x-abc\n": false, "x-ABC": false} {
		var calls []LambdaCall
		a := function(&testAnswer{policy: answerPolicy(t, allowEverything)}, nil, &calls)
		a.IdentityValidationExpression = "^x-[a-z]+"
		d := mustNew(t, guardedByAuthorizer(a, "GET /pets")).Authorize(t.Context(), get("/pets", "authorization", value))
		if d.Allow != want || len(calls) == 1 != want {
			t.Errorf("%q: %v after %d calls, want %v", value, d.Allow, len(calls), want)
		}
	}
}

// Every failure of an authorizer denies.
func TestAuthorizerFailsClosed(t *testing.T) {
	var calls []LambdaCall
	refusal := func(responseType string, code authz.Code) error {
		return &authz.Refusal{ResponseType: authz.ResponseType(responseType), Reason: authz.Reason{Code: code}}
	}
	allowed := &testAnswer{policy: answerPolicy(t, allowEverything), allowed: true}
	tokens := func(token Token, err error) Authorizer {
		return Authorizer{Authorization: JWT, Token: func(context.Context, string, []string) (Token, error) { return token, err }}
	}
	for _, tt := range []struct {
		name      string
		a         Authorizer
		status    int
		code      authz.Code
		errorType string
		body      string
	}{
		{"no answer", function(nil, nil, &calls), 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`},
		{"an answer and an error", function(allowed, errors.New("odd"), &calls), 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`},
		{"a zero refusal", function(allowed, &authz.Refusal{}, &calls), 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`},
		{"unauthorized", function(nil, refusal("UNAUTHORIZED", authz.CodeUnauthorized), &calls), 401, authz.CodeUnauthorized, "UnauthorizedException", `{"message":"Unauthorized"}`},
		{"bad answer", function(nil, refusal("AUTHORIZER_CONFIGURATION_ERROR", authz.CodeAuthorizerAnswer), &calls), 500, authz.CodeAuthorizerAnswer, "AuthorizerConfigurationException", `{"message":null}`},
		{"not reached", function(nil, refusal("AUTHORIZER_FAILURE", authz.CodeAuthorizerFailed), &calls), 500, authz.CodeAuthorizerFailed, "AuthorizerFailureException", `{"message":null}`},
		{"a simple response that says no", function(&testAnswer{}, nil, &calls), 403, authz.CodeExplicitDeny, "AccessDeniedException",
			`{"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`},
		{"isAuthorized beside a policy that is silent", function(&testAnswer{policy: answerPolicy(t, allowElsewhere), allowed: true}, nil, &calls), 403, authz.CodeImplicitDeny, "AccessDeniedException",
			`{"Message":"User is not authorized to access this resource because no identity-based policy allows the execute-api:Invoke action"}`},
		{"no token", tokens(nil, nil), 500, authz.CodeInternal, "InternalServerErrorException", `{"message":"Internal server error"}`},
		{"a token and an error", tokens(testToken{}, refusal("UNAUTHORIZED", authz.CodeExpiredToken)), 401, authz.CodeExpiredToken, "UnauthorizedException", `{"message":"Unauthorized"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := mustNew(t, guardedByAuthorizer(tt.a, "GET /pets")).Authorize(t.Context(), get("/pets", "authorization", "t"))
			checkDenial(t, d, tt.status, tt.code, tt.errorType, tt.body)
		})
	}
}

func TestCanceledWhileTheFunctionIsAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := Authorizer{Authorization: Custom, TokenType: true, Function: func(context.Context, LambdaCall) (LambdaAnswer, error) {
		cancel()
		return &testAnswer{policy: answerPolicy(t, allowEverything)}, nil
	}}
	d := mustNew(t, guardedByAuthorizer(a, "GET /pets")).Authorize(ctx, get("/pets", "authorization", "t"))
	checkDenial(t, d, 500, authz.CodeCanceled, "InternalServerErrorException", `{"message":"Internal server error"}`)
}

// A request of which the function could not be told everything is no request to ask it about: its answer may be kept.
func TestFunctionIsNotAskedAboutTheUntellable(t *testing.T) {
	var calls []LambdaCall
	api := guardedByAuthorizer(function(&testAnswer{policy: answerPolicy(t, allowEverything)}, nil, &calls), "GET /pets")
	g := mustCompile(t, Config{APIs: []API{api}, TrustedProxies: prefixes("192.0.2.0/24")})
	for _, r := range []*authz.Request{
		get("/pets", "authorization", "t", "x-forwarded-for", "unknown"),
		get("/pets", "authorization", "t", "user-agent", "a", "user-agent", "b"),
	} {
		if d := g.Authorize(t.Context(), r); d.Allow || len(calls) != 0 {
			t.Errorf("%+v after %d calls", d.Reason, len(calls))
		}
	}
}

func TestTokensAndResourcePolicy(t *testing.T) {
	token := testToken{"sub": "u-1", "cognito:groups": "a,b", "email": "é@example.com"}
	a := Authorizer{Authorization: Cognito, Token: func(_ context.Context, shown string, scopes []string) (Token, error) {
		if shown != "Bearer t" || !slices.Equal(scopes, []string{"pets/read"}) {
			return nil, &authz.Refusal{ResponseType: "UNAUTHORIZED", Reason: authz.Reason{Code: authz.CodeUnauthorized}}
		}
		return token, nil
	}}
	api := guardedByAuthorizer(a, "GET /{proxy+}", "pets/read")
	api.UpstreamHeaders = []UpstreamHeader{
		{Name: "x-groups", Value: "$context.authorizer.claims['cognito:groups']"}, {Name: "x-sub", Value: "$context.authorizer.claims.sub"},
		{Name: "x-email", Value: "$context.authorizer.claims.email"}, {Name: "x-none", Value: "$context.authorizer.claims.none"},
	}
	free := mustNew(t, api)
	d := free.Authorize(t.Context(), get("/pets", "authorization", "Bearer t", "x-groups", "admin", "x_none", "1"))
	want := authz.Decision{
		Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed, Policy: "partners"}, RequestID: testID, Caller: authz.Caller{Principal: "u-1"},
		API: "a1b2c3d4e5", Stage: "prod", Route: "GET /{proxy+}", Authorizer: "partners", Cache: authz.CacheMiss, NeededScopes: []string{"pets/read"},
		Step: authz.StepPass, Method: "GET", Host: "pets.example.com", Path: "/pets", ClientAddress: netip.MustParseAddr("192.0.2.9"), Claims: token,
		SetHeaders:    []authz.Field{{Name: "x-email", Value: "%C3%A9@example.com"}, {Name: "x-groups", Value: "a,b"}, {Name: "x-sub", Value: "u-1"}},
		RemoveHeaders: []string{"x_none"},
	}
	if diff := cmp.Diff(want, d, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, lines := range [][]string{nil, {"authorization", "Bearer x"}, {"authorization", "Bearer t", "authorization", "Bearer t"}} {
		checkDenial(t, free.Authorize(t.Context(), get("/pets", lines...)), 401, authz.CodeUnauthorized, "UnauthorizedException", `{"message":"Unauthorized"}`)
	}

	const deny = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/denied"}`
	const some = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/pets"}`
	guarded := mustNew(t, guardedBy(t, api, `{"Version":"2012-10-17","Statement":[`+deny+`,`+some+`]}`))
	for path, code := range map[string]authz.Code{"/pets": "", "/silent": authz.CodeImplicitDeny, "/denied": authz.CodeExplicitDeny} {
		d := guarded.Authorize(t.Context(), get(path, "authorization", "Bearer t"))
		if d.Allow != (code == "") || code != "" && d.Reason.Code != code {
			t.Errorf("%s: %+v", path, d)
		}
	}
}

func TestAuthorizerContextInHeadersAndTemplates(t *testing.T) {
	var calls []LambdaCall
	answer := &testAnswer{principal: "alice", policy: answerPolicy(t, denyEverything), context: map[string]string{"why": `a "quote"` + "\r\nx: y"}}
	api := guardedByAuthorizer(function(answer, nil, &calls), "GET /pets")
	api.GatewayResponses = map[string]GatewayResponse{"ACCESS_DENIED": {
		ResponseParameters: map[string]string{"gatewayresponse.header.x-why": "context.authorizer.why", "gatewayresponse.header.x-who": "context.authorizer.principalId"},
		ResponseTemplates:  map[string]string{"application/json": `{"why":"$context.authorizer.why","who":"$context.authorizer.principalId","none":"$context.authorizer.none"}`},
	}}
	d := mustNew(t, api).Authorize(t.Context(), get("/pets", "authorization", "t"))
	if want := `{"why":"a \"quote\"\u000d\u000ax: y","who":"alice","none":""}`; d.Denial.Body != want || header(d, "x-who") != "alice" || header(d, "x-why") != "" {
		t.Errorf("%s %v, want %s", d.Denial.Body, d.Denial.Headers, want)
	}
}

func TestEvent(t *testing.T) {
	var calls []LambdaCall
	a := function(&testAnswer{policy: answerPolicy(t, allowEverything)}, nil, &calls)
	var got *authz.Event
	inner := a.Function
	a.Function = func(ctx context.Context, c LambdaCall) (LambdaAnswer, error) {
		got = c.Event.Event()
		return inner(ctx, c)
	}
	api := guardedByAuthorizer(a, "GET /pets/{petId}/{rest+}")
	api.Stages[0].Domains = []string{"pets.example.com/v1"}
	api.Stages[0].Variables = map[string]string{"alias": "live"}
	r := get("/v1/pets/a%20b/c/d/?q=1", "authorization", "t", "user-agent", "curl")
	if d := mustNew(t, api).Authorize(t.Context(), r); !d.Allow {
		t.Fatalf("%+v", d)
	}
	want := &authz.Event{
		Request: r, MethodARN: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets/a b/c/d/",
		API: "a1b2c3d4e5", Account: "111122223333", Stage: "prod", Route: "GET /pets/{petId}/{rest+}", Resource: "/pets/{petId}/{rest+}",
		Path: "/v1/pets/a%20b/c/d/", FullPath: "/v1/pets/a%20b/c/d/",
		PathParameters: []authz.Field{{Name: "petId", Value: "a%20b"}, {Name: "rest", Value: "c/d"}}, StageVariables: map[string]string{"alias": "live"},
		RequestID: testID, Domain: "pets.example.com", DomainPrefix: "pets", SourceIP: "192.0.2.9", UserAgent: "curl", Identity: []string{"t"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *authz.Request) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"t"}, calls[0].Identity); diff != "" || calls[0].API != "a1b2c3d4e5" || calls[0].Stage != "prod" {
		t.Errorf("%+v", calls[0])
	}
}

func TestAuthorizerFaults(t *testing.T) {
	token := func(context.Context, string, []string) (Token, error) { return testToken{}, nil }
	ask := func(context.Context, LambdaCall) (LambdaAnswer, error) { return &testAnswer{}, nil }
	jwt, lambda := Authorizer{Authorization: JWT, Token: token}, Authorizer{Authorization: Custom, Function: ask}
	with := func(a Authorizer, change func(*API, *Authorizer)) API {
		api := guardedByAuthorizer(a, "GET /")
		change(&api, &a)
		api.Authorizers["partners"] = a
		return api
	}
	nothing := func(*API, *Authorizer) {}
	for _, tt := range []struct {
		api           API
		path, message string
	}{
		{with(Authorizer{Authorization: JWT}, nothing), `.authorizers["partners"]`, "does not check tokens"},
		{with(Authorizer{Authorization: Custom}, nothing), `.authorizers["partners"]`, "does not have a function"},
		{with(Authorizer{Authorization: None, Token: token}, nothing), `.authorizers["partners"]`, "is not one for authorizers; write"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Authorizers["a b"] = jwt }), `.authorizers["a b"]`, "is not a name of an authorizer; write"},
		{with(jwt, func(_ *API, a *Authorizer) {
			a.IdentitySource = []string{"method.request.header.a", "method.request.header.b"}
		}), `.authorizers["partners"].identitySource`, "has one identity source; remove"},
		{with(jwt, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"method.request.querystring.a"} }), `.authorizers["partners"].identitySource[0]`, "is not a header"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"$request.header.a"} }), `.authorizers["partners"].identitySource[0]`, "is not an identity source; write"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"method.request.header."} }), `.authorizers["partners"].identitySource[0]`, "is not an identity source; write"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"method.request.path.a"} }), `.authorizers["partners"].identitySource[0]`, "is not an identity source; write"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"context.authorizer.a"} }), `.authorizers["partners"].identitySource[0]`, "not known before"},
		{with(lambda, func(_ *API, a *Authorizer) {
			a.IdentitySource = []string{"method.request.querystring.a, method.request.header.b"}
		}), `.authorizers["partners"].identitySource[0]`, "one item of the list for each"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentitySource = []string{"context.nothing"} }), `.authorizers["partners"].identitySource[0]`, "unknown variable"},
		{with(lambda, func(_ *API, a *Authorizer) {
			a.IdentitySource = []string{"method.request.header.a", "method.request.header.a"}
		}), `.authorizers["partners"].identitySource[1]`, "twice"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentityValidationExpression = "(?!x)" }), `.authorizers["partners"].identityValidationExpression`, "look-around"},
		{with(lambda, func(_ *API, a *Authorizer) { a.IdentityValidationExpression = "x)|(?:.*" }), `.authorizers["partners"].identityValidationExpression`, "unexpected"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Authorizer = "other" }), ".routes[0].authorizer", "does not have an authorizer \"other\"; write one of partners"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Authorizer = "" }), ".routes[0].authorizer", "needs an authorizer"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Authorization = Cognito }), ".routes[0].authorization", "is for JWT; write authorization: JWT, or remove it"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Authorization = None }), ".routes[0].authorizer", "does not use an authorizer; remove"},
		{with(lambda, func(api *API, _ *Authorizer) { api.Routes[0].Scopes = []string{"a"} }), ".routes[0].scopes", "have scopes; remove"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Scopes = []string{"a b"} }), ".routes[0].scopes[0]", "is not a scope; write"},
		{with(jwt, func(api *API, _ *Authorizer) { api.Routes[0].Scopes = []string{""} }), ".routes[0].scopes[0]", "is not a scope; write"},
		{with(jwt, func(api *API, _ *Authorizer) {
			api.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.authorizer.why"}}
		}), `.upstreamHeaders["x-a"]`, "is a value of a Lambda authorizer's answer; write"},
		{with(lambda, func(api *API, _ *Authorizer) {
			api.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.authorizer.claims.sub"}}
		}), `.upstreamHeaders["x-a"]`, "is a claim of a token; write an authorizer"},
		{with(jwt, func(api *API, _ *Authorizer) {
			api.UpstreamHeaders = []UpstreamHeader{{Name: "x-a", Value: "$context.authorizer.claims"}}
		}), `.upstreamHeaders["x-a"]`, "is not a single value; write"},
	} {
		g, faults := New(Config{APIs: []API{tt.api}})
		path := "apis[0]" + tt.path
		if g != nil {
			t.Errorf("%s %q: compiled", path, tt.message)
		}
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.At.String() == path && strings.Contains(f.Message, tt.message) && !f.Warning
		}) {
			t.Errorf("%s %q is not among %+v", path, tt.message, faults)
		}
	}
}

// An identity source that no request has closes the API, which is safe, and nobody means it.
func TestSourcesThatNobodyHasAreWarnedOf(t *testing.T) {
	for source, warned := range map[string]bool{
		"stageVariables.none": true, "context.identity.userArn": true, "context.identity.apiKey": true, "context.identity.cognitoIdentityId": true,
		"stageVariables.alias": false, "context.identity.sourceIp": false, "context.httpMethod": false,
	} {
		var calls []LambdaCall
		a := function(&testAnswer{policy: answerPolicy(t, allowEverything)}, nil, &calls)
		a.TokenType, a.IdentitySource = false, []string{source}
		api := guardedByAuthorizer(a, "GET /pets")
		api.Stages[0].Variables = map[string]string{"alias": "live"}
		g, faults := New(Config{APIs: []API{api}})
		is := slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Warning && strings.Contains(f.Message, "every caller gets a 401") })
		if g == nil || is != warned {
			t.Fatalf("%s: %+v, want a warning: %v", source, faults, warned)
		}
		if d := g.Authorize(t.Context(), get("/pets")); d.Allow == warned || warned && d.Denial.Status != 401 || warned && len(calls) != 0 {
			t.Errorf("%s: %+v after %d calls", source, d, len(calls))
		}
	}
}

func TestSilentAuthorizersAreWarnedOf(t *testing.T) {
	api := guardedByAuthorizer(Authorizer{Authorization: Custom}, "GET /")
	const conditional = `{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`
	api = guardedBy(t, api, allowBut(conditional))
	faults := api.ResourcePolicy.Lint(api.PolicyTarget(nil))
	if !slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Warning && strings.Contains(f.Message, "Lambda authorizer") }) {
		t.Errorf("%+v", faults)
	}
	api.Routes[0].Authorization = None
	if faults := api.ResourcePolicy.Lint(api.PolicyTarget(nil)); len(faults) != 0 {
		t.Errorf("without a Lambda authorizer: %+v", faults)
	}
}

// A refusal tells the operator of whom a token is that does not suffice, and the client nothing of it.
func TestDenialNamesTheRefusedCaller(t *testing.T) {
	known := authz.Caller{Principal: "u-1", Issuer: "https://idp.example", Scopes: []string{"read"}}
	a := Authorizer{Authorization: JWT, Token: func(context.Context, string, []string) (Token, error) {
		return nil, &authz.Refusal{ResponseType: "UNAUTHORIZED", Reason: authz.Reason{Code: authz.CodeMissingScope}, Caller: known}
	}}
	d := mustNew(t, guardedByAuthorizer(a, "GET /pets", "write")).Authorize(t.Context(), get("/pets", "authorization", "t"))
	if diff := cmp.Diff(known, d.Caller); diff != "" || d.Allow || d.Step != authz.StepCaller || d.Authorizer != "partners" || !slices.Equal(d.NeededScopes, []string{"write"}) {
		t.Errorf("%+v %s", d, diff)
	}
	if text := fmt.Sprint(d.Denial); strings.Contains(text, "u-1") || strings.Contains(text, "idp.example") {
		t.Errorf("the client is told of the token: %s", text)
	}
}
