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
	loaded := g.serving.Load()
	if loaded == nil {
		return extauthz.Refuse(503, authz.CodeNotReady, "no configuration is loaded yet")
	}
	return loaded.Authorizer.Authorize(ctx, r)
}
