package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	holdings "github.com/portcullis-authz/portcullis/pkg/pool"
)

// servers are the upstreams that routes name.
type servers map[string]*envoytest.Upstream

// startServers starts an upstream for each name. It returns the upstreams: of a portcullis.yaml.
func startServers(t *testing.T, names ...string) (servers, string) {
	t.Helper()
	s, text := servers{}, "upstreams:\n"
	for _, name := range names {
		u, err := envoytest.StartUpstream(nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Stop)
		s[name] = u
		text += fmt.Sprintf("  %s: {address: \"127.0.0.1:%s\"}\n", name, u.Port())
	}
	return s, text
}

// take returns the only request that has reached an upstream, and the name of the upstream; "" for none.
func (s servers) take(t *testing.T) (string, envoytest.Seen) {
	t.Helper()
	name, seen := "", envoytest.Seen{}
	for of, u := range s {
		for _, got := range u.Take() {
			if name != "" {
				t.Errorf("%s and %s got a request", name, of)
			}
			name, seen = of, got
		}
	}
	return name, seen
}

// shared is an API whose routes have three upstreams, below two base paths.
const shared = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com, pets.example.com/v1]}]
    upstream: front
    upstreamHeaders: {x-judged: $context.resourcePath}
    routes:
      - {route: GET /pets, authorization: NONE, upstream: pets}
      - {route: POST /pets, authorization: NONE, upstream: admin}
      - {route: "GET /pets/{id}", authorization: NONE, upstream: pets}
      - {route: "ANY /admin/{proxy+}", authorization: NONE, upstream: admin}
      - {route: GET /closed, authorization: AWS_IAM, upstream: admin}
      - {route: "ANY /{proxy+}", authorization: NONE}
