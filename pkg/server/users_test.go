package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// mortal is a configuration of a test, which knows whether it is closed.
type mortal struct {
	closed atomic.Bool
	decide func(*mortal) authz.Decision
	weight []byte
}

func (m *mortal) Authorize(context.Context, *authz.Request) authz.Decision { return m.decide(m) }

// mortals are a reloader and the configurations that it has read, without keeping them.
type mortals struct {
	*reloader
	digest atomic.Int64 // of the next one
	open   atomic.Int64 // read and not closed
	most   atomic.Int64 // that were open at once
	err    error
	made   []weak.Pointer[mortal]
}

func newMortals(decide func(*mortal) authz.Decision) *mortals {
	m := &mortals{}
	m.reloader = &reloader{
		recorder: quiet(),
		gate:     &gate{max: 1 << 20}, metrics: newMetrics("", nil, nil, func() float64 { return 0 }), log: slog.New(slog.DiscardHandler),
	}
	m.read = func() (Loaded, error) {
		if m.err != nil {
			return Loaded{}, m.err
		}
		c := &mortal{decide: decide, weight: make([]byte, 1<<20)}
		m.made = append(m.made, weak.Make(c))
		m.most.Store(max(m.most.Load(), m.open.Add(1)))
		return Loaded{Authorizer: c, Digest: fmt.Sprint(m.digest.Add(1)), Close: func() {
			c.closed.Store(true)
			m.open.Add(-1)
		}}, nil
	}
	return m
}

func (m *mortals) check(t *testing.T) authz.Decision {
	return m.gate.Authorize(t.Context(), &authz.Request{Method: "GET"})
}

func allowUnlessClosed(m *mortal) authz.Decision {
	runtime.Gosched()
	return authz.Decision{Allow: !m.closed.Load()}
}

// No check sees a configuration that is closed, however the two meet.
func TestNoCheckSeesAClosedConfiguration(t *testing.T) {
	m := newMortals(allowUnlessClosed)
	if err := m.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	var load sync.WaitGroup
	var asked atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				if !m.check(t).Allow {
					t.Error("a check was decided by a closed configuration")
					return
				}
				asked.Add(1)
			}
		})
	}
	for range 50 {
		m.again(t.Context())
	}
	stop()
	load.Wait()
	m.settle(t.Context())
	if m.most.Load() > 2 || m.open.Load() != 1 || asked.Load() < 50 {
		t.Errorf("%d configurations at once, %d at the end, %d checks", m.most.Load(), m.open.Load(), asked.Load())
	}
}

// What is closed can be collected: neither the reloader nor the gate keeps it. A refused reload keeps the one that serves.
func TestClosedConfigurationsAreLetGo(t *testing.T) {
	m := newMortals(allowUnlessClosed)
	if err := m.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m.again(t.Context())
	}
	m.err = fmt.Errorf("a fault")
	m.again(t.Context())
	runtime.GC()
	for i, c := range m.made {
		if serves := i == len(m.made)-1; (c.Value() != nil) != serves {
			t.Errorf("configuration %d: serves %v, there %v", i+1, serves, c.Value() != nil)
		}
	}
	if !m.check(t).Allow || m.refused.Load() == nil {
		t.Error("the last good configuration does not serve")
	}
}

// A check that does not end delays reloads, and keeps none from being applied: the first ones for seconds, the next ones for as long as
// a check may take, so that only few configurations are kept.
func TestAHangingCheckDelaysReloadsWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := newMortals(func(*mortal) authz.Decision {
			<-release
			return authz.Decision{}
		})
		if err := m.first(t.Context()); err != nil {
			t.Fatal(err)
		}
		var checks sync.WaitGroup
		for i, want := range []time.Duration{0, patience, longestCheck, longestCheck} {
			checks.Go(func() { m.check(t) })
			synctest.Wait()
			begin := time.Now()
			m.again(t.Context())
			if took := time.Since(begin); took != want || m.gate.serving.Load().Digest != fmt.Sprint(i+2) {
				t.Errorf("reload %d took %v, want %v; %s serves", i+1, took, want, m.gate.serving.Load().Digest)
			}
		}
		close(release)
		checks.Wait()
		m.again(t.Context())
		m.settle(t.Context())
		if m.open.Load() != 1 || len(m.retired) != 0 {
			t.Errorf("%d configurations are open after the last check", m.open.Load())
		}
	})
}

// A process that ends waits for no check of an old configuration, and reads no new one.
func TestAnEndingProcessReloadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := newMortals(func(*mortal) authz.Decision { <-release; return authz.Decision{} })
		if err := m.first(t.Context()); err != nil {
			t.Fatal(err)
		}
		go m.check(t)
		synctest.Wait()
		ctx, end := context.WithCancel(t.Context())
		m.again(ctx)
		end()
		begin := time.Now()
		m.again(ctx)
		synctest.Wait()
		if time.Since(begin) != 0 || m.digest.Load() != 2 || m.open.Load() != 2 {
			t.Errorf("after %v %d configurations were read, and %d are open", time.Since(begin), m.digest.Load(), m.open.Load())
		}
		close(release)
	})
}
