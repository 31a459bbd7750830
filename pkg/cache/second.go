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
// decode reads it again, and says what it costs; what it cannot read is made.
func (c *Cache[V]) DoShared(
	ctx context.Context, k Key, timeout time.Duration,
	decode func([]byte) (v V, bytes int64, err error), create func(context.Context) (Made[V], error),
) (v V, hit bool, err error) {
	if c == nil || c.shared == nil {
		return c.Do(ctx, k, timeout, create)
	}
	k = k.clone() // a flight outlives the caller
	return c.Do(ctx, k, timeout, func(ctx context.Context) (Made[V], error) {
		stored, expires, e := c.shared.read(ctx, k)
		if stored != nil {
			v, bytes, err := decode(stored)
			if err == nil {
				return Made[V]{Value: v, Bytes: bytes, Expires: expires}, nil
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

// FlushAll makes no entry count any more.
func (c *Cache[V]) FlushAll() {
	for i := range c.generations {
		c.generations[i].Add(1)
	}
}