iam: {accounts: [{file: 111122223333.json}], accessKeys: [{file: access-keys.yaml}]}
`

// The upstream is that of the route that was judged, however the client writes its request and whatever it says of the upstream.
func TestRouteUpstreams(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		up, text := startServers(t, "pets", "admin", "front")
		s := start(t, setup{envoy: bin, config: text + shared, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
		for _, tc := range []struct {
			method, target, want string
			status               int
			headers              []string
		}{
			{"GET", "/pets", "pets", 200, nil},
			{"GET", "/v1/pets", "pets", 200, nil},
			{"POST", "/pets", "admin", 200, nil},
			{"GET", "/pets/7", "pets", 200, nil},
			{"GET", "/pets/7/", "pets", 200, nil},
			{"GET", "/pets/", "pets", 200, nil},
			{"GET", "/PETS", "front", 200, nil},
			{"GET", "/Admin/x", "front", 200, nil},
			{"GET", "/admin/x", "admin", 200, nil},
			{"GET", "/v1//admin/x", "admin", 200, nil},
			{"GET", "//admin//x", "admin", 200, nil},
			{"GET", "/%61dmin/x", "admin", 200, nil},
			{"GET", "/admin", "front", 200, nil},
			{"GET", "/pets%2F7", "front", 200, nil},
			{"GET", "/pets/7%2F8", "pets", 200, nil},
			{"GET", "/closed", "", 403, nil},
			{"GET", "/pets?upstream=admin", "pets", 200, nil},
			{"GET", "/pets", "pets", 200, []string{"x-portcullis-upstream: admin"}},
			{"GET", "/pets", "pets", 200, []string{"X-Portcullis-Upstream: admin", "x-portcullis-upstream: front"}},
			{"GET", "/pets", "pets", 200, []string{"x_portcullis_upstream: admin", "x.portcullis.upstream: admin"}},
			{"GET", "/pets", "pets", 200, []string{"X-HTTP-Method-Override: POST"}},
			{"GET", "/pets", "pets", 200, []string{"x-envoy-original-path: /admin/x", "x-original-url: /admin/x"}},
			{"GET", "/pets", "pets", 200, []string{"Connection: x-portcullis-upstream"}},
		} {
			a := s.send(t, request(tc.method, tc.target, tc.headers...))
			name, seen := up.take(t)
			if tc.status == 403 && tc.want == "" && a.status >= 400 && name == "" {
				continue
			}
			if name != tc.want || a.status != tc.status {
				t.Errorf("%s %s %q: status %d by %q, want %d by %q", tc.method, tc.target, tc.headers, a.status, name, tc.status, tc.want)
			}
			if told := seen.Header("x-portcullis-upstream"); !slices.Equal(told, []string{tc.want}) {
				t.Errorf("%s %s: the upstream was told %q", tc.method, tc.target, told)
			}
			for _, line := range seen.Headers {
				if l := strings.ToLower(line); strings.HasPrefix(l, "x_portcullis") || strings.HasPrefix(l, "x.portcullis") {
					t.Errorf("the client's %s reached the upstream", line)
				}
			}
		}
		for target, want := range map[string]string{"/pets": "pets", "/admin/x": "admin", "/v1/x": "front"} {
			a := s.send2Body(t, []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "pets.example.com"}, {Name: ":path", Value: target}, {Name: "x-portcullis-upstream", Value: "admin"}}, nil)
			if name, _ := up.take(t); name != want || a.status != 200 {
				t.Errorf("HTTP/2 %s: status %d by %q, want %q", target, a.status, name, want)
			}
		}
		r := by(user(owner, grants), presigned, "GET", "/closed")
		a := s.send11(t, goClient().mustSign(t, r))
		if name, seen := up.take(t); (a.status == 200) != (name == "admin") || strings.Contains(seen.Target, "X-Amz") {
			t.Errorf("presigned: status %d by %q, target %s", a.status, name, seen.Target)
		}
	})
}

// An Envoy that does not select the route again sends no request to any of the upstreams.
func TestRouteUpstreamsWithoutSelection(t *testing.T) {
	t.Parallel()
	up, text := startServers(t, "pets", "admin", "front")
	s := start(t, setup{config: text + shared, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
		change: func(_, bootstrap string) string {
			return strings.Replace(bootstrap, "clear_route_cache: true", "clear_route_cache: false", 1)
		}})
	for _, target := range []string{"/pets", "/admin/x", "/v1/x"} {
		a := s.get(t, target, "x-portcullis-upstream: admin")
		if name, _ := up.take(t); a.status != 500 || name != "" {
			t.Errorf("%s: status %d by %q", target, a.status, name)
		}
	}
}

// If an upstream's name gets another server, an Envoy that does not know it yet sends no request to the old one: that may be guarded
// by other routes.
func TestRouteUpstreamsChange(t *testing.T) {
	t.Parallel()
	up, text := startServers(t, "pets", "admin", "front")
	s := start(t, setup{config: text + shared, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
	if a := s.get(t, "/pets"); a.status != 200 {
		t.Fatalf("before the change: %d", a.status)
	}
	up.take(t)
	swapped := strings.NewReplacer(up["pets"].Port(), up["admin"].Port(), up["admin"].Port(), up["pets"].Port()).Replace(text)
	s.write(t, "portcullis.yaml", swapped+shared)
	eventually(t, "portcullis has read the change", func() bool {
		a := s.get(t, "/pets")
		if name, _ := up.take(t); a.status == 200 && name != "pets" {
			t.Fatalf("%s got a request for pets", name)
		}
		return a.status == 500
	})
	for _, tc := range []struct {
		target, want string
		status       int
	}{{"/pets", "", 500}, {"/admin/x", "", 500}, {"/v1/x", "front", 200}} {
		a := s.get(t, tc.target)
		if name, _ := up.take(t); name != tc.want || a.status != tc.status {
			t.Errorf("%s: status %d by %q, want %d by %q", tc.target, a.status, name, tc.status, tc.want)
		}
	}
}

// An upgrade goes to the upstream of its route, too, and only after the check.
func TestRouteUpstreamsOfUpgrades(t *testing.T) {
	t.Parallel()
	up, text := startServers(t, "pets", "admin", "front")
	s := start(t, setup{config: text + shared, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
		change: func(_, bootstrap string) string {
			changed := strings.ReplaceAll(bootstrap, "use_remote_address: true", "use_remote_address: true\n          upgrade_configs: [{upgrade_type: websocket}]")
			if changed == bootstrap {
				t.Fatal("the bootstrap has no place for upgrade_configs")
			}
			return changed
		}})
	for target, want := range map[string]string{"/pets": "pets", "/admin/x": "admin", "/v1/x": "front", "/closed": ""} {
		a := s.get(t, target, "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13", "x-portcullis-upstream: admin")
		if name, seen := up.take(t); name != want || want != "" && len(seen.Header("upgrade")) != 1 {
			t.Errorf("an upgrade of %s: status %d by %q with Upgrade %q, want %q", target, a.status, name, seen.Header("upgrade"), want)
		}
	}
}

var guardedLine = regexp.MustCompile(`route: "[A-Z]+ ([^"]*)", authorization: (\w+)`)

