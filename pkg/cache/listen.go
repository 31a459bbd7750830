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

// listen empties first levels as other replicas are told to. Whenever a connection has come up all of them are emptied: nobody
// knows what was missed before.
func (s *Shared) listen(ctx context.Context) {
	for ctx.Err() == nil {
		s.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// follow follows the flushes on one connection until it is lost.
func (s *Shared) follow(ctx context.Context) {
	channel := s.client.Subscribe(ctx, flushChannel)
	end := func() { _ = channel.Close() } // it is lost, or not needed any more
	defer end()
	defer context.AfterFunc(ctx, end)()
	asked := false
	for {
		message, err := channel.ReceiveTimeout(ctx, quiet)
		switch m := message.(type) {
		case *redis.Subscription:
			s.flushAll()
			s.connected.Add(1)
		case *redis.Message:
			if scope, created, ok := s.seal.openFlush(m.Payload); ok {
				s.seen.isNewest(scope, created)
				s.flush(scope)
			}
		}
		switch {
		case err == nil:
			asked = false
		case ctx.Err() != nil || asked || !isTimeout(err) || channel.Ping(ctx) != nil:
			return
		default:
			asked = true
		}
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
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
