package cache

import (
	"sync"
	"time"
)

const (
	breakAfter   = 3
	shortestRest = time.Second
	longestRest  = 30 * time.Second
)

// breaker keeps from trying what has failed some times in a row: at first for a second, then for longer. One try then tells
// whether it works again.
type breaker struct {
	mu       sync.Mutex
	failures int
	rest     time.Duration
	until    time.Time
	trying   bool
}

// allow says whether to try.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures < breakAfter:
		return true
	case now.Before(b.until) || b.trying && now.Before(b.until.Add(shortestRest)):
		return false
	}
	b.trying = true
	return true
}

func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= breakAfter && now.Before(b.until)
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.rest, b.trying = 0, 0, false
}

// failed notes a failure, and says whether it is the first of a row.
func (b *breaker) failed(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	// Of those that were under way when it broke, each would make the rest longer.
	if b.failures++; b.failures >= breakAfter && !now.Before(b.until) {
		b.rest = min(max(2*b.rest, shortestRest), longestRest)
		b.until = now.Add(b.rest)
	}
	return b.failures == 1
}
