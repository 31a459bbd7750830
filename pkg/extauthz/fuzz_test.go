package extauthz

import (
	"context"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// FuzzCheck sends arbitrary bytes. Nothing panics, nothing passes that the authorizer denies, and what it is asked keeps the
// promises of authz.Request.
func FuzzCheck(f *testing.F) {
	for _, in := range []*authv3.CheckRequest{{}, envoyRequest(), envoyRequest(lines("x-a", "1", ":path", "/pets?limit=2")), envoyRequest(extension("portcullis.body", "buffered")), envoyRequest(awsValue("\x01vpce-1a2b3c4d"), extension("portcullis.listener", "internal"))} {
		wire, err := proto.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, wire []byte) {
		in := &authv3.CheckRequest{}
		bothAnswers(t, func(s *Server) *authv3.CheckRequest {
			if err := s.Codec().Unmarshal(buffer(wire), in); err != nil {
				t.Fatal(err)
			}
			return in
		})
	})
}

// FuzzCheckFields sends requests that are well formed as protobuf, with arbitrary contents.
func FuzzCheckFields(f *testing.F) {
	f.Add("GET", "/pets", "pets.example.com", "https", "x-a", "1", "192.0.2.7", "portcullis.api", "a1", []byte("{}"), false)
	f.Add("", "//x", "", "", ":path", "//y", "::ffff:1.2.3.4", "portcullis.body", "buffered", []byte("!"), true)
	f.Fuzz(func(t *testing.T, method, path, host, scheme, name, value, source, key, setting string, body []byte, raw bool) {
		in := envoyRequest(extension(key, setting), http(func(h *authv3.AttributeContext_HttpRequest) {
			h.Method, h.Path, h.Host, h.Scheme = method, path, host, scheme
			h.Headers = map[string]string{":path": path, name: value}
			if h.Body = string(body); raw {
				h.Headers, h.HeaderMap = nil, headerMap(name, value, name, value)
				h.Body, h.RawBody = "", body
			}
		}))
		in.Attributes.Source.Address = socket(source)
		bothAnswers(t, func(*Server) *authv3.CheckRequest { return in })
	})
}

func bothAnswers(t *testing.T, in func(*Server) *authv3.CheckRequest) {
	t.Helper()
	deny := New(Config{Authorizer: always(authz.Decision{Denial: authz.Response{Status: 403}})})
	if envoyWouldAllow(t, check(t, deny, t.Context(), in(deny))) {
		t.Fatal("Envoy would let pass what the authorizer denies")
	}
	asked := false
	open := New(Config{Authorizer: authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
		asked = true
		promises(t, r)
		return allow
	})})
	if passed := envoyWouldAllow(t, check(t, open, t.Context(), in(open))); passed != asked {
		t.Fatalf("passed %v, but the authorizer was asked: %v", passed, asked)
	}
}

// promises fails unless r is as authz.Request says.
func promises(t *testing.T, r *authz.Request) {
	if r.Target == "" || r.Target[0] != '/' || !authz.IsToken(r.Method) || !isVisible(r.Host) {
		t.Errorf("request line %q %q %q", r.Method, r.Target, r.Host)
	}
	if r.VPCEndpoint != "" && !isVPCEndpointID(r.VPCEndpoint) {
		t.Errorf("VPC endpoint %q", r.VPCEndpoint)
	}
	if r.Peer.Is4In6() || r.Peer.Zone() != "" || r.Time.IsZero() {
		t.Errorf("peer %v, time %v", r.Peer, r.Time)
	}
	for name, value := range r.Headers() {
		for _, c := range name {
			if 'A' <= c && c <= 'Z' || c == ':' || c <= ' ' || c >= 0x7f {
				t.Errorf("header name %q", name)
			}
		}
		if !isFieldValue(value) {
			t.Errorf("header value %q", value)
		}
	}
}
