package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const (
	sealingKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	adminToken = "the-admin-token-of-the-tests"
)

// sharing is the configuration of replicas that share what a function answers by a Redis.
func sharing(url, ttl, redis, key string) setup {
	return setup{
		config: rememberedBy(url, ttl) + "cache: {redis: {addresses: [\"" + redis + "\"], key: {value: " + key + "}, wait: 1s}}\n",
		files:  map[string]string{"token": adminToken + "\n"},
	}
}

// replica starts one of them.
func replica(t *testing.T, c setup) *stack {
	t.Helper()
	s := start(t, c)
	eventually(t, "flushes come", func() bool { return s.metric(t, "portcullis_shared_cache_connections_total") == 1 })
	return s
}

// flush asks for the authorizers of a stage to be asked again, and returns the status.
func (s *stack) flush(t *testing.T, token string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, "http://"+s.portcullis.Admin+"/restapis/a1b2c3d4e5/stages/prod/cache/authorizers", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestReplicasShare has two portcullis ask a function once, and forget together.
func TestReplicasShare(t *testing.T) {
	t.Parallel()
	f, r := newCloud(t, allowsGood), envoytest.StartRedis(t, envoytest.RedisOptions{})
	c := sharing(f.URL, "300s", r.Addr, sealingKey)
	one := replica(t, c)
	c.flags = []string{"--admin-token-file", filepath.Join(one.dir, "token")}
	two := replica(t, c)
	expect := func(what string, calls int) {
		t.Helper()
		if n := f.take("good") + f.take("bad"); n != calls {
			t.Errorf("%s: %d calls, want %d", what, n, calls)
		}
	}
	for _, s := range []*stack{one, two} {
		s.allowed(t, s.get(t, "/a", shows("good")))
		s.denied(t, s.get(t, "/a", shows("bad")), 403)
	}
	expect("two replicas", 2)
	if got := two.metric(t, "portcullis_shared_cache_hits_total"); got != 2 {
		t.Errorf("the second replica found %v answers, want 2", got)
	}

	if status := two.flush(t, "another-token-of-some-length"); status != 401 {
		t.Errorf("with another token: status %d", status)
	}
	one.allowed(t, one.get(t, "/a", shows("good")))
	expect("nothing was flushed", 0)
	if status := two.flush(t, adminToken); status != 202 {
		t.Errorf("status %d, want 202", status)
	}
	two.allowed(t, two.get(t, "/a", shows("good")))
	expect("flushed here", 1)
	// The other one is told by a message, and forgets what it had; it may find the new answer, and not the old one.
	eventually(t, "the other replica is told", func() bool {
		before := one.metric(t, "portcullis_shared_cache_hits_total")
		one.get(t, "/a", shows("good"))
		return one.metric(t, "portcullis_shared_cache_hits_total") > before
	})
	expect("flushed there", 0)
	one.upstream.Take()

	// With another key they share nothing.
	other := replica(t, sharing(f.URL, "300s", r.Addr, strings.Repeat("42", 32)))
	other.allowed(t, other.get(t, "/a", shows("good")))
	expect("another key", 1)

	// Without Redis a flush reaches this replica alone, and says so.
	r.Kill()
	if status := two.flush(t, adminToken); status != 502 {
		t.Errorf("status %d, want 502", status)
	}
	two.upstream.Take()
	two.allowed(t, two.get(t, "/a", shows("good")))
	expect("flushed here alone", 1)
}

// counterfeits are what somebody may write to Redis in the place of what a function answered for two tokens.
var counterfeits = []struct {
	name  string
	forge func(good, bad string) (forGood, forBad string)
}{
	{"each other's", func(good, bad string) (string, string) { return bad, good }},
	{"cut off", func(good, bad string) (string, string) { return good[:len(good)-1], bad[:len(bad)/2] }},
	{"empty", func(string, string) (string, string) { return "", "" }},
	{"longer", func(good, bad string) (string, string) { return good + "\x00", bad + good }},
	{"in plain text", func(string, string) (string, string) { return policyFor("Allow", "*"), policyFor("Allow", "*") }},
	{"one bit", func(good, bad string) (string, string) { return withBit(good, 40), withBit(bad, 40) }},
	{"the first bit", func(good, bad string) (string, string) { return withBit(good, 0), withBit(bad, 0) }},
	{"large", func(string, string) (string, string) { return strings.Repeat("x", 3<<20), strings.Repeat("x", 3<<20) }},
}

// TestRedisIsNotBelieved writes to Redis what a replica did not write there.
func TestRedisIsNotBelieved(t *testing.T) {
	t.Parallel()
	f, r := newCloud(t, allowsGood), envoytest.StartRedis(t, envoytest.RedisOptions{})
	one := replica(t, sharing(f.URL, "300s", r.Addr, sealingKey))
	two := replica(t, sharing(f.URL, "300s", r.Addr, sealingKey))
	db := &database{Client: redis.NewClient(&redis.Options{Addr: r.Addr}), known: map[string]bool{}}
	t.Cleanup(func() { db.Close() })

	one.allowed(t, one.get(t, "/a", shows("good-0"))) // the epoch comes with the first
	eventually(t, "the answer is written", func() bool { return one.metric(t, "portcullis_shared_cache_writes_total") == 1 })
	db.fresh(t)
	for i, c := range counterfeits {
		good, bad := "good-"+strconv.Itoa(i+1), "bad-"+strconv.Itoa(i+1)
		keyOfGood, ofGood := db.written(t, one, good, 200)
		keyOfBad, ofBad := db.written(t, one, bad, 403)
		forGood, forBad := c.forge(ofGood, ofBad)
		err := errors.Join(db.Set(t.Context(), keyOfGood, forGood, time.Hour).Err(), db.Set(t.Context(), keyOfBad, forBad, time.Hour).Err())
		if err != nil {
			t.Fatal(err)
		}
		f.take(good)
		f.take(bad)
		two.allowed(t, two.get(t, "/a", shows(good)))
		two.denied(t, two.get(t, "/a", shows(bad)), 403)
		if n := f.take(good) + f.take(bad); n != 2 {
			t.Errorf("%s: the function was called %d times, want 2: no forged value counts", c.name, n)
		}
	}
	if got := two.metric(t, "portcullis_shared_cache_hits_total"); got != 0 {
		t.Errorf("the second replica found %v answers, want none", got)
	}
	if got := two.metric(t, "portcullis_shared_cache_refused_total"); got < float64(len(counterfeits)) {
		t.Errorf("the second replica refused %v values", got)
	}
}

// database is Redis as somebody sees it who may read and write there.
type database struct {
	*redis.Client
	known map[string]bool
}

// fresh are the values that were not there before.
func (d *database) fresh(t *testing.T) map[string]string {
	t.Helper()
	keys, err := d.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, key := range keys {
		if !d.known[key] {
			d.known[key], values[key] = true, d.Get(t.Context(), key).Val()
		}
	}
	return values
}

// written has a replica ask about a token, and returns what it then writes.
func (d *database) written(t *testing.T, s *stack, token string, status int) (key, value string) {
	t.Helper()
	before := s.metric(t, "portcullis_shared_cache_writes_total")
	if got := s.get(t, "/a", shows(token)).status; got != status {
		t.Fatalf("%s: status %d, want %d", token, got, status)
	}
	eventually(t, "the answer is written", func() bool { return s.metric(t, "portcullis_shared_cache_writes_total") > before })
	values := d.fresh(t)
	if len(values) != 1 {
		t.Fatalf("%d new values, want one", len(values))
	}
	for key, value = range values {
		if strings.Contains(key+value, token) || strings.Contains(value, "policyDocument") {
			t.Errorf("%q: %q tells what it is of", key, value)
		}
	}
	return key, value
}

// withBit has one bit of a byte changed.
func withBit(s string, at int) string {
	b := []byte(s)
	b[at] ^= 1
	return string(b)
}

// TestRedisComesAndGoes kills Redis, stops it and starts it again, under load. Not one answer is wrong.
func TestRedisComesAndGoes(t *testing.T) {
	t.Parallel()
	f, r := newCloud(t, allowsGood), envoytest.StartRedis(t, envoytest.RedisOptions{})
	c := sharing(f.URL, "1s", r.Addr, sealingKey)
	c.config = strings.Replace(c.config, "wait: 1s", "wait: 50ms", 1)
	stacks := []*stack{replica(t, c), replica(t, c)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked, wrong, slowest atomic.Int64
	var load sync.WaitGroup
	for i, s := range []*stack{stacks[0], stacks[1], stacks[0], stacks[1]} {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				token, want := "good-"+strconv.Itoa(n/4), 200 // the replicas see a token at about the same time
				if n/4%3 == 0 {
					token, want = "bad-"+strconv.Itoa(n/4), 403
				}
				begun := time.Now()
				var sent atomic.Int64
				if got := quick(s.addr, "/a", token, &sent); got != want {
					wrong.Add(1)
					t.Errorf("replica %d, %s: status %d, want %d", i%2, token, got, want)
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
				asked.Add(1)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	more := func(n int64) {
		t.Helper()
		from := asked.Load()
		eventually(t, "the load goes on", func() bool { return asked.Load() >= from+n })
	}
	more(100)
	for range 2 {
		r.Kill()
		more(200)
		r.Restart(t)
		more(200)
		r.Signal(syscall.SIGSTOP) // it accepts connections, and answers none
		more(200)
		r.Signal(syscall.SIGCONT)
	}
	for _, s := range stacks {
		before := s.metric(t, "portcullis_shared_cache_writes_total")
		eventually(t, "Redis is used again", func() bool { return s.metric(t, "portcullis_shared_cache_writes_total") > before })
		if s.metric(t, "portcullis_shared_cache_failures_total") < 1 {
			t.Error("no look-up has failed: Redis was never gone")
		}
	}
	stop()
	load.Wait()
	t.Logf("%d answers, %d wrong, the slowest in %v", asked.Load(), wrong.Load(), time.Duration(slowest.Load()))
	if d := time.Duration(slowest.Load()); d > 5*time.Second {
		t.Errorf("an answer took %v", d)
	}
}
