package extauthz

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func TestEnvoyWouldAllowKnowsZero(t *testing.T) {
	for _, c := range []struct {
		out  *authv3.CheckResponse
		want bool
	}{
		{&authv3.CheckResponse{}, true},
		{&authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{}}}, true},
		{&authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}}, false},
	} {
		if got := envoyWouldAllow(t, c.out); got != c.want {
			t.Errorf("%v: got %v", c.out, got)
		}
	}
}

// TestNothingButAnAllowPasses runs every way in which nobody said Allow.
func TestNothingButAnAllowPasses(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	late, expire := context.WithCancel(t.Context())
	var nilAuthorizer authorizerFunc
	for _, c := range []struct {
		name string
		ctx  context.Context
		with Config
	}{
		{"the zero decision", t.Context(), Config{Authorizer: always(authz.Decision{})}},
		{"a response without status", t.Context(), Config{Authorizer: always(authz.Decision{Denial: authz.Response{Body: "no"}})}},
		{"no authorizer", t.Context(), Config{}},
		{"a nil authorizer", t.Context(), Config{Authorizer: nilAuthorizer}},
		{"a panic", t.Context(), Config{Authorizer: authorizerFunc(func(context.Context, *authz.Request) authz.Decision { panic("no") })}},
		{"a cancelled context", done, Config{Authorizer: always(allow)}},
		{"a context that ends meanwhile", late, Config{Authorizer: authorizerFunc(func(context.Context, *authz.Request) authz.Decision {
			expire()
			return allow
		})}},
		{"a record that panics", t.Context(), Config{Authorizer: always(allow), Record: func(*authz.Request, *authz.Decision, time.Duration) { panic("no") }}},
		{"a header that cannot be set", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, SetHeaders: []authz.Field{{Name: "x-a", Value: "1\r\nx-b: 2"}}})}},
		{"a pseudo header that would be set", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, SetHeaders: []authz.Field{{Name: ":path", Value: "/"}}})}},
		{"a header that cannot be set on the answer", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, ResponseHeaders: []authz.Field{{Name: "x-a", Value: "1\r\nx-b: 2"}}})}},
		{"a bad name on the answer", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, ResponseHeaders: []authz.Field{{Name: "x a", Value: "1"}}})}},
		{"a header that cannot be removed", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, RemoveHeaders: []string{"x a"}})}},
		{"a target that is not UTF-8", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, Target: "/\xff"})}},
		{"a target with a line's end", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, Target: "/a\r\nb: c"})}},
		{"a target that is not a path", t.Context(), Config{Authorizer: always(authz.Decision{Allow: true, Target: "pets"})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := check(t, New(c.with), c.ctx, envoyRequest())
			if envoyWouldAllow(t, out) {
				t.Fatal("Envoy would let it pass")
			}
			if status := out.GetDeniedResponse().GetStatus().GetCode(); status < 500 {
				t.Errorf("status %d, want an internal error", status)
			}
			if out.GetDeniedResponse().GetBody() == "" {
				t.Error("no body")
			}
		})
	}
}

func TestAnEndedCheckAsksNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var code authz.Code
	s := New(Config{
		Authorizer: authorizerFunc(func(context.Context, *authz.Request) authz.Decision {
			t.Error("the authorizer was asked")
			return allow
		}),
		Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { code = d.Reason.Code },
	})
	if out := check(t, s, ctx, envoyRequest()); envoyWouldAllow(t, out) || code != authz.CodeCanceled {
		t.Errorf("got %v, code %q", out, code)
	}
}

func TestAPanicIsLoggedWithoutWhatTheClientSent(t *testing.T) {
	var log bytes.Buffer
	s := New(Config{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Authorizer: authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
			panic(errors.New("cannot read " + r.Target))
		}),
	})
	check(t, s, t.Context(), envoyRequest())
	if !strings.Contains(log.String(), "*errors.errorString") || !strings.Contains(log.String(), "response_test.go") {
		t.Errorf("the log does not show type and place: %s", log.String())
	}
	if strings.Contains(log.String(), "/pets") || strings.Contains(log.String(), "pets.example.com") {
		t.Errorf("the log holds request data: %s", log.String())
	}
	log.Reset()
	s.config.Authorizer = authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
		return authz.Decision{API: strings.Repeat("a", 3)[len(r.Target):]}
	})
	check(t, s, t.Context(), envoyRequest())
	if !strings.Contains(log.String(), "slice bounds out of range") {
		t.Errorf("the runtime's own error is missing: %s", log.String())
	}
}

