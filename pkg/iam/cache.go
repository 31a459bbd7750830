package iam

import (
	"hash/maphash"
	"sync"
)

const cacheShards = 64

// cache keeps derived keys, up to a number of them. A full shard drops any entry for a new one: deriving it again costs
// microseconds.
type cache[K comparable, V any] struct {
	seed   maphash.Seed
	most   int // entries of a shard
	shards [cacheShards]shard[K, V]
}

type shard[K comparable, V any] struct {
	sync.Mutex
	entries map[K]V
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{seed: maphash.MakeSeed(), most: max(1, most/cacheShards)}
}

// get returns the value of a key, made if it is not there. The key that is kept is keep(key).
func (c *cache[K, V]) get(key K, create func() V, keep func(K) K) V {
	s := &c.shards[maphash.Comparable(c.seed, key)%cacheShards]
	s.Lock()
	value, ok := s.entries[key]
	s.Unlock()
	if ok {
		return value
	}
	value = create()
	s.Lock()
	defer s.Unlock()
	if s.entries == nil {
		s.entries = map[K]V{}
	}
	if len(s.entries) >= c.most {
		for victim := range s.entries {
			delete(s.entries, victim)
			break
		}
	}
	s.entries[keep(key)] = value
	return value
}
