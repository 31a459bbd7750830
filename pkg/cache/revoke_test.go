package cache

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

// logged is a configuration whose log the test reads.
func logged(c SharedConfig) (SharedConfig, *logtest.Buffer) {
	log := &logtest.Buffer{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	return c, log
}

// forgets waits until a replica makes a value anew, and fails if what was stored before the flush is used after that.
func forgets(t *testing.T, what string, c *Cache[string], k Key) {
	t.Helper()
	m := maker{value: "after the flush"}
	eventually(t, what, func() bool { return do(t, c, k, &m) == m.value })
}

// A replica with another sealing key cannot read whose answers were flushed: it forgets all, in both levels.
func TestFlushByAnotherSealingKey(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	config, log := logged(SharedConfig{Addresses: []string{r.Addr}, Key: bytes.Repeat([]byte{8}, 32)})
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, sb := replica(t, config)
	idle, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}, Key: config.Key})
	do(t, b, token, &maker{value: "before"})
	do(t, b, token, &maker{value: "before"})
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	forgets(t, "the other key's replica forgets", b, token)
	if got := do(t, idle, token, &maker{value: "after the flush"}); got != "after the flush" {
		t.Errorf("one more replica with the other key gets %q", got)
	}
	fresh, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}, Key: config.Key})
	if got := do(t, fresh, token, &maker{value: "after the flush"}); got != "after the flush" {
		t.Errorf("a new replica with the other key gets %q", got)
	}
	if sb.foreign.Load() == 0 || strings.Count(log.String(), "does not open") != 1 {
		t.Errorf("%d flushes are counted, log: %s", sb.foreign.Load(), log)
	}
	var m maker
	do(t, b, Key{Scope: [32]byte{5}}, &m)
	if do(t, fresh, Key{Scope: [32]byte{5}}, &m); m.calls.Load() != 1 {
		t.Error("nothing is shared any more")
	}
}

// All replicas of a key are gone when another key's replica flushes. One that starts later finds nothing from before.
func TestFlushWhileNobodyWithTheKeyRuns(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}, Key: bytes.Repeat([]byte{8}, 32)})
	do(t, b, token, &maker{value: "before"})
	eventually(t, "it is written", func() bool { return sb.writes.Load() == 1 })
	sb.Close()
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	late, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}, Key: bytes.Repeat([]byte{8}, 32)})
	if got := do(t, late, token, &maker{value: "after"}); got != "after" {
		t.Errorf("%q", got)
	}
}

// What another key's flush has emptied stays empty when the marker is another one, though nobody has asked meanwhile.
func TestFlushByAnotherSealingKeyStays(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	other := SharedConfig{Addresses: []string{r.Addr}, Key: bytes.Repeat([]byte{8}, 32)}
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, sb := replica(t, other)
	do(t, b, token, &maker{value: "before"})
	client := at(t, r, "")
	name := sb.seal.epochName(everything)
	epoch := client.Get(t.Context(), name).Val()
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the epoch is another one", func() bool { return client.Get(t.Context(), name).Val() != epoch })
	if err := b.FlushShared(t.Context(), [32]byte{77}); err != nil {
		t.Fatal(err)
	}
	late, _ := replica(t, other)
	if got := do(t, late, token, &maker{value: "after"}); got != "after" {
		t.Errorf("%q", got)
	}
}

