package config

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// countedFunction is the URL of a function that allows, and how often it was asked.
func countedFunction(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"principalId": "u", "policyDocument": {"Version": "2012-10-17",
			"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// withFunction is a configuration whose function is at a URL, with what else the file has.
func withFunction(url, more string) string {
	return fmt.Sprintf(`apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers: {partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:partners", resultTtl: 3600s}}}
    routes: [{route: GET /a, authorizer: partners}]
functions: {"arn:aws:lambda:eu-west-1:111122223333:function:partners": {url: %q}}
%s`, url, more)
}

// replica is a process's pool with the configuration that serves.
type replica struct {
	pool    *pool.Pool
	file    string
	serving *Snapshot
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	p, err := pool.New(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{pool: p, file: filepath.Join(t.TempDir(), "portcullis.yaml")}
	t.Cleanup(func() {
		if r.serving != nil {
			r.serving.Close()
		}
		p.Close()
	})
	return r
}

// serve swaps a configuration in.
func (r *replica) serve(t *testing.T, text string) {
	t.Helper()
	write(t, r.file, []byte(text))
	next, err := Load(r.file, r.pool)
	if err != nil {
		t.Fatal(err)
	}
	next.Start(t.Context())
	next.Wait(t.Context())
	if r.serving != nil {
		r.serving.Close()
	}
	r.serving = next
}

func (r *replica) get(t *testing.T) {
	t.Helper()
	q := &authz.Request{Method: "GET", Target: "/a", Host: "pets.example.com", Time: time.Now()}
	q.SetHeaders([]authz.Field{{Name: "authorization", Value: "token"}})
	if d := r.serving.Gateway.Authorize(t.Context(), q); !d.Allow {
		t.Fatalf("%+v", d)
	}
}

func (r *replica) flush(t *testing.T, authorizer string) {
	t.Helper()
	if found, err := r.serving.Flush(t.Context(), "a1b2c3d4e5", "prod", authorizer); !found || err != nil {
		t.Fatalf("the flush: %v, %v", found, err)
	}
}

// Answers from before a flush count no more where the authorizer is changed before it and changed back after it.
func TestFlushCoversWhatWasConfiguredBefore(t *testing.T) {
	url, asked := countedFunction(t)
	one := withFunction(url, "")
	for name, row := range map[string]struct{ two, flush string }{
		"changed":                  {strings.Replace(one, "3600s", "300s", 1), ""},
		"changed, flushed by name": {strings.Replace(one, "3600s", "300s", 1), "partners"},
		"renamed":                  {strings.ReplaceAll(strings.ReplaceAll(one, "{partners:", "{others:"), "authorizer: partners", "authorizer: others"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t)
			before := asked.Load()
			r.serve(t, one)
			r.get(t)
			r.serve(t, row.two)
			r.serve(t, one)
			if r.get(t); asked.Load() != before+1 {
				t.Fatalf("%d invocations: the answer was not remembered across changes", asked.Load()-before)
			}
			r.serve(t, row.two)
			r.flush(t, row.flush)
			r.serve(t, one)
			if r.get(t); asked.Load() != before+2 {
				t.Error("an answer from before the flush counts again")
			}
		})
	}
}

// The same in a Redis, where the replica that flushes has never known what was configured before.
func TestFlushCoversWhatOtherReplicasHadBefore(t *testing.T) {
	url, asked := countedFunction(t)
	redis := envoytest.StartRedis(t, envoytest.RedisOptions{})
	one := withFunction(url, fmt.Sprintf(`cache: {redis: {addresses: [%q], key: {value: %q}, wait: 1s}}`, redis.Addr, strings.Repeat("0a", 32)))
	two := strings.Replace(one, "3600s", "300s", 1)
	isShared(t, one, asked)
	c := newReplica(t)
	c.serve(t, two)
	c.flush(t, "")
	c.serve(t, one)
	before := asked.Load()
	if c.get(t); asked.Load() != before+1 {
		t.Error("an answer from before the flush comes back from Redis")
	}
	isShared(t, one, asked)
}

// isShared waits until a new replica has its answer from Redis. While Redis is slow, each replica asks for itself.
func isShared(t *testing.T, config string, asked *atomic.Int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		r, before := newReplica(t), asked.Load()
		r.serve(t, config)
		if r.get(t); asked.Load() == before {
			return
		}
	}
	t.Fatal("nothing is shared")
}

// A flush of an authorizer that this replica does not have reaches those that have it, and is told apart.
func TestFlushOfWhatIsNotConfiguredHere(t *testing.T) {
	url, asked := countedFunction(t)
	redis := envoytest.StartRedis(t, envoytest.RedisOptions{})
	one := withFunction(url, fmt.Sprintf(`cache: {redis: {addresses: [%q], key: {value: %q}, wait: 1s}}`, redis.Addr, strings.Repeat("0a", 32)))
	for name, row := range map[string]struct{ without, authorizer string }{
		"another name": {strings.ReplaceAll(strings.ReplaceAll(one, "{partners:", "{others:"), "authorizer: partners", "authorizer: others"), "partners"},
		"no stage":     {strings.Replace(one, "name: prod", "name: beta", 1), ""},
		"no API":       {strings.Replace(one, "id: a1b2c3d4e5", "id: b1b2c3d4e5", 1), "partners"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newReplica(t), newReplica(t)
			a.serve(t, one)
			b.serve(t, row.without)
			waitForMessages(t, a)
			a.get(t)
			before := asked.Load()
			if a.get(t); asked.Load() != before {
				t.Fatal("nothing is remembered")
			}
			if found, err := b.serving.Flush(t.Context(), "a1b2c3d4e5", "prod", row.authorizer); found || err != nil {
				t.Errorf("found: %v, %v", found, err)
			}
			for end := time.Now().Add(10 * time.Second); asked.Load() == before; time.Sleep(5 * time.Millisecond) {
				if a.get(t); time.Now().After(end) {
					t.Fatal("the flush does not arrive")
				}
			}
		})
	}
}

