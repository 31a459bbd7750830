package lambda

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

// crowd is many requests at once.
type crowd struct {
	t       *testing.T
	all     sync.WaitGroup
	mu      sync.Mutex
	allowed int
	refused map[string]int
}

// ask sends requests, each of which waits for its answer.
func (c *crowd) ask(n int, a *Authorizer, request func(i int) Call) {
	for i := range n {
		c.all.Go(func() {
			answer, err := a.Authorize(c.t.Context(), request(i))
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == nil {
				c.allowed++
				return
			}
			r := refusalOf(c.t, answer, err)
			c.refused[string(r.ResponseType)+" "+r.Reason.Code.String()]++
		})
	}
	synctest.Wait()
}

func newCrowd(t *testing.T) *crowd { return &crowd{t: t, refused: map[string]int{}} }

// of is a request of an API with a token.
func of(api, token string) Call {
	c := call(token)
	c.API = api
	return c
}

// hangs is a function that never answers some token, and any other at once.
func hangs(token string) *function {
	return &function{answer: func(ctx context.Context, _ int, event []byte) (string, error) {
		if strings.Contains(string(event), token) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return allowAll, nil
	}}
}

// guardedConfig is a TOKEN authorizer whose function is behind a guard of the default limits.
func guardedConfig(t *testing.T, w *Waits, g *Guards, name, function string, f Invoker) Config {
	config := tokenConfig(mustGuard(t, g, function, f, GuardLimits{}))
	config.Name, config.Function, config.Waits = name, function, w
	return config
}

const overloaded = "AUTHORIZER_FAILURE overload"

// One token that a function never answers leaves room to the other tokens of its authorizer, to the other authorizers of its API, to the
// other APIs of its function, and to everybody else.
func TestOneCallerLeavesRoom(t *testing.T) {
	for _, most := range []int64{2048, 205} {
		for _, ttl := range []int{0, 300} {
			t.Run(fmt.Sprint(most, " waiting, resultTtl ", ttl), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, g := NewWaits(most), &Guards{}
					w.Expect(2, 2)
					answers := newCache(t)
					defer answers.Close()
					newAuthorizer := func(name, function string) *Authorizer {
						config := guardedConfig(t, w, g, name, function, hangs("garbage"))
						config.TTL, config.Cache = seconds(ttl), answers
						return mustNew(t, config)
					}
					first := newAuthorizer("first", "f")
					attack := newCrowd(t)
					attack.ask(2000, first, func(int) Call { return of("a", "garbage") })
					if n := attack.refused[overloaded]; n < 2000-int(most)*3/4 || attack.allowed > 0 {
						t.Fatalf("%d of 2000 were refused at once: %v", n, attack.refused)
					}
					good := newCrowd(t)
					for i := range 5 {
						good.ask(5, first, func(int) Call { return of("a", fmt.Sprint("good", i)) })
					}
					good.ask(5, newAuthorizer("second", "f"), func(int) Call { return of("a", "good") })
					good.ask(5, newAuthorizer("first", "f"), func(int) Call { return of("b", "good") })
					good.ask(5, newAuthorizer("first", "g"), func(int) Call { return of("b", "good") })
					if good.allowed != 40 {
						t.Errorf("%d of 40 others were answered: %v", good.allowed, good.refused)
					}
					attack.all.Wait()
					synctest.Wait()
					if w.apis.Held() != 0 || w.functions.Held() != 0 {
						t.Errorf("%d and %d still count", w.apis.Held(), w.functions.Held())
					}
					after := newCrowd(t)
					after.ask(5, first, func(int) Call { return of("a", "good") })
					if after.allowed != 5 {
						t.Errorf("afterwards: %v", after.refused)
					}
				})
			})
		}
	}
}

// Seventy APIs whose functions hang, with as many tokens as there are requests, leave room to one more API.
func TestManyFunctionsHang(t *testing.T) {
	for _, most := range []int64{2048, 205} {
		synctest.Test(t, func(t *testing.T) {
			w, g := NewWaits(most), &Guards{}
			flights := cache.NewFlights(most)
			w.Expect(71, 71)
			flights.Expect(71)
			answers, err := cache.New[*Answer](cache.Config{Name: "answers", MaxBytes: 1 << 20, Flights: flights})
			if err != nil {
				t.Fatal(err)
			}
			defer answers.Close()
			newAuthorizer := func(function string) *Authorizer {
				config := guardedConfig(t, w, g, "partners", function, hangs("garbage"))
				config.TTL, config.Cache = seconds(300), answers
				return mustNew(t, config)
			}
			attack := newCrowd(t)
			for i := range 70 {
				a := newAuthorizer(fmt.Sprint("f", i))
				attack.ask(200, a, func(n int) Call { return of(fmt.Sprint("api", i), fmt.Sprint("garbage", n)) })
			}
			good := newCrowd(t)
			a := newAuthorizer("well")
			for i := range 10 {
				good.ask(1, a, func(int) Call { return of("well", fmt.Sprint("good", i)) })
			}
			if good.allowed != 10 {
				t.Errorf("of %d places: %d of 10 were answered: %v", most, good.allowed, good.refused)
			}
			attack.all.Wait()
			synctest.Wait()
			if attack.allowed != 0 || w.apis.Held() != 0 || flights.Held() != 0 {
				t.Errorf("%d were allowed, %d still wait, %d still fly", attack.allowed, w.apis.Held(), flights.Held())
			}
		})
	}
}