func TestAllowOnTheWire(t *testing.T) {
	d := authz.Decision{
		Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed, Policy: "resource-policy", Statement: "Pets"}, Caller: authz.Caller{Principal: "alice"},
		RequestID: "r-1", API: "a1b2c3d4e5", Stage: "prod", Route: "GET /pets/{petId}",
		SetHeaders:    []authz.Field{{Name: "x-principal", Value: "alice"}, {Name: "x-latin", Value: "\xe9t\xe9"}},
		RemoveHeaders: []string{"authorization"}, Target: "/pets?a=1",
		ResponseHeaders: []authz.Field{
			{Name: "access-control-allow-origin", Value: "https://app.example.com"}, {Name: "access-control-expose-headers"}, {Name: "vary", Value: "Origin"},
		},
	}
	var recorded authz.Decision
	out := check(t, New(Config{Authorizer: always(d), Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { recorded = *d }}), t.Context(), envoyRequest())
	if !envoyWouldAllow(t, out) {
		t.Fatal("Envoy would not let it pass")
	}
	ok := out.GetOkResponse()
	for i, want := range []authz.Field{{Name: "x-principal", Value: "alice"}, {Name: "x-latin", Value: "!t!"}} {
		h := ok.GetHeaders()[i]
		if h.GetHeader().GetKey() != want.Name || h.GetHeader().GetValue() != want.Value || h.GetAppendAction().String() != "OVERWRITE_IF_EXISTS_OR_ADD" || h.GetKeepEmptyValue() {
			t.Errorf("got %v, want %v", h, want)
		}
	}
	if diff := cmp.Diff([]string{"authorization"}, ok.GetHeadersToRemove()); diff != "" {
		t.Error(diff)
	}
	for i, action := range []string{"OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS", "APPEND_IF_EXISTS_OR_ADD"} {
		h, want := ok.GetResponseHeadersToAdd()[i], d.ResponseHeaders[i]
		if h.GetHeader().GetKey() != want.Name || h.GetHeader().GetValue() != want.Value || h.GetAppendAction().String() != action {
			t.Errorf("got %v, want %v with %s", h, want, action)
		}
	}
	if h := ok.GetHeaders()[2]; h.GetHeader().GetKey() != ":path" || h.GetHeader().GetValue() != "/pets?a=1" || h.GetAppendAction().String() != "OVERWRITE_IF_EXISTS" {
		t.Errorf("the target is %v", h)
	}
	if len(ok.GetQueryParametersToRemove()) > 0 || len(ok.GetHeaders()) != 3 {
		t.Errorf("%v", ok)
	}
	fields := out.GetDynamicMetadata().GetFields()
	if _, ok := fields["duration_us"].GetKind().(*structpb.Value_NumberValue); !ok {
		t.Error("duration_us is missing")
	}
	delete(fields, "duration_us")
	want := map[string]any{
		"decision": "allow", "api": "a1b2c3d4e5", "stage": "prod", "route": "GET /pets/{petId}", "principal": "alice", "reason": "allowed",
		"policy": "resource-policy", "statement": "Pets", "request_id": "r-1",
	}
	if diff := cmp.Diff(want, out.GetDynamicMetadata().AsMap()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(d, recorded, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("what was recorded is not what was answered: %s", diff)
	}
}

func TestDenialOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name             string
		denial           authz.Response
		code, httpStatus int32
		body             string
		headers          int
	}{
		{"403", authz.Response{Status: 403, Body: `{"Message":"no"}`, Headers: []authz.Field{{Name: "x-amzn-ErrorType", Value: "AccessDeniedException"}}}, 7, 403, `{"Message":"no"}`, 1},
		{"401", authz.Response{Status: 401}, 16, 401, "", 0},
		{"a preflight, answered by the gateway", authz.Response{Status: 204, Headers: []authz.Field{{Name: "apigw-requestid", Value: "r-1"}}}, 7, 204, "", 1},
		{"a gateway response of 200", authz.Response{Status: 200}, 7, 200, "", 0},
		{"418, which Envoy does not know", authz.Response{Status: 418}, 7, 400, "", 0},
		{"599, which Envoy does not know", authz.Response{Status: 599}, 7, 500, "", 0},
		{"100", authz.Response{Status: 100}, 7, 500, "", 0},
		{"600", authz.Response{Status: 600}, 7, 500, "", 0},
		{"negative", authz.Response{Status: -1}, 7, 500, "", 0},
		{"far too large", authz.Response{Status: 1<<32 + 200}, 7, 500, "", 0},
		{"a header that splits", authz.Response{Status: 403, Headers: []authz.Field{{Name: "x-a", Value: "1\r\nset-cookie: a=1"}, {Name: "x b", Value: "1"}}}, 7, 403, "", 0},
		{"a body that is not UTF-8", authz.Response{Status: 403, Body: "a\xff"}, 7, 403, "a!", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := authz.Decision{Denial: c.denial, Reason: authz.Reason{Code: authz.CodeImplicitDeny}, API: "a1", RequestID: "r-1"}
			out := check(t, New(Config{Authorizer: always(d)}), t.Context(), envoyRequest())
			denied := out.GetDeniedResponse()
			if out.GetStatus().GetCode() != c.code || int32(denied.GetStatus().GetCode()) != c.httpStatus || denied.GetBody() != c.body || len(denied.GetHeaders()) != c.headers {
				t.Errorf("got %v", out)
			}
			if got := out.GetDynamicMetadata().AsMap(); got["reason"] != "implicit_deny" || got["decision"] != "deny" || got["api"] != "a1" {
				t.Errorf("metadata %v", got)
			}
		})
	}
}