// waitForMessages waits until a replica is told of flushes.
func waitForMessages(t *testing.T, r *replica) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, s := range r.pool.Samples() {
			if s.Name == "portcullis_shared_cache_subscribed" && s.Value == 1 {
				return
			}
		}
	}
	t.Fatal("no messages come")
}

// What outlives a configuration keeps nothing of one that is closed, even while a function still works on an abandoned call
// any more: neither answers that are remembered nor flights refer to its gateway.
func TestNothingKeepsAClosedConfiguration(t *testing.T) {
	hang := make(chan struct{})
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || strings.Contains(string(body), "slow") {
			<-hang
		}
		fmt.Fprint(w, `{"principalId": "u", "policyDocument": {"Version": "2012-10-17",
			"Statement": {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}}`)
	}))
	defer function.Close()
	defer close(hang)
	r := newReplica(t)
	var gateways []weak.Pointer[gateway.Gateway]
	for i := range 3 {
		r.serve(t, withFunction(function.URL, fmt.Sprintf("# %d\n", i)))
		gateways = append(gateways, weak.Make(r.serving.Gateway))
		for _, token := range []string{"quick", fmt.Sprintf("slow %d", i)} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			q := &authz.Request{Method: "GET", Target: "/a", Host: "pets.example.com", Time: time.Now()}
			q.SetHeaders([]authz.Field{{Name: "authorization", Value: token}})
			if d := r.serving.Gateway.Authorize(ctx, q); d.Allow != (token == "quick") {
				t.Errorf("%s: %+v", token, d)
			}
			cancel()
		}
	}
	runtime.GC()
	for i, g := range gateways[:2] {
		if g.Value() != nil {
			t.Errorf("configuration %d is still there", i+1)
		}
	}
}
