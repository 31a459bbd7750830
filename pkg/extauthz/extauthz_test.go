package extauthz

import (
	"context"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// authorizerFunc lets a test decide.
type authorizerFunc func(context.Context, *authz.Request) authz.Decision

func (f authorizerFunc) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	return f(ctx, r)
}

// always is an authorizer with one answer.
func always(d authz.Decision) Authorizer {
	return authorizerFunc(func(context.Context, *authz.Request) authz.Decision { return d })
}

var allow = authz.Decision{Allow: true, Reason: authz.Reason{Code: authz.CodeNoPolicy}}

// overTheWire is an answer as Envoy reads it.
func overTheWire(t testing.TB, out *authv3.CheckResponse) *authv3.CheckResponse {
	t.Helper()
	wire, err := proto.Marshal(out)
	if err != nil {
		t.Fatalf("the answer cannot be marshalled: %v", err)
	}
	seen := &authv3.CheckResponse{}
	if err := proto.Unmarshal(wire, seen); err != nil {
		t.Fatalf("the answer cannot be unmarshalled: %v", err)
	}
	return seen
}

// envoyWouldAllow says what Envoy makes of an answer: its gRPC client looks at status.code alone, and no status at all is code
// zero.
func envoyWouldAllow(t testing.TB, out *authv3.CheckResponse) bool {
	t.Helper()
	return overTheWire(t, out).GetStatus().GetCode() == 0
}

// check runs one Check, which must not fail, sends the answer over the wire, and insists that it is complete.
func check(t testing.TB, s *Server, ctx context.Context, in *authv3.CheckRequest) *authv3.CheckResponse {
	t.Helper()
	out, err := s.Check(ctx, in)
	if err != nil {
		t.Fatalf("Check failed: %v", err)
	}
	out = overTheWire(t, out)
	if len(out.ProtoReflect().GetUnknown()) != 0 {
		t.Fatalf("Envoy would not know %x", out.ProtoReflect().GetUnknown())
	}
	allowed := envoyWouldAllow(t, out)
	if allowed != (out.GetOkResponse() != nil) || allowed == (out.GetDeniedResponse() != nil) {
		t.Fatalf("status and response do not fit each other: %v", out)
	}
	if !allowed {
		if status := out.GetDeniedResponse().GetStatus().GetCode(); status < 200 || status > 599 {
			t.Fatalf("a denial with HTTP status %d", status)
		}
		if err := out.ValidateAll(); err != nil {
			t.Fatalf("Envoy would not take the answer: %v", err)
		}
	}
	return out
}

// envoyRequest is a CheckRequest as Envoy 1.40 sends it, changed by the given functions.
func envoyRequest(changes ...func(*authv3.AttributeContext)) *authv3.CheckRequest {
	a := &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: socket("192.0.2.7")},
		Request: &authv3.AttributeContext_Request{
			Time: timestamppb.New(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)),
			Http: &authv3.AttributeContext_HttpRequest{
				Id: "123", Method: "GET", Path: "/pets?limit=2", Host: "pets.example.com", Scheme: "https", Protocol: "HTTP/1.1",
				Headers: map[string]string{
					":authority": "pets.example.com", ":method": "GET", ":path": "/pets?limit=2", ":scheme": "https",
					"accept": "*/*", "x-request-id": "0d5c1b9e", "cookie": "a=1,b=2",
				},
			},
		},
		TlsSession: &authv3.AttributeContext_TLSSession{Sni: "pets.example.com"},
	}
	for _, change := range changes {
		change(a)
	}
	return &authv3.CheckRequest{Attributes: a}
}

func socket(address string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
	}}}
}

// http changes the HTTP attributes.
func http(change func(*authv3.AttributeContext_HttpRequest)) func(*authv3.AttributeContext) {
	return func(a *authv3.AttributeContext) { change(a.Request.Http) }
}

// header sets one header of the map.
func header(name, value string) func(*authv3.AttributeContext) {
	return http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers[name] = value })
}

// lines replaces the map by header_map; names and values in turn.
func lines(pairs ...string) func(*authv3.AttributeContext) {
	return http(func(h *authv3.AttributeContext_HttpRequest) {
		h.Headers = nil
		h.HeaderMap = headerMap(pairs...)
	})
}

func headerMap(pairs ...string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(pairs); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
	}
	return m
}

// extension sets one context extension.
func extension(name, value string) func(*authv3.AttributeContext) {
	return func(a *authv3.AttributeContext) {
		if a.ContextExtensions == nil {
			a.ContextExtensions = map[string]string{}
		}
		a.ContextExtensions[name] = value
	}
}
