package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/config"
	"github.com/portcullis-authz/portcullis/pkg/envoyconf"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	holdings "github.com/portcullis-authz/portcullis/pkg/pool"
)

// dice makes configurations and requests.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

// The ways into an API are hosts with base paths; its resources look like them.
var (
	someHosts     = []string{"a.example.com", "b.example.com", "c.example.com"}
	someBases     = []string{"", "", "/v1", "/v1/admin", "/pets", "/a+b", "/v1.0", "/V1", "/prod"}
	someResources = []string{"/", "/{proxy+}", "/admin", "/admin/{proxy+}", "/v1", "/v1/{x}", "/v1/admin", "/pets/{id}", "/prod/{proxy+}", "/open", "/a+b/{x}"}
)

// apis is a portcullis.yaml. A domain that is taken is not written again.
func (d dice) apis() string {
	var b strings.Builder
	taken := map[string]bool{}
	b.WriteString("apis:\n")
	for i := range 1 + d.IntN(2) {
		fmt.Fprintf(&b, "  - id: api%d\n    account: %q\n    region: eu-west-1\n    executeApiEndpoint: %v\n    stages:\n", i, owner, d.IntN(3) == 0)
		for _, stage := range []string{"prod", "test"}[:1+d.IntN(2)] {
			var domains []string
			for range 1 + d.IntN(4) {
				if domain := d.one(someHosts...) + d.one(someBases...); !taken[domain] {
					taken[domain] = true
					domains = append(domains, fmt.Sprintf("%q", domain))
				}
			}
			fmt.Fprintf(&b, "      - {name: %s, domains: [%s]}\n", stage, strings.Join(domains, ", "))
		}
		b.WriteString("    upstreamHeaders: {x-judged: $context.resourcePath, x-api: $context.apiId, x-stage: $context.stage}\n    routes:\n")
		for _, resource := range someResources {
			if d.IntN(3) > 0 || resource == "/{proxy+}" {
				fmt.Fprintf(&b, "      - {route: %q, authorization: %s}\n", d.one("ANY", "ANY", "GET")+" "+resource, d.one("NONE", "NONE", "AWS_IAM"))
			}
		}
	}
	return b.String() + "iam: {accounts: [{file: 111122223333.json}], accessKeys: [{file: access-keys.yaml}]}\n"
}

// target is a path that begins with a base path, with more or less care, and goes on with what resources look like.
func (d dice) target() string {
	path := d.misspell(d.one(someBases...))
	for range d.IntN(4) {
		path += d.misspell(d.one("/admin", "/v1", "/pets", "/7", "/open", "/a+b", "/x", "/prod", "/"))
	}
	if path == "" {
		path = "/"
	}
	return path + d.one("", "", "", "?q=/v1/admin", "?")
}

// misspell writes a path in another way, most of the time not.
func (d dice) misspell(path string) string {
	if len(path) < 2 || d.IntN(3) > 0 {
		return path
	}
	i := 1 + d.IntN(len(path)-1)
	switch d.IntN(6) {
	case 0:
		return "/" + path
	case 1:
		return path + "/"
	case 2:
		return path[:i] + d.one(";", "%20", "%2F", "%2f", "/", "/./") + path[i:]
	default: // an escape that need not be
		return path[:i] + fmt.Sprintf(d.one("%%%02x", "%%%02X"), path[i]) + path[i+1:]
	}
}

// generated is a configuration that envoyconf prints, and a gateway that reads what its upstreams get.
type generated struct {
	config  string
	reader  *gateway.Gateway
	domains []string
}

