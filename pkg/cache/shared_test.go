package cache

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

var sharedKey = bytes.Repeat([]byte{7}, 32)

func decodeText(b []byte) (Made[string], error) {
	if string(b) == "broken" {
		return Made[string]{}, errors.New("broken")
	}
	return Made[string]{Value: string(b), Bytes: int64(len(b)), Expires: time.Now().Add(time.Hour)}, nil
}

// replica is a process's two levels.
func replica(t testing.TB, c SharedConfig) (*Cache[string], *Shared) {
	t.Helper()
	if c.Key == nil {
		c.Key = sharedKey
	}
	if c.Wait == 0 {
		c.Wait = time.Second // a busy machine
	}
	s, err := NewShared(c)
	if err != nil {
		t.Fatal(err)
	}
	first, err := New[string](Config{Name: "test", MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	first.Share(s)
	s.Start(t.Context())
	s.settle()
	t.Cleanup(func() { s.Close(); first.Close() })
	return first, s
}

func at(t testing.TB, r *envoytest.Redis, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Addr, Password: password, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// maker makes values and counts them.
type maker struct {
	calls atomic.Int64
	value string
	ttl   time.Duration
}

func (m *maker) make(context.Context) (Made[string], error) {
	n := m.calls.Add(1)
	value := m.value
	if value == "" {
		value = fmt.Sprint("value ", n)
	}
	ttl := m.ttl
	if ttl == 0 {
		ttl = time.Minute
	}
	made := Made[string]{Value: value, Bytes: 10, Expires: time.Now().Add(ttl)}
	if value != "private" {
		made.Encoded = []byte(value)
	}
	return made, nil
}

func do(t testing.TB, c *Cache[string], k Key, m *maker) string {
	t.Helper()
	v, _, err := c.DoShared(t.Context(), k, 10*time.Second, decodeText, m.make)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// settle waits, as long as it takes at most where there is a Redis, until the flush of a first connection is over.
func (s *Shared) settle() {
	for range 40 {
		if s.connected.Load() > 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var token = Key{Scope: [32]byte{1}, Parts: []string{"s3cr3t-token"}}

func TestReplicasShare(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{Password: "p4ssword"})
	a, shared := replica(t, SharedConfig{Addresses: []string{r.Addr}, Password: "p4ssword"})
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}, Password: "p4ssword"})
	var m maker
	if x, y := do(t, a, token, &m), do(t, b, token, &m); x != y || m.calls.Load() != 1 {
		t.Fatalf("%q and %q after %d calls, want one call", x, y, m.calls.Load())
	}
	if shared.writes.Load() != 1 {
		t.Errorf("%d writes", shared.writes.Load())
	}
	other := Key{Scope: [32]byte{2}, Parts: token.Parts}
	if do(t, b, other, &m); m.calls.Load() != 2 {
		t.Errorf("an entry opens another scope")
	}
	if do(t, a, Key{Scope: token.Scope, Parts: []string{"private"}}, &maker{value: "private"}); shared.writes.Load() != 1 {
		t.Error("what is not to be encoded was written")
	}

	// What lies in Redis tells nothing.
	client := at(t, r, "p4ssword")
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) < 3 {
		t.Fatalf("%q, %v", keys, err)
	}
	for _, k := range keys {
		stored, err := client.Get(t.Context(), k).Result()
		if err != nil || strings.Contains(k+stored, "s3cr3t") || strings.Contains(stored, "value") {
			t.Errorf("%q holds %q, %v", k, stored, err)
		}
	}
}

// Anyone who can write to Redis can cause misses, and nothing else.
func TestSharedValuesAreNotTrusted(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	writer, w := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, writer, token, &maker{value: "good"})
	moved := Key{Scope: token.Scope, Parts: []string{"admin"}}
	do(t, writer, moved, &maker{value: "of the other"})
	name, movedName := w.seal.name(token), w.seal.name(moved)
	good, otherGood := client.Get(t.Context(), name).Val(), client.Get(t.Context(), movedName).Val()
	stranger, err := newSealer(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	all, _ := w.seal.openEpoch(everything, client.Get(t.Context(), w.seal.epochName(everything)).Val())
	e, _ := w.seal.openEpoch(token.Scope, client.Get(t.Context(), w.seal.epochName(token.Scope)).Val())
	flipped := func(i int) string {
		b := []byte(good)
		b[i] ^= 1
		return string(b)
	}
	for what, stored := range map[string]string{
		"nothing": "", "text": "good", "truncated": good[:len(good)-1], "cut to the salt": good[:saltBytes], "longer": good + "x",
		"a bit of the salt": flipped(0), "a bit of the text": flipped(saltBytes), "a bit of the tag": flipped(len(good) - 1),
		"moved":            otherGood,
		"another key":      stranger.sealValue(token, epochs{all, e}, []byte("forged"), time.Now().Add(time.Hour)),
		"another epoch":    w.seal.sealValue(token, epochs{all, {created: e.created}}, []byte("forged"), time.Now().Add(time.Hour)),
		"expired":          w.seal.sealValue(token, epochs{all, e}, []byte("expired"), time.Now().Add(-time.Second)),
		"not decodable":    w.seal.sealValue(token, epochs{all, e}, []byte("broken"), time.Now().Add(time.Hour)),
		"of another kind":  w.seal.sealFlush(token.Scope, 1),
		"huge":             strings.Repeat("x", maxSharedBytes+2000),
		"an epoch's value": client.Get(t.Context(), w.seal.epochName(token.Scope)).Val(),
	} {
		t.Run(what, func(t *testing.T) {
			if err := client.Set(t.Context(), name, stored, 0).Err(); err != nil {
				t.Fatal(err)
			}
			reader, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
			m := maker{value: "made"}
			if got := do(t, reader, token, &m); got != "made" || m.calls.Load() != 1 {
				t.Errorf("%q after %d calls", got, m.calls.Load())
			}
		})
	}
	if err := client.Set(t.Context(), name, good, 0).Err(); err != nil {
		t.Fatal(err)
	}
	reader, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	if got := do(t, reader, token, &maker{value: "made"}); got != "good" {
		t.Errorf("the good value is refused: %q", got)
	}
}

func TestFlushReachesReplicas(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	eventually(t, "both listen", func() bool { return client.PubSubNumSub(t.Context(), flushChannel).Val()[flushChannel] == 2 })
	var m maker
	do(t, a, token, &m)
	do(t, b, token, &m)
	name, epochName := sa.seal.name(token), sa.seal.epochName(token.Scope)
	old, oldEpoch := client.Get(t.Context(), name).Val(), client.Get(t.Context(), epochName).Val()
	a.Flush(token.Scope)
	if err := sa.Flush(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has forgotten", func() bool { _, ok := b.Get(token); return !ok })
	if got := do(t, b, token, &m); got != "value 2" {
		t.Errorf("after the flush: %q", got)
	}

	// The old value, put back with its epoch, does not come to life again.
	if err := errors.Join(client.Set(t.Context(), name, old, 0).Err(), client.Set(t.Context(), epochName, oldEpoch, 0).Err()); err != nil {
		t.Fatal(err)
	}
	b.Flush(token.Scope)
	if got := do(t, b, token, &m); got != "value 3" || sb.refused.Load() == 0 {
		t.Errorf("with an old epoch: %q", got)
	}
	// Nor where Redis has lost the epoch.
	if err := client.Del(t.Context(), epochName).Err(); err != nil {
		t.Fatal(err)
	}
	a.Flush(token.Scope)
	if got := do(t, a, token, &m); got != "value 4" {
		t.Errorf("without an epoch: %q", got)
	}
}

// What is being made while its scope is flushed is not left for anybody.
func TestFlushWhileMaking(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	_, _, err := a.DoShared(t.Context(), token, 10*time.Second, decodeText, func(ctx context.Context) (Made[string], error) {
		return Made[string]{Value: "old", Encoded: []byte("old"), Expires: time.Now().Add(time.Hour)}, sa.Flush(ctx, token.Scope)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, b, token, &maker{value: "new"}); got != "new" {
		t.Errorf("%q", got)
	}
}

func TestRedisDiesAndComesBack(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}, Wait: 200 * time.Millisecond})
	var m maker
	do(t, a, token, &m)
	r.Kill()
	var load sync.WaitGroup
	for worker := range 8 {
		load.Go(func() {
			for i := range 20 {
				key := Key{Scope: [32]byte{byte(worker)}, Parts: []string{fmt.Sprint(i)}}
				if got := do(t, a, key, &maker{value: "made"}); got != "made" {
					t.Errorf("%q", got)
				}
			}
		})
	}
	load.Wait()
	if _, ok := a.Get(token); !ok {
		t.Error("the first level has forgotten")
	}
	if sa.skipped.Load() == 0 || !sa.breaker.open(time.Now()) {
		t.Errorf("a Redis that is gone is tried each time: %d failures", sa.failures.Load())
	}
	r.Restart(t)
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	n := 0
	eventually(t, "they share again", func() bool {
		n++
		key := Key{Scope: [32]byte{9}, Parts: []string{fmt.Sprint(n)}}
		var m maker
		do(t, a, key, &m)
		do(t, b, key, &m)
		return m.calls.Load() == 1
	})
	eventually(t, "what may have been missed is forgotten", func() bool { _, ok := a.Get(token); return !ok })
}

