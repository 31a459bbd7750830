package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// echoing is an authorizer whose function denies /admin, and allows everything else in a policy that it builds of the event with
// resource. The answer is kept and judged for every later request.
func echoing(t testing.TB, resource func(*authz.Event) string) Authorizer {
	t.Helper()
	kept := map[string]LambdaAnswer{}
	return Authorizer{Authorization: Custom, TokenType: true, Function: func(_ context.Context, c LambdaCall) (LambdaAnswer, error) {
		if kept[c.Only] != nil {
			return kept[c.Only], nil
		}
		e := c.Event.Event()
		effect := "Allow"
		if e.Path == "/admin" || e.Path == "/things/7/keys" {
			effect = "Deny"
		}
		kept[c.Only] = &testAnswer{principal: "ann", policy: answerPolicy(t, fmt.Sprintf(`{"Effect":%q,"Action":"execute-api:Invoke","Resource":%q}`, effect, resource(e)))}
		return kept[c.Only], nil
	}}
}

// decoded decodes a path once, as functions do; what cannot be decoded stays.
func decoded(path string) string {
	if once, err := url.PathUnescape(path); err == nil {
		return once
	}
	return path
}

// rebuilt is the method ARN as blueprints put it together from its parts, with what is encoded decoded once more.
func rebuilt(e *authz.Event) string {
	return "arn:aws:execute-api:eu-west-1:" + e.Account + ":" + e.API + "/" + e.Stage + "/" + e.Request.Method + decoded(e.Path)
}

// rebuiltTwice is rebuilt by a function that decodes twice.
func rebuiltTwice(e *authz.Event) string {
	return "arn:aws:execute-api:eu-west-1:" + e.Account + ":" + e.API + "/" + e.Stage + "/" + e.Request.Method + decoded(decoded(e.Path))
}

// ofParameters is the method ARN with the path parameters decoded.
func ofParameters(e *authz.Event) string {
	arn := "arn:aws:execute-api:eu-west-1:" + e.Account + ":" + e.API + "/" + e.Stage + "/" + e.Request.Method
	for _, p := range e.PathParameters {
		arn += "/" + decoded(decoded(p.Value))
	}
	return arn
}

// raw is the method ARN with the path as the client sent it.
func raw(e *authz.Event) string {
	return "arn:aws:execute-api:eu-west-1:" + e.Account + ":" + e.API + "/" + e.Stage + "/" + e.Request.Method + e.Request.Path()
}

// splitAtColons is the method ARN as AWS' blueprints put it together: what lies behind the sixth colon is lost.
func splitAtColons(e *authz.Event) string {
	parts := strings.Split(e.MethodARN, ":")
	return strings.Join(parts[:6], ":")
}

// cutAtSemicolon is the method ARN with path parameters cut off.
func cutAtSemicolon(e *authz.Event) string {
	arn, _, _ := strings.Cut(e.MethodARN, ";")
	return arn
}

// byDomain names the host in place of the API, as functions do that tell APIs apart by their domain.
func byDomain(e *authz.Event) string {
	return "arn:aws:execute-api:eu-west-1:" + e.Account + ":" + e.Domain + "/" + e.Stage + "/" + e.Request.Method + e.Path
}

// No text of a client's is a pattern in the policy that a function returns for it.
func TestClientTextIsNoPatternInAFunctionsPolicy(t *testing.T) {
	resources := map[string]func(*authz.Event) string{
		"methodArn": func(e *authz.Event) string { return e.MethodARN }, "rebuilt": rebuilt, "rebuilt twice": rebuiltTwice, "of parameters": ofParameters, "raw": raw, "by domain": byDomain,
	}
	first := []*authz.Request{
		get("/*"), get("/%2A"), get("/%2a"), get("/%252A"), get("/%25%32%41"), get("/adm*"), get("/admi%3F"), get("/adm%3Fn"), get("/adm%253Fn"), get("/a/*"),
		get("/%24%7Baws:UserAgent%7D"), get("/${aws:Referer}"), get("/$%7baws:UserAgent}"), get("/%24{aws:UserAgent}"), get("/%2524%257Baws:UserAgent%257D"),
		get("/${*}"), get("/x${$}"), method("*", get("/things/1")), method("G?T", get("/admin")), method("${aws:Referer}", get("/admin")), method("$default", get("/admin")),
		on("*", get("/admin")), on("*", get("/x")), on("a1b2c3d4e?", get("/x")), on("*.example.com", get("/x")), on("${aws:UserAgent}", get("/x")),
	}
	for name, resource := range resources {
		for _, r := range first {
			for _, http := range []bool{false, true} {
				api := testAPI("ANY /{proxy+}", "ANY /admin", "ANY /things/{id}")
				authorizer := echoing(t, resource)
				if api.HTTP = http; http {
					authorizer.TokenType, authorizer.IdentitySource = false, []string{"$request.header.Authorization"}
				}
				api.Authorizers = map[string]Authorizer{"partners": authorizer}
				for i := range api.Routes {
					api.Routes[i].Authorization, api.Routes[i].Authorizer = Custom, "partners"
				}
				g := mustNew(t, api)
				// Envoy's configuration names the API, so that a host that nobody owns reaches it.
				setHeaders(r, "authorization", "t", "user-agent", "admin", "referer", "admin")
				asked := with(r, func(r *authz.Request) { r.API = api.ID })
				if d := g.Authorize(t.Context(), asked); d.Allow || d.Denial.Status != 400 && d.Denial.Status != 403 {
					t.Errorf("%s %s%s: allow %v, %d %+v", r.Method, r.Host, r.Target, d.Allow, d.Denial.Status, d.Reason)
				}
				for _, then := range []*authz.Request{get("/admin"), method("DELETE", get("/things/1"))} {
					setHeaders(then, "authorization", "t", "user-agent", "admin", "referer", "admin")
					if d := g.Authorize(t.Context(), then); d.Allow && then.Target == "/admin" {
						t.Errorf("%s: %s %s%s has opened %s", name, r.Method, r.Host, r.Target, then.Target)
					}
				}
			}
		}
	}
}

