package extauthz

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// seen is the request that an authorizer gets for a CheckRequest; nil if it is not called.
func seen(t *testing.T, in *authv3.CheckRequest) *authz.Request {
	t.Helper()
	var got *authz.Request
	s := New(Config{Authorizer: authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
		got = r
		return allow
	})})
	out := check(t, s, t.Context(), in)
	if got == nil && envoyWouldAllow(t, out) {
		t.Fatal("allowed without the authorizer")
	}
	return got
}

func fields(r *authz.Request) []authz.Field {
	var all []authz.Field
	for name, value := range r.Headers() {
		all = append(all, authz.Field{Name: name, Value: value})
	}
	return all
}

func TestRequestFromTheHeadersMap(t *testing.T) {
	r := seen(t, envoyRequest(extension("portcullis.api", "a1b2c3d4e5"), extension("portcullis.stage", "prod"),
		extension("portcullis.basePath", "/v1"), extension("portcullis.secureTransport", "x-forwarded-proto"), extension("other", "ignored"), header("X-Mixed", "1")))
	if r == nil {
		t.Fatal("refused")
	}
	type plain struct {
		Method, Target, Host, Scheme, Protocol, ID, ServerName, API, Stage, BasePath string
		Time                                                                         time.Time
		Peer                                                                         string
		Transport                                                                    authz.SecureTransport
	}
	want := plain{
		Method: "GET", Target: "/pets?limit=2", Host: "pets.example.com", Scheme: "https", Protocol: "HTTP/1.1", ID: "0d5c1b9e",
		ServerName: "pets.example.com", API: "a1b2c3d4e5", Stage: "prod", BasePath: "/v1", Time: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Peer: "192.0.2.7", Transport: authz.TransportForwardedProto,
	}
	got := plain{
		r.Method, r.Target, r.Host, r.Scheme, r.Protocol, r.ID, r.ServerName, r.API, r.Stage, r.BasePath, r.Time, r.Peer.String(), r.Transport,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantFields := []authz.Field{{Name: "accept", Value: "*/*"}, {Name: "cookie", Value: "a=1,b=2"}, {Name: "x-mixed", Value: "1"}, {Name: "x-request-id", Value: "0d5c1b9e"}}
	if diff := cmp.Diff(wantFields, fields(r)); diff != "" || !r.TextHeaders {
		t.Errorf("%s, as text: %t", diff, r.TextHeaders)
	}
}

func TestRequestFromHeaderMapKeepsLinesAndBytes(t *testing.T) {
	r := seen(t, envoyRequest(lines(":authority", "pets.example.com", ":path", "/pets?limit=2", ":method", "GET", ":scheme", "https",
		"x-b", "2", "x-a", "\xff\x80", "x-b", "1", "x-request-id", "0d5c1b9e")))
	if r == nil {
		t.Fatal("refused")
	}
	want := []authz.Field{{Name: "x-b", Value: "2"}, {Name: "x-a", Value: "\xff\x80"}, {Name: "x-b", Value: "1"}, {Name: "x-request-id", Value: "0d5c1b9e"}}
	if diff := cmp.Diff(want, fields(r)); diff != "" || r.TextHeaders {
		t.Errorf("%s, as text: %t", diff, r.TextHeaders)
	}
}

func TestRequestWhereBothShapesAgree(t *testing.T) {
	both := func(pairs ...string) func(*authv3.AttributeContext) {
		return http(func(h *authv3.AttributeContext_HttpRequest) { h.HeaderMap = headerMap(pairs...) })
	}
	agreeing := []string{":authority", "pets.example.com", ":path", "/pets?limit=2", ":method", "GET", ":scheme", "https",
		"cookie", "a=1", "accept", "*/*", "cookie", "b=2", "x-request-id", "0d5c1b9e"}
	if r := seen(t, envoyRequest(both(agreeing...))); r == nil {
		t.Error("refused although both shapes say the same")
	} else if _, n := r.Header("cookie"); n != 2 {
		t.Errorf("cookie has %d lines, want the 2 of header_map", n)
	}
	if seen(t, envoyRequest(both(append(agreeing, "x-more", "1")...))) != nil {
		t.Error("a header that is only in header_map passes")
	}
	if seen(t, envoyRequest(both(agreeing...), header("accept", "text/html"))) != nil {
		t.Error("two values of one header pass")
	}
}

func TestPeer(t *testing.T) {
	from := func(a *corev3.Address) func(*authv3.AttributeContext) {
		return func(c *authv3.AttributeContext) { c.Source.Address = a }
	}
	for _, c := range []struct {
		name    string
		address *corev3.Address
		want    netip.Addr
	}{
		{"v4", socket("198.51.100.1"), netip.MustParseAddr("198.51.100.1")},
		{"v6", socket("2001:db8::1"), netip.MustParseAddr("2001:db8::1")},
		{"v4 in v6", socket("::ffff:198.51.100.1"), netip.MustParseAddr("198.51.100.1")},
		{"v6 with a zone", socket("fe80::1%eth0"), netip.MustParseAddr("fe80::1")},
		{"pipe", &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/x.sock"}}}, netip.Addr{}},
		{"internal listener", &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{}}}, netip.Addr{}},
		{"absent", nil, netip.Addr{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := seen(t, envoyRequest(from(c.address)))
			if r == nil {
				t.Fatal("refused")
			}
			if r.Peer != c.want {
				t.Errorf("got %v, want %v", r.Peer, c.want)
			}
		})
	}
	if seen(t, envoyRequest(from(socket("localhost")))) != nil {
		t.Error("a source address that is not an IP address passes")
	}
}

