package lambda

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

func mustGuard(t testing.TB, g *Guards, name string, to Invoker, l GuardLimits) Invoker {
	t.Helper()
	guarded, err := g.Guard(name, to, l)
	if err != nil {
		t.Fatal(err)
	}
	return guarded
}

// failureOf is why an invocation failed; an answer beside it fails the test.
func failureOf(t testing.TB, answer []byte, err error) Failure {
	t.Helper()
	failed, ok := errors.AsType[*InvokeError](err)
	if !ok || answer != nil || failed.Detail == "" {
		t.Fatalf("%s, %v: want an *InvokeError and no answer", answer, err)
	}
	return failed.Failure
}

// sample finds a number by the end of its name, and its result.
func sample(t testing.TB, g *Guards, function, name, result string) float64 {
	t.Helper()
	for _, s := range g.Samples() {
		if !strings.HasSuffix(s.Name, name) || s.Labels[0] != (authz.Field{Name: "function", Value: function}) {
			continue
		}
		if result == "" || s.Labels[1].Value == result {
			return s.Value
		}
	}
	t.Fatalf("there is no sample %s of %s", name, function)
	return 0
}

func TestConcurrencyAndQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		f := slow(time.Second)
		guarded := mustGuard(t, &g, "f", f, GuardLimits{Concurrency: 2, Queue: 3})
		var all sync.WaitGroup
		begun := time.Now()
		for range 5 {
			all.Go(func() {
				if answer, err := guarded.Invoke(t.Context(), "f", nil); err != nil || string(answer) != allowAll {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := f.calls.Load(); n != 2 || sample(t, &g, "f", "in_flight", "") != 2 || sample(t, &g, "f", "queued", "") != 3 {
			t.Errorf("%d run", n)
		}
		answer, err := guarded.Invoke(t.Context(), "f", nil)
		if failure := failureOf(t, answer, err); failure != Busy {
			t.Errorf("a sixth: %v", failure)
		}
		all.Wait()
		if took := time.Since(begun); took != 3*time.Second || f.calls.Load() != 5 {
			t.Errorf("%d calls in %v, want 5, two at once", f.calls.Load(), took)
		}
		if sample(t, &g, "f", "invocations_total", resultAnswered) != 5 || sample(t, &g, "f", "invocations_total", resultBusy) != 1 ||
			sample(t, &g, "f", "seconds_total", "") != 5 || sample(t, &g, "f", "ended_total", "") != 5 {
			t.Errorf("%+v", g.Samples())
		}
	})
}

// TestSlowFunctionKeepsToItself has a function that hangs and is asked by everybody, and another that answers.
func TestSlowFunctionKeepsToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		hangs := mustGuard(t, &g, "hangs", slow(time.Hour), GuardLimits{Concurrency: 2, Queue: 10, Timeout: 5 * time.Second})
		well := mustGuard(t, &g, "well", answers(allowAll), GuardLimits{Concurrency: 2, Queue: 10})
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				answer, err := hangs.Invoke(t.Context(), "hangs", nil)
				if failure := failureOf(t, answer, err); failure != TimedOut && failure != Busy {
					t.Error(failure)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		for range 100 {
			if _, err := well.Invoke(t.Context(), "well", nil); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the other function took %v", took)
		}
		all.Wait()
		if took := time.Since(begun); took != 5*time.Second || sample(t, &g, "hangs", "breaker_open", "") != 0 {
			t.Errorf("%v: the time counts from when it was asked, and a slow function is reached", took)
		}
	})
}

func TestQueueIsLeftInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		f := slow(time.Second)
		guarded := mustGuard(t, &g, "f", f, GuardLimits{Concurrency: 1, Queue: 10})
		var all sync.WaitGroup
		all.Go(func() { _, _ = guarded.Invoke(t.Context(), "f", nil) })
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		for range 3 {
			all.Go(func() {
				if answer, err := guarded.Invoke(ctx, "f", nil); !errors.Is(err, context.Canceled) || answer != nil {
					t.Errorf("%s %v", answer, err)
				}
			})
		}
		synctest.Wait()
		all.Go(func() {
			if _, err := guarded.Invoke(t.Context(), "f", nil); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		leave()
		all.Wait()
		if f.calls.Load() != 2 || sample(t, &g, "f", "in_flight", "") != 0 || sample(t, &g, "f", "queued", "") != 0 {
			t.Errorf("%d calls: who left is not invoked for, and leaves the place to the next", f.calls.Load())
		}
		if sample(t, &g, "f", "invocations_total", resultCanceled) != 3 {
			t.Errorf("%+v", g.Samples())
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		var lost atomic.Bool
		f := &function{answer: func(context.Context, int, []byte) (string, error) {
			if lost.Load() {
				return allowAll, &InvokeError{Unreachable, "gone"}
			}
			return allowAll, nil
		}}
		guarded := mustGuard(t, &g, "f", f, GuardLimits{Failures: 3, Pause: 10 * time.Second})
		invoke := func(want Failure) {
			t.Helper()
			answer, err := guarded.Invoke(t.Context(), "f", nil)
			if failure := failureOf(t, answer, err); failure != want {
				t.Errorf("%v, want %v", failure, want)
			}
		}
		lost.Store(true)
		for range 3 {
			invoke(Unreachable)
		}
		invoke(BreakerOpen)
		if f.calls.Load() != 3 || sample(t, &g, "f", "breaker_open", "") != 1 {
			t.Errorf("%d calls", f.calls.Load())
		}
		time.Sleep(10 * time.Second)
		invoke(Unreachable) // the probe
		invoke(BreakerOpen)
		time.Sleep(10 * time.Second)
		lost.Store(false)
		if _, err := guarded.Invoke(t.Context(), "f", nil); err != nil {
			t.Error(err)
		}
		lost.Store(true)
		invoke(Unreachable)
		invoke(Unreachable)
		if sample(t, &g, "f", "breaker_open", "") != 0 {
			t.Error("what was counted before the function was reached counts no longer")
		}
		if sample(t, &g, "f", "invocations_total", resultBreakerOpen) != 2 || sample(t, &g, "f", "invocations_total", resultUnreachable) != 6 {
			t.Errorf("%+v", g.Samples())
		}
	})
}

