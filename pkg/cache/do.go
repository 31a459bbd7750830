package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrTooManyFlights is the error of Do where as many entries are being made as may be, for all or for the key's Asker.
var ErrTooManyFlights = errors.New("too many calls at once")

// Made is a value that was made for an entry.
type Made[V any] struct {
	Value V
	// Bytes is the cost of the value.
	Bytes int64
	// Expires is until when it may be kept. A value with the zero time is not kept.
	Expires time.Time
	// Encoded is the value for a second level; nil keeps it from there.
	Encoded []byte
}

// Do returns the entry of a key, or makes it: once, however many ask for it at the same time. What is made is given timeout
// and outlives its callers; each caller waits no longer than ctx and timeout allow. An error is never kept. hit says that
// the entry was there.
func (c *Cache[V]) Do(ctx context.Context, k Key, timeout time.Duration, create func(context.Context) (Made[V], error)) (v V, hit bool, err error) {
	if v, ok := c.Get(k); ok {
		return v, true, nil
	}
	if c == nil {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		m, err := protect(ctx, create)
		return m.Value, false, err
	}
	v, err = c.fly(ctx, k.clone(), timeout, create)
	return v, false, err
}

// fly joins the flight of a key, or starts it.
func (c *Cache[V]) fly(ctx context.Context, k Key, timeout time.Duration, create func(context.Context) (Made[V], error)) (v V, err error) {
	var first atomic.Bool
	generation := c.counters(k).sum()
	landed := c.flights.DoChan(k.text(generation), func() (any, error) {
		first.Store(true)
		v, err := c.flight(ctx, k, generation, timeout, create)
		return &v, err // a pointer, because a value may be a nil interface
	})
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case r := <-landed:
		if !first.Load() {
			c.waits.Add(1)
		}
		if r.Err != nil {
			return v, r.Err
		}
		return *r.Val.(*V), nil
	case <-wait.Done():
		if !first.Load() {
			c.waits.Add(1)
		}
		return v, wait.Err()
	}
}

// flight makes one entry, and keeps it before those who come next can miss it.
func (c *Cache[V]) flight(ctx context.Context, k Key, generation uint64, timeout time.Duration, create func(context.Context) (Made[V], error)) (v V, err error) {
	place, ok := c.flying.Enter(1, k.Asker...)
	if !ok {
		return v, ErrTooManyFlights
	}
	defer place.Leave()
	hash := k.hash(c.seed)
	if e := c.find(&c.shards[hash%shards], hash, k, time.Now().UnixNano()); e != nil && e.generation == generation {
		return e.value, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	m, err := protect(ctx, create)
	if err != nil {
		return v, err
	}
	c.set(k, generation, m)
	c.Wait()
	return m.Value, nil
}

// protect makes an error of a panic. The error does not say what the panic did, which may be anything.
func protect[V any](ctx context.Context, create func(context.Context) (Made[V], error)) (m Made[V], err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			m, err = Made[V]{}, fmt.Errorf("panic: %w", r)
		default:
			m, err = Made[V]{}, fmt.Errorf("panic: %T", r)
		}
	}()
	return create(ctx)
}

// Share gives the cache a second level. It is called before the cache is used.
func (c *Cache[V]) Share(s *Shared) {
	c.shared = s
	s.empties(c)
}

// DoShared is Do for a value that replicas share: before it is made, it is looked for in the second level, if the cache has one.
// decode reads it again, and says what it costs and until when
// it may be kept here: the clock of who stored it may be ahead. What it cannot read is made.
func (c *Cache[V]) DoShared(
	ctx context.Context, k Key, timeout time.Duration,
	decode func([]byte) (Made[V], error), create func(context.Context) (Made[V], error),
) (v V, hit bool, err error) {
	if c == nil || c.shared == nil {
		return c.Do(ctx, k, timeout, create)
	}
	k = k.clone() // a flight outlives the caller
	return c.Do(ctx, k, timeout, func(ctx context.Context) (Made[V], error) {
		stored, expires, e := c.shared.read(ctx, k)
		if stored != nil {
			m, err := decode(stored)
			if err == nil {
				if expires.Before(m.Expires) {
					m.Expires = expires
				}
				return m, nil
			}
			c.shared.refused.Add(1)
		}
		m, err := create(ctx)
		if err == nil && m.Encoded != nil && time.Now().Before(m.Expires) {
			c.shared.write(ctx, k, e, m.Encoded, m.Expires)
		}
		return m, err
	})
}

// FlushShared is Flush in the first level and in the second, with all replicas that share it. An error says that others were
// not reached. The first level is emptied first, because the second takes time, and again at the end, because it may have been filled from the second in between.
func (c *Cache[V]) FlushShared(ctx context.Context, scope [32]byte) error {
	if c == nil {
		return nil
	}
	c.Flush(scope)
	var err error
	if c.shared != nil {
		err = c.shared.Flush(ctx, scope)
	}
	c.Flush(scope)
	return err
}

// FlushAll makes no entry count any more.
func (c *Cache[V]) FlushAll() {
	for i := range c.generations {
		c.generations[i].Add(1)
	}
}
