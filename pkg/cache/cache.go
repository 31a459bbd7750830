package cache

import (
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

const (
	generations = 1024
	shards      = 64
	// entryBytes is the cost of an entry besides its key and value: the entry itself, and ristretto's maps.
	entryBytes = 256
	// typicalBytes is the size of an entry by which the counters of use are dimensioned.
	typicalBytes = 2048
	// longest bounds every expiry, far below the year in which nanoseconds overflow.
	longest = 366 * 24 * time.Hour
	// defaultFlights is how many entries a cache of its own bound makes at a time.
	defaultFlights = 1024
)

// Config says what a cache is to hold.
type Config struct {
	// Name is the label of the cache's samples.
	Name string
	// MaxBytes bounds the memory of all entries, keys included.
	MaxBytes int64
	// Flights bounds how many entries are made at a time, for each key along its Asker. Caches may share it. Nil stands for 1,024 of this
	// cache's own.
	Flights *bulkhead.Tree
}

// Cache is bounded memory for values of one type. All methods may be called at the same time. A nil Cache keeps nothing.
type Cache[V any] struct {
	name        string
	most        int64
	seed        maphash.Seed
	store       *ristretto.Cache[uint64, *entry[V]]
	generations [generations]atomic.Uint64
	shards      [shards]shard

	flights singleflight.Group
	flying  *bulkhead.Tree // a place for each that is being made

	shared *Shared // nil without a second level

	waits, evictions, drops atomic.Uint64
}

// shard spreads what every reader writes to over several cache lines.
type shard struct {
	// open is held for reading by every use of the store, and for writing by Close: the store must not be closed under a use.
	open   sync.RWMutex
	closed bool

	hits, misses atomic.Uint64
	age          atomic.Int64 // of the entries found, together, in nanoseconds
	_            [64]byte
}

// entry is a value in the store; it never changes.
type entry[V any] struct {
	key     Key
	value   V
	made    int64 // nanoseconds since 1970, as expires
	expires int64
	// generation is the sum of the counters of its flush scopes when the entry was begun.
	generation uint64
	counters   counters
	cost       int64
}

// NewFlights makes the bound on entries that are made at a time, which caches may share: most of them in all. The path of an Asker has
// up to two IDs, those of an API and of its authorizer; one that asks alone gets three quarters.
func NewFlights(most int64) *bulkhead.Tree {
	return bulkhead.New(bulkhead.Shares{Name: "flights", Levels: []string{"api", "authorizer"}, Limit: most, Multiple: 3})
}

// New makes a cache.
func New[V any](cfg Config) (*Cache[V], error) {
	if cfg.MaxBytes <= 0 {
		return nil, fmt.Errorf("cache %s: MaxBytes is %d: write how many bytes it may hold, such as 67108864", cfg.Name, cfg.MaxBytes)
	}
	if cfg.Flights == nil {
		cfg.Flights = NewFlights(defaultFlights)
	}
	c := &Cache[V]{name: cfg.Name, most: cfg.MaxBytes, seed: maphash.MakeSeed(), flying: cfg.Flights}
	store, err := ristretto.NewCache(&ristretto.Config[uint64, *entry[V]]{
		NumCounters: min(max(10*cfg.MaxBytes/typicalBytes, 1_000), 10_000_000),
		MaxCost:     cfg.MaxBytes,
		BufferItems: 64,
		Metrics:     true,
		OnEvict:     c.evicted,
		OnReject:    func(*ristretto.Item[*entry[V]]) { c.drops.Add(1) },
		KeyToHash:   func(h uint64) (uint64, uint64) { return h, 0 },
		// What an entry costs is counted here, its overhead included.
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", cfg.Name, err)
	}
	c.store = store
	return c, nil
}

// evicted counts the entries that had to make room. Those that have expired are removed in the same way.
func (c *Cache[V]) evicted(item *ristretto.Item[*entry[V]]) {
	if e := item.Value; e != nil && e.expires > time.Now().UnixNano() {
		c.evictions.Add(1)
	}
}

// Get returns the entry of a key unless it has expired, or was flushed after it was made.
func (c *Cache[V]) Get(k Key) (value V, ok bool) {
	if c == nil {
		return value, false
	}
	hash, now := k.hash(c.seed), time.Now().UnixNano()
	s := &c.shards[hash%shards]
	if e := c.find(s, hash, k, now); e != nil {
		s.hits.Add(1)
		s.age.Add(now - e.made)
		return e.value, true
	}
	s.misses.Add(1)
	return value, false
}

func (c *Cache[V]) find(s *shard, hash uint64, k Key, now int64) *entry[V] {
	e := c.stored(s, hash)
	if e == nil || !k.equal(&e.key.Scope, e.key.Parts) || e.generation != e.counters.sum() || now >= e.expires {
		return nil
	}
	return e
}

// stored is whatever lies under a hash.
func (c *Cache[V]) stored(s *shard, hash uint64) *entry[V] {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return nil
	}
	e, _ := c.store.Get(hash)
	return e
}

// Set keeps a value until it expires, unless there is no room for it. The parts of the key are copied; bytes is what the value
// costs. A value whose expiry is the zero time, or has passed, is not kept.
func (c *Cache[V]) Set(k Key, v V, bytes int64, expires time.Time) {
	if c == nil {
		return
	}
	c.set(k, c.counters(k).sum(), Made[V]{Value: v, Bytes: bytes, Expires: expires})
}

func (c *Cache[V]) set(k Key, generation uint64, m Made[V]) {
	now := time.Now()
	ttl := min(m.Expires.Sub(now), longest)
	if m.Expires.IsZero() || ttl <= 0 {
		return
	}
	if m.Bytes < 0 || m.Bytes > c.most {
		c.drops.Add(1)
		return
	}
	k = k.clone()
	c.put(&entry[V]{
		key: k, value: m.Value, generation: generation, counters: c.counters(k),
		made: now.UnixNano(), expires: now.Add(ttl).UnixNano(), cost: m.Bytes + k.bytes() + entryBytes,
	}, ttl)
}

func (c *Cache[V]) put(e *entry[V], ttl time.Duration) {
	hash := e.key.hash(c.seed)
	s := &c.shards[hash%shards]
	old := c.stored(s, hash)
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return
	}
	if old != nil && old.cost < e.cost {
		c.store.Del(hash)
	}
	if !c.store.SetWithTTL(hash, e, e.cost, ttl) {
		c.drops.Add(1)
	}
}