// A Redis that takes connections and says nothing costs a bounded wait.
func TestSilentRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	a, _ := replica(t, SharedConfig{Addresses: []string{l.Addr().String()}, Wait: 30 * time.Millisecond})
	start := time.Now()
	for i := range 50 {
		do(t, a, Key{Parts: []string{fmt.Sprint(i)}}, &maker{})
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("50 look-ups took %v", took)
	}
}

func TestSharedOverTLS(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{TLS: true, Password: "p4ssword"})
	pem, err := os.ReadFile(r.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	secure := SharedConfig{Addresses: []string{r.Addr}, Password: "p4ssword", TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	a, _ := replica(t, secure)
	b, _ := replica(t, secure)
	var m maker
	do(t, a, token, &m)
	if do(t, b, token, &m); m.calls.Load() != 1 {
		t.Errorf("%d calls", m.calls.Load())
	}
	for what, c := range map[string]SharedConfig{
		"unknown authority": {Addresses: []string{r.Addr}, Password: "p4ssword", TLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}},
		"plain text":        {Addresses: []string{r.Addr}, Password: "p4ssword", Wait: 100 * time.Millisecond},
		"wrong password":    {Addresses: []string{r.Addr}, Password: "other", TLS: secure.TLS},
	} {
		x, s := replica(t, c)
		if got := do(t, x, token, &maker{value: "made"}); got != "made" || s.failures.Load() == 0 {
			t.Errorf("%s: %q, %d failures", what, got, s.failures.Load())
		}
	}
}