// Clients who come and go leave flights behind. Those of one authorizer leave room to others.
func TestFlightsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, flights := NewWaits(2048), cache.NewFlights(100)
		answers, err := cache.New[*Answer](cache.Config{Name: "answers", MaxBytes: 1 << 20, Flights: flights})
		if err != nil {
			t.Fatal(err)
		}
		defer answers.Close()
		config := tokenConfig(hangs("garbage"))
		config.TTL, config.Cache, config.Waits = seconds(300), answers, w
		a := mustNew(t, config)
		for i := range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			var gone sync.WaitGroup
			gone.Go(func() { _, _ = a.Authorize(ctx, of("a", fmt.Sprint("garbage", i))) })
			synctest.Wait()
			cancel()
			gone.Wait()
		}
		if w.apis.Held() != 0 || flights.Held() == 0 || flights.Held() > 75 {
			t.Errorf("%d wait, and there are %d flights", w.apis.Held(), flights.Held())
		}
		answer, err := a.Authorize(t.Context(), of("a", "garbage 200"))
		if r := refusalOf(t, answer, err); r.Reason.Code != authz.CodeOverload || r.ResponseType != authorizerFailure {
			t.Errorf("beyond the share: %+v", r)
		}
		if _, err := a.Authorize(t.Context(), of("b", "good")); err != nil {
			t.Errorf("another API: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if flights.Held() != 0 {
			t.Errorf("%d flights never landed", flights.Held())
		}
	})
}

// An answer that is remembered takes no place: it is found while all of them are held.
func TestRememberedAnswersTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := newCache(t)
		defer answers.Close()
		config := tokenConfig(hangs("garbage"))
		config.TTL, config.Cache, config.Waits = seconds(300), answers, NewWaits(1)
		a := mustNew(t, config)
		if _, err := a.Authorize(t.Context(), call("good")); err != nil {
			t.Fatal(err)
		}
		attack := newCrowd(t)
		attack.ask(2, a, func(int) Call { return call("garbage") })
		if attack.refused[overloaded] != 1 {
			t.Fatalf("%v", attack.refused)
		}
		for range 3 {
			if _, err := a.Authorize(t.Context(), call("good")); err != nil {
				t.Errorf("a remembered answer: %v", err)
			}
		}
		answer, err := a.Authorize(t.Context(), call("new"))
		if r := refusalOf(t, answer, err); r.Reason.Code != authz.CodeOverload {
			t.Errorf("a new caller: %+v", r)
		}
		attack.all.Wait()
	})
}

// A function that hangs for one caller runs for the others, and in the order of their coming.
func TestPlacesOfAFunctionAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, g := NewWaits(2048), &Guards{}
		a := mustNew(t, guardedConfig(t, w, g, "partners", "f", hangs("garbage")))
		attack := newCrowd(t)
		attack.ask(500, a, func(int) Call { return call("garbage") })
		if n := sample(t, g, "f", "in_flight", ""); n < 32 || n > 48 {
			t.Errorf("%v of 64 places are held by one caller", n)
		}
		begun := time.Now()
		good := newCrowd(t)
		for i := range 100 {
			good.ask(1, a, func(int) Call { return call(fmt.Sprint("good", i)) })
		}
		if good.allowed != 100 || time.Since(begun) > 0 {
			t.Errorf("%d of 100 in %v: %v", good.allowed, time.Since(begun), good.refused)
		}
		attack.all.Wait()
	})
}

// The only authorizer of a function has all of its places. Two leave places to each other.
func TestPlacesAreSharedByAuthorizers(t *testing.T) {
	for _, tt := range []struct {
		asking      []string
		least, most float64
	}{{[]string{"f"}, 64, 64}, {[]string{"f", "f"}, 32, 60}} {
		synctest.Test(t, func(t *testing.T) {
			w, g := NewWaits(4096), &Guards{}
			g.Retain(tt.asking)
			a := mustNew(t, guardedConfig(t, w, g, "first", "f", hangs("garbage")))
			attack := newCrowd(t)
			attack.ask(400, a, func(i int) Call { return call(fmt.Sprint("garbage", i)) })
			if n := sample(t, g, "f", "in_flight", ""); n < tt.least || n > tt.most {
				t.Errorf("%v of 64 run", n)
			}
			if len(tt.asking) > 1 {
				second := mustNew(t, guardedConfig(t, w, g, "second", "f", hangs("garbage")))
				begun, good := time.Now(), newCrowd(t)
				good.ask(4, second, func(i int) Call { return call(fmt.Sprint("good", i)) })
				if good.allowed != 4 || time.Since(begun) > 0 {
					t.Errorf("%d of 4 were answered: %v", good.allowed, good.refused)
				}
			}
			attack.all.Wait()
		})
	}
}
