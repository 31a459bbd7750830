package server

import (
	"context"
	"sync/atomic"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
)

// gate hands each check to the configuration that serves, and keeps the bounds on checks at work and on their bodies.
type gate struct {
	serving  atomic.Pointer[Loaded]
	inFlight atomic.Int64
	max      int64
	// bodies are the bytes of the bodies of the checks at work.
	bodies    atomic.Int64
	maxBodies int64
}

// use returns the configuration that serves, nil if there is none, and where its users are counted. The caller is counted and takes
// itself away when it needs the configuration no longer, which is not closed before. If the configuration was replaced meanwhile, whoever
// waits for its last user may have seen none, and the next one is taken.
func (g *gate) use() (*Loaded, *atomic.Int64) {
	for {
		loaded := g.serving.Load()
		if loaded == nil {
			return nil, nil
		}
		n := loaded.users.place()
		n.Add(1)
		if g.serving.Load() == loaded {
			return loaded, n
		}
		n.Add(-1)
	}
}

// needsBodies tells whether the configuration that serves looks at bodies. Without a configuration nothing does.
func (g *gate) needsBodies() bool {
	loaded := g.serving.Load()
	return loaded != nil && loaded.NeedsBodies
}

// Authorize implements extauthz.Authorizer. One check sees one configuration, whatever is swapped meanwhile.
func (g *gate) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	defer g.inFlight.Add(-1)
	if g.inFlight.Add(1) > g.max {
		return extauthz.Refuse(503, authz.CodeOverload, "more checks at once than --max-checks")
	}
	body, _ := r.Body()
	defer g.bodies.Add(-int64(len(body)))
	if g.bodies.Add(int64(len(body))) > g.maxBodies {
		return extauthz.Refuse(503, authz.CodeOverload, "more bytes of bodies at once than --max-body-bytes")
	}
	loaded, users := g.use()
	if loaded == nil {
		return extauthz.Refuse(503, authz.CodeNotReady, "no configuration is loaded yet")
	}
	defer users.Add(-1)
	return loaded.Authorizer.Authorize(ctx, r)
}
