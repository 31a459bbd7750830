package jwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// slowIDP is an issuer that has answered once, and answers no more until released.
func slowIDP(t *testing.T) (p *idp, release func()) {
	t.Helper()
	valid := setOf(t, jwkOf(t, rsa1(), "k1", nil))
	p = newIDP(t, valid)
	released := make(chan struct{})
	return p, func() {
		p.handle(func(w http.ResponseWriter, _ *http.Request) { <-released; _, _ = w.Write([]byte(valid)) })
		t.Cleanup(func() { close(released) })
	}
}

// waiters ask for a key that nobody has.
type waiters struct {
	ctx           context.Context
	all           sync.WaitGroup
	asked, atOnce atomic.Int64
}

func (w *waiters) ask(t *testing.T, n int, set *KeySet, api bulkhead.ID) {
	t.Helper()
	for range n {
		w.asked.Add(1)
		w.all.Go(func() {
			if k, _, err := set.key(w.ctx, api, keyID{"x", "RS256"}); k != nil || !errors.Is(err, errUnknownKey) {
				t.Errorf("%v", err)
			}
			if w.ctx.Err() == nil {
				w.atOnce.Add(1)
			}
		})
	}
}

// settle returns once everybody who asked either waits or was refused, and says how many were.
func (w *waiters) settle(t *testing.T, k *KeySets) int64 {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); k.waiting.Held()+w.atOnce.Load() < w.asked.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d asked, %d wait, %d were refused", w.asked.Load(), k.waiting.Held(), w.atOnce.Load())
		}
	}
	return w.atOnce.Load()
}

// Those who wait for unknown keys of many issuers are few, in all and for each API, and leave room to another API. Known keys are found
// without waiting.
func TestWaitersAreBounded(t *testing.T) {
	for _, most := range []int64{512, 51} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			k := newKeySets(t)
			k.Bound(most)
			k.Expect(11)
			var sets []*KeySet
			for range 10 {
				p, hang := slowIDP(t)
				set := use(t, k, Source{Issuer: p.URL, JWKSURI: p.URL + "/keys"})
				set.Start(t.Context())
				if err := set.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				hang()
				sets = append(sets, set)
			}
			ctx, cancel := context.WithCancel(t.Context())
			w := &waiters{ctx: ctx}
			w.ask(t, 600, sets[0], 0)
			if n := w.settle(t, k); 600-n > most*2/3 || 600-n < most/11/2 {
				t.Errorf("%d of 600 wait for one issuer", 600-n)
			}
			for i, set := range sets {
				w.ask(t, 200, set, bulkhead.ID(i))
				w.settle(t, k)
			}
			if held := k.waiting.Held(); held > most {
				t.Errorf("%d wait, of at most %d", held, most)
			}
			before := w.atOnce.Load()
			w.ask(t, int(most)/2/11, sets[0], 10)
			if n := w.settle(t, k) - before; n > 0 {
				t.Errorf("%d requests of another API were refused", n)
			}
			begun := time.Now()
			for _, set := range sets {
				if _, _, err := set.key(t.Context(), 0, keyID{"k1", "RS256"}); err != nil {
					t.Errorf("the known key: %v", err)
				}
			}
			if took := time.Since(begun); took > 200*time.Millisecond {
				t.Errorf("the known keys: after %v", took)
			}
			cancel()
			w.all.Wait()
			if k.waiting.Held() != 0 {
				t.Error("somebody still counts as waiting")
			}
		})
	}
}

// Beyond the bound a token of an unknown key is nobody's token. Where there are no keys nothing can be said of it, and the answer is
// another one. It is never taken.
func TestBeyondTheBound(t *testing.T) {
	for _, http := range []bool{false, true} {
		p, _ := slowIDP(t)
		k := NewKeySets(slog.New(slog.DiscardHandler))
		defer k.Close()
		c := Config{HTTP: http, API: "a", Issuers: []Issuer{{Source: Source{Issuer: p.URL}, Audiences: []string{"a1"}}}, KeySets: k}
		a := start(t, c)
		full, ok := k.waiting.Enter(512)
		if !ok {
			t.Fatal("all places")
		}
		good := sign(t, "RS256", rsa1(), "k1", nil, good(p.URL, nil))
		begun := time.Now()
		unauthorized(t, a, sign(t, "RS256", rsa1(), "unknown", nil, map[string]any{"iss": p.URL, "aud": "a1", "exp": time.Now().Add(time.Hour).Unix()}))
		taken(t, a, good)

		a.verifier.keys[p.URL].state.Store(nil)
		r := refused(t, a, good)
		if r.ResponseType != "AUTHORIZER_FAILURE" || r.Reason.Code != authz.CodeOverload || r.Challenge != "" {
			t.Errorf("without keys: %+v", r)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("refused after %v", took)
		}
		full.Leave()
	}
}
