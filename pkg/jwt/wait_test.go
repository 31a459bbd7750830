package jwt

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Who waits for a key gets an answer before the time for it is over: 401, for nobody has the key.
func TestWaitingLeavesTimeForTheAnswer(t *testing.T) {
	p, a := attacked(t)
	unknown := sign(t, "RS256", rsa1(), "unknown", nil, good(p.URL, nil))
	for range 2 { // the fetch for the second is not due yet
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		_, err := a.Authenticate(ctx, unknown, nil)
		if r, ok := errors.AsType[*authz.Refusal](err); !ok || r.ResponseType != "UNAUTHORIZED" {
			t.Errorf("%v, want a 401", err)
		}
		if ctx.Err() != nil {
			t.Error("the time for the check is over")
		}
		cancel()
	}
}
