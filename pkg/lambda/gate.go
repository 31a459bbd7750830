package lambda

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gate lets a bounded number of invocations of one function run, a bounded number of others wait in their order, and none
// while the function cannot be reached.
type gate struct {
	mu      sync.Mutex
	running int
	queue   []chan struct{}

	// failures counts the failures in a row to reach the function. When there are too many the breaker is open: the function
	// is left alone until retry, and then one invocation at a time probes.
	failures int
	open     bool
	retry    time.Time
	probing  bool

	counts map[string]uint64
	ended  uint64
	took   time.Duration
}

func newGate() *gate { return &gate{counts: map[string]uint64{}} }

// enter waits for a place. Without an error the caller leaves again. probe says that this invocation is to find out whether
// the function can be reached again.
func (g *gate) enter(ctx context.Context, l *GuardLimits) (probe bool, err error) {
	g.mu.Lock()
	if g.leftAlone() {
		g.mu.Unlock()
		return false, errLeftAlone
	}
	if g.running < l.Concurrency && len(g.queue) == 0 {
		probe = g.start()
		g.mu.Unlock()
		return probe, nil
	}
	if len(g.queue) >= l.Queue {
		g.mu.Unlock()
		return false, &InvokeError{Busy, "too many invocations of the function run and wait already"}
	}
	place := make(chan struct{}, 1)
	g.queue = append(g.queue, place)
	g.mu.Unlock()
	select {
	case <-place:
		return g.called(l)
	case <-ctx.Done():
		g.giveUp(place, l)
		return false, ctx.Err()
	}
}

var errLeftAlone = &InvokeError{BreakerOpen, "the function could not be reached several times; it is left alone for a while"}

func (g *gate) leftAlone() bool { return g.open && (g.probing || time.Now().Before(g.retry)) }

// start takes a place, and the probe where one is due.
func (g *gate) start() (probe bool) {
	g.running++
	g.probing = g.open
	return g.open
}

// called is for who waited and has been given a place: meanwhile the function may have been lost.
func (g *gate) called(l *GuardLimits) (probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running-- // the place that was kept for us, taken again by start
	if g.leftAlone() {
		g.next(l.Concurrency)
		return false, errLeftAlone
	}
	return g.start(), nil
}

// giveUp leaves the queue. Who was called at the same moment hands the place on.
func (g *gate) giveUp(place chan struct{}, l *GuardLimits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, place); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return
	}
	g.running--
	g.next(l.Concurrency)
}

// next calls who waits, as long as there is a place for them.
func (g *gate) next(concurrency int) {
	for g.running < concurrency && len(g.queue) > 0 {
		place := g.queue[0]
		g.queue = g.queue[1:]
		g.running++
		place <- struct{}{}
	}
}

// leave ends an invocation.
func (g *gate) leave(result string, probe bool, took time.Duration, l *GuardLimits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.counts[result]++
	g.ended++
	g.took += took
	if probe {
		g.probing = false
	}
	switch result {
	case resultUnreachable:
		if g.failures++; g.failures >= l.Failures {
			g.open, g.retry = true, time.Now().Add(l.Pause)
		}
	case resultCanceled, resultTimedOut, resultBroken: // nothing was learned
	default:
		g.failures, g.open = 0, false
	}
	g.next(l.Concurrency)
}

// count counts an invocation that did not run.
func (g *gate) count(result string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[result]++
}

func (g *gate) idle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running == 0 && len(g.queue) == 0
}
