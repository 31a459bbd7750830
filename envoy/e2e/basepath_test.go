package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// openBelow is an API that allows what is below /open, and nothing else, below a base path.
func openBelow(base string) string {
	return fmt.Sprintf(`
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: ["pets.example.com%s", other.example.com]}]
    resourcePolicy: {Statement: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/open/*"}]}
    routes: [{route: "GET /{proxy+}", authorization: NONE}]
`, base)
}

// oneHostBelow is openBelow with one host.
func oneHostBelow(base string) string {
	return strings.Replace(openBelow(base), ", other.example.com", "", 1)
}

// belowOpen are paths that one base path or another makes a path below /open of, or of the upstream's that are not.
var belowOpen = []string{"/open/x", "/open/admin", "/open/open/x", "/open/open/open/x", "/v1/open/x", "/v1/v1/open/x", "/admin", "/v1/admin", "/open/v1/open/x", "/open/v1/admin"}

// While a base path has changed in portcullis.yaml, or in Envoy's routes, and not yet in the other, no path reaches the upstream that was
// judged as another one.
func TestBasePathChanges(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		bases := []string{"", "/open", "/open/open", "/v1"}
		s := start(t, setup{envoy: bin, config: openBelow(""), printed: []string{}, change: func(dir, bootstrap string) string { return byFiles(t, dir, bootstrap, true) }})
		defer s.traffic(t)()
		in := ""
		for i, from := range bases {
			for _, to := range bases[i+1:] {
				if in != from {
					s.reads(t, openBelow(from))
					s.routesBelow(t, from)
				}
				in = from
				s.reads(t, openBelow(to))
				s.betweenBases(t, from, to)
				s.routesBelow(t, to)
				s.serves(t, to)
				s.routesBelow(t, from)
				s.betweenBases(t, from, to)
				s.reads(t, openBelow(from))
				s.serves(t, from)
			}
		}
	})
}

// reads has portcullis read another configuration.
func (s *stack) reads(t *testing.T, config string) {
	t.Helper()
	before := s.metric(t, `portcullis_reloads_total{result="loaded"}`)
	s.write(t, "portcullis.yaml", config)
	eventually(t, "the configuration is read", func() bool { return s.metric(t, `portcullis_reloads_total{result="loaded"}`) > before })
}

// routesBelow has Envoy read the routes that are printed for another base path.
func (s *stack) routesBelow(t *testing.T, base string) {
	t.Helper()
	before := s.routesRead(t)
	elsewhere := *s
	elsewhere.dir = t.TempDir()
	elsewhere.write(t, "portcullis.yaml", openBelow(base))
	byFiles(t, s.dir, elsewhere.print(t), false)
	eventually(t, "the routes are read", func() bool { return s.routesRead(t) > before })
}

