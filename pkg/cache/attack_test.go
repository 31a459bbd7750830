package cache

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// What was kept of before a flush and is put back is refused by who flushed, and by who was told, before they have looked again.
func TestFlushedEpochComesBackAtOnce(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	eventually(t, "both listen", func() bool { return client.PubSubNumSub(t.Context(), flushChannel).Val()[flushChannel] == 2 })
	do(t, a, token, &maker{value: "old"})
	do(t, b, token, &maker{value: "none"})
	name, epochName := sa.seal.name(token), sa.seal.epochName(token.Scope)
	old, oldEpoch := client.Get(t.Context(), name).Val(), client.Get(t.Context(), epochName).Val()
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has forgotten", func() bool { _, ok := b.Get(token); return !ok })
	if err := errors.Join(client.Set(t.Context(), name, old, 0).Err(), client.Set(t.Context(), epochName, oldEpoch, 0).Err()); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]*Cache[string]{"who flushed": a, "who was told": b} {
		if got := do(t, c, token, &maker{value: "new"}); got != "new" {
			t.Errorf("%s gets %q", who, got)
		}
	}
}

// A flush that Redis refuses is one here all the same.
func TestFlushThatRedisRefuses(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "old"})
	if err := client.Do(t.Context(), "ACL", "SETUSER", "default", "-set").Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.FlushShared(t.Context(), token.Scope); err == nil {
		t.Fatal("no error")
	}
	if got := do(t, a, token, &maker{value: "new"}); got != "new" {
		t.Errorf("after the flush: %q", got)
	}
	if err := client.Do(t.Context(), "ACL", "SETUSER", "default", "+set").Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "newer"})
	if got := do(t, b, token, &maker{value: "none"}); got != "newer" {
		t.Errorf("after a flush that worked nothing is shared: %q", got)
	}
}

// While the second level is being flushed the first is filled from it. What it got is forgotten, also where nobody listens.
func TestLookUpDuringFlush(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	s, err := NewShared(SharedConfig{Addresses: []string{r.Addr}, Key: sharedKey, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New[string](Config{Name: "test", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	a.Share(s)
	t.Cleanup(func() { s.Close(); a.Close() })
	do(t, a, token, &maker{value: "old"})
	if err := client.Do(t.Context(), "CLIENT", "PAUSE", "400", "WRITE").Err(); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- a.FlushShared(t.Context(), token.Scope) }()
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		do(t, a, token, &maker{value: "new"})
	}
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if got := do(t, a, token, &maker{value: "new"}); got != "new" {
		t.Errorf("after the flush: %q", got)
	}
}

// A replica whose clock is ahead seals an expiry that is late for us: nothing is kept for longer than we ourselves keep it.
func TestWriterWhoseClockIsAhead(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	ahead, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, ahead, token, &maker{value: "old", ttl: 30 * 24 * time.Hour})
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	short := func(data []byte) (Made[string], error) {
		m, err := decodeText(data)
		m.Expires = time.Now().Add(50 * time.Millisecond)
		return m, err
	}
	got, _, err := b.DoShared(t.Context(), token, time.Second, short, (&maker{value: "new"}).make)
	if err != nil || got != "old" {
		t.Fatalf("%q, %v", got, err)
	}
	time.Sleep(60 * time.Millisecond)
	if got, ok := b.Get(token); ok {
		t.Errorf("%q is kept for longer than its time here", got)
	}
}

// Whoever can write to Redis cannot make us read what is huge.
func TestHugeValuesAreNotRead(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, s := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "old"})
	const huge = 256 << 20
	for what, name := range map[string]string{"value": s.seal.name(token), "epoch": s.seal.epochName(token.Scope)} {
		if err := client.SetRange(t.Context(), name, huge, "x").Err(); err != nil {
			t.Fatal(err)
		}
		b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := do(t, b, token, &maker{value: "new"}); got != "new" {
			t.Errorf("%s: %q", what, got)
		}
		_ = sb.Flush(context.WithoutCancel(t.Context()), token.Scope)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
			t.Errorf("a huge %s takes %d MiB", what, took>>20)
		}
	}
}