// counters are those of an entry's flush scopes. Each only grows, so that their sum is the same only if all of them are.
type counters []*atomic.Uint64

func (c counters) sum() (n uint64) {
	for _, counter := range c {
		n += counter.Load()
	}
	return n
}

func (c *Cache[V]) counters(k Key) counters {
	scopes := k.flushScopes()
	list := make(counters, len(scopes))
	for i, scope := range scopes {
		list[i] = c.generation(scope)
	}
	return list
}

func (c *Cache[V]) generation(scope [32]byte) *atomic.Uint64 {
	return &c.generations[maphash.Bytes(c.seed, scope[:])%generations]
}

// Flush makes the entries that a scope covers count no more, those included that are being made.
func (c *Cache[V]) Flush(scope [32]byte) {
	if c != nil {
		c.generation(scope).Add(1)
	}
}

// Wait returns once every Set before it has been applied. It is for tests, and for the end of a flight.
func (c *Cache[V]) Wait() {
	if c == nil {
		return
	}
	s := &c.shards[0]
	s.open.RLock()
	defer s.open.RUnlock()
	if !s.closed {
		c.store.Wait()
	}
}

// Close stops the cache's goroutines and forgets all entries. Get misses from then on; Do goes on making what it is asked for.
func (c *Cache[V]) Close() {
	if c == nil {
		return
	}
	for i := range c.shards {
		c.shards[i].open.Lock()
		defer c.shards[i].open.Unlock()
	}
	if c.shards[0].closed {
		return
	}
	for i := range c.shards {
		c.shards[i].closed = true
	}
	c.store.Close()
}

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
