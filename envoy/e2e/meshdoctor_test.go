package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// Nothing is found in what istiod makes of what portcullis envoy prints, asked of Envoy and by istioctl. A policy that does not match
// every request is found, and so is a mesh without the EnvoyFilter.
func TestMeshDoctor(t *testing.T) {
	t.Parallel()
	istioctl := envoytest.RequireIstioctl(t)
	for _, n := range nodes() {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, n, setup{config: strings.Replace(meshed, "GET /health", "GET /open", 1), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}}, "15s")
			// Checks failed before portcullis was started, and the mesh has hosts of other APIs.
			finds(t, m.dir, nil, "--envoy", m.envoy.Admin(), "--config", "portcullis.yaml", "--ignore", "checks-failing", "--ignore", "unknown-host")
			m.dump(t, "dump.json")
			finds(t, m.dir, nil, "dump.json")
			for _, kind := range []string{"all", "listeners", "routes", "clusters"} {
				cmd := exec.CommandContext(t.Context(), istioctl, "proxy-config", kind, "--file", "dump.json", "-o", "json")
				cmd.Dir = m.dir
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				m.write(t, kind+".json", string(out))
			}
			finds(t, m.dir, nil, "all.json")
			finds(t, m.dir, nil, "listeners.json", "routes.json", "clusters.json")
			if n.namespace == "istio-system" { // a sidecar's inbound routes are in its listeners
				finds(t, m.dir, []string{"unseen"}, "listeners.json", "clusters.json")
			}
			if *update {
				m.sample(t, "istio-"+strings.ReplaceAll(n.name, " ", "-")+".json")
			}
			m.istiod.Configure(t, "portcullis.yaml", strings.Replace(m.printed, "rules:\n  - {}", "rules:\n  - to: [{operation: {notPaths: [/open]}}]", 1))
			m.eventuallyFinds(t, "enabled-by-metadata")
			policy, _, _ := strings.Cut(m.printed, "\n---\n")
			m.istiod.Configure(t, "portcullis.yaml", policy)
			m.eventuallyFinds(t, "missing-api", "joined-headers")
		})
	}
}

// eventuallyFinds waits until the rules are among those that are found in the running Envoy.
func (m *meshStack) eventuallyFinds(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "found: "+strings.Join(want, ", "), func() bool {
		rules, _ := doctor(t, m.dir, "--envoy", m.envoy.Admin())
		return !slices.ContainsFunc(want, func(r string) bool { return !slices.Contains(rules, r) })
	})
}

// dump writes Envoy's configuration to a file.
func (m *meshStack) dump(t *testing.T, name string) {
	t.Helper()
	response, err := http.Get("http://" + m.envoy.Admin() + "/config_dump?include_eds")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, name, string(text))
}

// sample writes the dump, without Envoy's list of extensions, where the tests of pkg/doctor read it.
func (m *meshStack) sample(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "dump.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Configs []map[string]any `json:"configs"`
	}
	if err := json.Unmarshal(text, &dump); err != nil {
		t.Fatal(err)
	}
	for _, section := range dump.Configs {
		if bootstrap, ok := section["bootstrap"].(map[string]any); ok {
			delete(mapping(t, bootstrap["node"]), "extensions")
		}
	}
	out, err := json.MarshalIndent(dump, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "..", "pkg", "doctor", "testdata", name), append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Nothing is found in what Envoy Gateway makes of what portcullis envoy prints. With HTTP/3 there is one more listener, which the patches
// do not reach.
func TestMeshGatewayDoctor(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{config: strings.Replace(meshed, "GET /health", "GET /open", 1), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
	// The admin interface has a port that Envoy Gateway does not tell, the only one of its Envoy on loopback.
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `ss -ltnpH | grep '"envoy"' | grep -o '127.0.0.1:[0-9]*'`).Output()
	admins := strings.Fields(string(out))
	if err != nil || len(admins) == 0 {
		t.Fatalf("no admin interface: %v, %q", err, out)
	}
	found := false
	for _, admin := range admins {
		response, err := http.Get("http://" + admin + "/server_info")
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(string(text), `"service_cluster": "default/eg"`) && !strings.Contains(string(text), `"cluster": "default/eg"`) {
			continue
		}
		found = true
		finds(t, g.dir, nil, "--envoy", admin, "--config", "portcullis.yaml", "--ignore", "checks-failing", "--ignore", "unknown-host")
		g.gateway.Configure(t, "portcullis.yaml", strings.Replace(g.printed, "\n  path:\n", "\n  http3: {}\n  path:\n", 1))
		eventually(t, "found: unpatched-listener", func() bool {
			rules, _ := doctor(t, g.dir, "--envoy", admin)
			return slices.Contains(rules, "unpatched-listener")
		})
	}
	if !found {
		t.Error("no Envoy of Envoy Gateway is examined")
	}
}
