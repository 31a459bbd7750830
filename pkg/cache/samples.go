package cache

import (
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Samples are the cache's numbers.
func (c *Cache[V]) Samples() []authz.Sample {
	if c == nil {
		return nil
	}
	var hits, misses uint64
	var age time.Duration
	for i := range c.shards {
		hits += c.shards[i].hits.Load()
		misses += c.shards[i].misses.Load()
		age += time.Duration(c.shards[i].age.Load())
	}
	entries, bytes := c.size()
	sample := func(name, help string, value uint64) authz.Sample {
		return authz.Sample{Name: name, Help: help, Labels: []authz.Field{{Name: "cache", Value: c.name}}, Value: float64(value)}
	}
	return []authz.Sample{
		sample("portcullis_cache_hits_total", "Look-ups that found an entry.", hits),
		{
			Name: "portcullis_cache_hit_age_seconds_total", Help: "The age of the entries found, together.",
			Labels: []authz.Field{{Name: "cache", Value: c.name}}, Value: age.Seconds(),
		},
		sample("portcullis_cache_misses_total", "Look-ups that found none.", misses),
		sample("portcullis_cache_waits_total", "Look-ups that waited for an entry which was being made for another.", c.waits.Load()),
		sample("portcullis_cache_evictions_total", "Entries that had to make room before they expired.", c.evictions.Load()),
		sample("portcullis_cache_drops_total", "Entries that were not kept.", c.drops.Load()),
		sample("portcullis_cache_entries", "Entries that are kept.", entries),
		sample("portcullis_cache_bytes", "Bytes that the entries take.", bytes),
		sample("portcullis_cache_max_bytes", "Bytes that the entries may take.", uint64(c.most)), //nolint:gosec // positive since New
	}
}

// size is how many entries are kept, and what they take.
func (c *Cache[V]) size() (entries, bytes uint64) {
	s := &c.shards[0]
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return 0, 0
	}
	added, removed := c.store.Metrics.KeysAdded(), c.store.Metrics.KeysEvicted()
	if added > removed {
		entries = added - removed
	}
	if used := c.most - c.store.RemainingCost(); used > 0 {
		bytes = uint64(used)
	}
	return entries, bytes
}