// The upstream is that of the route that was decided, for all APIs, hosts, base paths and spellings of a path.
func TestGeneratedRoutesGetTheirUpstreams(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		seen := map[string]int{}
		for seed := range uint64(6) {
			d := dice{rand.New(rand.NewPCG(seed, 21))}
			up, text := startServers(t, "u0", "u1", "u2")
			g, upstreamOf := d.generateNamed(t, text)
			s := start(t, setup{envoy: bin, config: g.config, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
			for range 250 {
				g.askNamed(t, d, s, up, upstreamOf, seen)
			}
		}
		if seen["u0"] < 10 || seen["u1"] < 10 || seen["u2"] < 10 || seen["u0"]+seen["u1"]+seen["u2"] < 300 {
			t.Errorf("%v: the test looks at one kind", seen)
		}
	})
}

// generateNamed makes a configuration whose routes have upstreams, and returns the upstream of each API's resource.
func (d dice) generateNamed(t *testing.T, upstreams string) (generated, map[string]string) {
	t.Helper()
	for range 300 {
		dir, of := t.TempDir(), map[string]string{}
		var text strings.Builder
		api := ""
		for line := range strings.Lines(d.apis()) {
			if id, is := strings.CutPrefix(line, "  - id: "); is {
				api = strings.TrimSpace(id)
			}
			if m := guardedLine.FindStringSubmatch(line); m != nil {
				name := d.one("u0", "u1", "u2")
				of[api+" "+m[1]] = name
				line = strings.Replace(line, "authorization: "+m[2], "authorization: "+m[2]+", upstream: "+name, 1)
			}
			text.WriteString(line)
		}
		g := generated{config: upstreams + text.String()}
		for name, text := range map[string]string{"portcullis.yaml": g.config, owner + ".json": export(owner), "access-keys.yaml": ownKeys()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := config.Load(filepath.Join(dir, "portcullis.yaml"), holdings.Dry())
		if err != nil {
			continue
		}
		if _, err := envoyconf.Generate(&s.Config, envoyconf.Options{}); err == nil {
			g.read(t, s.Config)
			return g, of
		}
	}
	t.Fatal("no configuration can be printed")
	return generated{}, nil
}

// askNamed sends one request, and compares the upstream that gets it with that of the route that was judged.
func (g *generated) askNamed(t *testing.T, d dice, s *stack, up servers, upstreamOf map[string]string, seen map[string]int) {
	t.Helper()
	domain := d.one(g.domains...)
	host, _, _ := strings.Cut(domain, "/")
	target, method := d.misspell(strings.TrimPrefix(domain, host))+d.target(), d.one("GET", "POST")
	r := by(user(owner, grants), inHeader, method, "/")
	r.URL = "https://" + host + target
	signed, err := signWithGo(r)
	if err != nil {
		t.Fatal(err)
	}
	signed.Method, signed.Target = method, target
	signed.Headers = append(signed.Headers, [2]string{"x-portcullis-upstream", d.one("u0", "u1", "u2")})
	a := s.send(t, to(host, signed.wire()))
	name, got := up.take(t)
	if (a.status == http.StatusOK) != (name != "") {
		t.Errorf("%s %s%s: status %d, by %q", method, host, target, a.status, name)
	}
	if name == "" {
		return
	}
	seen[name]++
	api, stage, judged := got.Header("x-api")[0], got.Header("x-stage")[0], got.Header("x-judged")[0]
	if want := upstreamOf[api+" "+judged]; name != want {
		t.Errorf("%s %s%s was judged as %s of %s, whose upstream is %s, and %s got it\n%s", method, host, target, judged, api, want, name, g.config)
	}
	if read := g.resource(api, stage, method, got.Target); read != judged {
		t.Errorf("%s %s%s was judged as %s of %s/%s, and the upstream got %s, which is %s\n%s", method, host, target, judged, api, stage, got.Target, read, g.config)
	}
}

// What the README shows of upstreams loads, and its clusters are printed.
func TestReadmeUpstreams(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "portcullis.yaml"), []byte(block(section(t, string(text), "Upstreams per route"), "yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	out := printed(t, dir)
	for _, want := range []string{"clear_route_cache: true", "cluster: routes-shop", "cluster: routes-orders", "- name: routes-orders", "exact: orders.internal"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not printed:\n%s", want, out)
		}
	}
	if strings.Contains(out, "cluster: upstream") {
		t.Error("a route leads to the default upstream")
	}
}