func TestBody(t *testing.T) {
	buffered := extension("portcullis.body", "buffered")
	raw := func(b string) func(*authv3.AttributeContext) {
		return http(func(h *authv3.AttributeContext_HttpRequest) { h.RawBody = []byte(b) })
	}
	text := func(b string) func(*authv3.AttributeContext) {
		return http(func(h *authv3.AttributeContext_HttpRequest) { h.Body = b })
	}
	partial := func(v string) func(*authv3.AttributeContext) { return header("x-envoy-auth-partial-body", v) }
	type changes = []func(*authv3.AttributeContext)
	for _, c := range []struct {
		name    string
		changes changes
		body    string
		state   authz.BodyState
	}{
		{"nothing is known", nil, "", authz.BodyUnknown},
		{"buffered and absent", changes{buffered}, "", authz.BodyComplete},
		{"buffered, absent, announced as empty", changes{buffered, header("content-length", "0")}, "", authz.BodyComplete},
		{"raw", changes{raw("\xff!\x00")}, "\xff!\x00", authz.BodyComplete},
		{"raw, buffered, announced", changes{buffered, raw("abc"), header("content-length", "3")}, "abc", authz.BodyComplete},
		{"raw and whole", changes{raw("abc"), partial("false")}, "abc", authz.BodyComplete},
		{"text", changes{text("abc")}, "abc", authz.BodyComplete},
		{"text with an exclamation mark", changes{text("abc!")}, "abc!", authz.BodyAltered},
		{"the same twice", changes{text("abc!"), raw("abc!")}, "abc!", authz.BodyComplete},
		{"an upgrade, whose body Envoy does not wait for", changes{buffered, header("upgrade", "WebSocket"), header("connection", "upgrade")}, "", authz.BodyUnknown},
		{"an upgrade, line by line", changes{buffered, lines("upgrade", "websocket")}, "", authz.BodyUnknown},
		{"an upgrade, announced as empty", changes{buffered, header("upgrade", "websocket"), header("content-length", "0")}, "", authz.BodyUnknown},
		{"an upgrade of HTTP/2", changes{buffered, http(func(h *authv3.AttributeContext_HttpRequest) { h.Method, h.Headers = "CONNECT", nil })}, "", authz.BodyUnknown},
		{"an upgrade to something else", changes{buffered, header("upgrade", "h2c")}, "", authz.BodyComplete},
		{"partial", changes{raw("abc"), partial("true")}, "abc", authz.BodyPartial},
		{"partial and empty", changes{buffered, partial("true"), header("content-length", "3")}, "", authz.BodyPartial},
		{"partial, said oddly", changes{raw("abc"), partial("false,true")}, "abc", authz.BodyPartial},
		{"partial text", changes{text("abc!"), partial("true")}, "abc!", authz.BodyPartial},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := seen(t, envoyRequest(c.changes...))
			if r == nil {
				t.Fatal("refused")
			}
			body, state := r.Body()
			if string(body) != c.body || state != c.state {
				t.Errorf("got %q, %d; want %q, %d", body, state, c.body, c.state)
			}
		})
	}
}

