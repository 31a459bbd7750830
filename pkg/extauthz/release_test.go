package extauthz

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// deciding is an authorizer.
type deciding func(context.Context, *authz.Request) authz.Decision

func (f deciding) Authorize(ctx context.Context, r *authz.Request) authz.Decision { return f(ctx, r) }

// A body that a check lets go of is freed while the check goes on: nothing else of the message holds it.
func TestReleasedBodiesAreFreed(t *testing.T) {
	for name, body := range map[string]func(*authv3.AttributeContext_HttpRequest){
		"raw_body": func(h *authv3.AttributeContext_HttpRequest) { h.RawBody = make([]byte, 1<<20) },
		"body":     func(h *authv3.AttributeContext_HttpRequest) { h.Body = string(make([]byte, 1<<20)) },
		"what the generated decoder reads": func(h *authv3.AttributeContext_HttpRequest) {
			h.RawBody = make([]byte, 1<<20)
			h.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
		},
	} {
		t.Run(name, func(t *testing.T) {
			freed := false
			s := New(Config{Authorizer: deciding(func(_ context.Context, r *authz.Request) authz.Decision {
				held, _ := r.Body()
				if len(held) != 1<<20 {
					t.Errorf("%d bytes", len(held))
					return authz.Decision{}
				}
				pointer := weak.Make(&held[0])
				r.ReleaseBody()
				for end := time.Now().Add(2 * time.Second); pointer.Value() != nil && time.Now().Before(end); {
					runtime.GC()
				}
				freed = pointer.Value() == nil
				return authz.Decision{Allow: true}
			})})
			wire, err := proto.Marshal(envoyRequest(http(body)))
			if err != nil {
				t.Fatal(err)
			}
			receive := func(m any) error { return s.Codec().Unmarshal(buffer(wire), m) }
			if _, err := s.handle(nil, t.Context(), receive, nil); err != nil || !freed {
				t.Errorf("%v, freed %v", err, freed)
			}
		})
	}
}
