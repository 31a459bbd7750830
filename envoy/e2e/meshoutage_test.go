package e2e

import (
	"os"
	"path/filepath"
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

// istioctl finds nothing wrong with what is printed, beside what the owner of the mesh has.
func TestMeshAnalyze(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes() {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := &meshStack{stack: &stack{dir: t.TempDir()}}
			m.write(t, owner+".json", export(owner))
			m.write(t, "access-keys.yaml", ownKeys())
			m.write(t, "portcullis.yaml", meshed)
			m.takeApart(t, printed(t, m.dir, append([]string{"--for", "istio"}, n.flags...)...))
			var files []string
			for name, text := range map[string]string{
				"printed.yaml": m.printed, "services.yaml": strings.NewReplacer("PORTCULLIS", "9001", "SERVICE", "9001", "UPSTREAM", "8081").Replace(meshServices),
				"node.yaml": strings.NewReplacer("PORT", "80", "UPSTREAM", "8081").Replace(n.resources),
			} {
				files = append(files, filepath.Join(m.dir, name))
				m.write(t, name, text)
			}
			mesh := filepath.Join(m.dir, "mesh.yaml")
			if err := os.WriteFile(mesh, []byte(m.mesh), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := envoytest.Analyze(t, mesh, files...); err != nil {
				t.Error(err)
			}
			m.write(t, "wrong.yaml", wrongVirtualService)
			if err := envoytest.Analyze(t, mesh, append(files, filepath.Join(m.dir, "wrong.yaml"))...); err == nil || !strings.Contains(err.Error(), "IST0101") {
				t.Errorf("a gateway that is not there: %v", err)
			}
		})
	}
}

// wrongVirtualService is what istioctl has to find something in.
const wrongVirtualService = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wrong, namespace: pets}
spec:
  hosts: [wrong.example.com]
  gateways: [istio-system/none]
  http: [{route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}]
`
