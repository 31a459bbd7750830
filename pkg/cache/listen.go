package cache

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	flushChannel = namespace + "v1:flush"
	// quiet is how long nothing may come before the connection is asked whether it still lives.
	quiet = 10 * time.Second
	// pause lies between two tries to reach Redis.
	pause = time.Second
)

// listen empties first levels as other replicas are told to. After a connection was lost all of them are emptied: nobody knows
// what was missed.
func (s *Shared) listen(ctx context.Context) {
	missed := false
	for ctx.Err() == nil {
		if s.follow(ctx, missed) {
			missed = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// follow follows the flushes on one connection until it is lost. It says whether it ever had one.
func (s *Shared) follow(ctx context.Context, missed bool) (connected bool) {
	channel := s.client.Subscribe(ctx, flushChannel)
	defer func() { _ = channel.Close() }() // it is lost, or not needed any more
	asked := false
	for {
		message, err := channel.ReceiveTimeout(ctx, quiet)
		switch m := message.(type) {
		case *redis.Subscription:
			if connected || missed {
				s.flushAll()
			}
			connected = true
		case *redis.Message:
			if scope, ok := s.seal.openFlush(m.Payload); ok {
				s.flush(scope)
			}
		}
		switch {
		case err == nil:
			asked = false
		case ctx.Err() != nil || asked || !isTimeout(err) || channel.Ping(ctx) != nil:
			return connected
		default:
			asked = true
		}
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool }) //nolint:errorlint // the error of a connection, as it comes
	return ok && t.Timeout()
}

func (s *Shared) flush(scope [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.flushed {
		c.Flush(scope)
	}
}

func (s *Shared) flushAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.flushed {
		c.FlushAll()
	}
}

func (s *Shared) empties(c flusher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = append(s.flushed, c)
}