// TestRefusedRequests lists what never reaches an authorizer, each with what the client and the operator are told.
func TestRefusedRequests(t *testing.T) {
	set := func(change func(*authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
		return envoyRequest(http(change))
	}
	many := func(h *authv3.AttributeContext_HttpRequest) {
		h.HeaderMap = &corev3.HeaderMap{Headers: make([]*corev3.HeaderValue, maxHeaders+1)}
	}
	manyNames := func(h *authv3.AttributeContext_HttpRequest) {
		for i := range maxHeaders {
			h.Headers[fmt.Sprint("x-", i)] = ""
		}
	}
	for _, c := range []struct {
		name   string
		in     *authv3.CheckRequest
		status int
		code   authz.Code
	}{
		{"no message", nil, 500, authz.CodeEnvoyConfig},
		{"no attributes", &authv3.CheckRequest{}, 500, authz.CodeEnvoyConfig},
		{"no HTTP attributes", envoyRequest(func(a *authv3.AttributeContext) { a.Request.Http = nil }), 500, authz.CodeEnvoyConfig},
		{"another path in :path", envoyRequest(header(":path", "/admin")), 400, authz.CodeBadRequest},
		{"another method in :method", envoyRequest(header(":method", "POST")), 400, authz.CodeBadRequest},
		{"another host in :authority", envoyRequest(header(":authority", "open.example.com")), 400, authz.CodeBadRequest},
		{"another scheme in :scheme", envoyRequest(header(":scheme", "http")), 400, authz.CodeBadRequest},
		{"another path in header_map", envoyRequest(lines(":path", "/admin")), 400, authz.CodeBadRequest},
		{"a second :path", envoyRequest(lines(":path", "/pets?limit=2", ":path", "/admin")), 400, authz.CodeBadRequest},
		{"another host in the host header", envoyRequest(header("Host", "open.example.com")), 400, authz.CodeBadRequest},
		{"unknown pseudo header", envoyRequest(header(":status", "200")), 400, authz.CodeBadRequest},
		{"no path", set(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "" }), 400, authz.CodeBadPath},
		{"OPTIONS *", set(func(h *authv3.AttributeContext_HttpRequest) { h.Path, h.Method = "*", "OPTIONS" }), 400, authz.CodeBadPath},
		{"absolute form", set(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "http://pets.example.com/pets" }), 400, authz.CodeBadPath},
		{"long path", set(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/" + strings.Repeat("a", maxPathBytes) }), 414, authz.CodeTooLong},
		{"query apart", set(func(h *authv3.AttributeContext_HttpRequest) { h.Query = "a=1" }), 400, authz.CodeBadRequest},
		{"fragment apart", set(func(h *authv3.AttributeContext_HttpRequest) { h.Fragment = "x" }), 400, authz.CodeBadRequest},
		{"no method", set(func(h *authv3.AttributeContext_HttpRequest) { h.Method = "" }), 400, authz.CodeBadRequest},
		{"bad method", set(func(h *authv3.AttributeContext_HttpRequest) { h.Method = "GET /" }), 400, authz.CodeBadRequest},
		{"long method", set(func(h *authv3.AttributeContext_HttpRequest) { h.Method = strings.Repeat("A", maxNameBytes+1) }), 400, authz.CodeBadRequest},
		{"blank in the host", set(func(h *authv3.AttributeContext_HttpRequest) { h.Host = "pets.example.com a" }), 400, authz.CodeBadRequest},
		{"long host", set(func(h *authv3.AttributeContext_HttpRequest) { h.Host = strings.Repeat("a", maxNameBytes+1) }), 400, authz.CodeBadRequest},
		{"another scheme", set(func(h *authv3.AttributeContext_HttpRequest) { h.Scheme = "ftp" }), 400, authz.CodeBadRequest},
		{"bad header name", envoyRequest(header("x y", "1")), 400, authz.CodeBadRequest},
		{"header name that is not ASCII", envoyRequest(header("x-é", "1")), 400, authz.CodeBadRequest},
		{"empty header name", envoyRequest(header("", "1")), 400, authz.CodeBadRequest},
		{"empty line of header_map", envoyRequest(lines("", "")), 400, authz.CodeBadRequest},
		{"NUL in a value", envoyRequest(header("x-a", "1\x00")), 400, authz.CodeBadRequest},
		{"CR in a value", envoyRequest(header("x-a", "1\r")), 400, authz.CodeBadRequest},
		{"LF in a raw value", envoyRequest(lines("x-a", "1\nx-b: 2")), 400, authz.CodeBadRequest},
		{"value and raw_value", set(func(h *authv3.AttributeContext_HttpRequest) {
			h.Headers, h.HeaderMap = nil, &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x-a", Value: "1", RawValue: []byte("2")}}}
		}), 400, authz.CodeBadRequest},
		{"too many lines", set(many), 431, authz.CodeBadRequest},
		{"too many headers", set(manyNames), 431, authz.CodeBadRequest},
		{"an oversized header", envoyRequest(header("x-a", strings.Repeat("a", maxHeaderBytes))), 431, authz.CodeBadRequest},
		{"an oversized raw header", envoyRequest(lines("x-a", strings.Repeat("a", maxHeaderBytes))), 431, authz.CodeBadRequest},
		{"body and raw_body", set(func(h *authv3.AttributeContext_HttpRequest) { h.Body, h.RawBody = "a", []byte("b") }), 400, authz.CodeBadRequest},
		{"a buffered body that is not there", envoyRequest(extension("portcullis.body", "buffered"), header("content-length", "3")), 500, authz.CodeEnvoyConfig},
		{"a content-length that is not a number", envoyRequest(extension("portcullis.body", "buffered"), header("content-length", "0,0")), 400, authz.CodeBadRequest},
		{"unknown extension", envoyRequest(extension("portcullis.apis", "a1b2c3d4e5")), 500, authz.CodeEnvoyConfig},
		{"extension in another case", envoyRequest(extension("Portcullis.api", "a1b2c3d4e5")), 500, authz.CodeEnvoyConfig},
		{"extension with another separator", envoyRequest(extension("portcullis/api", "a1b2c3d4e5")), 500, authz.CodeEnvoyConfig},
		{"extension without a separator", envoyRequest(extension("PORTCULLIS", "a1b2c3d4e5")), 500, authz.CodeEnvoyConfig},
		{"joined headers where raw ones are declared", envoyRequest(extension("portcullis.headers", "raw")), 500, authz.CodeEnvoyConfig},
		{"unknown headers setting", envoyRequest(extension("portcullis.headers", "joined"), lines("x-a", "1")), 500, authz.CodeEnvoyConfig},
		{"unknown body setting", envoyRequest(extension("portcullis.body", "yes")), 500, authz.CodeEnvoyConfig},
		{"unknown transport setting", envoyRequest(extension("portcullis.secureTransport", "TRUE")), 500, authz.CodeEnvoyConfig},
		{"unknown principal setting", envoyRequest(extension("portcullis.sourcePrincipal", "true")), 500, authz.CodeEnvoyConfig},
		{"empty API", envoyRequest(extension("portcullis.api", "")), 500, authz.CodeEnvoyConfig},
		{"empty stage", envoyRequest(extension("portcullis.stage", "")), 500, authz.CodeEnvoyConfig},
		{"empty base path", envoyRequest(extension("portcullis.basePath", "")), 500, authz.CodeEnvoyConfig},
		{"base path without its slash", envoyRequest(extension("portcullis.basePath", "v1")), 500, authz.CodeEnvoyConfig},
		{"base path with a slash at its end", envoyRequest(extension("portcullis.basePath", "/v1/")), 500, authz.CodeEnvoyConfig},
		{"base path in another spelling", envoyRequest(extension("portcullis.basepath", "/v1")), 500, authz.CodeEnvoyConfig},
		{"a time out of range", envoyRequest(func(a *authv3.AttributeContext) {
			a.Request.Time = &timestamppb.Timestamp{Seconds: 1 << 60}
		}), 400, authz.CodeBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			var recorded []authz.Decision
			s := New(Config{
				Authorizer: authorizerFunc(func(context.Context, *authz.Request) authz.Decision {
					t.Error("the authorizer was asked")
					return allow
				}),
				Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { recorded = append(recorded, *d) },
			})
			out := check(t, s, t.Context(), c.in)
			if envoyWouldAllow(t, out) {
				t.Fatal("Envoy would let it pass")
			}
			if got := int(out.GetDeniedResponse().GetStatus().GetCode()); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if len(recorded) != 1 || recorded[0].Reason.Code != c.code || recorded[0].Reason.Detail == "" {
				t.Errorf("recorded %+v, want one decision with code %q and a detail", recorded, c.code)
			}
		})
	}
}

func TestTheLogNamesTheUnknownSetting(t *testing.T) {
	a := attributesOf(envoyRequest(extension("portcullis.bodies", "buffered")).Attributes)
	_, refused := request(&a, &authz.Request{})
	if refused == nil || !strings.Contains(refused.detail, `"portcullis.bodies": "buffered"`) {
		t.Errorf("got %+v", refused)
	}
}

func TestWithoutATimeItIsNow(t *testing.T) {
	before := time.Now()
	r := seen(t, envoyRequest(func(a *authv3.AttributeContext) { a.Request.Time = nil }))
	if r == nil || r.Time.Before(before) || r.Time.After(time.Now()) {
		t.Errorf("got %+v", r)
	}
}