// Elsewhere such characters are text: they match what an owner wrote for them and nothing else.
func TestPatternCharactersAreText(t *testing.T) {
	open := guardedBy(t, testAPI("ANY /{proxy+}"), allowBut(`{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":["execute-api:/*/GET/closed*","execute-api:/*/GET/admix"]}`))
	g := mustNew(t, open)
	for target, allowed := range map[string]bool{
		"/*": true, "/%2A": true, "/admi%3F": true, "/$%7Bx%7D": true,
		"/closed*": false, "/closed%3F": false, "/closed/*/x": false, "/closed$%7Baws:UserAgent%7D": false,
	} {
		if d := g.Authorize(t.Context(), get(target)); d.Allow != allowed {
			t.Errorf("%s: allow %v, %+v", target, d.Allow, d.Reason)
		}
	}
}

// A policy that names the ARN of one request allows no other request.
func TestOneRequestsARNAllowsNoOther(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "A", "/", "//", "*", "?", "$", "{", "}", "${", ":", ";", ".", "~", "é", "%2F", "%25", "%2A", "%3F", "%24", "%7B", "%252A", "%253F", "%61", "aws:UserAgent", "admin", "things"})
	path := rapid.Custom(func(r *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(part, 0, 6).Draw(r, "parts"), "")
	})
	verb := rapid.SampledFrom([]string{"GET", "POST", "DELETE", "HEAD", "PROPFIND", "*", "G*", "?ET", "${aws:Referer}", "GE-T"})
	names := map[string]func(*authz.Event) string{"methodArn": func(e *authz.Event) string { return e.MethodARN }, "rebuilt": rebuilt, "raw": raw, "twice": rebuiltTwice, "split": splitAtColons, "cut": cutAtSemicolon}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(names)))
	rapid.Check(t, func(r *rapid.T) {
		var asked []string
		resource := names[name.Draw(r, "resource")]
		api := guardedByAuthorizer(Authorizer{}, "ANY /{proxy+}")
		kept := echoing(t, func(e *authz.Event) string {
			asked = append(asked, e.MethodARN)
			return resource(e)
		})
		kept.IdentitySource, kept.TokenType = []string{"$request.header.Authorization"}, false
		api.HTTP, api.Authorizers = true, map[string]Authorizer{"partners": kept}
		api.Routes = []Route{{Method: DefaultRoute, Authorization: Custom, Authorizer: "partners"}}
		g := mustNew(t, api)
		for range 4 {
			target := path.Draw(r, "path")
			request := method(verb.Draw(r, "method"), get(target, "authorization", "t", "user-agent", "admin", "referer", "POST"))
			d := g.Authorize(t.Context(), request)
			if !d.Allow {
				continue
			}
			p, err := canon.ParsePath(target)
			if err != nil {
				r.Fatalf("%s passes: %v", target, err)
			}
			if arn := api.ARNPrefix() + "/prod/" + request.Method + p.Text; !slices.Contains(asked, arn) {
				r.Fatalf("%s %s passes with the policy of %v", request.Method, target, asked)
			}
		}
	})
}

// A function that splits the ARN at a colon, or reads the path in another way, names another request than the one that it is asked about.
func TestAPathThatAFunctionSplitsOpensNoOther(t *testing.T) {
	for name, tt := range map[string]struct {
		resource func(*authz.Event) string
		first    string
	}{
		"colon":               {splitAtColons, "/admin:x"},
		"encoded colon":       {splitAtColons, "/admin%3Ax"},
		"colon and slash":     {splitAtColons, "/admin:/x"},
		"semicolon":           {cutAtSemicolon, "/admin;x"},
		"encoded semicolon":   {cutAtSemicolon, "/admin%3Bx"},
		"decoded twice":       {rebuiltTwice, "/adm%2569n"},
		"slash decoded":       {ofParameters, "/things%2F7%2Fkeys"},
		"slash encoded twice": {ofParameters, "/things%252F7%252Fkeys"},
	} {
		api := guardedByAuthorizer(echoing(t, tt.resource), "ANY /{proxy+}")
		g := mustNew(t, api)
		if d := g.Authorize(t.Context(), get(tt.first, "authorization", "t")); d.Allow || d.Denial.Status != 403 {
			t.Errorf("%s: %s: allow %v, %+v", name, tt.first, d.Allow, d.Reason)
		}
		for _, then := range []string{"/admin", "/things/7/keys"} {
			if d := g.Authorize(t.Context(), get(then, "authorization", "t")); d.Allow {
				t.Errorf("%s: %s has opened %s", name, tt.first, then)
			}
		}
	}
}
