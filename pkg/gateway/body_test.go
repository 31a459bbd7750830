package gateway

import (
	"context"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// upload is a request with a body, and counts how often the body is let go of.
func upload(r *authz.Request, released *int) *authz.Request {
	r.SetBody([]byte("body"), authz.BodyComplete)
	r.OnBodyRelease(func() { *released++ })
	return r
}

// A body is let go of before anything is waited for.
func TestBodiesAreNotHeldWhileWaiting(t *testing.T) {
	for name, a := range map[string]func(look func()) Authorizer{
		"function": func(look func()) Authorizer {
			return Authorizer{Authorization: Custom, TokenType: true, Function: func(context.Context, LambdaCall) (LambdaAnswer, error) {
				look()
				return &testAnswer{principal: "ann", policy: answerPolicy(t, allowEverything)}, nil
			}}
		},
		"token": func(look func()) Authorizer {
			return Authorizer{Authorization: JWT, Token: func(context.Context, string, []string) (Token, error) {
				look()
				return testToken{"sub": "ann"}, nil
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			released, asked := 0, 0
			r := upload(get("/pets", "authorization", "secret"), &released)
			authorizer := a(func() {
				asked++
				if body, state := r.Body(); len(body) > 0 || state != authz.BodyUnknown || released != 1 {
					t.Errorf("%d bytes, state %v, released %d times", len(body), state, released)
				}
			})
			if d := mustNew(t, guardedByAuthorizer(authorizer, "GET /pets")).Authorize(t.Context(), r); !d.Allow || asked != 1 || released != 1 {
				t.Errorf("%+v, asked %d times, released %d times", d.Reason, asked, released)
			}
		})
	}
}

// Where a signature is verified the body is there. Without it none is taken, whatever the route.
func TestBodiesAreThereForSignatures(t *testing.T) {
	seen, released := 0, 0
	verify := func(SignatureOptions) (Verify, error) {
		return func(r *authz.Request) (*Signed, error) {
			seen++
			if body, state := r.Body(); string(body) != "body" || state != authz.BodyComplete || released > 0 {
				t.Errorf("%q, state %v, released %d times", body, state, released)
			}
			return nil, &authz.Refusal{ResponseType: "INVALID_SIGNATURE"}
		}, nil
	}
	api := testAPI("GET /pets")
	api.Routes[0].Authorization = IAM
	g, faults := New(Config{APIs: []API{api}, Signatures: verify})
	if g == nil {
		t.Fatal(faults)
	}
	for _, target := range []string{"/pets", "/nothing"} {
		if d := g.Authorize(t.Context(), upload(get(target), &released)); d.Allow || seen != 1 {
			t.Errorf("%s: %+v, verified %d times", target, d.Reason, seen)
		}
		seen = 0
	}
}

// A body that was let go of is not taken for an empty one.
func TestReleasedBodyVerifiesNothing(t *testing.T) {
	r := get("/pets")
	r.SetBody(nil, authz.BodyComplete)
	r.ReleaseBody()
	if _, state := r.Body(); state != authz.BodyUnknown {
		t.Errorf("state %v", state)
	}
}
