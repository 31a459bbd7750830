package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// Without portcullis nothing passes, and with it back everything is as before.
func TestPortcullisIsGone(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets})
	s.allowed(t, s.get(t, "/pets"))

	s.portcullis.Kill()
	for range 3 {
		s.denied(t, s.get(t, "/pets"), 503)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	back, err := envoytest.StartPortcullis(ctx, portcullis(t), filepath.Join(s.dir, "portcullis.yaml"), s.portcullis.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	s.portcullis = back
	eventually(t, "Envoy is connected again", func() bool { return s.get(t, "/pets").status == 200 })
	s.upstream.Take()
	s.denied(t, s.get(t, "/admin"), 403)
}

// A portcullis that does not answer in time has not allowed anything, nor does its late answer.
func TestPortcullisHangs(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets, hurried: true})
	eventually(t, "a check is answered in time", func() bool { return s.get(t, "/pets").status == 200 })
	s.upstream.Take()

	s.portcullis.Signal(syscall.SIGSTOP)
	var a answer
	from := time.Now()
	eventually(t, "portcullis stands still", func() bool { // the signal takes its time: until it is there, answers are in time
		s.upstream.Take()
		from = time.Now()
		a = s.get(t, "/pets")
		return a.status != 200
	})
	if took := time.Since(from); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("Envoy gave up after %v, want the timeout of 1s", took)
	}
	s.denied(t, a, 503)

	s.portcullis.Signal(syscall.SIGCONT)
	eventually(t, "portcullis answers again", func() bool { return s.get(t, "/pets").status == 200 })
	if seen := s.upstream.Take(); len(seen) != 1 {
		t.Errorf("the upstream saw %d requests, want only the one that was answered", len(seen))
	}
}

// A portcullis that is told to end finishes what it has begun.
func TestPortcullisDrains(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: pets})
	s.allowed(t, s.get(t, "/pets"))
	s.portcullis.Signal(syscall.SIGTERM)
	select {
	case <-s.portcullis.Done():
	case <-time.After(patience):
		t.Fatal("portcullis still runs")
	}
	s.denied(t, s.get(t, "/pets"), 503)
}

const closed = `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}`

// A changed file changes the answers of a running Envoy. A file that is wrong does not, until it is right.
func TestReload(t *testing.T) {
	t.Parallel()
	open := strings.Replace(closed, "Deny", "Allow", 1)
	s := start(t, setup{config: `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [pets.example.com]}
    resourcePolicy: {file: pets.policy.json}
    routes:
      - {route: GET /pets, authorization: NONE}
`, files: map[string]string{"pets.policy.json": open}})
	status := func() int { return s.get(t, "/pets").status }
	if got := status(); got != 200 {
		t.Fatalf("status %d, want 200", got)
	}

	s.write(t, "pets.policy.json", closed)
	eventually(t, "the new policy denies", func() bool { return status() == 403 })
	s.upstream.Take()

	s.write(t, "pets.policy.json", `{"Statement": [{"Effect": "Alow"}]}`)
	eventually(t, "the wrong policy is complained of", func() bool { return strings.Contains(s.portcullis.Stderr(), "Alow") })
	s.denied(t, s.get(t, "/pets"), 403)

	s.write(t, "pets.policy.json", open)
	eventually(t, "the right policy allows", func() bool { return status() == 200 })
}
