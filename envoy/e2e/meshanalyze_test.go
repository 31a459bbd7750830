package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// istioctl finds nothing wrong with what is printed, for portcullis itself too, beside what the owner of the mesh has.
func TestMeshAnalyze(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, way := range []inside{"", behindSidecar} {
		for _, n := range append(nodes(), secureGateway()) {
			n.inside = way
			t.Run(strings.TrimSuffix(n.name+", portcullis "+string(way), ", portcullis "), func(t *testing.T) {
				t.Parallel()
				n.analyze(t)
			})
		}
	}
}

// analyze has istioctl look at what a node has and what is printed for it, and then at faults, one in each of the resources, which it finds.
func (n node) analyze(t *testing.T) {
	m := &meshStack{stack: &stack{dir: t.TempDir()}}
	m.write(t, owner+".json", export(owner))
	m.write(t, "access-keys.yaml", ownKeys())
	m.write(t, "portcullis.yaml", meshed)
	flags := append([]string{"--for", "istio"}, n.flags...)
	if n.inside != "" {
		flags = append(flags, "--istio-callers", n.identity)
	}
	m.takeApart(t, printed(t, m.dir, flags...))
	if kinds := strings.Count("\n"+m.printed, "\nkind: "); kinds != map[inside]int{"": 3, behindSidecar: 5}[n.inside] {
		t.Fatalf("%d resources are printed", kinds)
	}
	ports := strings.NewReplacer("PORTCULLIS", "9001", "SERVICE", "9001", "UPSTREAM", "8081", "OWN", "9002", "SECURE", "443", "REDIRECT", "8080", "PORT", "80", "FOLDER", m.dir)
	m.write(t, "mesh.yaml", m.mesh)
	find := func(printed, more string) error {
		var files []string
		for name, text := range map[string]string{
			"printed.yaml": printed, "services.yaml": ports.Replace(meshServices + n.inside.resources()), "node.yaml": ports.Replace(n.resources), "more.yaml": more,
		} {
			m.write(t, name, text)
			files = append(files, filepath.Join(m.dir, name))
		}
		return envoytest.Analyze(t, filepath.Join(m.dir, "mesh.yaml"), files...)
	}
	if err := find(m.printed, ""); err != nil {
		t.Error(err)
	}
	faults := []struct{ name, printed, more, want string }{
		{"a gateway that is not there", m.printed, wrongVirtualService, "IST0101"},
	}
	if n.inside != "" {
		faults = append(faults, []struct{ name, printed, more, want string }{
			{"PeerAuthentication", strings.Replace(m.printed, "mtls: {mode: STRICT}", "mtls: {mode: STRICTER}", 1), "", "STRICTER"},
			{"AuthorizationPolicy", strings.Replace(m.printed, "action: ALLOW ", "action: ALLOWED ", 1), "", "ALLOWED"},
			{"DestinationRule", strings.Replace(m.printed, "tls: {mode: ISTIO_MUTUAL}", "tls: {mode: SIMPLE}", 1), "", "IST0128"},
		}...)
	}
	for _, f := range faults {
		if f.printed == m.printed && f.more == "" {
			t.Fatalf("%s: nothing is changed", f.name)
		}
		if err := find(f.printed, f.more); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: %v", f.name, err)
		}
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
