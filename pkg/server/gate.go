package server

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
)

// gate hands each check to the configuration that serves, and keeps the bounds on checks at work and on their bodies.
type gate struct {
	serving  atomic.Pointer[Loaded]
	inFlight atomic.Int64
	max      int64
	// bodies are the bytes of the bodies of the checks at work, by API.
	bodies *bulkhead.Tree
}

func newGate(c Config) *gate {
	return &gate{
		max:    int64(c.MaxChecks),
		bodies: bulkhead.New(bulkhead.Shares{Name: "body_bytes", Levels: []string{"api"}, Limit: int64(c.MaxBodyBytes)}),
	}
}

// use returns the configuration that serves, nil if there is none, and where its users are counted; see acquire.
func (g *gate) use() (*Loaded, *atomic.Int64) {
	return acquire(&g.serving, func(l *Loaded) *users { return l.users })
}

// needsBodies tells whether the configuration that serves looks at bodies. Without a configuration nothing does.
func (g *gate) needsBodies() bool {
	loaded := g.serving.Load()
	return loaded != nil && loaded.NeedsBodies
}

// Authorize implements extauthz.Authorizer. One check sees one configuration, whatever is swapped meanwhile.
func (g *gate) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	if !g.enter() {
		return extauthz.Refuse(503, authz.CodeOverload, "more checks at once than --max-checks")
	}
	defer g.inFlight.Add(-1)
	if body, _ := r.Body(); len(body) > 0 {
		place, ok := g.bodies.Enter(int64(len(body)), bodyOf(r))
		if !ok {
			return extauthz.Refuse(503, authz.CodeOverload, "more bytes of bodies at once than --max-body-bytes, or than the API's share of it")
		}
		r.OnBodyRelease(place.Leave)
		defer r.ReleaseBody()
	}
	loaded, users := g.use()
	if loaded == nil {
		return extauthz.Refuse(503, authz.CodeNotReady, "no configuration is loaded yet")
	}
	defer users.Add(-1)
	return loaded.Authorizer.Authorize(ctx, r)
}

// enter counts a check at work. One that is refused was never counted: it would keep others out meanwhile.
func (g *gate) enter() bool {
	for {
		n := g.inFlight.Load()
		if n >= g.max {
			return false
		}
		if g.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// bodyOf says whose share a body counts in: that of the API which Envoy's configuration names, else of the host, because the API is not known
// yet. A client that makes up hosts has many shares, and holds each as long as it takes to find that nobody owns the host.
func bodyOf(r *authz.Request) bulkhead.ID {
	if r.API != "" {
		return bulkhead.NewID("api", r.API)
	}
	return bulkhead.NewID("host", strings.ToLower(r.Host))
}

// users counts the checks that use a configuration or its log. They are spread over several counters, each on cache lines of its own, for
// processors that count in one place wait for each other.
type users [16]struct {
	n atomic.Int64
	_ [120]byte
}

// acquire returns what is in service, nil if there is nothing, and where its users are counted. The caller is counted and takes itself away
// when it needs it no longer. It is not closed before. If it was replaced meanwhile, a caller that waits for its last user may have seen
// none, and the next one is taken.
func acquire[T any](serving *atomic.Pointer[T], usersOf func(*T) *users) (*T, *atomic.Int64) {
	for {
		t := serving.Load()
		if t == nil {
			return nil, nil
		}
		n := usersOf(t).place()
		n.Add(1)
		if serving.Load() == t {
			return t, n
		}
		n.Add(-1)
	}
}

// place is one of the counters. Who enters there leaves there.
func (u *users) place() *atomic.Int64 {
	return &u[rand.Uint32()%uint32(len(u))].n //nolint:gosec // spreads load
}

// wait returns when there are none, or when ctx ends. It reports whether there are none.
func (u *users) wait(ctx context.Context) bool {
	for !u.none() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(drainPoll):
		}
	}
	return true
}

// none tells whether there are no users any more. What they use has to be out of service: see acquire.
func (u *users) none() bool {
	for i := range u {
		if u[i].n.Load() != 0 {
			return false
		}
	}
	return true
}
