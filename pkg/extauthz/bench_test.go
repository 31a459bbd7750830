package extauthz

import (
	"fmt"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
)

// BenchmarkCheck is the cost of the edge alone, from the wire to the wire: a browser's request with 20 headers, an authorizer that
// does nothing. generated is the same with the generated decoder.
func BenchmarkCheck(b *testing.B) {
	many := http(func(h *authv3.AttributeContext_HttpRequest) {
		for i := range 16 {
			h.Headers[fmt.Sprintf("x-header-%02d", i*7%16)] = "some value of ordinary length"
		}
	})
	raw := func(a *authv3.AttributeContext) {
		h := a.Request.Http
		var pairs []string
		for name, value := range h.Headers {
			pairs = append(pairs, name, value)
		}
		h.Headers, h.HeaderMap = nil, headerMap(pairs...)
	}
	d := allow
	d.API, d.Stage, d.Route, d.RequestID = "a1b2c3d4e5", "prod", "GET /pets", "0d5c1b9e-3f0a-4e5b-8a1a-000000000001"
	s := New(Config{Authorizer: always(d)})
	c := s.Codec()
	for name, in := range map[string]*authv3.CheckRequest{"headers": envoyRequest(many), "header_map": envoyRequest(many, raw)} {
		wire := buffer(marshal(b, in))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var m message
				if c.Unmarshal(wire, &m) != nil {
					b.Fatal("not decoded")
				}
				send(b, c, s.check(b.Context(), &m))
			}
		})
		b.Run("generated/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var in authv3.CheckRequest
				if c.Unmarshal(wire, &in) != nil {
					b.Fatal("not decoded")
				}
				out, _ := s.Check(b.Context(), &in)
				send(b, c, out)
			}
		})
	}
}

func send(b *testing.B, c encoding.CodecV2, out *authv3.CheckResponse) {
	if out.GetOkResponse() == nil {
		b.Fatal("denied")
	}
	if _, err := c.Marshal(out); err != nil {
		b.Fatal(err)
	}
}