// TestWhatDoesNotOpenTheBreaker does each a hundred times.
func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	for name, err := range map[string]error{
		"an answer": nil, "its own error": &FunctionError{Message: "x"}, "throttled": &InvokeError{Throttled, "x"},
		"not permitted": &InvokeError{NotPermitted, "x"}, "too large": &InvokeError{TooLarge, "x"}, "time": &InvokeError{TimedOut, "x"},
		"its process does not run": &InvokeError{NotRunning, "x"}, "its connection breaks": &InvokeError{Broken, "x"},
	} {
		var g Guards
		guarded := mustGuard(t, &g, "f", fails(err), GuardLimits{Failures: 1})
		for range 100 {
			_, got := guarded.Invoke(t.Context(), "f", nil)
			if !errors.Is(got, err) {
				t.Fatalf("%s: %v", name, got)
			}
		}
	}
	var g Guards
	guarded := mustGuard(t, &g, "f", fails(&InvokeError{Unreachable, "x"}), GuardLimits{Failures: 1})
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 100 {
		if answer, err := guarded.Invoke(gone, "f", nil); !errors.Is(err, context.Canceled) || answer != nil {
			t.Fatalf("callers who left: %v", err)
		}
	}
}

// TestOneProbe lets one invocation try, while the others are told at once.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		f := &function{answer: func(ctx context.Context, n int, _ []byte) (string, error) {
			if n == 1 {
				return "", &InvokeError{Unreachable, "gone"}
			}
			time.Sleep(time.Second)
			return allowAll, ctx.Err()
		}}
		guarded := mustGuard(t, &g, "f", f, GuardLimits{Failures: 1, Pause: time.Second})
		_, _ = guarded.Invoke(t.Context(), "f", nil)
		time.Sleep(2 * time.Second)
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = guarded.Invoke(ctx, "f", nil) })
		synctest.Wait()
		answer, err := guarded.Invoke(t.Context(), "f", nil)
		if failure := failureOf(t, answer, err); failure != BreakerOpen {
			t.Errorf("a second beside the probe: %v", failure)
		}
		leave() // a probe whose caller left has learned nothing: the next one probes
		all.Wait()
		if _, err := guarded.Invoke(t.Context(), "f", nil); err != nil || sample(t, &g, "f", "breaker_open", "") != 0 {
			t.Errorf("the next probe: %v", err)
		}
	})
}

func TestPanicLeavesThePlace(t *testing.T) {
	var g Guards
	guarded := mustGuard(t, &g, "f", &function{answer: func(context.Context, int, []byte) (string, error) { panic("x") }}, GuardLimits{Concurrency: 1, Failures: 1000})
	for range 10 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_, _ = guarded.Invoke(t.Context(), "f", nil)
		}()
	}
	if n := sample(t, &g, "f", "in_flight", ""); n != 0 {
		t.Errorf("%v are in flight", n)
	}
}

// TestGuardsOutliveConfigurations makes the guard of a function anew, with another invoker: what was learned stays.
func TestGuardsOutliveConfigurations(t *testing.T) {
	var g Guards
	limits := GuardLimits{Failures: 1, Pause: time.Minute}
	_, _ = mustGuard(t, &g, "f", fails(&InvokeError{Unreachable, "x"}), limits).Invoke(t.Context(), "f", nil)
	again := mustGuard(t, &g, "f", answers(allowAll), limits)
	answer, err := again.Invoke(t.Context(), "f", nil)
	if failure := failureOf(t, answer, err); failure != BreakerOpen {
		t.Errorf("%v", failure)
	}
	g.Retain([]string{"f"})
	if len(g.Samples()) == 0 {
		t.Error("a function that is configured was forgotten")
	}
	g.Retain(nil)
	if len(g.Samples()) != 0 {
		t.Error("a function that is not configured any longer was kept")
	}
	for _, l := range []GuardLimits{{Concurrency: -1}, {Queue: -1}, {Failures: -1}, {Timeout: -1}, {Timeout: time.Hour}, {Pause: -1}, {Pause: 2 * time.Hour}, {Queue: 1 << 30}} {
		if guarded, err := g.Guard("f", answers(""), l); err == nil || guarded != nil {
			t.Errorf("%+v is taken", l)
		}
	}
	if _, err := g.Guard("", nil, GuardLimits{}); err == nil {
		t.Error("no function is guarded")
	}
}

