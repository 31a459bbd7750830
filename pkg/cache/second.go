package cache

import (
	"context"
	"time"
)

// Codec carries values to the second level and back.
type Codec[V any] struct {
	// Encode is the value as bytes; false keeps it from the second level.
	Encode func(V) ([]byte, bool)
	// Decode is the value again, and what it costs.
	Decode func([]byte) (v V, bytes int64, err error)
}

// Share gives the cache a second level. It is called before the cache is used.
func (c *Cache[V]) Share(s *Shared, codec Codec[V]) {
	c.shared, c.codec = s, codec
	s.empties(c)
}

// makeOrShare takes a value from the second level, or makes it and leaves it there.
func (c *Cache[V]) makeOrShare(ctx context.Context, k Key, create func(context.Context) (Made[V], error)) (Made[V], error) {
	if c.shared == nil {
		return protect(ctx, create)
	}
	stored, expires, e := c.shared.read(ctx, k)
	if stored != nil {
		m, err := protect(ctx, func(context.Context) (Made[V], error) {
			v, bytes, err := c.codec.Decode(stored)
			return Made[V]{Value: v, Bytes: bytes, Expires: expires}, err
		})
		if err == nil {
			return m, nil
		}
		c.shared.refused.Add(1)
	}
	m, err := protect(ctx, create)
	if err != nil || !time.Now().Before(m.Expires) {
		return m, err
	}
	if encoded, ok := c.codec.Encode(m.Value); ok {
		c.shared.write(ctx, k, e, encoded, m.Expires)
	}
	return m, nil
}

// FlushAll makes no entry count any more.
func (c *Cache[V]) FlushAll() {
	for i := range c.generations {
		c.generations[i].Add(1)
	}
}
