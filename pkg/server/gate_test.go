package server

import (
	"context"
	"sync"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// ofAPI is a check that Envoy's configuration says is for an API, with a body of so many bytes.
func ofAPI(api string, n int) *authv3.CheckRequest {
	in := withBody(n)
	in.Attributes.ContextExtensions = map[string]string{"portcullis.api": api}
	return in
}

// The bodies of the checks at work share a budget, of which one API leaves a part to others. What does not fit is denied, and checks
// without a body pass all the while.
func TestBodiesBeyondTheBudgetAreDenied(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	r := serve(t, Config{MaxMessageBytes: 20_000, MaxBodyBytes: 20_000, Load: loads(func(_ context.Context, r *authz.Request) authz.Decision {
		if body, _ := r.Body(); len(body) == 6000 {
			entered <- struct{}{}
			<-release
		}
		return allowAs("v1")(nil, nil)
	})})
	client := r.client()
	var held sync.WaitGroup
	held.Go(func() {
		if got := answerTo(t, client, ofAPI("a", 6000)); got != "v1" {
			t.Errorf("a body within the budget: %s", got)
		}
	})
	<-entered
	for _, tt := range []struct {
		api  string
		n    int
		want string
	}{{"a", 0, "v1"}, {"a", 8000, "v1"}, {"a", 8001, "503"}, {"b", 14_000, "v1"}, {"b", 14_001, "503"}, {"b", 0, "v1"}} {
		if got := answerTo(t, client, ofAPI(tt.api, tt.n)); got != tt.want {
			t.Errorf("%d bytes for %s beside 6000 of 20000 for a: %s, want %s", tt.n, tt.api, got, tt.want)
		}
	}
	r.metric(`portcullis_share_held{share="body_bytes"} 6000`)
	close(release)
	held.Wait()
	if got := answerTo(t, client, withBody(6000)); got != "v1" {
		t.Errorf("afterwards: %s", got)
	}
	r.metric(`portcullis_share_held{share="body_bytes"} 0`)
	r.metric(`portcullis_share_limit{share="body_bytes"} 20000`)
	r.metric(`portcullis_share_refused_total{level="api",share="body_bytes"} 1`)
	r.metric(`portcullis_share_refused_total{level="total",share="body_bytes"} 1`)
	r.metric(`portcullis_checks_total{decision="deny",reason="overload"} 2`)
}

// A check that lets go of its body gives its part of the budget back, and once.
func TestReleasedBodiesCountNoMore(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	r := serve(t, Config{MaxMessageBytes: 20_000, MaxBodyBytes: 20_000, Load: loads(func(_ context.Context, r *authz.Request) authz.Decision {
		if body, _ := r.Body(); len(body) == 6000 {
			r.ReleaseBody()
			r.ReleaseBody()
			entered <- struct{}{}
			<-release
		}
		return allowAs("v1")(nil, nil)
	})})
	client := r.client()
	var waiting sync.WaitGroup
	for range 10 {
		waiting.Go(func() {
			if got := answerTo(t, client, ofAPI("a", 6000)); got != "v1" {
				t.Errorf("a body that was let go of: %s", got)
			}
		})
		<-entered
	}
	r.metric(`portcullis_share_held{share="body_bytes"} 0`)
	if got := answerTo(t, client, ofAPI("a", 19_000)); got != "v1" {
		t.Errorf("the whole budget: %s", got)
	}
	close(release)
	waiting.Wait()
}

// While a check is refused it takes nothing from another one, not even for a moment.
func TestRefusedChecksDoNotCount(t *testing.T) {
	g := newGate(Config{MaxChecks: 1, MaxBodyBytes: 100})
	g.serving.Store(&Loaded{Authorizer: allowAs("v1"), users: &users{}})
	one := func(size int) *authz.Request {
		r := &authz.Request{API: "a"}
		r.SetBody(make([]byte, size), authz.BodyComplete)
		return r
	}
	if !g.enter() {
		t.Fatal("the only place")
	}
	stop := make(chan struct{})
	var refused sync.WaitGroup
	for range 4 {
		refused.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if d := g.Authorize(t.Context(), one(0)); d.Allow {
					t.Error("a check beyond --max-checks is allowed")
				}
			}
		})
	}
	for range 20_000 {
		if n := g.inFlight.Load(); n != 1 {
			t.Fatalf("%d checks count, of which one is at work", n)
		}
	}
	close(stop)
	refused.Wait()
	g.inFlight.Add(-1)
	g.max = 1000

	stop = make(chan struct{})
	for range 4 {
		refused.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if d := g.Authorize(t.Context(), one(101)); d.Allow {
					t.Error("a body beyond --max-body-bytes is allowed")
				}
			}
		})
	}
	for range 20_000 {
		if d := g.Authorize(t.Context(), one(50)); !d.Allow {
			t.Fatalf("%+v", d.Reason)
		}
	}
	close(stop)
	refused.Wait()
}