// generate makes configurations until one can be printed. The addresses are not yet those of a stack.
func (d dice) generate(t *testing.T, o envoyconf.Options) generated {
	t.Helper()
	for range 200 {
		dir, g := t.TempDir(), generated{config: d.apis()}
		for name, text := range map[string]string{"portcullis.yaml": g.config, owner + ".json": export(owner), "access-keys.yaml": ownKeys()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := config.Load(filepath.Join(dir, "portcullis.yaml"), holdings.Dry())
		if err != nil {
			continue // a base path that is taken by a stage's name, say
		}
		if _, err := envoyconf.Generate(&s.Config, o); err == nil {
			g.read(t, s.Config)
			return g
		}
	}
	t.Fatal("no configuration can be printed")
	return generated{}
}

// read makes the gateway that reads what the upstreams get: each stage has one host there, without a base path.
func (g *generated) read(t *testing.T, c gateway.Config) {
	t.Helper()
	c.APIs = slices.Clone(c.APIs)
	for i := range c.APIs {
		a := &c.APIs[i]
		if a.ExecuteAPIEndpoint {
			g.domains = append(g.domains, a.ExecuteAPIHost())
		}
		a.ExecuteAPIEndpoint, a.Stages = false, slices.Clone(a.Stages)
		for j := range a.Stages {
			g.domains = append(g.domains, a.Stages[j].Domains...)
			a.Stages[j].Domains = []string{a.Stages[j].Name + "." + a.ID + ".example"}
		}
	}
	var faults []fault.Fault
	if g.reader, faults = gateway.New(c); g.reader == nil {
		t.Fatal(faults)
	}
}

// resource is the one that a path is for, as it reaches an upstream.
func (g *generated) resource(api, stage, method, target string) string {
	d := g.reader.Authorize(context.Background(), &authz.Request{Method: method, Target: target, Host: stage + "." + api + ".example", Scheme: "http"})
	_, resource, _ := strings.Cut(d.Route, " ")
	return resource
}

// The upstream gets the path that was decided, for all APIs, hosts, base paths and spellings of a path.
func TestUpstreamsGetThePathThatWasJudged(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, bin string) {
		seen := map[string]int{}
		for seed := range uint64(5) {
			d := dice{rand.New(rand.NewPCG(seed, uint64(len(bin))))}
			g := d.generate(t, envoyconf.Options{})
			s := start(t, setup{envoy: bin, config: g.config, printed: []string{}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
			for range 200 {
				g.ask(t, d, s, seen)
			}
		}
		if seen["allowed"] < 200 || seen["denied"] < 100 {
			t.Errorf("%v: the test looks at one kind", seen)
		}
	})
}

// Where the upstream gets base paths, a path of it is judged as one resource of a stage, by whatever host it comes.
func TestKeptPathsHaveOneReading(t *testing.T) {
	t.Parallel()
	allowed := 0
	for seed := range uint64(4) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		g := d.generate(t, envoyconf.Options{KeepBasePath: true})
		s := start(t, setup{config: g.config, printed: []string{"--keep-base-path"}, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
		readings := map[string]string{}
		for range 60 {
			target := d.target()
			for _, domain := range g.domains {
				host, _, _ := strings.Cut(domain, "/")
				a, got := s.asks(t, host, host, "GET", target)
				if a.status != http.StatusOK {
					continue
				}
				allowed++
				path := strings.Join(append(got.Header("x-api"), got.Header("x-stage")[0], got.Target), " ")
				judged := got.Header("x-judged")[0]
				if first, found := readings[path]; found && first != judged {
					t.Errorf("%s, by %s: judged as %s and as %s\n%s", path, host, judged, first, g.config)
				}
				readings[path] = judged
			}
		}
	}
	if allowed < 50 {
		t.Errorf("%d requests were allowed", allowed)
	}
}

// asks sends a signed request, with the host spelled in some way, and returns what reached an upstream.
func (s *stack) asks(t *testing.T, host, spelled, method, target string) (answer, envoytest.Seen) {
	t.Helper()
	r := by(user(owner, grants), inHeader, method, "/")
	r.URL = "https://" + host + target
	signed, err := signWithGo(r)
	if err != nil {
		t.Fatal(err)
	}
	signed.Method, signed.Target = method, target
	a := s.send(t, to(spelled, signed.wire()))
	got := s.upstream.Take()
	if (a.status == http.StatusOK) != (len(got) == 1) {
		t.Errorf("%s %s%s: status %d, the upstream saw %v", method, host, target, a.status, got)
	}
	return a, append(got, envoytest.Seen{})[0]
}

// ask sends one request, and holds what reaches an upstream against what was judged.
func (g *generated) ask(t *testing.T, d dice, s *stack, seen map[string]int) {
	t.Helper()
	domain := d.one(g.domains...)
	host, _, _ := strings.Cut(domain, "/")
	base := strings.TrimPrefix(domain, host)
	target, method := d.misspell(base)+d.target(), d.one("GET", "POST")
	if d.IntN(3) == 0 {
		target = d.target()
	}
	a, got := s.asks(t, host, d.one(host, host, strings.ToUpper(host), host+":80"), method, target)
	if a.status != http.StatusOK {
		seen["denied"]++
		return
	}
	seen["allowed"]++
	api, stage, judged := got.Header("x-api")[0], got.Header("x-stage")[0], got.Header("x-judged")[0]
	if read := g.resource(api, stage, method, got.Target); read != judged {
		t.Errorf("%s %s%s was judged as %s of %s/%s, and the upstream got %s, which is %s\n%s", method, host, target, judged, api, stage, got.Target, read, g.config)
	}
}
