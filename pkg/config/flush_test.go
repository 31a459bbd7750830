package config

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/authz"
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

// replica is a process's runtime with the configuration that serves.
type replica struct {
	runtime *Runtime
	file    string
	serving *Snapshot
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	runtime, err := NewRuntime(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{runtime: runtime, file: filepath.Join(t.TempDir(), "portcullis.yaml")}
	t.Cleanup(func() { r.serving.Close(); runtime.Close() })
	return r
}

// serve swaps a configuration in.
func (r *replica) serve(t *testing.T, text string) {
	t.Helper()
	write(t, r.file, []byte(text))
	next, err := r.runtime.Load(r.file)
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
	a, b, c := newReplica(t), newReplica(t), newReplica(t)
	a.serve(t, one)
	a.get(t)
	b.serve(t, one)
	if b.get(t); asked.Load() != 1 {
		t.Fatalf("%d invocations: nothing is shared", asked.Load())
	}
	c.serve(t, two)
	c.flush(t, "")
	c.serve(t, one)
	if c.get(t); asked.Load() != 2 {
		t.Error("an answer from before the flush comes back from Redis")
	}
	newcomer := newReplica(t)
	newcomer.serve(t, one)
	if newcomer.get(t); asked.Load() != 2 {
		t.Error("the new answer is not shared")
	}
}
