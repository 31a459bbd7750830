package gateway

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

func TestUpstreamHeaders(t *testing.T) {
	a := testAPI("GET /pets/{petId}", "POST /pets/{petId}")
	a.Stages[0].Domains = []string{"api.example.com/v1"}
	a.Stages[0].Variables = map[string]string{"alias": "live", "name": "Zoë"}
	mapContext(&a)
	a.UpstreamHeaders = append(a.UpstreamHeaders, UpstreamHeader{Name: "x-alias", Value: "$stageVariables.alias"}, UpstreamHeader{Name: "X-Name", Value: "$stageVariables.name"}, UpstreamHeader{Name: "x-literal", Value: "a, b=c"})
	a.Routes[1].UpstreamHeaders = []UpstreamHeader{{Name: "X-Literal", Value: "post"}, {Name: "x-own", Value: "1"}}
	g := mustNew(t, a)

	r := get("/v1/pets/7%20%C3%A9?x=1", "user-agent", "curl/8")
	r.Host = "API.example.com:443"
	got := map[string]string{}
	d := g.Authorize(t.Context(), r)
	for _, f := range d.SetHeaders {
		got[f.Name] = f.Value
	}
	want := map[string]string{
		"x-accountid": "111122223333", "x-apiid": "a1b2c3d4e5", "x-domainname": "api.example.com", "x-domainprefix": "api", "x-httpmethod": "GET",
		"x-identity-sourceip": "192.0.2.9", "x-identity-useragent": "curl/8", "x-path": "/v1/pets/7 %C3%A9", "x-protocol": "HTTP/1.1",
		"x-requestid": testID, "x-extendedrequestid": testID, "x-requesttime": "12/Mar/2020:19:03:58 +0000", "x-requesttimeepoch": "1584039838000",
		"x-resourcepath": "/pets/{petId}", "x-stage": "prod", "x-alias": "live", "x-name": "Zo%C3%AB", "x-literal": "a, b=c",
	}
	if diff := cmp.Diff(want, got); diff != "" || !d.Allow {
		t.Errorf("allow %v (-want +got):\n%s", d.Allow, diff)
	}

	r.Method = "POST"
	var names []string
	for _, f := range g.Authorize(t.Context(), r).SetHeaders {
		names = append(names, f.Name+"="+f.Value)
	}
	if !slices.Contains(names, "x-literal=post") || !slices.Contains(names, "x-own=1") || slices.Contains(names, "x-literal=a, b=c") {
		t.Errorf("%q", names)
	}
}

func TestClientsHeadersAreRemoved(t *testing.T) {
	mapping := testAPI("GET /", "POST /")
	mapping.UpstreamHeaders = []UpstreamHeader{{Name: "X-User-Name", Value: "$context.authorizer.principalId"}, {Name: "x-stage", Value: "$context.stage"}}
	mapping.Routes[1].UpstreamHeaders = []UpstreamHeader{{Name: "x-post-only", Value: "1"}}
	other := testAPI("GET /")
	other.ID, other.Stages = "f6g7h8i9j0", []Stage{{Name: "v1", Domains: []string{"orders.example.com"}}}
	g := mustNew(t, mapping, other)

	lines := []string{
		"x-user-name", "admin", "x-user-name", "root", "x_user_name", "admin", "x.user!name", "admin",
		"x-stage", "beta", "x_stage", "beta", "x-post-only", "1", "x-http-method-override", "DELETE", "x_http_method_override", "DELETE",
		"x-user-names", "kept", "xusername", "kept", "accept", "*/*",
	}
	for _, tt := range []struct {
		host         string
		set, removed []string
	}{
		{"pets.example.com", []string{"x-stage"}, []string{"x-user-name", "x_user_name", "x.user!name", "x_stage", "x-post-only", "x-http-method-override", "x_http_method_override"}},
		{"orders.example.com", nil, []string{"x-user-name", "x_user_name", "x.user!name", "x-stage", "x_stage", "x-post-only", "x-http-method-override", "x_http_method_override"}},
	} {
		r := get("/", lines...)
		r.Host = tt.host
		d := g.Authorize(t.Context(), r)
		var set []string
		for _, f := range d.SetHeaders {
			set = append(set, f.Name)
		}
		if !d.Allow || !slices.Equal(set, tt.set) || !slices.Equal(d.RemoveHeaders, tt.removed) {
			t.Errorf("%s: set %q, removed %q; want %q, %q", tt.host, set, d.RemoveHeaders, tt.set, tt.removed)
		}
	}
}