func TestSharedFaults(t *testing.T) {
	for want, c := range map[string]SharedConfig{
		"address is missing": {Key: sharedKey},
		"several addresses":  {Addresses: []string{"a:1", "b:1"}, Key: sharedKey},
		"no master":          {Addresses: []string{"a:1"}, Key: sharedKey, SentinelPassword: "secret"},
		"a user name alone":  {Addresses: []string{"a:1"}, Key: sharedKey, Username: "portcullis"},
		"number from 0 on":   {Addresses: []string{"a:1"}, Key: sharedKey, Database: -1},
		"write one":          {Addresses: []string{"a:1"}, Cluster: true, Master: "m", Key: sharedKey},
		"database 0":         {Addresses: []string{"a:1"}, Cluster: true, Database: 1, Key: sharedKey},
		"is a URL":           {Addresses: []string{"redis://:s3cr3t@a:1"}, Key: sharedKey},
		"tls: {} for":        {Addresses: []string{"a:1", "rediss://a"}, Cluster: true, Key: sharedKey},
		"not host:port":      {Addresses: []string{"a"}, Key: sharedKey},
		"write one such as":  {Addresses: []string{"user@a:1"}, Key: sharedKey},
		"10.0.0.5:6379 or":   {Addresses: []string{"a:redis"}, Key: sharedKey},
		"or [fd00::5]:6379":  {Addresses: []string{"fd00::5:6379"}, Key: sharedKey},
		"host:port: write":   {Addresses: []string{":6379"}, Key: sharedKey},
		"has to have 32":     {Addresses: []string{"a:1"}, Key: []byte("short")},
	} {
		if _, err := NewShared(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, err := newSealer(sharedKey)
	if err != nil {
		f.Fatal(err)
	}
	e := epochs{{created: 1}}
	f.Add(s.sealValue(token, e, []byte("v"), time.Unix(1, 0)))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if v, _, ok := s.openValue(token, e, text); ok && string(v) != "v" {
			t.Errorf("%q opens", text)
		}
		if _, ok := s.openEpoch(token.Scope, text); ok {
			t.Errorf("%q is an epoch", text)
		}
	})
}