// TestOwnDenials holds that a denial made here tells the client an id, and the record the same one.
func TestOwnDenials(t *testing.T) {
	var recorded authz.Decision
	s := New(Config{Authorizer: always(authz.Decision{}), Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { recorded = *d }})
	denied := check(t, s, t.Context(), envoyRequest()).GetDeniedResponse()
	got := map[string]string{}
	for _, h := range denied.GetHeaders() {
		got[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	want := map[string]string{
		"content-type": "application/json", "x-amzn-ErrorType": "InternalServerErrorException",
		"x-amzn-RequestId": recorded.RequestID, "x-amz-apigw-id": recorded.RequestID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(recorded.RequestID) != 36 || denied.GetBody() != `{"message":"Internal server error"}` {
		t.Errorf("id %q, body %s", recorded.RequestID, denied.GetBody())
	}
	if again := Refuse(503, authz.CodeOverload, ""); again.RequestID == recorded.RequestID || again.Denial.Body != `{"message":"Service Unavailable"}` {
		t.Errorf("got %+v", again)
	}
}

func TestCodec(t *testing.T) {
	var codes []authz.Code
	s := New(Config{Authorizer: always(allow), Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { codes = append(codes, d.Reason.Code) }})
	c := s.Codec()
	badUTF8, err := proto.Marshal(envoyRequest(http(func(h *authv3.AttributeContext_HttpRequest) { h.Id = "REPLACE" })))
	if err != nil {
		t.Fatal(err)
	}
	badUTF8 = bytes.Replace(badUTF8, []byte("REPLACE"), []byte("\xff\xff\xff\xff\xff\xff\xff"), 1)
	for _, wire := range [][]byte{{0xff}, []byte("not protobuf"), badUTF8} {
		in := envoyRequest()
		if err := c.Unmarshal(buffer(wire), in); err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		out := check(t, s, t.Context(), in)
		if envoyWouldAllow(t, out) || out.GetDeniedResponse().GetStatus().GetCode() != 400 {
			t.Errorf("%q: got %v", wire, out)
		}
	}
	if diff := cmp.Diff([]authz.Code{CodeUndecodable, CodeUndecodable, CodeUndecodable}, codes); diff != "" {
		t.Error(diff)
	}
	good, _ := proto.Marshal(envoyRequest())
	var in authv3.CheckRequest
	if err := c.Unmarshal(buffer(good), &in); err != nil || !proto.Equal(&in, envoyRequest()) {
		t.Errorf("a good message: %v, %s", err, cmp.Diff(envoyRequest(), &in, protocmp.Transform()))
	}
	if err := c.Unmarshal(buffer([]byte{0xff}), &healthpb.HealthCheckRequest{}); err == nil {
		t.Error("another service's bad message decodes")
	}
	if c.Name() != "proto" || encoding.GetCodecV2("proto") == c {
		t.Error("the codec stands for proto on its own server only")
	}
}

func buffer(b []byte) mem.BufferSlice { return mem.BufferSlice{mem.SliceBuffer(b)} }

// A request that Envoy takes, but does not pass on with what is set, is refused as one with too long headers is.
func TestHeadersThatOutgrowEnvoy(t *testing.T) {
	set := []authz.Field{{Name: "x-set", Value: strings.Repeat("v", 1000)}}
	for _, tt := range []struct {
		sent  int
		set   []authz.Field
		allow bool
	}{
		{100, set, true}, {59 << 10, set[:0], true}, {58 << 10, set, true}, {60<<10 - 300, set, false}, {61 << 10, set, false}, {61 << 10, nil, true}, {70 << 10, set, true},
	} {
		s := New(Config{Authorizer: always(authz.Decision{Allow: true, SetHeaders: tt.set})})
		r, err := s.Check(t.Context(), envoyRequest(header("x-long", strings.Repeat("x", tt.sent))))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.GetOkResponse() != nil; got != tt.allow || !got && r.GetDeniedResponse().GetStatus().GetCode() != 431 {
			t.Errorf("%d bytes were sent, %d are set: %v", tt.sent, len(tt.set), r)
		}
	}
}