// Anyone who may publish has caches emptied at a bounded rate, and hides no flush by it.
func TestFloodOfMessages(t *testing.T) {
	t.Parallel()
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	config, log := logged(SharedConfig{Addresses: []string{r.Addr}, Key: bytes.Repeat([]byte{8}, 32)})
	b, sb := replica(t, config)
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	start := time.Now()
	const messages = 5000
	for i := range messages {
		if err := client.Publish(t.Context(), flushChannel, fmt.Sprint("garbage ", i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all have come", func() bool { return sb.foreign.Load() >= messages })
	if most := emptyBurst + 1 + uint64(time.Since(start)/emptyEvery); sb.emptied.Load() > most {
		t.Errorf("emptied %d times in %v, want at most %d", sb.emptied.Load(), time.Since(start), most)
	}
	if lines := strings.Count(log.String(), "\n"); lines > 1 {
		t.Errorf("%d lines of log", lines)
	}
	do(t, b, token, &maker{value: "before"})
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	flushed := time.Now()
	forgets(t, "a flush of another key after the flood", b, token)
	if took := time.Since(flushed); took > emptyEvery+2*lookEvery {
		t.Errorf("it took %v", took)
	}
	do(t, b, token, &maker{value: "kept"})
	emptied := sb.emptied.Load()
	for range messages { // the same again is no flush
		client.Publish(t.Context(), flushChannel, fmt.Sprint("garbage ", messages-1))
	}
	time.Sleep(50 * time.Millisecond)
	if sb.emptied.Load() != emptied {
		t.Error("a message that came before empties again")
	}
}

// Redis 7 grants a new user no channels. Flushes are found without messages, and somebody is told.
func TestFlushWithoutChannels(t *testing.T) {
	t.Parallel()
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	acl(t, client, "SETUSER", "portcullis", "on", ">p4ssword", "~portcullis:*", "+@all", "resetchannels")
	config, log := logged(SharedConfig{Addresses: []string{r.Addr}, Username: "portcullis", Password: "p4ssword"})
	b, sb := replica(t, config)
	a, _ := replica(t, config)
	eventually(t, "it is told", func() bool { return len(sb.Trouble()) == 1 && strings.Contains(sb.Trouble()[0], "NOPERM") })
	do(t, b, token, &maker{value: "before"})
	if got := do(t, a, token, &maker{value: "not shared"}); got != "before" {
		t.Fatalf("%q", got)
	}
	if err := a.FlushShared(t.Context(), token.Scope); err == nil || strings.Contains(err.Error(), "p4ssword") {
		t.Errorf("a flush that nobody is told of: %v", err)
	}
	flushed := time.Now()
	forgets(t, "the flush is found", b, token)
	if took := time.Since(flushed); took > 3*lookEvery {
		t.Errorf("it took %v", took)
	}
	time.Sleep(2 * pause)
	if n := strings.Count(log.String(), "no message tells of flushes"); n != 2 || sb.subscribed.Load() || sb.deaf.Load() == 0 {
		t.Errorf("%d lines from two replicas, subscribed %v, refused %d times", n, sb.subscribed.Load(), sb.deaf.Load())
	}
	acl(t, client, "SETUSER", "portcullis", "&portcullis:*")
	eventually(t, "messages come", func() bool { return len(sb.Trouble()) == 0 && sb.subscribed.Load() })
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Error(err)
	}
}

func acl(t *testing.T, client *redis.Client, args ...any) {
	t.Helper()
	if err := client.Do(t.Context(), append([]any{"ACL"}, args...)...).Err(); err != nil {
		t.Fatal(err)
	}
}

// rights are those that the README lists.
var rights = []any{
	"~portcullis:*", "&portcullis:*", "+info", "+getrange", "+set", "+setnx", "+publish", "+subscribe", "+unsubscribe", "+ping", "+hello", "+auth", "+select",
}

// The rights that the README lists suffice.
func TestRightsThatSuffice(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	acl(t, client, append([]any{"SETUSER", "portcullis", "on", ">p4ssword"}, rights...)...)
	config := SharedConfig{Addresses: []string{r.Addr}, Username: "portcullis", Password: "p4ssword", Database: 1}
	a, sa := replica(t, config)
	b, sb := replica(t, config)
	eventually(t, "messages come", func() bool { return sa.subscribed.Load() && sb.subscribed.Load() })
	var m maker
	do(t, a, token, &m)
	if do(t, b, token, &m); m.calls.Load() != 1 {
		t.Error("nothing is shared")
	}
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Error(err)
	}
	forgets(t, "the flush arrives", b, token)
	if log := client.Do(t.Context(), "ACL", "LOG").String(); strings.Contains(log, "portcullis") {
		t.Errorf("refused: %s", log)
	}
}

// What cannot be bound to a run of the server is not used.
func TestServerThatDoesNotSayItsRun(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	acl(t, at(t, r, ""), "SETUSER", "default", "-info")
	config, log := logged(SharedConfig{Addresses: []string{r.Addr}})
	a, _ := replica(t, config)
	b, sb := replica(t, config)
	var m maker
	do(t, a, token, &m)
	if do(t, b, token, &m); m.calls.Load() != 2 || sb.failures.Load() == 0 || !strings.Contains(log.String(), "NOPERM") {
		t.Errorf("%d calls, %d failures, log: %s", m.calls.Load(), sb.failures.Load(), log)
	}
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Errorf("the flush: %v", err)
	}
	forgets(t, "the flush arrives", b, token)
}

