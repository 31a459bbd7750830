package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// The README's section on a mesh, with its commands and resources, gives the answers that it shows. What is replaced is the port, and
// helm and kubectl by files that istiod reads.
func TestMeshREADME(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	own := section(t, string(text), "A mesh")
	script := block(own, "sh")
	if !strings.HasPrefix(script, "portcullis envoy --for istio > mesh.yaml\n") {
		t.Fatalf("the README's command is another one: %s", script)
	}
	n := nodes()[0]
	n.open, n.resources = "/pets", strings.Replace(block(own, "yaml"), "port: {number: 80, name", "bind: 127.0.0.1\n    port: {number: PORT, name", 1)
	m := startMesh(t, n, setup{config: block(string(text), "yaml"), answer: func(envoytest.Seen) string { return "rex, tom\n" }}, "15s")

	m.write(t, "mesh.yaml", m.text)
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "sed ") {
			run(t, m.dir, shown{command: strings.TrimSpace(line)}, strings.NewReplacer())
		}
	}
	for name, has := range map[string]string{"istiod.values.yaml": "meshConfig:", "portcullis.istio.yaml": m.printed} {
		if got, err := os.ReadFile(filepath.Join(m.dir, name)); err != nil || !strings.Contains(string(got), has) || strings.Contains(string(got), "\n---\n") != (has == m.printed) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	shows := commands(own)
	if len(shows) < 2 {
		t.Fatalf("the README shows %d requests", len(shows))
	}
	for _, show := range shows {
		run(t, m.dir, show, strings.NewReplacer("127.0.0.1:8080", m.addr))
	}
}
