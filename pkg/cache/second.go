package cache

import (
	"context"
	"time"
)

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
// not reached. The first level comes first, for the second takes its time, and last: until that has forgotten it is filled from there.
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