// A server that starts from what it had before a flush, and replicas that have seen nothing of it, bring nothing back.
func TestSnapshotFromBeforeAFlush(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"all new", "one has lived on"} {
		t.Run(others, func(t *testing.T) {
			r := envoytest.StartRedis(t, envoytest.RedisOptions{})
			client := at(t, r, "")
			a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
			do(t, a, token, &maker{value: "before"})
			if n := client.DBSize(t.Context()).Val(); n < 3 {
				t.Fatalf("%d keys: nothing is stored", n)
			}
			if err := client.Save(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := a.FlushShared(t.Context(), token.Scope); err != nil {
				t.Fatal(err)
			}
			if others == "all new" {
				sa.Close()
			}
			r.Kill()
			r.Restart(t)
			if n := client.Exists(t.Context(), sa.seal.name(token)).Val(); n != 1 {
				t.Fatal("the snapshot does not bring the answer back")
			}
			b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}})
			m := maker{value: "after"}
			if got := do(t, b, token, &m); got != "after" || m.calls.Load() != 1 {
				t.Errorf("%q after %d calls", got, m.calls.Load())
			}
			n := 0
			eventually(t, "answers are shared again", func() bool {
				n++
				do(t, b, Key{Scope: token.Scope, Parts: []string{fmt.Sprint(n)}}, &m)
				return sb.writes.Load() > 0
			})
			if others != "all new" {
				if got := do(t, a, token, &m); got != "after" {
					t.Errorf("who has flushed gets %q", got)
				}
			}
		})
	}
}

// A server that is made another one's replica and then the master again brings nothing back, though it never stopped.
func TestMasterThatWasAReplica(t *testing.T) {
	t.Parallel()
	r, other := envoytest.StartRedis(t, envoytest.RedisOptions{}), envoytest.StartRedis(t, envoytest.RedisOptions{})
	client, otherClient := at(t, r, ""), at(t, other, "")
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "before"})
	host, port, _ := strings.Cut(r.Addr, ":")
	otherClient.SlaveOf(t.Context(), host, port)
	eventually(t, "the other one has a copy", func() bool { return otherClient.Exists(t.Context(), sa.seal.name(token)).Val() == 1 })
	otherClient.SlaveOf(t.Context(), "NO", "ONE")
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	epochAfter := client.Get(t.Context(), sa.seal.epochName(token.Scope)).Val()
	sa.Close()
	host, port, _ = strings.Cut(other.Addr, ":")
	client.SlaveOf(t.Context(), host, port)
	eventually(t, "the copy is back", func() bool {
		return client.Get(t.Context(), sa.seal.epochName(token.Scope)).Val() != epochAfter && client.Exists(t.Context(), sa.seal.name(token)).Val() == 1
	})
	client.SlaveOf(t.Context(), "NO", "ONE")
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	if got := do(t, b, token, &maker{value: "after"}); got != "after" {
		t.Errorf("%q", got)
	}
}

// A flush replaces a value of another Redis type under its keys, and arrives.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, sa := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	for what, name := range map[string]string{
		"epoch": sa.seal.epochName(token.Scope), "epoch of everything": sa.seal.epochName(everything), "marker": markerName, "value": sa.seal.name(token),
	} {
		t.Run(what, func(t *testing.T) {
			do(t, a, token, &maker{value: "before"})
			do(t, b, token, &maker{value: "before"})
			client.Del(t.Context(), name)
			if err := client.LPush(t.Context(), name, "x").Err(); err != nil {
				t.Fatal(err)
			}
			if err := a.FlushShared(t.Context(), token.Scope); err != nil {
				t.Errorf("the flush: %v", err)
			}
			forgets(t, "the flush arrives", b, token)
			a.FlushAll()
			b.FlushAll()
			n := 0
			eventually(t, "answers are shared again", func() bool {
				n++
				key := Key{Scope: token.Scope, Parts: []string{what, fmt.Sprint(n)}}
				var m maker
				do(t, a, key, &m)
				do(t, b, key, &m)
				return m.calls.Load() == 1
			})
		})
	}
	if sa.failures.Load()+sb.failures.Load() > 0 {
		t.Error("somebody's writing counts as a failure of the server")
	}
}

