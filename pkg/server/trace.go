package server

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Tracer traces checks.
type Tracer interface {
	// Start begins the trace of a check, which continues the trace of a traceparent header, or begins its own if that is empty or not
	// valid. It returns a nil end for a check that is not traced.
	Start(ctx context.Context, traceparent string) (_ context.Context, end func(*authz.Decision))
}

// trace returns what begins the trace of a check, nil without a Tracer. The traceparent is that of Envoy's call, not of the client's
// request. Of several, none counts.
func (p *process) trace() func(context.Context) (context.Context, func(*authz.Decision)) {
	tracer := p.config.Tracer
	if tracer == nil {
		return nil
	}
	return func(ctx context.Context) (context.Context, func(*authz.Decision)) {
		var parent string
		if values := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(values) == 1 {
			parent = values[0]
		}
		return tracer.Start(ctx, parent)
	}
}
