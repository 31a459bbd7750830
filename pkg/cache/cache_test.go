package cache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCache(t testing.TB, most int64) *Cache[string] {
	t.Helper()
	c, err := New[string](Config{Name: "test", MaxBytes: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func key(scope string, parts ...string) Key {
	return Key{Scope: sha256.Sum256([]byte(scope)), Parts: parts}
}

func (c *Cache[V]) count(t testing.TB, name string) float64 {
	t.Helper()
	for _, s := range c.Samples() {
		if s.Name == "portcullis_cache_"+name {
			return s.Value
		}
	}
	t.Fatalf("no sample %s", name)
	return 0
}

func TestKeysAreApart(t *testing.T) {
	c := newCache(t, 1<<20)
	keys := []Key{
		key("a"), key("b"), key("a", ""), key("a", "", ""), key("a", "x"), key("b", "x"), key("a", "x", ""), key("a", "", "x"),
		key("a", "a,b", "c"), key("a", "a", "b,c"), key("a", "ab", "c"), key("a", "a", "bc"), key("a", "abc"), key("a", "c", "ab"),
		key("a", "a\x00b"), key("a", "a", "b"), key("a", "\x01a\x01b"),
	}
	for i, k := range keys {
		c.Set(k, fmt.Sprint(i), 1, time.Now().Add(time.Hour))
	}
	c.Wait()
	for i, k := range keys {
		if v, ok := c.Get(k); !ok || v != fmt.Sprint(i) {
			t.Errorf("key %d: %q, %v", i, v, ok)
		}
		for j, other := range keys {
			if i != j && k.text(0) == other.text(0) {
				t.Errorf("keys %d and %d are one in a flight", i, j)
			}
		}
	}
}

// Two keys can have one hash, so an entry is compared with the key that is looked up.
func TestHashesThatCollide(t *testing.T) {
	c := newCache(t, 1<<20)
	mine, other := key("a", "mine"), key("a", "other")
	e := &entry[string]{key: other, counters: c.counters(other), value: "other", expires: time.Now().Add(time.Hour).UnixNano(), cost: 300}
	c.store.Set(mine.hash(c.seed), e, e.cost)
	c.Wait()
	if v, ok := c.Get(mine); ok {
		t.Errorf("the entry of another key answers: %q", v)
	}
	e = &entry[string]{key: mine, counters: c.counters(mine), value: "mine", expires: e.expires, cost: 300}
	c.store.Set(mine.hash(c.seed), e, e.cost)
	c.Wait()
	if v, ok := c.Get(mine); !ok || v != "mine" {
		t.Errorf("the test looks in the wrong place: %q, %v", v, ok)
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := newCache(t, 1<<20), newCache(t, 1<<20)
	if k := key("a", "b"); k.hash(a.seed) == k.hash(b.seed) {
		t.Error("two caches hash alike: keys can be prepared that collide")
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		k := key("a", "b")
		c.Set(k, "v", 1, time.Now().Add(10*time.Second))
		c.Wait()
		time.Sleep(10*time.Second - time.Nanosecond)
		if _, ok := c.Get(k); !ok {
			t.Error("gone before its time")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := c.Get(k); ok {
			t.Error("an expired entry answers")
		}
		time.Sleep(time.Minute) // ristretto frees it
		if n := c.count(t, "entries"); n != 0 {
			t.Errorf("%v entries are kept after they have expired", n)
		}
		if n := c.count(t, "evictions_total"); n != 0 {
			t.Errorf("%v evictions counted, for an entry that expired", n)
		}
		c.Close()
	})
}

// An entry ends at its own time, even if ristretto still has it.
// The age of what is found is how old the answers are that decide.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 1<<20)
		defer c.Close()
		c.Set(key("a"), "v", 1, time.Now().Add(time.Hour))
		c.Wait()
		for range 3 {
			time.Sleep(2 * time.Second)
			if _, ok := c.Get(key("a")); !ok {
				t.Fatal("a miss")
			}
		}
		c.Get(key("b"))
		if got := c.count(t, "hit_age_seconds_total"); got != 2+4+6 {
			t.Errorf("%v seconds", got)
		}
	})
}

func TestExpiryIsOurs(t *testing.T) {
	c := newCache(t, 1<<20)
	k := key("a", "b")
	c.store.Set(k.hash(c.seed), &entry[string]{key: k, counters: c.counters(k), value: "v", expires: time.Now().UnixNano(), cost: 300}, 300)
	c.Wait()
	if _, ok := c.Get(k); ok {
		t.Error("an expired entry answers because ristretto still has it")
	}
}

func TestNotKept(t *testing.T) {
	c := newCache(t, 1<<20)
	for name, at := range map[string]time.Time{
		"zero": {}, "past": time.Now().Add(-time.Second), "now": time.Now(), "1970": time.Unix(0, 0),
	} {
		c.Set(key(name), "v", 1, at)
		c.Wait()
		if _, ok := c.Get(key(name)); ok {
			t.Errorf("%s: kept", name)
		}
	}
	for name, bytes := range map[string]int64{"too large": 1<<20 + 1, "negative": -1, "enormous": 1<<63 - 1} {
		c.Set(key(name), "v", bytes, time.Now().Add(time.Hour))
		c.Wait()
		if _, ok := c.Get(key(name)); ok {
			t.Errorf("%s: kept", name)
		}
	}
	if n := c.count(t, "drops_total"); n != 3 {
		t.Errorf("%v drops counted, want 3", n)
	}
	c.Set(key("far"), "v", 1, time.Unix(1<<40, 0))
	c.Wait()
	if _, ok := c.Get(key("far")); !ok {
		t.Error("an expiry beyond what nanoseconds can hold is not kept for a while")
	}
}

func TestPartsAreCopied(t *testing.T) {
	c := newCache(t, 1<<20)
	parts := []string{"a", "b"}
	k := Key{Parts: parts}
	c.Set(k, "v", 1, time.Now().Add(time.Hour))
	c.Wait()
	parts[1] = "c"
	if _, ok := c.Get(k); ok {
		t.Error("the entry changed with the caller's slice")
	}
	if _, ok := c.Get(key("", "a", "b")); ok {
		t.Error("the digest of nothing is the zero scope?")
	}
	if _, ok := c.Get(Key{Parts: []string{"a", "b"}}); !ok {
		t.Error("the entry is gone")
	}
}

func TestBounded(t *testing.T) {
	const most = 1 << 20
	c := newCache(t, most)
	for i := range 10_000 {
		c.Set(key("a", fmt.Sprint(i)), "v", 1000, time.Now().Add(time.Hour))
	}
	c.Wait()
	// What grows must make room too.
	for i := range 10_000 {
		c.Set(key("a", fmt.Sprint(i)), "v", 4000, time.Now().Add(time.Hour))
		if i%100 == 0 {
			c.Wait()
		}
	}
	c.Wait()
	if n := c.count(t, "bytes"); n > most || n < most/4 {
		t.Errorf("%v bytes, of at most %d", n, most)
	}
	if n := c.count(t, "entries"); n > most/1000 || n == 0 {
		t.Errorf("%v entries", n)
	}
	if c.count(t, "evictions_total")+c.count(t, "drops_total") < 10_000 {
		t.Error("evictions and drops are not counted")
	}
}

// What grows has to make room like what is new: no entry is new here.
func TestGrowthIsBounded(t *testing.T) {
	const most = 1 << 20
	c := newCache(t, most)
	for _, bytes := range []int64{500, 4000} {
		for i := range 800 {
			c.Set(key("a", fmt.Sprint(i)), "v", bytes, time.Now().Add(time.Hour))
			c.Wait()
		}
	}
	if n := c.count(t, "bytes"); n > most {
		t.Errorf("%v bytes, of at most %d", n, most)
	}
}

func TestFlush(t *testing.T) {
	c := newCache(t, 1<<20)
	a, b := key("a", "x"), key("b", "x")
	for c.generation(a.Scope) == c.generation(b.Scope) {
		b.Scope[0]++
	}
	set := func(k Key, v string) { c.Set(k, v, 1, time.Now().Add(time.Hour)); c.Wait() }
	set(a, "1")
	set(b, "1")
	c.Flush(a.Scope)
	if _, ok := c.Get(a); ok {
		t.Error("a flushed entry answers")
	}
	if _, ok := c.Get(b); !ok {
		t.Error("another scope was flushed")
	}
	set(a, "2")
	if v, _ := c.Get(a); v != "2" {
		t.Errorf("%q after the flush, want the new value", v)
	}
}

func TestNil(t *testing.T) {
	var c *Cache[string]
	c.Set(Key{}, "v", 1, time.Now().Add(time.Hour))
	c.Flush([32]byte{})
	c.Wait()
	c.Close()
	if _, ok := c.Get(Key{}); ok || c.Samples() != nil {
		t.Error("a nil cache keeps something")
	}
	for range 2 {
		v, hit, err := c.Do(t.Context(), Key{}, time.Second, func(ctx context.Context) (Made[string], error) {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("no deadline")
			}
			return Made[string]{Value: "made", Expires: time.Now().Add(time.Hour)}, nil
		})
		if v != "made" || hit || err != nil {
			t.Errorf("%q, %v, %v", v, hit, err)
		}
	}
	if _, _, err := c.Do(t.Context(), Key{}, time.Second, func(context.Context) (Made[string], error) { panic("no") }); err == nil {
		t.Error("a panic is not an error")
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {MaxBytes: -1}} {
		if c, err := New[int](cfg); err == nil {
			c.Close()
			t.Errorf("%+v is accepted", cfg)
		} else if !strings.Contains(err.Error(), "such as") {
			t.Errorf("%v: does not say what to write", err)
		}
	}
}

