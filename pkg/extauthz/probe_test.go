package extauthz

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/portcullis-authz/portcullis/pkg/probe"
)

func asProbe(token string) func(*authv3.AttributeContext) { return header(probe.Header, token) }

// A request with a live token is answered with what arrived, in either form of headers, and is never allowed; any other is decided.
func TestProbe(t *testing.T) {
	t.Parallel()
	tokens := &probe.Tokens{}
	made, err := tokens.Make(8)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Authorizer: always(allow), Probes: tokens})
	answered := func(in *authv3.CheckRequest) *probe.Answer {
		out := check(t, s, t.Context(), in)
		if envoyWouldAllow(t, out) {
			return nil
		}
		var a probe.Answer
		if err := json.Unmarshal([]byte(out.GetDeniedResponse().GetBody()), &a); err != nil || out.GetDeniedResponse().GetStatus().GetCode() != 403 || a.Version != probe.AnswerVersion {
			t.Fatalf("%v, %v", err, out)
		}
		return &a
	}
	extensions := func(a *authv3.AttributeContext) {
		a.ContextExtensions = map[string]string{"portcullis.api": "a1", "portcullis.body": "buffered", "secret": "of another filter"}
	}
	body := func(a *authv3.AttributeContext) { a.GetRequest().GetHttp().RawBody = []byte("abc") }
	a := answered(envoyRequest(asProbe(made[0]), extensions, body, header("authorization", "secret"), header(probe.Echo+"a", "x"), header("x-forwarded-proto", "https")))
	if a == nil || a.Extensions["portcullis.api"] != "a1" || len(a.Extensions) != 2 || len(a.Headers) != 1 || string(a.Headers[probe.Echo+"a"][0]) != "x" ||
		a.Body != "bytes" || a.BodyBytes != 3 || a.ForwardedProto != "https" || a.Refused != "" || a.Raw {
		t.Errorf("%+v", a)
	}
	text, _ := json.Marshal(a)
	if bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte(made[0])) {
		t.Errorf("the answer repeats too much: %s", text)
	}
	if answered(envoyRequest(asProbe(made[0]))) != nil {
		t.Error("a token counts twice")
	}
	for name, in := range map[string]*authv3.CheckRequest{
		"no token": envoyRequest(), "another token": envoyRequest(asProbe("x")), "an empty one": envoyRequest(asProbe("")),
		"joined": envoyRequest(asProbe(made[1] + "," + made[2])), "another name": envoyRequest(header("x-portcullis-probe-a", made[1])),
	} {
		if answered(in) != nil {
			t.Errorf("%s: it is answered as a probe", name)
		}
	}
	unknown := func(a *authv3.AttributeContext) { a.ContextExtensions = map[string]string{"portcullis.stge": "a"} }
	if a := answered(envoyRequest(asProbe(made[1]), unknown)); a == nil || !strings.Contains(a.Refused, "portcullis.stge") {
		t.Errorf("%+v", a)
	}
	raw := func(a *authv3.AttributeContext) {
		h := a.GetRequest().GetHttp()
		h.Headers, h.HeaderMap = nil, &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: probe.Header, RawValue: []byte(made[2])}, {Key: probe.Echo + "a", RawValue: []byte{0xff}}, {Key: probe.Echo + "a", RawValue: []byte("b")}}}
	}
	if a := answered(envoyRequest(raw)); a == nil || !a.Raw || len(a.Headers[probe.Echo+"a"]) != 2 || a.Headers[probe.Echo+"a"][0][0] != 0xff {
		t.Errorf("%+v", a)
	}
	twice := func(a *authv3.AttributeContext) {
		raw(a)
		a.GetRequest().GetHttp().HeaderMap.Headers[1].Key = probe.Header
	}
	if answered(envoyRequest(twice)) != nil {
		t.Error("two lines are a probe")
	}
}
