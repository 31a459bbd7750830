package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	goodKey = "good-0123456789-0123456789"
	offKey  = "off-0123456789-0123456789"
	devKey  = "dev-0123456789-0123456789"
	nowhere = "nowhere-0123456789-0123456789"
)

// keyed is an API whose routes require an API key.
func keyed(t testing.TB, routes ...string) API {
	a := testAPI(routes...)
	a.Stages = append(a.Stages, Stage{Name: "dev", Domains: []string{"dev.example.com"}})
	for i := range a.Routes {
		a.Routes[i].APIKeyRequired = true
	}
	a.APIKeys = []APIKey{
		{ID: "k1", Name: "Partner one", Value: hashed(t, goodKey), Stages: []string{"prod"}, Enabled: true},
		{ID: "k2", Value: hashed(t, offKey), Stages: []string{"prod", "dev"}},
		{ID: "k3", Name: "Developers", Value: hashed(t, devKey), Stages: []string{"dev"}, Enabled: true},
		{ID: "k4", Value: hashed(t, nowhere), Enabled: true},
	}
	return a
}

func TestAPIKeyInHeader(t *testing.T) {
	g := mustNew(t, keyed(t, "GET /pets"))
	for _, tt := range []struct {
		lines  []string
		detail string // why it is refused; empty if it passes
	}{
		{[]string{"x-api-key", goodKey}, ""},

		{nil, "no API key, or several"},
		{[]string{"x-api-key", ""}, "no API key, or several"},
		{[]string{"x-api-key", goodKey, "x-api-key", goodKey}, "no API key, or several"},
		{[]string{"x-api-key", "wrong", "x-api-key", goodKey}, "no API key, or several"},
		{[]string{"x-api-key", goodKey + "," + goodKey}, "unknown"},
		{[]string{"x-api-key", goodKey[:len(goodKey)-1]}, "unknown"},
		{[]string{"x-api-key", goodKey + "0"}, "unknown"},
		{[]string{"x-api-key", " " + goodKey}, "unknown"},
		{[]string{"x-api-key", strings.ToUpper(goodKey)}, "unknown"},
		{[]string{"x-api-key", "wrong"}, "unknown"},
		{[]string{"x-api-key", strings.Repeat("x", 1<<16)}, "unknown"},
		{[]string{"x-api-key", string(make([]byte, 32))}, "unknown"},
		{[]string{"x-api-key", offKey}, "the API key k2 is not enabled"},
		{[]string{"x-api-key", devKey}, `the API key k3 ("Developers") is not for the stage`},
		{[]string{"x-api-key", nowhere}, "the API key k4 is not for the stage"},

		{[]string{"x_api_key", goodKey}, "no API key, or several"},
		{[]string{"authorization", goodKey}, "no API key, or several"},
		{[]string{"cookie", "x-api-key=" + goodKey}, "no API key, or several"},
	} {
		d := g.Authorize(t.Context(), get("/pets?x-api-key="+goodKey, tt.lines...))
		if tt.detail == "" {
			if !d.Allow || len(d.SetHeaders)+len(d.RemoveHeaders) != 0 {
				t.Errorf("%.80q: %+v", tt.lines, d)
			}
			continue
		}
		checkDenial(t, d, 403, authz.CodeInvalidAPIKey, "ForbiddenException", forbiddenBody)
		if !strings.Contains(d.Reason.Detail, tt.detail) {
			t.Errorf("%.80q: %s, want %s", tt.lines, d.Reason.Detail, tt.detail)
		}
		hidesKeys(t, d)
	}
	if d := g.Authorize(t.Context(), with(get("/pets", "x-api-key", devKey), func(r *authz.Request) { r.Host = "dev.example.com" })); !d.Allow {
		t.Errorf("the key of the stage dev does not count there: %+v", d)
	}
}

// hidesKeys fails if a decision has the value of a key.
func hidesKeys(t *testing.T, d authz.Decision) {
	t.Helper()
	text := fmt.Sprintf("%+v", d)
	for _, key := range []string{goodKey, offKey, devKey, nowhere} {
		if strings.Contains(text, key) {
			t.Errorf("the decision has the API key: %s", text)
		}
	}
}

