package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"google.golang.org/grpc"
)

// drain ends the process in order: say that it is no longer ready, give that word time to spread, let the checks in flight
// finish, and only then stop what shows how it goes.
func (p *process) drain(ctx context.Context) {
	p.draining.Store(true)
	p.health.Shutdown()
	if p.gate.serving.Load() != nil {
		p.config.Log.Info("draining", "delay", p.config.DrainDelay.String(), "timeout", p.config.DrainTimeout.String())
		time.Sleep(p.config.DrainDelay)
	}
	p.stopChecks()
	if p.admin != nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if p.admin.Shutdown(ctx) != nil {
			_ = p.admin.Close()
		}
	}
	p.recorder.close()
}

// stopChecks closes the port, sends GOAWAY, and waits for the checks in flight, within bounds.
func (p *process) stopChecks() {
	if !p.checks.stop() {
		p.config.Log.Error("checks were still in flight at the end of --drain-timeout", "checks", p.gate.inFlight.Load())
	}
}

// streams ends the streams that would outlive any drain, those that watch our health, when ctx ends.
func streams(ctx context.Context) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		bound, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return handle(srv, boundStream{stream, bound})
	}
}

type boundStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s boundStream) Context() context.Context { return s.ctx }

// ignoreStopped makes nothing of a server that ended because it was told to.
func ignoreStopped(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// forward passes each signal to all watchers; one that has not yet acted on the last needs no other.
func forward(ctx context.Context, signals <-chan os.Signal, kicks []chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		for _, kick := range kicks {
			select {
			case kick <- struct{}{}:
			default:
			}
		}
	}
}
