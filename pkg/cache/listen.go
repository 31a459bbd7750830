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
		err := s.follow(ctx)
		s.subscribed.Store(false)
		if ctx.Err() == nil {
			s.lost(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// lost notes why no message comes. The log gets each reason once, until messages come again.
func (s *Shared) lost(err error) {
	s.deaf.Add(1)
	why := withoutAddress(err)
	if before := s.deafness.Swap(&why); before == nil || *before != why {
		s.log.Warn("no message tells of flushes of other replicas: they are asked for every "+lookEvery.String(), "error", why, "channel", flushChannel)
	}
}

// follow follows the flushes on one connection until it is lost, and returns why.
func (s *Shared) follow(ctx context.Context) error {
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
			s.deafness.Store(nil)
			s.subscribed.Store(true)
			s.connected.Add(1)
		case *redis.Message:
			s.told(ctx, m.Payload)
		}
		switch {
		case err == nil:
			asked = false
		case ctx.Err() != nil || asked || !isTimeout(err) || channel.Ping(ctx) != nil:
			return err
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
		if scope == everything {
			c.FlushAll()
		} else {
			c.Flush(scope)
		}
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
