package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// revocable is a function that allows until it is told not to.
func revocable(t *testing.T) (f *cloud, revoke func()) {
	t.Helper()
	var revoked atomic.Bool
	f = newCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		effect := "Allow"
		if revoked.Load() {
			effect = "Deny"
		}
		_, _ = io.WriteString(w, policyFor(effect, "*"))
	})
	return f, func() { revoked.Store(true) }
}

// withAdmin lets a replica be told to flush.
func withAdmin(t *testing.T, c setup) setup {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(adminToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.flags = append(c.flags, "--admin-token-file", file)
	return c
}

// readyz is what the admin port says of readiness.
func (s *stack) readyz(t *testing.T) string {
	t.Helper()
	return s.admin(t, "/readyz")
}

// admin is what the admin port says at a path.
func (s *stack) admin(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + s.portcullis.Admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	return string(text)
}

// forgets waits until a replica denies what was revoked, and then asks some times more.
func (s *stack) forgets(t *testing.T, within time.Duration) {
	t.Helper()
	begun := time.Now()
	eventually(t, "the revoked answer is forgotten", func() bool { return s.get(t, "/a", shows("good")).status == 403 })
	if took := time.Since(begun); took > within {
		t.Errorf("forgotten after %v, want at most %v", took, within)
	}
	for range 20 {
		if got := s.get(t, "/a", shows("good")).status; got != 403 {
			t.Errorf("status %d after the flush has arrived", got)
		}
	}
}

// TestAFlushReachesAnotherSealingKey has the keys of two replicas differ, as they do while a key is replaced pod by pod.
func TestAFlushReachesAnotherSealingKey(t *testing.T) {
	t.Parallel()
	f, revoke := revocable(t)
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	one := replica(t, withAdmin(t, sharing(f.URL, "300s", r.Addr, sealingKey)))
	two := replica(t, sharing(f.URL, "300s", r.Addr, strings.Repeat("42", 32)))
	for _, s := range []*stack{one, two} {
		s.allowed(t, s.get(t, "/a", shows("good")))
	}
	revoke()
	if status := one.flush(t, adminToken); status != 202 {
		t.Fatalf("status %d", status)
	}
	one.forgets(t, time.Second)
	two.forgets(t, 5*time.Second)
	if n := two.metric(t, "portcullis_shared_cache_foreign_flushes_total"); n < 1 {
		t.Error("the flush is not counted")
	}
	late := replica(t, sharing(f.URL, "300s", r.Addr, strings.Repeat("42", 32)))
	late.forgets(t, time.Second)
}

// TestAFlushWithoutChannels has a user of Redis 7 as it grants one: without channels.
func TestAFlushWithoutChannels(t *testing.T) {
	t.Parallel()
	f, revoke := revocable(t)
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	db := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { db.Close() })
	user := func(rules ...any) {
		t.Helper()
		if err := db.Do(t.Context(), append([]any{"ACL", "SETUSER", "portcullis"}, rules...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	user("on", ">p4ssword", "~portcullis:*", "+@all", "resetchannels")
	c := withAdmin(t, sharing(f.URL, "300s", r.Addr, sealingKey))
	c.config = strings.Replace(c.config, "wait: 1s", "wait: 1s, username: portcullis, password: {value: p4ssword}", 1)
	one, two := start(t, c), start(t, c)
	for _, s := range []*stack{one, two} {
		eventually(t, "the admin port tells", func() bool { return strings.Contains(s.readyz(t), "NOPERM") })
		if s.metric(t, "portcullis_shared_cache_subscribed") != 0 || s.metric(t, "portcullis_shared_cache_subscribe_failures_total") < 1 {
			t.Error("the metrics do not tell")
		}
		s.allowed(t, s.get(t, "/a", shows("good")))
	}
	revoke()
	if status := one.flush(t, adminToken); status != 502 {
		t.Errorf("status %d, want 502: others are not told at once", status)
	}
	one.forgets(t, time.Second)
	two.forgets(t, 5*time.Second)
	if log := two.portcullis.Stderr(); strings.Count(log, "no message tells of flushes") != 1 || strings.Contains(log, "p4ssword") {
		t.Errorf("log: %s", log)
	}
	user("&portcullis:*")
	eventually(t, "messages come", func() bool { return one.readyz(t) == "ready\n" && two.readyz(t) == "ready\n" })
}

// TestASnapshotBringsNothingBack restarts Redis from what it had before a flush, and all replicas with it.
func TestASnapshotBringsNothingBack(t *testing.T) {
	t.Parallel()
	f, revoke := revocable(t)
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	db := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { db.Close() })
	c := withAdmin(t, sharing(f.URL, "300s", r.Addr, sealingKey))
	one := replica(t, c)
	one.allowed(t, one.get(t, "/a", shows("good")))
	eventually(t, "the answer is written", func() bool { return one.metric(t, "portcullis_shared_cache_writes_total") == 1 })
	if err := db.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	revoke()
	if status := one.flush(t, adminToken); status != 202 {
		t.Fatalf("status %d", status)
	}
	one.portcullis.Stop()
	r.Kill()
	r.Restart(t)
	if n := db.DBSize(t.Context()).Val(); n < 3 {
		t.Fatalf("%d keys: the snapshot is empty", n)
	}
	replica(t, c).forgets(t, time.Second)
}

// TestAFlushOverAnotherType has somebody put lists where the epochs are.
func TestAFlushOverAnotherType(t *testing.T) {
	t.Parallel()
	f, revoke := revocable(t)
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	db := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { db.Close() })
	c := withAdmin(t, sharing(f.URL, "300s", r.Addr, sealingKey))
	one, two := replica(t, c), replica(t, c)
	for _, s := range []*stack{one, two} {
		s.allowed(t, s.get(t, "/a", shows("good")))
	}
	keys, err := db.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) < 3 {
		t.Fatalf("%q, %v", keys, err)
	}
	for _, key := range keys {
		db.Del(t.Context(), key)
		db.LPush(t.Context(), key, "x")
	}
	revoke()
	if status := one.flush(t, adminToken); status != 202 {
		t.Errorf("status %d", status)
	}
	one.forgets(t, time.Second)
	two.forgets(t, 5*time.Second)
}

