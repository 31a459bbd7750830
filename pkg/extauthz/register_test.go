package extauthz

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// asIs sends bytes for a message.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) { return buffer(*v.(*[]byte)), nil }

func (asIs) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// dial serves s as pkg/server does, and connects to it.
func dial(t *testing.T, s *Server, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(append(options, grpc.ForceServerCodecV2(s.Codec()))...)
	s.Register(server)
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestBytesOverTheWire sends what is not a CheckRequest, and what only the generated decoder reads.
func TestBytesOverTheWire(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	conn := dial(t, New(Config{Authorizer: authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.Target)
		return allow
	})}))
	good := marshal(t, envoyRequest())
	for _, c := range []struct {
		name string
		wire []byte
		code codes.Code
		path string
	}{
		{"Envoy's", good, codes.OK, "/pets?limit=2"},
		{"merged", concat(good, inHTTP(bytesField(5, []byte("pets.example.com")...))), codes.OK, "/pets?limit=2"},
		{"merged, and torn by it", concat(good, inHTTP(bytesField(4, []byte("/admin")...))), codes.PermissionDenied, ""},
		{"an unknown field", concat(good, bytesField(99, 1)), codes.OK, "/pets?limit=2"},
		{"cut", good[:len(good)-1], codes.PermissionDenied, ""},
		{"no protobuf", []byte{0xff}, codes.PermissionDenied, ""},
		{"empty", nil, codes.PermissionDenied, ""},
		{"not UTF-8", concat(good, inHTTP(bytesField(1, 0xff))), codes.PermissionDenied, ""},
	} {
		paths = nil
		var answer []byte
		if err := conn.Invoke(t.Context(), authv3.Authorization_Check_FullMethodName, &c.wire, &answer, grpc.ForceCodecV2(asIs{})); err != nil {
			t.Fatalf("%s: %v: a check ends as an answer", c.name, err)
		}
		var out authv3.CheckResponse
		if err := New(Config{}).Codec().Unmarshal(buffer(answer), &out); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := codes.Code(out.GetStatus().GetCode()); got != c.code {
			t.Errorf("%s: %v, want %v", c.name, got, c.code)
		}
		if got := strings.Join(paths, " "); got != c.path {
			t.Errorf("%s: asked about %q, want %q", c.name, got, c.path)
		}
	}
}

// TestRequestsOutliveTheirBuffers keeps requests, as a flight of a Lambda function may, while gRPC uses its buffers again.
func TestRequestsOutliveTheirBuffers(t *testing.T) {
	var mu sync.Mutex
	kept := map[string]*authz.Request{}
	conn := dial(t, New(Config{Authorizer: authorizerFunc(func(_ context.Context, r *authz.Request) authz.Decision {
		id, _ := r.Header("x-check")
		mu.Lock()
		defer mu.Unlock()
		kept[strings.Clone(id)] = r
		return allow
	})}), grpc.NumStreamWorkers(4))
	const checks = 400
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			for i := worker; i < checks; i += 8 {
				out, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), numbered(i))
				if err != nil || out.GetOkResponse() == nil {
					t.Errorf("%d: %v, %v", i, out, err)
				}
			}
		})
	}
	clients.Wait()
	if len(kept) != checks {
		t.Fatalf("%d checks were asked about, want %d", len(kept), checks)
	}
	for i := range checks {
		a := attributesOf(numbered(i).GetAttributes())
		want, refused := request(&a, &authz.Request{})
		if refused != nil {
			t.Fatal(refused)
		}
		if diff := gocmp.Diff(want, kept[fmt.Sprint(i)], sameRequest); diff != "" {
			t.Fatalf("%d is not what it was: %s", i, diff)
		}
	}
}

// numbered is a check that no other is like, in the map or in header_map, with a body of one form or the other, or none.
func numbered(i int) *authv3.CheckRequest {
	n := fmt.Sprint(i)
	filler := strings.Repeat(n, 1+i*7%2000)
	shape := lines("x-check", n, "x-filler", filler)
	if i%2 == 0 {
		shape = func(a *authv3.AttributeContext) { header("x-check", n)(a); header("x-filler", filler)(a) }
	}
	return envoyRequest(shape, extension("portcullis.api", "api"+n), http(func(h *authv3.AttributeContext_HttpRequest) {
		switch i % 3 {
		case 0:
			h.RawBody = []byte("raw" + filler)
		case 1:
			h.Body = "text" + filler
		}
	}))
}

func TestAPanicOfTheDecoderIsDenied(t *testing.T) {
	freed := mem.NewBuffer(new(make([]byte, 1<<16)), mem.DefaultBufferPool())
	freed.Free() // gRPC panics when it is read
	var recorded []authz.Decision
	s := New(Config{Authorizer: always(allow), Record: func(_ *authz.Request, d *authz.Decision, _ time.Duration) { recorded = append(recorded, *d) }})
	var m message
	if err := s.Codec().Unmarshal(mem.BufferSlice{freed}, &m); err != nil {
		t.Fatal(err)
	}
	out := s.check(t.Context(), &m)
	if envoyWouldAllow(t, out) || out.GetDeniedResponse().GetStatus().GetCode() != 500 || len(recorded) != 1 || recorded[0].Reason.Code != authz.CodeInternal {
		t.Errorf("got %v, recorded %v", out, recorded)
	}
}

// TestInterceptors holds that an interceptor sees each check, and that one which refuses has its way.
func TestInterceptors(t *testing.T) {
	calls := 0
	intercept := func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		calls++
		if info.FullMethod != authv3.Authorization_Check_FullMethodName {
			t.Errorf("method %s", info.FullMethod)
		}
		if calls > 1 {
			return nil, status.Error(codes.Unavailable, "no")
		}
		return next(ctx, in)
	}
	client := authv3.NewAuthorizationClient(dial(t, New(Config{Authorizer: always(allow)}), grpc.UnaryInterceptor(intercept)))
	if out, err := client.Check(t.Context(), envoyRequest()); err != nil || out.GetOkResponse() == nil {
		t.Errorf("got %v, %v", out, err)
	}
	if _, err := client.Check(t.Context(), envoyRequest()); status.Code(err) != codes.Unavailable || calls != 2 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}