func TestAPIKeyFromAuthorizer(t *testing.T) {
	for _, tt := range []struct {
		said, header string
		allow        bool
	}{
		{goodKey, "", true},
		{goodKey, "wrong", true},
		{"", goodKey, false},
		{"wrong", goodKey, false},
		{offKey, goodKey, false},
		{devKey, goodKey, false},
	} {
		var calls []LambdaCall
		a := guardedByAuthorizer(function(&testAnswer{policy: answerPolicy(t, allowEverything), usageKey: tt.said}, nil, &calls), "GET /pets")
		like := keyed(t)
		a.Stages, a.APIKeys, a.APIKeySource, a.Routes[0].APIKeyRequired = like.Stages, like.APIKeys, KeyFromAuthorizer, true
		d := mustNew(t, a).Authorize(t.Context(), get("/pets", "authorization", "t", "x-api-key", tt.header))
		if d.Allow != tt.allow {
			t.Errorf("%+v: %+v", tt, d)
		}
		if !tt.allow {
			checkDenial(t, d, 403, authz.CodeInvalidAPIKey, "ForbiddenException", forbiddenBody)
		}
		hidesKeys(t, d)
	}
	// A route without a Lambda authorizer has nobody who could say the key.
	a := keyed(t, "GET /pets")
	a.APIKeySource = KeyFromAuthorizer
	checkDenial(t, mustNew(t, a).Authorize(t.Context(), get("/pets", "x-api-key", goodKey)), 403, authz.CodeInvalidAPIKey, "ForbiddenException", forbiddenBody)
}

// What an authorizer or a policy denies is denied so, whatever the key; and a key allows nothing of that.
func TestAPIKeyComesAfterAuthorization(t *testing.T) {
	silent := guardedBy(t, keyed(t, "GET /pets"), `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/cats"}}`)
	var calls []LambdaCall
	byFunction := guardedByAuthorizer(function(&testAnswer{policy: answerPolicy(t, denyEverything)}, nil, &calls), "GET /pets")
	byFunction.Routes[0].APIKeyRequired, byFunction.APIKeys, byFunction.Stages = true, silent.APIKeys, silent.Stages
	signed := keyed(t, "GET /pets")
	signed.Routes[0].Authorization = IAM
	for name, tt := range map[string]struct {
		api   API
		lines []string
		code  authz.Code
	}{
		"a resource policy":      {silent, nil, authz.CodeImplicitDeny},
		"an identity source":     {byFunction, nil, authz.CodeUnauthorized},
		"a function":             {byFunction, []string{"authorization", "t"}, authz.CodeExplicitDeny},
		"a signature":            {signed, nil, authz.CodeNotSigned},
		"a route that is absent": {keyed(t, "GET /cats"), nil, authz.CodeNoRoute},
	} {
		for _, key := range []string{"", "wrong", goodKey} {
			d := mustNew(t, tt.api).Authorize(t.Context(), get("/pets", append([]string{"x-api-key", key}, tt.lines...)...))
			if d.Allow || d.Reason.Code != tt.code {
				t.Errorf("%s with the key %q: %+v, want %s", name, key, d, tt.code)
			}
		}
	}
	if len(calls) != 3 {
		t.Errorf("the function was called %d times, want 3: before the key is looked at", len(calls))
	}
}

func TestAPIKeyRequiredWithoutKeys(t *testing.T) {
	a := testAPI("GET /pets")
	a.Routes[0].APIKeyRequired = true
	g, faults := New(Config{APIs: []API{a}})
	if g == nil || len(faults) != 1 || !faults[0].Warning || faults[0].At.String() != "apis[0].routes[0].apiKeyRequired" {
		t.Fatalf("%v, want a warning", faults)
	}
	for _, key := range []string{"", goodKey, strings.Repeat("\x00", 32)} {
		checkDenial(t, g.Authorize(t.Context(), get("/pets", "x-api-key", key)), 403, authz.CodeInvalidAPIKey, "ForbiddenException", forbiddenBody)
	}
	// The zero key counts nowhere.
	a.APIKeys = []APIKey{{}}
	if g, faults := New(Config{APIs: []API{a}}); g != nil {
		t.Errorf("a key without id and value: %v", faults)
	}
}

func TestAPIKeyIsIgnoredUnlessRequired(t *testing.T) {
	a := keyed(t, "GET /pets")
	a.Routes[0].APIKeyRequired = false
	a.UpstreamHeaders = []UpstreamHeader{{Name: "x-key", Value: "$context.identity.apiKey"}, {Name: "x-key-id", Value: "$context.identity.apiKeyId"}}
	d := mustNew(t, a).Authorize(t.Context(), get("/pets", "x-api-key", goodKey, "x-key-id", "k1"))
	if !d.Allow || len(d.SetHeaders) != 0 || !slices.Equal(d.RemoveHeaders, []string{"x-key-id"}) {
		t.Errorf("%+v, want no key of a route that requires none", d)
	}
}