// A flush whose epoch cannot be read reaches those who listen.
func TestFlushThatCannotRead(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	b, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "before"})
	do(t, b, token, &maker{value: "before"})
	acl(t, client, "SETUSER", "default", "-getrange", "-set")
	if err := a.FlushShared(t.Context(), token.Scope); err == nil {
		t.Error("no error")
	}
	eventually(t, "the message arrives", func() bool { _, ok := b.Get(token); return !ok })
	acl(t, client, "SETUSER", "default", "+getrange", "+set")
	for who, c := range map[string]*Cache[string]{"who flushed": a, "who was told": b} {
		if got := do(t, c, token, &maker{value: "after"}); got != "after" {
			t.Errorf("%s gets %q", who, got)
		}
	}
}

// A read that sees a later epoch tells of a flush, for all that lies in the first level.
func TestReadThatSeesALaterEpoch(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	b, sb := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, b, token, &maker{value: "before"})
	info, err := sb.ask(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	later := sb.seal.sealEpoch(token.Scope, newEpoch(time.Now().UnixNano(), info.run))
	if err := client.Set(t.Context(), sb.seal.epochName(token.Scope), later, 0).Err(); err != nil {
		t.Fatal(err)
	}
	do(t, b, Key{Scope: token.Scope, Parts: []string{"another"}}, &maker{})
	if got, ok := b.Get(token); ok {
		t.Errorf("%q is still there", got)
	}
}

// relay passes connections on to a server until it is cut.
type relay struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l}
	t.Cleanup(func() { _ = l.Close(); r.silence() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			if r.cut {
				_, _ = in.Close(), out.Close()
			}
			r.mu.Unlock()
			go func() { _, _ = io.Copy(in, out) }()
			go func() { _, _ = io.Copy(out, in) }()
		}
	}()
	return r
}

// silence ends all connections, now and later.
func (r *relay) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// A replica that cannot reach Redis, where others flush, does not use what it remembers for long.
func TestReplicaThatIsCutOff(t *testing.T) {
	t.Parallel()
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	way := newRelay(t, r.Addr)
	a, _ := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	config, log := logged(SharedConfig{Addresses: []string{way.Addr().String()}})
	b, sb := replica(t, config)
	do(t, b, token, &maker{value: "before"})
	way.silence()
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Get(token); !ok {
		t.Fatal("it has forgotten at once")
	}
	sb.sight.Add(-int64(longestBlind - 2*lookEvery)) // what has passed
	forgets(t, "it forgets", b, token)
	if trouble := sb.Trouble(); len(trouble) != 2 || !strings.Contains(log.String(), "cannot be asked for flushes") {
		t.Errorf("%q, log: %s", trouble, log)
	}
}

// A cluster keeps epochs on one server and values on any.
func TestCluster(t *testing.T) {
	t.Parallel()
	r := envoytest.StartRedis(t, envoytest.RedisOptions{Config: []string{"cluster-enabled yes"}})
	client := at(t, r, "")
	if err := client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster works", func() bool { return strings.Contains(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	acl(t, client, append([]any{"SETUSER", "portcullis", "on", ">p4ssword", "+cluster", "+command", "+asking"}, rights...)...)
	config := SharedConfig{Addresses: []string{r.Addr}, Cluster: true, Username: "portcullis", Password: "p4ssword"}
	a, _ := replica(t, config)
	b, _ := replica(t, config)
	var m maker
	do(t, a, token, &m)
	if do(t, b, token, &m); m.calls.Load() != 1 {
		t.Fatalf("%d calls: nothing is shared", m.calls.Load())
	}
	if err := a.FlushShared(t.Context(), token.Scope); err != nil {
		t.Fatal(err)
	}
	forgets(t, "the flush arrives", b, token)
	if log := client.Do(t.Context(), "ACL", "LOG").String(); strings.Contains(log, "portcullis") {
		t.Errorf("refused: %s", log)
	}
}
