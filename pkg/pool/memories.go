package pool

import (
	"context"
	"log/slog"
	"sync"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
	"github.com/portcullis-authz/portcullis/pkg/cache"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
)

// maxAnswerBytes limits the cache of authorizers' answers. At some 16 KiB each, it keeps the last 8,000 or so.
const maxAnswerBytes = 128 << 20

// answers is a cache for authorizers' answers and the number of configurations that hold it. It outlives them: a reload
// with the same Redis, or again without one, forgets nothing.
type answers struct {
	cache   *cache.Cache[*lambda.Answer]
	shared  *cache.Shared // nil without Redis
	digest  [32]byte
	holders int
}

// memories are the caches for answers of a process, by the Redis that shares them.
type memories struct {
	log *slog.Logger
	// remembers reports whether configurations will serve. One that is only checked gets no cache.
	remembers bool
	// flights limits concurrent loads of all caches together.
	flights *bulkhead.Tree

	mu    sync.Mutex
	known map[[32]byte]*answers
}

// heldAnswers is one configuration's share in a cache.
type heldAnswers struct {
	*answers
	all  *memories
	once sync.Once
}

// use returns the cache that is shared through a Redis, or through none if the configuration is nil. It is held until
// Close.
func (m *memories) use(c *cache.SharedConfig, digest [32]byte) (*heldAnswers, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.known[digest]
	if a == nil {
		var err error
		if a, err = m.create(c); err != nil {
			return nil, err
		}
		a.digest = digest
		if m.known == nil {
			m.known = map[[32]byte]*answers{}
		}
		m.known[digest] = a
	}
	a.holders++
	return &heldAnswers{answers: a, all: m}, nil
}

func (m *memories) create(c *cache.SharedConfig) (*answers, error) {
	a := &answers{}
	if c != nil {
		withLog := *c
		withLog.Log = m.log
		var err error
		if a.shared, err = cache.NewShared(withLog); err != nil {
			return nil, err
		}
	}
	if !m.remembers {
		return a, nil
	}
	first, err := cache.New[*lambda.Answer](cache.Config{Name: "answers", MaxBytes: maxAnswerBytes, Flights: m.flights})
	if err != nil {
		a.shared.Close()
		return nil, err
	}
	a.cache = first
	if a.shared != nil {
		first.Share(a.shared)
	}
	return a, nil
}

// Start listens for flushes of other replicas.
func (h *heldAnswers) Start(ctx context.Context) {
	if h.shared != nil {
		h.shared.Start(ctx)
	}
}

// WaitReady returns at once: no answer needs Redis.
func (h *heldAnswers) WaitReady(context.Context) error { return nil }

// Close releases the share. A cache without holders is dropped.
func (h *heldAnswers) Close() {
	h.once.Do(func() {
		h.all.mu.Lock()
		defer h.all.mu.Unlock()
		if h.holders--; h.holders == 0 && h.all.known[h.digest] == h.answers {
			delete(h.all.known, h.digest)
			h.end()
		}
	})
}

func (a *answers) end() {
	a.shared.Close()
	a.cache.Close()
}

func (m *memories) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.known {
		a.end()
	}
	m.known = nil
}

// samples returns the metrics of the serving cache. While a configuration retires, that is the one with more holders.
func (m *memories) samples() []authz.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var serving *answers
	for _, a := range m.known {
		if serving == nil || a.holders > serving.holders {
			serving = a
		}
	}
	if serving == nil {
		return nil
	}
	return append(serving.cache.Samples(), serving.shared.Samples()...)
}