func TestClose(t *testing.T) {
	c := newCache(t, 1<<20)
	k := key("a", "b")
	c.Set(k, "v", 1, time.Now().Add(time.Hour))
	c.Wait()
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			for i := range 2000 {
				c.Get(k)
				c.Set(key("a", fmt.Sprint(i%50)), "v", int64(i), time.Now().Add(time.Hour))
				if i%100 == 0 {
					c.Wait()
					c.Samples()
				}
			}
		})
	}
	c.Close()
	c.Close()
	busy.Wait()
	if _, ok := c.Get(k); ok {
		t.Error("a closed cache answers")
	}
	v, hit, err := c.Do(t.Context(), k, time.Second, func(context.Context) (Made[string], error) {
		return Made[string]{Value: "made", Expires: time.Now().Add(time.Hour)}, nil
	})
	if v != "made" || hit || err != nil {
		t.Errorf("%q, %v, %v: a closed cache must still make", v, hit, err)
	}
}

// The cache against a map: it may forget, and never says anything that was not set last, or has expired, or was flushed.
func TestAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := New[string](Config{Name: "rapid", MaxBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		model := map[string]string{}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			scope := rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "scope")
			part := rapid.SampledFrom([]string{"", "a", "b", "ab"}).Draw(t, "part")
			k, name := key(scope, part), scope+"/"+part
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				at := time.Now().Add(time.Duration(rapid.IntRange(-1, 2).Draw(t, "hours")) * time.Hour)
				v := fmt.Sprint(i)
				c.Set(k, v, int64(rapid.IntRange(0, 3000).Draw(t, "bytes")), at)
				c.Wait()
				if at.After(time.Now()) {
					model[name] = v
				}
			case 2:
				c.Flush(k.Scope)
				for n := range model {
					if strings.HasPrefix(n, scope) {
						delete(model, n)
					}
				}
			case 3:
				// A Set that finds no room keeps none, and what was there before it is gone too.
				if v, ok := c.Get(k); ok && v != model[name] {
					t.Fatalf("%s: %q, want %q or nothing", name, v, model[name])
				}
			}
		}
	})
}

func TestGetAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := newCache(t, 1<<20)
	long := strings.Repeat("x", 1024)
	scope := sha256.Sum256([]byte("a"))
	c.Set(Key{Scope: scope, Parts: []string{long}}, "v", 1, time.Now().Add(time.Hour))
	c.Wait()
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := c.Get(Key{Scope: scope, Parts: []string{long}}); !ok {
			t.Fatal("missed")
		}
	}); n >= 0.5 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{16, 1024, 4096} {
		b.Run(fmt.Sprint(n, " bytes"), func(b *testing.B) {
			c := newCache(b, 1<<24)
			scope, stored, asked := sha256.Sum256([]byte("a")), strings.Repeat("x", n), strings.Repeat("x", n)
			c.Set(Key{Scope: scope, Parts: []string{stored}}, "v", 1, time.Now().Add(time.Hour))
			c.Wait()
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Get(Key{Scope: scope, Parts: []string{asked}}); !ok {
					b.Fatal("missed")
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	k, seed := key("a", strings.Repeat("x", 1024)), maphash.MakeSeed()
	for b.Loop() {
		k.hash(seed)
	}
}
