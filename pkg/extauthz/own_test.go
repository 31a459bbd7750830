package extauthz

import (
	"context"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// spoil does to an answer what its holder may do.
func spoil(out *authv3.CheckResponse) {
	out.Status.Code = int32(codes.Aborted)
	ok := out.GetOkResponse()
	ok.Headers = append(ok.Headers, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: "x-user", Value: "alice"}})
	if len(ok.HeadersToRemove) > 0 {
		ok.HeadersToRemove[0] = "x-other"
	}
}

func checkUnspoiled(t *testing.T, out *authv3.CheckResponse) {
	t.Helper()
	if !envoyWouldAllow(t, out) || len(out.GetOkResponse().GetHeaders()) > 0 {
		t.Errorf("what was written to another answer is in this one: %v", out)
	}
	for _, name := range out.GetOkResponse().GetHeadersToRemove() {
		if name != "authorization" {
			t.Errorf("removes %s", name)
		}
	}
}

// decisions are an Allow that changes nothing and one that shares what it removes with the next.
func decisions() map[string]authz.Decision {
	removes := allow
	removes.RemoveHeaders = []string{"authorization"}
	return map[string]authz.Decision{"changes nothing": allow, "removes a header": removes}
}

// TestAnswersAreTheirHoldersOwn writes to what Check has answered.
func TestAnswersAreTheirHoldersOwn(t *testing.T) {
	for name, d := range decisions() {
		t.Run(name, func(t *testing.T) {
			s := New(Config{Authorizer: always(d)})
			out, err := s.Check(t.Context(), envoyRequest())
			if err != nil {
				t.Fatal(err)
			}
			spoil(out)
			checkUnspoiled(t, check(t, s, t.Context(), envoyRequest()))
			checkUnspoiled(t, s.check(t.Context(), s.messageOf(envoyRequest())))
		})
	}
}

// TestInterceptorsOwnTheirAnswers writes to every second answer before it is sent.
func TestInterceptorsOwnTheirAnswers(t *testing.T) {
	for name, d := range decisions() {
		t.Run(name, func(t *testing.T) {
			calls := 0
			intercept := func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				out, err := next(ctx, in)
				if calls++; calls%2 == 1 && err == nil {
					spoil(out.(*authv3.CheckResponse))
				}
				return out, err
			}
			client := authv3.NewAuthorizationClient(dial(t, New(Config{Authorizer: always(d)}), grpc.UnaryInterceptor(intercept)))
			for i := range 4 {
				out, err := client.Check(t.Context(), envoyRequest())
				if err != nil {
					t.Fatal(err)
				}
				if i%2 == 1 {
					checkUnspoiled(t, out)
				}
			}
		})
	}
}

// TestSharedPartsAreMarshalledAtOnce marshals answers that share their parts at the same time, for the race detector.
func TestSharedPartsAreMarshalledAtOnce(t *testing.T) {
	s := New(Config{Authorizer: always(allow)})
	want := overTheWire(t, s.check(t.Context(), s.messageOf(envoyRequest()))).GetStatus()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				wire, err := s.Codec().Marshal(s.check(t.Context(), s.messageOf(envoyRequest())))
				if err != nil {
					t.Error(err)
					return
				}
				var out authv3.CheckResponse
				if err := s.Codec().Unmarshal(wire, &out); err != nil || out.GetOkResponse() == nil || out.GetStatus().GetCode() != want.GetCode() {
					t.Errorf("got %v, %v", &out, err)
				}
			}
		})
	}
	all.Wait()
}
