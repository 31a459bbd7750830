package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// outages are a portcullis that is gone and comes back, and an istiod that is gone.
func (m *meshStack) outages(t *testing.T) {
	m.portcullis.Kill()
	m.nothingPasses(t)
	m.serve(t)
	eventually(t, "Envoy is connected again", func() bool { return m.get(t, "/open").status == 200 })
	m.upstream.Take()
	m.noneRejected(t)

	m.istiod.Kill()
	m.sees(t, m.get(t, "/open"), "x-stage: prod")
	check(t, m.stack, m.get(t, "/admin"), 403, accessDenied, explicitDeny)
	m.portcullis.Kill()
	m.nothingPasses(t)
}

// noneRejected fails if the Envoy has refused anything that istiod told it.
func (m *meshStack) noneRejected(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(m.istiod.Stdout() + m.istiod.Stderr()) {
		if strings.Contains(line, "ACK ERROR") {
			t.Errorf("istiod: %s", line)
		}
	}
}

// A portcullis that does not answer in time has not allowed anything.
func TestMeshPortcullisHangs(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, n, setup{config: strings.ReplaceAll(pets, "/pets", "/open")}, "2s")
			m.portcullis.Signal(syscall.SIGSTOP)
			var a answer
			var took time.Duration
			eventually(t, "portcullis stands still", func() bool {
				m.upstream.Take()
				from := time.Now()
				a = m.get(t, "/open")
				took = time.Since(from)
				return a.status != 200
			})
			if took < 1900*time.Millisecond || took > 8*time.Second {
				t.Errorf("Envoy gave up after %v, want the timeout of 2s", took)
			}
			m.denied(t, a, 503)
			m.portcullis.Signal(syscall.SIGCONT)
			eventually(t, "portcullis answers again", func() bool { return m.get(t, "/open").status == 200 })
		})
	}
}