// routesRead is how often Envoy has read other routes.
func (s *stack) routesRead(t *testing.T) (n int) {
	t.Helper()
	admin, err := os.ReadFile(filepath.Join(s.dir, "envoy.admin"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + string(admin) + "/stats?filter=rds.apis.config_reload$")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := fmt.Fscanf(resp.Body, "http.http.rds.apis.config_reload: %d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// serves fails unless what is below /open passes, and nothing else.
func (s *stack) serves(t *testing.T, base string) {
	t.Helper()
	for _, target := range belowOpen {
		want := 403
		if strings.HasPrefix(target, base+"/open/") {
			want = 200
		}
		if a := s.get(t, target); a.status != want {
			t.Errorf("base path %q, %s: status %d, want %d", base, target, a.status, want)
		}
	}
	s.onlyOpen(t)
}

// betweenBases fails if anything passes that two base paths read in two ways. The other host has none.
func (s *stack) betweenBases(t *testing.T, from, to string) {
	t.Helper()
	for _, target := range belowOpen {
		if a := s.get(t, target); a.status == 200 {
			t.Errorf("between the base paths %q and %q, %s passes", from, to, target)
		}
	}
	if a := s.get(t, from+to+"/open/x"); a.status != 500 && a.status != 403 {
		t.Errorf("between %q and %q: %d", from, to, a.status)
	}
	if a := s.from(t, "other.example.com", "/open/x"); a.status != 200 {
		t.Errorf("the other host: %d", a.status)
	}
	if log := s.portcullis.Stderr(); !strings.Contains(log, "portcullis.basePath") {
		t.Errorf("the log does not name the setting:\n%s", log)
	}
	s.onlyOpen(t)
}

// onlyOpen fails if the upstream has got a path that is not below /open.
func (s *stack) onlyOpen(t *testing.T) {
	t.Helper()
	for _, seen := range s.upstream.Take() {
		if !strings.HasPrefix(seen.Target, "/open/") {
			t.Errorf("the upstream saw %s %s", seen.Target, seen.Header("x-envoy-original-path"))
		}
	}
}

// traffic sends requests until what it returns is called.
func (s *stack) traffic(t *testing.T) (stop func()) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			default:
			}
			c, err := net.Dial("tcp", s.addr)
			if err == nil {
				_, err = converse(c, request("GET", belowOpen[i%len(belowOpen)]))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() {
		close(ended)
		all.Wait()
		s.onlyOpen(t)
	}
}

// In a mesh, and with --keep-base-path, the upstream gets the base path. A stage that has another one in portcullis.yaml is not judged by it
// before the routes are printed again.
func TestKeptBasePathChanges(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: oneHostBelow("/v1"), printed: []string{"--keep-base-path"}})
	if seen := s.allowed(t, s.get(t, "/v1/open/x")); seen.Target != "/v1/open/x" {
		t.Errorf("the upstream saw %s", seen.Target)
	}
	for _, base := range []string{"", "/v1/open", "/v2"} {
		s.reads(t, oneHostBelow(base))
		for _, target := range []string{"/v1/open/x", "/v1/open/open/x", "/open/x", "/v2/open/x"} {
			if a := s.get(t, target); a.status == 200 {
				t.Errorf("base path %q: %s passes", base, target)
			}
		}
	}
}

// In a mesh a changed base path is refused until the EnvoyFilter is applied.
func TestMeshBasePathChanges(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			n.open = "/open/x"
			m := startMesh(t, n, setup{config: oneHostBelow("")}, "15s")
			for _, step := range []struct{ from, to string }{{"", "/open"}, {"/open", "/v1"}, {"/v1", ""}} {
				m.allowed(t, m.get(t, step.from+"/open/x"))
				m.write(t, "portcullis.yaml", oneHostBelow(step.to))
				eventually(t, "portcullis has read it", func() bool { return m.get(t, step.from+"/open/x").status != 200 })
				m.upstream.Take()
				for _, target := range belowOpen {
					if a := m.get(t, target); a.status == 200 {
						t.Errorf("from %q to %q: %s passes", step.from, step.to, target)
					}
				}
				m.reconfigure(t, oneHostBelow(step.to))
				eventually(t, "the routes are read", func() bool { return m.get(t, step.to+"/open/x").status == 200 })
				m.upstream.Take()
			}
		})
	}
}

// Without the EnvoyFilter, before it is applied or once it is deleted, no host chooses an API where portcullis.yaml requires that it is named.
func TestMeshWithoutTheEnvoyFilter(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			n.open = "/open/x"
			m := startMesh(t, n, setup{config: oneHostBelow("") + "envoy: {requireApi: true}\n"}, "15s")
			var rest []string
			for _, doc := range strings.Split(m.printed, "\n---\n") {
				if !strings.Contains(doc, "kind: EnvoyFilter") {
					rest = append(rest, doc)
				}
			}
			m.istiod.Configure(t, "portcullis.yaml", strings.Join(rest, "\n---\n"))
			eventually(t, "the EnvoyFilter is gone", func() bool { return m.get(t, "/open/x").status == 500 })
			m.upstream.Take()
			m.denied(t, m.get(t, "/open/x"), 500)
			if log := m.portcullis.Stderr(); !strings.Contains(log, "portcullis.api is missing") {
				t.Errorf("the log does not name the setting:\n%s", log)
			}
			m.istiod.Configure(t, "portcullis.yaml", m.printed)
			eventually(t, "the EnvoyFilter is there", func() bool { return m.get(t, "/open/x").status == 200 })
		})
	}
}