// TestGateNeverLosesAPlace invokes with callers who leave, functions that err, and all limits, in any order.
func TestGateNeverLosesAPlace(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		concurrency, queue := rapid.IntRange(1, 3).Draw(r, "concurrency"), rapid.IntRange(1, 4).Draw(r, "queue")
		type plan struct{ start, patience, work, kind int }
		plans := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) plan {
			small := rapid.IntRange(0, 6)
			return plan{small.Draw(r, "start"), small.Draw(r, "patience"), small.Draw(r, "work"), small.Draw(r, "kind")}
		}), 1, 30).Draw(r, "plans")
		synctest.Test(t, func(t *testing.T) {
			var g Guards
			var running, most, entered atomic.Int64
			limits := GuardLimits{Concurrency: concurrency, Queue: queue, Failures: 2, Pause: 2 * time.Second}
			var all sync.WaitGroup
			for _, p := range plans {
				f := &function{answer: func(ctx context.Context, _ int, _ []byte) (string, error) {
					entered.Add(1)
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					select {
					case <-time.After(time.Duration(p.work) * time.Second):
					case <-ctx.Done():
						return "", ctx.Err()
					}
					return "", map[int]error{0: &InvokeError{Unreachable, "x"}, 1: &InvokeError{Unreachable, "x"}, 2: &FunctionError{}}[p.kind]
				}}
				guarded := mustGuard(t, &g, "f", f, limits)
				all.Go(func() {
					time.Sleep(time.Duration(p.start) * time.Second)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(p.patience)*time.Second)
					defer cancel()
					_, _ = guarded.Invoke(ctx, "f", nil)
				})
			}
			all.Wait()
			total := 0.0
			for _, result := range results {
				total += sample(t, &g, "f", "invocations_total", result)
			}
			if int(total) != len(plans) || most.Load() > int64(concurrency) || sample(t, &g, "f", "in_flight", "") != 0 || sample(t, &g, "f", "queued", "") != 0 ||
				sample(t, &g, "f", "ended_total", "") != float64(entered.Load()) {
				t.Errorf("%d plans, %v results, %d at once: %+v", len(plans), total, most.Load(), g.Samples())
			}
			time.Sleep(time.Minute)
			if _, err := mustGuard(t, &g, "f", answers(allowAll), limits).Invoke(t.Context(), "f", nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

// TestPlaceIsHandedOn has one who waits leave at the moment of being called.
func TestPlaceIsHandedOn(t *testing.T) {
	g, l := newGate(0), GuardLimits{Concurrency: 1, Queue: 2}.withDefaults()
	running, _, err := g.enter(t.Context(), &l)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _, _ := g.begin(nil, &l)
	second, _, _, _ := g.begin(nil, &l)
	g.leave(running, resultAnswered, false, 0, &l)
	if len(first.turn) != 1 || g.running.Held() != 1 {
		t.Fatalf("%d run, and the first was not called", g.running.Held())
	}
	g.giveUp(first)
	if len(second.turn) != 1 || g.running.Held() != 1 {
		t.Fatalf("%d run, and the second was not called", g.running.Held())
	}
	g.open, g.retry = true, time.Now().Add(time.Hour)
	if _, _, err := g.called(second); err == nil || g.running.Held() != 0 || !g.idle() {
		t.Errorf("%v: the function was lost meanwhile; %d run", err, g.running.Held())
	}
}

// TestTimeSaysNothing has a function that is not reached, and now and then does not answer in time: that it does not is no
// sign that it can be reached.
func TestTimeSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guards
		f := &function{answer: func(_ context.Context, n int, _ []byte) (string, error) {
			return "", &InvokeError{map[bool]Failure{true: TimedOut, false: Unreachable}[n%2 == 0], "x"}
		}}
		guarded := mustGuard(t, &g, "f", f, GuardLimits{Failures: 2, Pause: time.Second})
		for range 3 {
			_, _ = guarded.Invoke(t.Context(), "f", nil)
		}
		time.Sleep(time.Second)
		for _, want := range []Failure{TimedOut, Unreachable, BreakerOpen} { // the first two are probes
			answer, err := guarded.Invoke(t.Context(), "f", nil)
			if failure := failureOf(t, answer, err); failure != want {
				t.Errorf("%v, want %v", failure, want)
			}
		}
	})
}
