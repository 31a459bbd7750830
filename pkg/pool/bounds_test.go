package pool_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// bounded is two APIs that ask one function each, and one that takes tokens.
const bounded = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    authorizers: {partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:slow"}}}
    routes: [{route: GET /pets, authorizer: partners}]
  - id: b1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [cats.example.com]}]
    authorizers: {partners: {lambda: {type: TOKEN, function: "arn:aws:lambda:eu-west-1:111122223333:function:well"}}}
    routes: [{route: GET /cats, authorizer: partners}]
  - id: c1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [dogs.example.com]}]
    authorizers: {staff: {jwt: {issuers: [{issuer: "https://id.example.com/", audiences: [dogs]}]}}}
    routes: [{route: GET /dogs, authorizer: staff}]
functions:
  "arn:aws:lambda:eu-west-1:111122223333:function:slow": {url: "URL/slow"}
  "arn:aws:lambda:eu-west-1:111122223333:function:well": {url: "URL/well"}
issuers: {"https://id.example.com/": {jwksUri: "URL/keys"}}
`

// shareOf is a number of a share.
func shareOf(r *pool.Pool, name, share string) float64 {
	for _, s := range r.Samples() {
		if s.Name == "portcullis_share_"+name && s.Labels[0].Value == share {
			return s.Value
		}
	}
	return -1
}

// Every bound follows --max-checks, and those who wait are a part of the checks.
func TestBoundsFollowTheChecks(t *testing.T) {
	r, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	shares := []string{"waiting_for_functions", "waiting_by_function", "waiting_for_keys", "flights"}
	for checks, want := range map[int][]float64{4096: {2048, 2048, 512, 2048}, 410: {205, 205, 51, 205}, 0: {2048, 2048, 512, 2048}, -1: {2048, 2048, 512, 2048}, 1: {1, 1, 1, 1}} {
		r.Bound(checks)
		for i, share := range shares {
			if got := shareOf(r, "limit", share); got != want[i] {
				t.Errorf("%d checks, %s: %v, want %v", checks, share, got, want[i])
			}
		}
	}
}

// Checks that wait when the configuration is replaced go on counting, and an API's requests find their places under both.
func TestBoundsOutliveConfigurations(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/slow" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, `{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}}`)
	}))
	defer server.Close()
	defer close(release)
	r, err := pool.New(slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Bound(410)
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	load := func(comment string) *config.Snapshot {
		write(t, name, []byte(strings.ReplaceAll(bounded, "URL", server.URL)+comment))
		s, err := config.Load(name, r)
		if err != nil {
			t.Fatal(err)
		}
		s.Start(t.Context())
		return s
	}
	ask := func(ctx context.Context, s *config.Snapshot, host, target, token string) authz.Decision {
		q := &authz.Request{Method: "GET", Target: target, Host: host, Protocol: "HTTP/1.1"}
		q.SetHeaders([]authz.Field{{Name: "authorization", Value: token}})
		return s.Gateway.Authorize(ctx, q)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	attack := func(s *config.Snapshot) {
		t.Helper()
		for i := range 300 {
			all.Go(func() {
				if d := ask(ctx, s, "pets.example.com", "/pets", fmt.Sprint("garbage", i)); d.Allow || d.Denial.Status != 500 {
					t.Errorf("%+v", d)
				}
			})
		}
		for end := time.Now().Add(5 * time.Second); shareOf(r, "held", "waiting_for_functions") < 95 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	old := load("")
	defer old.Close()
	attack(old)
	replaced := load("# another\n")
	defer replaced.Close()
	attack(replaced)
	if held := shareOf(r, "held", "waiting_for_functions"); held < 95 || held > 130 {
		t.Errorf("%v requests of one API wait, of 205", held)
	}
	for _, s := range []*config.Snapshot{old, replaced} {
		if d := ask(t.Context(), s, "cats.example.com", "/cats", "good"); !d.Allow {
			t.Errorf("another API: %+v", d.Reason)
		}
	}
	cancel()
	all.Wait()
	if held := shareOf(r, "held", "waiting_for_functions"); held != 0 {
		t.Errorf("%v requests still count", held)
	}
}

// A function that runs here gets as many events at once as it has processes, or fewer: more would wait where nobody shares.
func TestCommandsGetNoMoreThanTheyHaveProcesses(t *testing.T) {
	for _, tt := range []struct {
		command                    *runner.Config
		concurrency, queue, atOnce int
	}{
		{nil, 0, 3, 0},
		{nil, 100, 0, 100},
		{&runner.Config{}, 0, 7, 1},
		{&runner.Config{}, 5, 0, 1},
		{&runner.Config{Processes: 4}, 0, 0, 4},
		{&runner.Config{Processes: 4}, 3, 0, 3},
		{&runner.Config{Processes: 4}, 9, 0, 4},
		{&runner.Config{Processes: 4}, -1, 0, -1}, // which is refused
	} {
		s := pool.FunctionSpec{Command: tt.command, Limits: lambda.GuardLimits{Concurrency: tt.concurrency, Queue: tt.queue, Timeout: time.Second}}
		if got, want := pool.Limits(&s), (lambda.GuardLimits{Concurrency: tt.atOnce, Queue: tt.queue, Timeout: time.Second}); got != want {
			t.Errorf("%+v: %+v, want %+v", tt, got, want)
		}
	}
}