// TestAReplacedClientCA replaces the authority of the clients under load. Envoy with a certificate of the new one loses no check; a
// client, and an Envoy, with one of the old one get no answer any more.
func TestAReplacedClientCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, authority := range []string{"old", "new"} {
		if err := os.Mkdir(filepath.Join(dir, authority), 0o700); err != nil {
			t.Fatal(err)
		}
		inPlace(t, "mutual-tls.yaml", filepath.Join(dir, authority))
	}
	clients := func(s, names string) {
		t.Helper()
		var bundle []byte
		for name := range strings.FieldsSeq(names) {
			text, err := os.ReadFile(filepath.Join(dir, name, "ca.crt"))
			if err != nil {
				t.Fatal(err)
			}
			bundle = append(bundle, text...)
		}
		path := filepath.Join(dir, s+".crt")
		if err := os.WriteFile(path+".new", bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(client string) *stack {
		t.Helper()
		clients("clients-of-"+client, "old new")
		s := start(t, setup{
			file: "mutual-tls.yaml", config: pets,
			flags: []string{"--tls-cert", dir + "/new/server.crt", "--tls-key", dir + "/new/server.key", "--tls-client-ca", dir + "/clients-of-" + client + ".crt"},
			edits: []envoytest.Edit{
				{Old: "/etc/envoy/portcullis/client.crt", New: dir + "/" + client + "/client.crt"},
				{Old: "/etc/envoy/portcullis/client.key", New: dir + "/" + client + "/client.key"},
				{Old: "/etc/envoy/portcullis/ca.crt", New: dir + "/new/ca.crt"},
			},
		})
		s.allowed(t, s.get(t, "/pets"))
		return s
	}
	good, revoked := begin("new"), begin("old")
	stranger := asks(t, good, dir, "old")
	if err := stranger(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var asked, lost, sent atomic.Int64
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if got := quick(good.addr, "/pets", "none", &sent); got != 200 {
					lost.Add(1)
				}
			}
		})
	}
	more := func() {
		t.Helper()
		from := asked.Load()
		eventually(t, "the load goes on", func() bool { return asked.Load() >= from+200 })
	}
	more()
	replaced := time.Now()
	clients("clients-of-new", "new")
	clients("clients-of-old", "new")
	eventually(t, "a client of the old authority is refused", func() bool { return stranger() != nil })
	eventually(t, "an Envoy of the old authority is refused", func() bool { return revoked.get(t, "/pets").status == 503 })
	t.Logf("refused after %v", time.Since(replaced))
	more()
	for range 3 { // and again, as often as it changes
		clients("clients-of-new", "new new")
		more()
		clients("clients-of-new", "new")
		more()
	}
	stop()
	load.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of %d checks were lost", lost.Load(), asked.Load())
	}
	if stranger() == nil || revoked.get(t, "/pets").status != 503 {
		t.Error("the old authority's clients are answered again")
	}
}

// asks returns what asks portcullis itself, with the certificate of an authority, on one connection as long as it lasts.
func asks(t *testing.T, s *stack, dir, authority string) func() error {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, authority, "client.crt"), filepath.Join(dir, authority, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.portcullis.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: pool(t, filepath.Join(dir, "new")), ServerName: "portcullis.internal", Certificates: []tls.Certificate{pair},
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := authv3.NewAuthorizationClient(conn)
	return func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := client.Check(ctx, &authv3.CheckRequest{})
		return err
	}
}
