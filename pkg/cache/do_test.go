package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDoKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		made := 0
		do := func(k Key, ttl time.Duration, fail error) (string, bool, error) {
			return c.Do(t.Context(), k, time.Second, func(context.Context) (Made[string], error) {
				made++
				m := Made[string]{Value: fmt.Sprint(made), Bytes: 1}
				if ttl > 0 {
					m.Expires = time.Now().Add(ttl)
				}
				return m, fail
			})
		}
		for i, step := range []struct {
			key   Key
			ttl   time.Duration
			fail  error
			sleep time.Duration
			value string
			hit   bool
		}{
			{key("a"), time.Minute, nil, 0, "1", false},
			{key("a"), time.Minute, nil, time.Minute - 1, "1", true},
			{key("a"), time.Minute, nil, 1, "2", false},
			{key("zero"), 0, nil, 0, "3", false},
			{key("zero"), 0, nil, 0, "4", false},
			{key("error"), time.Minute, errors.New("no"), 0, "", false},
			{key("error"), time.Minute, nil, 0, "6", false},
		} {
			time.Sleep(step.sleep)
			v, hit, err := do(step.key, step.ttl, step.fail)
			if v != step.value || hit != step.hit || !errors.Is(err, step.fail) {
				t.Errorf("step %d: %q, %v, %v; want %q, %v, %v", i, v, hit, err, step.value, step.hit, step.fail)
			}
		}
		c.Close()
	})
}

func TestOneFlight(t *testing.T) {
	c := newCache(t, 1<<20)
	var made atomic.Int32
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			v, _, err := c.Do(t.Context(), key("a", "b"), time.Minute, func(context.Context) (Made[string], error) {
				made.Add(1)
				return Made[string]{Value: "v", Bytes: 1, Expires: time.Now().Add(time.Hour)}, nil
			})
			if v != "v" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times, want once", n)
	}
}

func TestWaitersShareAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		create := func(ctx context.Context) (Made[string], error) {
			select {
			case <-time.After(5 * time.Second):
				return Made[string]{Value: "v", Bytes: 1, Expires: time.Now().Add(time.Hour)}, nil
			case <-ctx.Done():
				return Made[string]{}, ctx.Err()
			}
		}
		var all sync.WaitGroup
		ask := func(patience time.Duration, want error, after time.Duration) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				begun := time.Now()
				v, _, err := c.Do(ctx, key("a"), 10*time.Second, create)
				if !errors.Is(err, want) || (want == nil && v != "v") || time.Since(begun) != after {
					t.Errorf("patience %v: %q, %v after %v; want %v after %v", patience, v, err, time.Since(begun), want, after)
				}
			})
			synctest.Wait()
		}
		ask(time.Second, context.DeadlineExceeded, time.Second) // the first leaves, and what it began goes on
		for range 9 {
			ask(time.Hour, nil, 5*time.Second)
		}
		ask(2*time.Second, context.DeadlineExceeded, 2*time.Second)
		all.Wait()
		if n := c.count(t, "waits_total"); n != 10 {
			t.Errorf("%v waits counted, want 10", n)
		}
		if _, hit, _ := c.Do(t.Context(), key("a"), time.Second, create); !hit {
			t.Error("what the first caller began was not kept")
		}
		c.Close()
	})
}

func TestFlightTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		begun := time.Now()
		_, _, err := c.Do(t.Context(), key("a"), 3*time.Second, func(ctx context.Context) (Made[string], error) {
			<-ctx.Done()
			time.Sleep(time.Second) // deaf for a while
			return Made[string]{}, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		c.Close()
	})
}

func TestPanicIsAnError(t *testing.T) {
	c := newCache(t, 1<<20)
	var odd map[string]int
	for name, create := range map[string]func(context.Context) (Made[string], error){
		"secret":  func(context.Context) (Made[string], error) { panic("secret") },
		"runtime": func(context.Context) (Made[string], error) { odd["a"] = 1; return Made[string]{}, nil },
		"nil":     func(context.Context) (Made[string], error) { panic(nil) },
	} {
		v, hit, err := c.Do(t.Context(), key(name), time.Second, create)
		if err == nil || v != "" || hit {
			t.Errorf("%s: %q, %v, %v; want an error", name, v, hit, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: says what was in the panic", err)
		}
	}
	if c.flying.Held() != 0 {
		t.Error("a flight that panicked still counts")
	}
}

func TestFlightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New[string](Config{Name: "few", MaxBytes: 1 << 20, Flights: NewFlights(2)})
		if err != nil {
			t.Fatal(err)
		}
		slow := func(context.Context) (Made[string], error) {
			time.Sleep(time.Second)
			return Made[string]{Value: "v"}, nil
		}
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() { _, _, _ = c.Do(t.Context(), key("a", fmt.Sprint(i)), time.Minute, slow) })
		}
		synctest.Wait()
		if _, _, err := c.Do(t.Context(), key("a", "third"), time.Minute, slow); !errors.Is(err, ErrTooManyFlights) {
			t.Errorf("%v: a third flight took off", err)
		}
		all.Wait()
		if _, _, err := c.Do(t.Context(), key("a", "third"), time.Minute, slow); err != nil {
			t.Error(err)
		}
		c.Close()
	})
}

// What was begun before a flush is not what those who come after it get.
func TestFlushDuringFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		k := key("a")
		create := func(v string) func(context.Context) (Made[string], error) {
			return func(context.Context) (Made[string], error) {
				time.Sleep(time.Second)
				return Made[string]{Value: v, Bytes: 1, Expires: time.Now().Add(time.Hour)}, nil
			}
		}
		var before sync.WaitGroup
		before.Go(func() {
			if v, _, err := c.Do(t.Context(), k, time.Minute, create("old")); v != "old" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
		})
		synctest.Wait()
		c.Flush(k.Scope)
		if v, _, err := c.Do(t.Context(), k, time.Minute, create("new")); v != "new" || err != nil {
			t.Errorf("%q, %v: joined a flight of before the flush", v, err)
		}
		before.Wait()
		if v, ok := c.Get(k); ok && v != "new" {
			t.Errorf("%q was kept", v)
		}
		c.Close()
	})
}

func TestNilInterfaceValue(t *testing.T) {
	c, err := New[error](Config{Name: "nil", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, _, err := c.Do(t.Context(), Key{}, time.Second, func(context.Context) (Made[error], error) { return Made[error]{}, nil })
	if v != nil || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}
