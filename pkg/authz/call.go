package authz

import "context"

// The kinds of outside calls.
const (
	CallFunction = "function" // a Lambda authorizer's function is invoked
	CallIssuer   = "issuer"   // a check waits for the keys of an issuer
	CallRedis    = "redis"    // the shared cache is read or written
)

// Tracer is told of the outside calls that checks wait for. Its methods are safe for concurrent use.
type Tracer interface {
	// StartCall begins a call. Target is a name from the configuration. The caller calls end once, with what came of it: one of a few
	// fixed words. An end that is not called loses the call and nothing else.
	StartCall(ctx context.Context, kind, target string) (_ context.Context, end func(result string))
}

type tracerKey struct{}

// WithTracer returns a context whose outside calls a Tracer is told of.
func WithTracer(ctx context.Context, t Tracer) context.Context {
	return context.WithValue(ctx, tracerKey{}, t)
}

// StartCall begins an outside call. Without a Tracer it does nothing.
func StartCall(ctx context.Context, kind, target string) (_ context.Context, end func(result string)) {
	t, ok := ctx.Value(tracerKey{}).(Tracer)
	if !ok {
		return ctx, func(string) {}
	}
	return t.StartCall(ctx, kind, target)
}
