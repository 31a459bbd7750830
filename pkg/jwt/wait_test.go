package jwt

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Who waits for a key gets an answer before the time for it is over: 401, for nobody has the key.
func TestWaitingLeavesTimeForTheAnswer(t *testing.T) {
	p, a := attacked(t)
	unknown := sign(t, "RS256", rsa1(), "unknown", nil, good(p.URL, nil))
	for range 2 { // the fetch for the second is not due yet
		late := true
		for range 10 { // a busy machine may take the time that is left
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			_, err := a.Authenticate(ctx, unknown, nil)
			if r, ok := errors.AsType[*authz.Refusal](err); !ok || r.ResponseType != "UNAUTHORIZED" {
				t.Errorf("%v, want a 401", err)
			}
			late = ctx.Err() != nil
			cancel()
			if !late {
				break
			}
		}
		if late {
			t.Error("the time for the check is over")
		}
	}
}

// A configuration that no longer serves may be closed while checks still run: who waits for a key then is refused in time, and
// whose key was there is verified with it.
func TestClosedWhileChecksRun(t *testing.T) {
	p := newIDP(t, setOf(t, jwkOf(t, rsa1(), "k1", nil)))
	c := restConfig(p)
	c.KeySets = newKeySets(t)
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a.Start(t.Context())
	if err := a.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	known, unknown := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil)), sign(t, "RS256", rsa2(), "k2", nil, good(p.URL, nil))
	var checks sync.WaitGroup
	for range 8 {
		checks.Go(func() {
			if _, err := a.Authenticate(ctx, known, nil); err != nil {
				t.Errorf("a good token: %v", err)
			}
		})
		checks.Go(func() {
			token, err := a.Authenticate(ctx, unknown, nil)
			if r, ok := errors.AsType[*authz.Refusal](err); !ok || token != nil || r.ResponseType != "UNAUTHORIZED" || ctx.Err() != nil {
				t.Errorf("a token of an unknown key: %v, want a 401 in time", err)
			}
		})
	}
	a.Close()
	checks.Wait()
	if _, err := a.Authenticate(ctx, unknown, nil); err == nil {
		t.Error("a closed authorizer takes a token of an unknown key")
	}
}
