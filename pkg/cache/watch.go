package cache

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// lookEvery is how often a replica asks Redis for the last flush, whether or not messages come. It bounds how late a flush
	// reaches a replica that is told of none.
	lookEvery = time.Second
	// longestBlind bounds how long the first level counts while Redis cannot be asked: a flush may have been missed.
	longestBlind = 10 * time.Second
	// Anyone who may publish, or write the marker, can have everything forgotten: some times at once, then this often.
	emptyEvery = 5 * time.Second
	emptyBurst = 4
	// maxHeard is how many messages are told from those that come again.
	maxHeard = 1024
)

// doubt are the scopes to empty because it is not known which of them were flushed.
type doubt struct {
	mu    sync.Mutex
	limit *rate.Limiter
	// first is the first level, and second what is stored.
	first, second bool
}

func newDoubt() doubt { return doubt{limit: rate.NewLimiter(rate.Every(emptyEvery), emptyBurst)} }

func (d *doubt) add(second bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first, d.second = true, d.second || second
}

// take says what to empty now.
func (d *doubt) take() (first, second bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.first || !d.limit.Allow() {
		return false, false
	}
	first, second = d.first, d.second
	d.first, d.second = false, false
	return first, second
}

func (d *doubt) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
}

// heard are the last messages that came. The same one again is somebody's copy.
type heard struct {
	mu    sync.Mutex
	known map[[32]byte]struct{}
	list  [][32]byte
	next  int
}

func (h *heard) has(message string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.known[sha256.Sum256([]byte(message))]
	return ok
}

func (h *heard) add(message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	digest := sha256.Sum256([]byte(message))
	if _, ok := h.known[digest]; ok {
		return
	}
	if h.known == nil {
		h.known = map[[32]byte]struct{}{}
	}
	if len(h.list) < maxHeard {
		h.list = append(h.list, digest)
	} else {
		delete(h.known, h.list[h.next])
		h.list[h.next] = digest
		h.next = (h.next + 1) % maxHeard
	}
	h.known[digest] = struct{}{}
}

// watch looks for flushes until ctx ends.
func (s *Shared) watch(ctx context.Context) {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			s.look(ctx)
		}
	}
}

// look asks Redis for the last flush. While it does not answer, what was remembered counts for a bounded time.
func (s *Shared) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	r, err := s.ask(ctx, [][32]byte{everything}, "")
	if err != nil {
		s.blind(err)
	} else {
		s.sight.Store(time.Now().UnixNano())
		s.blindness.Store(nil)
		s.saw(r.marker)
	}
	s.empty()
	if err == nil && s.renew.Swap(false) {
		// What is stored is to count no more for anybody, before the marker is another one. If this fails the next read does it.
		_, _ = s.epoch(ctx, everything, r.run, r.epochs[0])
	}
}

// blind empties the first level when Redis has not been asked for as long as may be.
func (s *Shared) blind(err error) {
	now := time.Now()
	if now.Sub(time.Unix(0, s.sight.Load())) < longestBlind {
		return
	}
	s.sight.Store(now.UnixNano())
	s.flushAll()
	why := withoutAddress(err)
	if before := s.blindness.Swap(&why); before == nil || *before != why {
		s.log.Warn("the shared cache cannot be asked for flushes: until it can, what is remembered here counts for at most "+longestBlind.String(), "error", why)
	}
}

// saw compares the marker of the last flush with the one before. A flush that no message has told of may be of any scope, and
// one that another key has sealed may be of any scope in what is stored, too.
func (s *Shared) saw(marker string) (usable bool) {
	s.mu.Lock()
	same := s.marker != nil && *s.marker == marker
	if !same {
		s.marker = &marker
	}
	s.mu.Unlock()
	if !same && !s.heard.has(marker) {
		_, _, opens := s.seal.openFlush(marker)
		s.doubt.add(marker != "" && !opens)
		if marker != "" && !opens {
			s.stranger()
		}
		s.empty()
	}
	return !s.doubt.any()
}

// told is called with each message that comes.
func (s *Shared) told(ctx context.Context, message string) {
	if s.heard.has(message) {
		return
	}
	if scope, created, ok := s.seal.openFlush(message); ok {
		s.seen.isNewest(scope, created)
		s.flush(scope)
	} else {
		s.stranger()
		s.doubt.add(true)
		if s.empty() {
			s.look(ctx)
		}
	}
	s.heard.add(message)
}

// stranger notes a flush that does not open. A replica with another key may have flushed anything.
func (s *Shared) stranger() {
	s.foreign.Add(1)
	if s.warnings.Allow() {
		s.log.Warn("a flush does not open, everything that is remembered is forgotten: a replica has another sealing key, or somebody else writes to Redis")
	}
}

// empty makes count no more what is in doubt, as often as may be, and says whether it did. What is stored counts no more here,
// for its epoch is older than one that was seen; look begins it anew for all.
func (s *Shared) empty() bool {
	first, second := s.doubt.take()
	if second {
		s.seen.isNewest(everything, s.seen.next(everything))
		s.renew.Store(true)
	}
	if first {
		s.emptied.Add(1)
		s.flushAll()
	}
	return first
}
