package lambda

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// gate lets a bounded number of invocations of one function run, a bounded number of others wait in their order, and none
// while the function cannot be reached. Each authorizer and each caller has a share of both: see the package's decisions.
type gate struct {
	mu    sync.Mutex
	queue []*queued
	// running has a place for each invocation that runs, all one for each that runs or waits.
	running, all *bulkhead.Tree

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

// newGate makes the gate of a function that so many authorizers ask; zero if the number is unknown.
func newGate(authorizers int) *gate {
	shares := bulkhead.Shares{Name: "function", Levels: []string{"authorizer", "caller"}, Multiple: shareOfFree}
	g := &gate{counts: map[string]uint64{}, running: bulkhead.New(shares), all: bulkhead.New(shares)}
	g.expect(authorizers)
	return g
}

func (g *gate) expect(authorizers int) {
	g.running.Expect(authorizers)
	g.all.Expect(authorizers)
}

// queued is an invocation that waits for its turn.
type queued struct {
	asker  []bulkhead.ID
	turn   chan struct{} // takes one
	places places
}

// places are the places of an invocation: one among all, and one among those that run.
type places struct{ all, running bulkhead.Place }

func (p places) leave() {
	p.running.Leave()
	p.all.Leave()
}

// enter waits for a place. Without an error the caller leaves again. probe says that this invocation is to find out whether
// the function can be reached again.
func (g *gate) enter(ctx context.Context, l *GuardLimits) (p places, probe bool, err error) {
	waits, p, probe, err := g.begin(askerOf(ctx), l)
	if waits == nil {
		return p, probe, err
	}
	select {
	case <-waits.turn:
		return g.called(waits)
	case <-ctx.Done():
		g.giveUp(waits)
		return places{}, false, ctx.Err()
	}
}

// begin takes a place, in the queue if no invocation may run now.
func (g *gate) begin(asker []bulkhead.ID, l *GuardLimits) (waits *queued, p places, probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leftAlone() {
		return nil, places{}, false, errLeftAlone
	}
	g.running.Resize(int64(l.Concurrency))
	g.all.Resize(int64(l.Concurrency + l.Queue))
	var ok bool
	if p.all, ok = g.all.Enter(1, asker...); !ok {
		return nil, places{}, false, errBusy
	}
	// Of those who wait none may run now, or next would have called them: nobody is overtaken.
	if p.running, ok = g.running.Enter(1, asker...); ok {
		return nil, p, g.start(), nil
	}
	waits = &queued{asker: asker, turn: make(chan struct{}, 1), places: p}
	g.queue = append(g.queue, waits)
	return waits, places{}, false, nil
}

var (
	errLeftAlone = &InvokeError{BreakerOpen, "the function could not be reached several times; it is left alone for a while"}
	errBusy      = &InvokeError{Busy, "too many invocations of the function run and wait already: in all, or for this authorizer or caller"}
)

func (g *gate) leftAlone() bool { return g.open && (g.probing || time.Now().Before(g.retry)) }

// start takes the probe where one is due.
func (g *gate) start() (probe bool) {
	g.probing = g.open
	return g.open
}

// called is for who waited and has been given a place: meanwhile the function may have been lost.
func (g *gate) called(q *queued) (p places, probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leftAlone() {
		g.free(q.places)
		return places{}, false, errLeftAlone
	}
	return q.places, g.start(), nil
}

// giveUp leaves the queue. Who was called at the same moment hands the place on.
func (g *gate) giveUp(q *queued) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, q); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	g.free(q.places)
}

// free gives places back, and calls who waits and may run now, in their order.
func (g *gate) free(p places) {
	p.leave()
	g.queue = slices.DeleteFunc(g.queue, func(q *queued) bool {
		var ok bool
		if q.places.running, ok = g.running.Enter(1, q.asker...); ok {
			q.turn <- struct{}{}
		}
		return ok
	})
}

// leave ends an invocation.
func (g *gate) leave(p places, result string, probe bool, took time.Duration, l *GuardLimits) {
	g.mu.Lock()
	defer g.mu.Unlock()
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
	g.free(p)
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
	return g.all.Held() == 0
}

// appendSamples appends what the gate has counted. The label is the function's ARN, of which there are as many as are
// configured.
func (g *gate) appendSamples(all []authz.Sample, function string) []authz.Sample {
	g.mu.Lock()
	defer g.mu.Unlock()
	label := authz.Field{Name: "function", Value: function}
	add := func(name, help string, value float64, labels ...authz.Field) {
		all = append(all, authz.Sample{Name: "portcullis_function_" + name, Help: help, Labels: append([]authz.Field{label}, labels...), Value: value})
	}
	for _, result := range results {
		add("invocations_total", "Invocations of authorizer functions, by result.", float64(g.counts[result]), authz.Field{Name: "result", Value: result})
	}
	add("invocations_ended_total", "Invocations that ran and have ended, whatever came of them.", float64(g.ended))
	add("invocation_seconds_total", "The time that those invocations took together.", g.took.Seconds())
	add("invocations_in_flight", "Invocations that run.", float64(g.running.Held()))
	add("invocations_queued", "Invocations that wait for their turn.", float64(len(g.queue)))
	add("unreachable_in_a_row", "Failures in a row to reach the function.", float64(g.failures))
	open := 0.0
	if g.leftAlone() {
		open = 1
	}
	add("breaker_open", "1 while a function that could not be reached is left alone.", open)
	return all
}