func TestAPIKeyVariables(t *testing.T) {
	a := keyed(t, "GET /pets")
	a.UpstreamHeaders = []UpstreamHeader{{Name: "x-key", Value: "$context.identity.apiKey"}, {Name: "x-key-id", Value: "$context.identity.apiKeyId"}}
	a.GatewayResponses = map[string]GatewayResponse{
		"INVALID_API_KEY": {StatusCode: 401, ResponseTemplates: map[string]string{"application/json": `["$context.error.responseType",$context.error.messageString,"$context.identity.apiKey","$context.identity.apiKeyId"]`}},
	}
	g := mustNew(t, a)
	d := g.Authorize(t.Context(), get("/pets", "x-api-key", goodKey))
	want := []authz.Field{{Name: "x-key", Value: goodKey}, {Name: "x-key-id", Value: "k1"}}
	if diff := gocmp.Diff(want, d.SetHeaders); diff != "" || !d.Allow {
		t.Errorf("%+v (-want +got):\n%s", d, diff)
	}
	for _, key := range []string{"", "wrong", offKey} {
		d := g.Authorize(t.Context(), get("/pets", "x-api-key", key))
		checkDenial(t, d, 401, authz.CodeInvalidAPIKey, "ForbiddenException", `["INVALID_API_KEY","Forbidden","",""]`)
	}
}

// A path that some server reads as one that requires a key, or requires none, is refused.
func TestAPIKeyInOtherReadings(t *testing.T) {
	a := keyed(t, "GET /admin", "GET /{name}")
	a.Routes[1].APIKeyRequired = false
	g := mustNew(t, a)
	for _, path := range []string{"/admin;x", "/admin%3Fx", "/%2561dmin"} {
		for _, key := range []string{"", goodKey} {
			if d := g.Authorize(t.Context(), get(path, "x-api-key", key)); d.Allow || d.Denial.Status != 400 {
				t.Errorf("%s: %+v", path, d)
			}
		}
	}
}

func TestAPIKeyFaults(t *testing.T) {
	change := func(change func(*API)) API {
		a := keyed(t, "GET /pets")
		change(&a)
		return a
	}
	for _, tt := range []struct {
		api           API
		path, message string
	}{
		{change(func(a *API) { a.APIKeySource = "QUERY" }), ".apiKeySource", "write HEADER or AUTHORIZER"},
		{change(func(a *API) { a.APIKeys[0].ID = "" }), ".apiKeys[0].id", "1 to 128"},
		{change(func(a *API) { a.APIKeys[0].ID = "a\nb" }), ".apiKeys[0].id", "1 to 128"},
		{change(func(a *API) { a.APIKeys[1].ID = "k1" }), ".apiKeys[1].id", "another"},
		{change(func(a *API) { a.APIKeys[0].Value = APIKeyValue{} }), ".apiKeys[0].value", "no value"},
		{change(func(a *API) { a.APIKeys[1].Value = a.APIKeys[0].Value }), ".apiKeys[1].value", "another"},
		{change(func(a *API) { a.APIKeys[0].Stages = []string{"prod", "test"} }), ".apiKeys[0].stages[1]", "no stage"},
		{change(func(a *API) { a.APIKeys[0].Stages = []string{"prod", "prod"} }), ".apiKeys[0].stages[1]", "twice"},
		{change(func(a *API) { a.HTTP, a.APIKeys = true, nil }), ".routes[0].apiKeyRequired", "an HTTP API has no API keys"},
		{change(func(a *API) { a.HTTP, a.Routes[0].APIKeyRequired = true, false }), ".apiKeys", "an HTTP API has no API keys"},
		{change(func(a *API) { a.HTTP, a.APIKeySource = true, KeyInHeader }), ".apiKeySource", "an HTTP API has no API keys"},
	} {
		g, faults := New(Config{APIs: []API{tt.api}})
		if g != nil || !slices.ContainsFunc(faults, func(f fault.Fault) bool {
			return f.At.String() == "apis[0]"+tt.path && strings.Contains(f.Message, tt.message) && !f.Warning
		}) {
			t.Errorf("%s %q is not among %+v", tt.path, tt.message, faults)
		}
	}
}

func TestHashAPIKey(t *testing.T) {
	for text, want := range map[string]bool{
		strings.Repeat("a", 20): true, strings.Repeat("a", 128): true, "0123456789-_.+/=!*~#": true,
		"": false, strings.Repeat("a", 19): false, strings.Repeat("a", 129): false,
		strings.Repeat("a", 20) + " ": false, strings.Repeat("a", 20) + "\n": false, strings.Repeat("é", 20): false, strings.Repeat("a", 20) + "\x7f": false,
	} {
		value, err := HashAPIKey(text)
		if (err == nil) != want || (value == APIKeyValue{}) == want {
			t.Errorf("%q: %x, %v", text, value, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

// A key is looked up without memory for it.
func TestAPIKeyCostsNoMemory(t *testing.T) {
	measure := func(required bool, lines ...string) float64 {
		a := keyed(t, "GET /pets")
		a.Routes[0].APIKeyRequired = required
		g, r := mustNew(t, a), get("/pets", lines...)
		return testing.AllocsPerRun(100, func() {
			if !g.Authorize(t.Context(), r).Allow {
				t.Fatal("denied")
			}
		})
	}
	if with, without := measure(true, "x-api-key", goodKey), measure(false); cmp.Compare(with, without) != 0 {
		t.Errorf("%v allocations with a key, %v without", with, without)
	}
}
