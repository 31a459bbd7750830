package cache

import (
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

func scopeNumber(i int) (scope [32]byte) {
	binary.BigEndian.PutUint64(scope[:], uint64(i))
	return scope
}

// What is remembered of epochs is bounded, and what is forgotten makes no older epoch count.
func TestSeenEpochsAreBounded(t *testing.T) {
	var s seenEpochs
	const many = 3 * maxSeen
	for i := range many {
		if !s.isNewest(scopeNumber(i), int64(1000+i)) {
			t.Fatalf("the new epoch of scope %d is refused", i)
		}
		if len(s.newest) > maxSeen {
			t.Fatalf("%d epochs are remembered", len(s.newest))
		}
	}
	if s.forgotten == 0 {
		t.Fatal("nothing was forgotten")
	}
	for _, i := range []int{0, 1, many / 2, many - 1} {
		created := int64(1000 + i)
		if s.next(scopeNumber(i)) <= created {
			t.Errorf("scope %d: the next epoch is no later one", i)
		}
		if s.isNewest(scopeNumber(i), created-1) {
			t.Errorf("scope %d: an epoch from before a flush counts again", i)
		}
	}
	if _, known := s.newest[scopeNumber(0)]; known {
		t.Error("the test asks about nothing that was forgotten")
	}
	if !s.isNewest(scopeNumber(0), s.next(scopeNumber(0))) {
		t.Error("a scope that was forgotten has no epoch any more")
	}
}

// wide is an entry that two flushes cover.
func wide(scope byte) Key {
	return Key{Scope: [32]byte{scope}, FlushScopes: [][32]byte{{100}, {101}}, Parts: []string{"token"}}
}

// A flush covers all scopes that it names, at any time before they expire, whether or not a process knows them.
func TestFlushScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, flush := range []byte{100, 101} {
			c, err := New[string](Config{Name: "test", MaxBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			m := maker{ttl: time.Hour}
			old, now := wide(1), wide(2)
			do(t, c, old, &m)
			do(t, c, now, &m)
			time.Sleep(59 * time.Minute)
			if do(t, c, old, &m); m.calls.Load() != 2 {
				t.Fatal("nothing was remembered")
			}
			c.Flush([32]byte{flush})
			for _, k := range []Key{old, now} {
				if v, ok := c.Get(k); ok {
					t.Errorf("flush of %d: %q counts again", flush, v)
				}
			}
			if do(t, c, now, &m); m.calls.Load() != 3 {
				t.Error("the entry was not made again")
			}
			if c.Flush(now.Scope); do(t, c, now, &m) == "" || m.calls.Load() != 3 {
				t.Error("a flush of a scope that is not among those of the key counts")
			}
		}
	})
}

// A replica that flushes has never known the scope, and the one that reads has just started.
func TestFlushScopesAcrossReplicas(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	for _, flush := range []byte{100, 101} {
		before, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
		do(t, before, wide(1), &maker{value: "old"})
		reader, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
		if got := do(t, reader, wide(1), &maker{value: "none"}); got != "old" {
			t.Fatalf("nothing is shared: %q", got)
		}
		other, s := replica(t, SharedConfig{Addresses: []string{r.Addr}})
		name := s.seal.epochName([32]byte{flush})
		stored, epoch := client.Get(t.Context(), s.seal.name(wide(1))).Val(), client.Get(t.Context(), name).Val()
		if err := other.FlushShared(t.Context(), [32]byte{flush}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the replica is told", func() bool { _, ok := before.Get(wide(1)); return !ok })
		fresh, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
		if got := do(t, fresh, wide(1), &maker{value: "new", ttl: 0}); got != "new" {
			t.Errorf("flush of %d: a new replica gets %q", flush, got)
		}
		// Put back with its epoch, it counts for nothing where the flush was seen.
		err := errors.Join(client.Set(t.Context(), s.seal.name(wide(1)), stored, 0).Err(), client.Set(t.Context(), name, epoch, 0).Err())
		if err != nil {
			t.Fatal(err)
		}
		before.FlushAll()
		if got := do(t, before, wide(1), &maker{value: "newer"}); got != "newer" {
			t.Errorf("flush of %d: who was told gets %q", flush, got)
		}
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