func TestOverridesAreRemoved(t *testing.T) {
	g := mustNew(t, testAPI("GET /"))
	for _, name := range []string{"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "script-name", "path-info", "x-script-name"} {
		for _, spelled := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", "_", 1)} {
			d := g.Authorize(t.Context(), get("/", spelled, "/admin", spelled, "DELETE", "x-original", "kept"))
			if !d.Allow || !slices.Equal(d.RemoveHeaders, []string{spelled}) {
				t.Errorf("%s: removed %q, %+v", spelled, d.RemoveHeaders, d.Reason)
			}
		}
	}
}

// Two callers never look the same to the upstream: who is called "Zo%C3%AB" does not get the header of "Zoë".
func TestWhatAnAuthorizerSaysCanBeDecoded(t *testing.T) {
	seen := map[string]string{}
	for _, said := range []string{
		"Zoë", "Zo%C3%AB", "Zo%25C3%25AB", "Zo%c3%ab", " a", "%20a", "%2520a", "a\n", "a%0A", "a%", "a%\n", "a%2", "a%2\x00", "100%", "100%25", "%", "%%41", "%4\x31", "",
	} {
		written := answer.EncodeHeaderValue(answer.EscapePercent(said))
		if other, twice := seen[written]; twice || !answer.IsHeaderValue(written) {
			t.Errorf("%q and %q are both written as %q", said, other, written)
		}
		seen[written] = said
		if back := canon.Unescape(written); back != said {
			t.Errorf("%q is written as %q, which is decoded to %q", said, written, back)
		}
	}
	a := testAPI("GET /")
	a.Authorizers = map[string]Authorizer{"pool": {Authorization: Cognito, Token: func(context.Context, string, []string) (Token, error) {
		return claimToken{"sub": "Zo%C3%AB"}, nil
	}}}
	a.Routes[0].Authorization, a.Routes[0].Authorizer = Cognito, "pool"
	a.UpstreamHeaders = []UpstreamHeader{{Name: "x-literal", Value: "Zo%C3%AB"}, {Name: "x-user", Value: "$context.authorizer.claims.sub"}}
	d := mustNew(t, a).Authorize(t.Context(), get("/", "authorization", "x"))
	if want := []authz.Field{{Name: "x-literal", Value: "Zo%C3%AB"}, {Name: "x-user", Value: "Zo%25C3%25AB"}}; !d.Allow || !slices.Equal(d.SetHeaders, want) {
		t.Errorf("allow %v, %q, want %q", d.Allow, d.SetHeaders, want)
	}
}

type claimToken map[string]string

func (c claimToken) Caller() authz.Caller { return authz.Caller{Principal: c["sub"]} }

func (c claimToken) Cache() authz.CacheState { return authz.CacheUnknown }

func (c claimToken) Claim(name string) (string, bool) {
	text, ok := c[name]
	return text, ok
}

func TestUpstreamValuesCannotBreakHeaders(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		"plain value":   "plain value",
		"100%":          "100%",
		"a\r\nx-evil:1": "a%0D%0Ax-evil:1",
		"\x00\x7f\t":    "%00%7F%09",
		"é":             "%C3%A9",
		"\xff":          "%FF",
		" a ":           "%20a%20",
		" ":             "%20",
	} {
		if got := answer.EncodeHeaderValue(in); got != want {
			t.Errorf("encodeHeaderValue(%q) = %q, want %q", in, got, want)
		}
	}
	a := testAPI("GET /")
	a.UpstreamHeaders = []UpstreamHeader{{Name: "x-agent", Value: "$context.identity.userAgent"}}
	d := mustNew(t, a).Authorize(t.Context(), get("/", "user-agent", "a\r\nx-evil: 1"))
	if want := []authz.Field{{Name: "x-agent", Value: "a%0D%0Ax-evil: 1"}}; !slices.Equal(d.SetHeaders, want) {
		t.Errorf("%q, want %q", d.SetHeaders, want)
	}
	d = mustNew(t, a).Authorize(t.Context(), get("/", "user-agent", "a", "user-agent", "b"))
	checkDenial(t, d, 400, authz.CodeBadRequest, "BadRequestException", `{"message":"Bad Request"}`)
}
