package lambda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// GuardLimits bounds what one function is asked; each zero takes its default.
type GuardLimits struct {
	// Concurrency is how many invocations run at once: 64. An authorizer leaves a part of them to the function's others, and a caller to
	// other callers.
	Concurrency int
	// Queue is how many more may wait: 256. It is shared likewise.
	Queue int
	// Timeout is how long an invocation may take from the moment that it is asked for, waiting included; it never exceeds the
	// caller's own deadline. 10 seconds.
	Timeout time.Duration
	// Failures is after how many failures in a row to reach the function it is left alone: 5.
	Failures int
	// Pause is for how long: 5 seconds. Then one invocation tries.
	Pause time.Duration
}

func (l GuardLimits) withDefaults() GuardLimits {
	or := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	or(&l.Concurrency, 64)
	or(&l.Queue, 256)
	or(&l.Failures, 5)
	if l.Timeout == 0 {
		l.Timeout = defaultTimeout
	}
	if l.Pause == 0 {
		l.Pause = 5 * time.Second
	}
	return l
}

func (l GuardLimits) check() error {
	var faults []error
	for _, limit := range []struct {
		name    string
		n, most int
	}{{"concurrency", l.Concurrency, 10_000}, {"queue", l.Queue, 100_000}, {"failures", l.Failures, 1000}} {
		if limit.n < 1 || limit.n > limit.most {
			faults = append(faults, fmt.Errorf("%s is %d; write 1 up to %d", limit.name, limit.n, limit.most))
		}
	}
	if l.Timeout <= 0 || l.Timeout > maxTimeout {
		faults = append(faults, fmt.Errorf("timeout is %v; write up to %v", l.Timeout, maxTimeout))
	}
	if l.Pause <= 0 || l.Pause > time.Hour {
		faults = append(faults, fmt.Errorf("pause is %v; write up to 1h", l.Pause))
	}
	return errors.Join(faults...)
}

// Guards keeps functions from being asked too much, and callers from waiting for functions that cannot be reached. There is
// one for the process: what it knows of a function outlives a configuration. Its zero value is ready.
type Guards struct {
	mu    sync.Mutex
	gates map[string]*gate
	// authorizers is how many ask each function.
	authorizers map[string]int
}

// Guard puts an Invoker behind the guard of a function. Guards of one function share their state, no matter which configuration
// they come from, and each brings its own limits.
func (g *Guards) Guard(function string, to Invoker, l GuardLimits) (Invoker, error) {
	l = l.withDefaults()
	if err := l.check(); err != nil {
		return nil, err
	}
	if function == "" || to == nil {
		return nil, errors.New("there is no function to guard")
	}
	return &guarded{guards: g, name: function, to: to, limits: l}, nil
}

// Retain forgets the functions that are not named, unless they are being invoked. A function is named once for each authorizer that asks
// it: its places are shared among so many.
func (g *Guards) Retain(functions []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.authorizers = make(map[string]int, len(functions))
	for _, f := range functions {
		g.authorizers[f]++
	}
	for name, gate := range g.gates {
		if g.authorizers[name] == 0 && gate.idle() {
			delete(g.gates, name)
			continue
		}
		gate.expect(g.authorizers[name])
	}
}

// gate returns the gate of a function, made at its first invocation: a configuration that never serves leaves none.
func (g *Guards) gate(function string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.gates[function]
	if found == nil {
		if g.gates == nil {
			g.gates = map[string]*gate{}
		}
		found = newGate(g.authorizers[function])
		g.gates[function] = found
	}
	return found
}

// guarded is an Invoker behind its function's gate.
type guarded struct {
	guards *Guards
	name   string
	to     Invoker
	limits GuardLimits
}

// Invoke implements Invoker.
func (g *guarded) Invoke(ctx context.Context, function string, event []byte) (answer []byte, err error) {
	gate := g.guards.gate(g.name)
	ctx, endCall := authz.StartCall(ctx, authz.CallFunction, g.name)
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, g.limits.Timeout)
	defer cancel()
	places, probe, err := gate.enter(ctx, &g.limits)
	if err != nil {
		err = waited(caller, ctx, err)
		result := outcome(caller, err)
		gate.count(result)
		endCall(result)
		return nil, err
	}
	begun, ended := time.Now(), false
	defer func() {
		result := outcome(caller, err)
		if !ended { // a panic, which goes on
			result = resultUnreachable
		}
		gate.leave(places, result, probe, time.Since(begun), &g.limits)
		endCall(result)
	}()
	answer, err = g.to.Invoke(ctx, function, event)
	if err != nil {
		answer, err = nil, waited(caller, ctx, err)
	}
	ended = true
	return answer, err
}

// waited makes an error of one's own time that has run out.
func waited(caller, ctx context.Context, err error) error {
	if _, told := errors.AsType[*FunctionError](err); told || ctx.Err() == nil {
		return err
	}
	if caller.Err() != nil {
		return caller.Err()
	}
	return &InvokeError{TimedOut, "the function did not answer in time"}
}

// The results of invocations, as metrics name them.
const (
	resultAnswered      = "answered"
	resultFunctionError = "function_error"
	resultUnreachable   = "unreachable"
	resultTimedOut      = "timed_out"
	resultThrottled     = "throttled"
	resultNotPermitted  = "not_permitted"
	resultTooLarge      = "too_large"
	resultBusy          = "queue_full"
	resultBreakerOpen   = "breaker_open"
	resultCanceled      = "canceled"
	resultNotRunning    = "not_running"
	resultBroken        = "broken"
)

var results = []string{
	resultAnswered, resultFunctionError, resultUnreachable, resultTimedOut, resultThrottled, resultNotPermitted, resultTooLarge,
	resultBusy, resultBreakerOpen, resultCanceled, resultNotRunning, resultBroken,
}

// outcome names the result of an invocation. A caller who left says nothing about the function.
func outcome(caller context.Context, err error) string {
	if err == nil {
		return resultAnswered
	}
	if _, told := errors.AsType[*FunctionError](err); told {
		return resultFunctionError
	}
	failed, ok := errors.AsType[*InvokeError](err)
	switch {
	case caller.Err() != nil:
		return canceledOrLate(caller)
	case !ok:
		return resultUnreachable
	}
	return [...]string{
		Unreachable: resultUnreachable, TimedOut: resultTimedOut, Throttled: resultThrottled, NotPermitted: resultNotPermitted,
		TooLarge: resultTooLarge, Busy: resultBusy, BreakerOpen: resultBreakerOpen, NotRunning: resultNotRunning, Broken: resultBroken,
	}[failed.Failure]
}

// canceledOrLate tells a caller who left from one whose time ran out.
func canceledOrLate(caller context.Context) string {
	if errors.Is(caller.Err(), context.DeadlineExceeded) {
		return resultTimedOut
	}
	return resultCanceled
}

// Samples are the numbers of all functions that were asked.
func (g *Guards) Samples() []authz.Sample {
	g.mu.Lock()
	gates := maps.Clone(g.gates)
	g.mu.Unlock()
	var all []authz.Sample
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		all = gates[name].appendSamples(all, name)
	}
	return all
}
