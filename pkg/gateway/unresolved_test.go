package gateway

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

const whyUnknown = "authorizer: Ref Staff names no authorizer of the template"

// unknownGuard makes the last route of an API one whose guard is not known.
func unknownGuard(a API) API {
	r := &a.Routes[len(a.Routes)-1]
	r.Authorization, r.Unresolved = "", whyUnknown
	return a
}

func TestUnresolvedRouteRefuses(t *testing.T) {
	open := guardedBy(t, testAPI("ANY /{proxy+}", "GET /pets"), allowBut())
	denying := guardedBy(t, testAPI("ANY /{proxy+}", "GET /pets"), allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}`))
	withKey := testAPI("ANY /{proxy+}", "GET /pets")
	withKey.Routes[1].APIKeyRequired, withKey.APIKeys = true, keyed(t).APIKeys[:1]
	for name, a := range map[string]API{"no policy": testAPI("ANY /{proxy+}", "GET /pets"), "a policy that allows": open, "a policy that denies": denying, "an API key": withKey} {
		g := mustNew(t, unknownGuard(a))
		for _, target := range []string{"/pets", "/pets/", "//pets", "/%70ets", "/pets?a=b"} {
			d := g.Authorize(t.Context(), get(target, "authorization", "Bearer t", "x-api-key", goodKey))
			checkDenial(t, d, 500, authz.CodeUnresolved, "InternalServerErrorException", `{"message":"Internal server error"}`)
			if !strings.HasSuffix(d.Reason.Detail, whyUnknown) || d.Route != "GET /pets" {
				t.Errorf("%s: %s: %+v", name, target, d)
			}
		}
	}
}

func TestUnresolvedRouteOfHTTPAPI(t *testing.T) {
	for _, key := range []string{"GET /pets", "ANY /{proxy+}", "$default"} {
		d := mustNew(t, unknownGuard(httpAPI(key))).Authorize(t.Context(), get("/pets"))
		if d.Allow || d.Denial.Status != 500 || d.Denial.Body != `{"message":"Internal Server Error"}` || d.Reason.Code != authz.CodeUnresolved {
			t.Errorf("%s: %+v", key, d)
		}
	}
}

func TestUnresolvedRouteIsCustomized(t *testing.T) {
	a := unknownGuard(testAPI("GET /pets"))
	a.GatewayResponses = map[string]GatewayResponse{"API_CONFIGURATION_ERROR": {
		StatusCode: 503, ResponseTemplates: map[string]string{"application/json": `{"type":"$context.error.responseType","message":$context.error.messageString}`},
	}}
	d := mustNew(t, a).Authorize(t.Context(), get("/pets"))
	checkDenial(t, d, 503, authz.CodeUnresolved, "InternalServerErrorException", `{"type":"API_CONFIGURATION_ERROR","message":"Internal server error"}`)
}

// An unresolved route has no default, and no authorizer is called for it. A preflight that leads to it is refused with it.
func TestUnresolvedRouteRefusesPreflights(t *testing.T) {
	preflight := func() *authz.Request {
		return with(get("/pets", "origin", "https://www.example.com", "access-control-request-method", "GET"), func(r *authz.Request) { r.Method = "OPTIONS" })
	}
	for key, refused := range map[string]bool{"ANY /pets": true, "$default": true, "OPTIONS /pets": true, "GET /pets": false} {
		a := unknownGuard(httpAPI(key))
		a.CORS = &CORS{AllowOrigins: []string{"https://www.example.com"}}
		d := mustNew(t, a).Authorize(t.Context(), preflight())
		if d.Allow || refused && (d.Denial.Status != 500 || d.Reason.Code != authz.CodeUnresolved) || !refused && d.Denial.Status != 204 {
			t.Errorf("%s: %+v, want it refused: %v", key, d, refused)
		}
	}
}

// Every part of the guard denies, whichever of them is reached.
func TestUnresolvedGuardDeniesThroughout(t *testing.T) {
	in := &invocation{place: place{stage: &model.Stage{API: &model.API{}}}, route: &model.Route{Guard: model.Unresolved}}
	in.reason = authz.Reason{Code: authz.CodeAllowed}
	for _, out := range []outcome{in.deniedAlready(t.Context()), in.know(t.Context()), in.decide(t.Context())} {
		if out.verdict != denies || out.refusal == nil || out.refusal.Reason.Code != authz.CodeUnresolved {
			t.Errorf("%+v", out)
		}
	}
}

// A path that some server reads as an unresolved route's, or the other way round, is refused.
func TestUnresolvedRouteInOtherReadings(t *testing.T) {
	for _, other := range []Route{{Authorization: None}, {Authorization: IAM}, {Authorization: None, APIKeyRequired: true}} {
		for _, first := range []bool{true, false} {
			a := testAPI("GET /admin", "GET /{name}")
			unknown, known := &a.Routes[0], &a.Routes[1]
			if !first {
				unknown, known = known, unknown
			}
			unknown.Authorization, unknown.Unresolved = "", whyUnknown
			known.Authorization, known.APIKeyRequired = other.Authorization, other.APIKeyRequired
			for _, path := range []string{"/admin;x", "/admin%3Fx", "/%2561dmin"} {
				if d := mustNew(t, a).Authorize(t.Context(), get(path)); d.Allow || d.Denial.Status != 400 {
					t.Errorf("%s beside %+v: %+v", path, other, d)
				}
			}
		}
	}
}

func TestUnresolvedFaults(t *testing.T) {
	for _, tt := range []struct {
		change  func(*Route)
		message string
	}{
		{func(r *Route) { r.Authorization = None }, "has no authorization, authorizer or scopes"},
		{func(r *Route) { r.Authorization = IAM }, "has no authorization, authorizer or scopes"},
		{func(r *Route) { r.Authorizer = "staff" }, "has no authorization, authorizer or scopes"},
		{func(r *Route) { r.Scopes = []string{"a"} }, "has no authorization, authorizer or scopes"},
		{func(r *Route) { r.Unresolved = "a\nb" }, "one line"},
		{func(r *Route) { r.Unresolved = "a\u2028b" }, "one line"},
		{func(r *Route) { r.Unresolved = " " }, "one line"},
		{func(r *Route) { r.Unresolved = "a\xff" }, "one line"},
		{func(r *Route) { r.Unresolved = strings.Repeat("é", 1001) }, "one line"},
	} {
		a := unknownGuard(testAPI("GET /pets"))
		tt.change(&a.Routes[0])
		g, faults := New(Config{APIs: []API{a}})
		if g != nil || len(faults) == 0 || faults[0].At.String() != "apis[0].routes[0].unresolved" || !strings.Contains(faults[0].Message, tt.message) {
			t.Errorf("%+v: %v, want %s", a.Routes[0], faults, tt.message)
		}
	}
	a := unknownGuard(testAPI("GET /pets"))
	a.Routes[0].Unresolved = strings.Repeat("é", 1000)
	g, faults := New(Config{APIs: []API{a}})
	if g == nil || len(faults) != 1 || !faults[0].Warning || !strings.HasSuffix(faults[0].Message, a.Routes[0].Unresolved) {
		t.Errorf("%v, want a warning with the text", faults)
	}
}
