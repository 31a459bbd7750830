package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
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

// A writer to Redis cannot make the process read a huge value.
func TestHugeValuesAreNotRead(t *testing.T) {
	r := envoytest.StartRedis(t, envoytest.RedisOptions{})
	client := at(t, r, "")
	a, s := replica(t, SharedConfig{Addresses: []string{r.Addr}})
	do(t, a, token, &maker{value: "old"})
	const huge = 64 << 20
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

// A server that answers in place of Redis, on the connection for look-ups or on that for flushes, ends nothing but the connection.
func TestRepliesThatAreTooLarge(t *testing.T) {
	for what, reply := range map[string]string{
		"a text beyond all memory": "$9223372036854775800\r\n", "a text of 64 GB": "$68719476736\r\n", "an error of 64 GB": "!68719476736\r\n",
		"a list beyond all memory": "*9223372036854775800\r\n", "a list of 64 G": "*68719476736\r\n", "a push of 4 G": ">4294967296\r\n",
		"a map of 4 G": "%4294967296\r\n", "a set of 4 G": "~4294967296\r\n", "lists in lists": strings.Repeat("*1\r\n", 3_000_000),
		"an endless line": "+" + strings.Repeat("x", 24<<20), "no number": "$x\r\n", "a negative number": "*-2\r\n", "nothing": "\r\n", "empty": "\n",
	} {
		t.Run(what, func(t *testing.T) {
			data := []byte(reply)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						var err error
						defer func() { _ = conn.Close() }()
						_, _ = conn.Read(make([]byte, 1024))
						for rest := bytes.NewReader(data); err == nil && rest.Len() > 0; {
							_, err = io.CopyN(conn, rest, min(4096, int64(rest.Len())))
						}
						_, _ = conn.Read(make([]byte, 1024)) // until the other side goes
					}()
				}
			}()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a, _ := replica(t, SharedConfig{Addresses: []string{l.Addr().String()}, Wait: 100 * time.Millisecond})
			if got := do(t, a, token, &maker{value: "made"}); got != "made" {
				t.Errorf("%q", got)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
				t.Errorf("it takes %d MiB", took>>20)
			}
		})
	}
}

// FuzzReplies compares what is let through with what came, however it is cut.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nabc\r\n:1\r\n+OK\r\n%1\r\n+a\r\n*-1\r\n$-1\r\n"), uint8(1))
	f.Add([]byte("*0\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n_\r\n"), uint8(7))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		whole, err1 := io.ReadAll(&replies{Conn: pieces{bytes.NewReader(stream), len(stream) + 1}})
		cut, err2 := io.ReadAll(&replies{Conn: pieces{bytes.NewReader(stream), int(step) + 1}})
		if (err1 == nil) != (err2 == nil) || err1 == nil && (!bytes.Equal(whole, stream) || !bytes.Equal(cut, stream)) {
			t.Errorf("%q, %v; in pieces %q, %v", whole, err1, cut, err2)
		}
	})
}

// pieces is a connection on which a stream comes in pieces.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error)     { return p.Reader.Read(b[:min(len(b), p.size)]) }
func (pieces) Write([]byte) (int, error)        { return 0, io.ErrClosedPipe }
func (pieces) Close() error                     { return nil }
func (pieces) LocalAddr() net.Addr              { return nil }
func (pieces) RemoteAddr() net.Addr             { return nil }
func (pieces) SetDeadline(time.Time) error      { return nil }
func (pieces) SetReadDeadline(time.Time) error  { return nil }
func (pieces) SetWriteDeadline(time.Time) error { return nil }
