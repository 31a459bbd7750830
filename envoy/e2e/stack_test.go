package e2e

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// patience bounds everything that is waited for.
const patience = 20 * time.Second

// binaries are built or found once for all tests.
var binaries struct {
	once       sync.Once
	dir        string
	portcullis string
	err        error
}

func TestMain(m *testing.M) {
	if os.Getenv(functionMark) != "" {
		runGoFunction()
		return
	}
	if os.Getenv(workloadMark) != "" {
		runGoWorkload()
		return
	}
	flag.Parse()
	// Most of the time goes by in waiting for processes: more tests run at once than there are cores.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	code := m.Run()
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

func portcullis(t *testing.T) string {
	t.Helper()
	b := &binaries
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "portcullis-e2e"); b.err == nil {
			b.portcullis, b.err = envoytest.Build(context.Background(), b.dir)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.portcullis
}

// setup says what a stack is made of.
type setup struct {
	// envoy is the program, the pinned Envoy unless it is set.
	envoy string
	// file is the Envoy configuration, envoy.yaml unless it is set.
	file string
	// edits change the file beyond addresses and ports.
	edits []envoytest.Edit
	// printed are flags of `portcullis envoy`, whose output is used in place of a file.
	printed []string
	// change makes another configuration of it, in the folder of portcullis.yaml.
	change func(dir, bootstrap string) string
	// config is portcullis.yaml; files lie beside it.
	config string
	files  map[string]string
	// flags are further ones of portcullis serve.
	flags []string
	// hurried keeps the file's time limit for a check, which is too short where the machine has other things to do.
	hurried bool
	// answer is what the upstream answers, the request line unless it is set.
	answer func(envoytest.Seen) string
}

// stack is an upstream, portcullis and Envoy, running.
type stack struct {
	// named reports whether the routes have upstreams in portcullis.yaml.
	named      bool
	dir        string
	upstream   *envoytest.Upstream
	portcullis *envoytest.Portcullis
	envoy      *envoytest.Envoy
	addr       string
}

// start runs a stack until the test ends.
func start(t *testing.T, c setup) *stack {
	t.Helper()
	envoy, program := c.envoy, portcullis(t)
	if envoy == "" {
		envoy = envoytest.Require(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &stack{dir: t.TempDir(), named: strings.HasPrefix(c.config, "upstreams:")}
	s.prepare(t, c)
	var err error
	listen, edits, listener := s.wiring(t, c.file)
	s.portcullis, err = envoytest.StartPortcullis(ctx, program, filepath.Join(s.dir, "portcullis.yaml"), listen, c.flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.portcullis.Stop() })

	if !c.hurried {
		edits = append(edits, unhurried)
	}
	var bootstrap string
	if c.printed != nil {
		bootstrap = s.print(t, c.printed...)
	} else {
		bootstrap = edit(t, c.file, slices.Concat(edits, s.portcullisAt(c.file), c.edits)...)
	}
	if c.change != nil {
		bootstrap = c.change(s.dir, bootstrap)
	}
	if s.envoy, err = envoytest.StartEnvoy(ctx, envoy, s.dir, bootstrap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.envoy.Stop)
	if s.addr, err = s.envoy.Listener(ctx, listener); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("portcullis wrote:\n%s\nEnvoy wrote:\n%s%s", s.portcullis.Stderr(), s.envoy.Stdout(), s.envoy.Stderr())
		}
	})
	return s
}

// prepare starts the upstream of a setup and writes its files.
func (s *stack) prepare(t *testing.T, c setup) {
	t.Helper()
	var err error
	if s.upstream, err = envoytest.StartUpstream(c.answer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.upstream.Stop)
	for name, text := range c.files {
		s.write(t, name, text)
	}
	s.write(t, "portcullis.yaml", c.config)
}

// wiring is where portcullis listens for a file, to come back there if the test ends it, which addresses are replaced in the file, and the
// name of its listener.
func (s *stack) wiring(t *testing.T, file string) (listen string, edits []envoytest.Edit, listener string) {
	t.Helper()
	listen, listener = "127.0.0.1:"+envoytest.FreePort(t), "http"
	edits = []envoytest.Edit{envoytest.Port(9901, "0"), envoytest.Port(8081, s.upstream.Port())}
	switch file {
	case "https.yaml":
		return listen, append(edits, envoytest.Port(8443, "0")), "https"
	case "unix-socket.yaml":
		listen = "unix:" + filepath.Join(s.dir, "portcullis.sock")
	}
	return listen, append(edits, envoytest.Port(8080, "0")), listener
}

// portcullisAt is the edit that has Envoy ask the running portcullis.
func (s *stack) portcullisAt(file string) []envoytest.Edit {
	if path, ok := strings.CutPrefix(s.portcullis.GRPC, "unix:"); ok {
		return []envoytest.Edit{{Old: "/run/portcullis/portcullis.sock}", New: path + "}"}}
	}
	_, port, _ := strings.Cut(s.portcullis.GRPC, ":")
	if file == "mutual-tls.yaml" {
		return []envoytest.Edit{{Old: "{address: portcullis.internal, port_value: 9001}", New: "{address: 127.0.0.1, port_value: " + port + "}"}}
	}
	return []envoytest.Edit{envoytest.Port(9001, port)}
}

// write replaces a file of the configuration in one step, as careful editors do.
func (s *stack) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// edit returns a file of envoy/ with edits.
func edit(t *testing.T, file string, edits ...envoytest.Edit) string {
	t.Helper()
	if file == "" {
		file = "envoy.yaml"
	}
	text, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	edited, err := envoytest.Apply(string(text), edits...)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return edited
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, patience, what, holds)
}

// within waits until a condition holds, or fails after a time.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s", limit, what)
		}
	}
}

// Edits of settings that a test is about.
var (
	normalizeOff  = envoytest.Edit{Old: "normalize_path: true", New: "normalize_path: false"}
	mergeOff      = envoytest.Edit{Old: "merge_slashes: true", New: "merge_slashes: false"}
	joinedHeaders = envoytest.Edit{Old: "encode_raw_headers: true", New: "encode_raw_headers: false"}
	unhurried     = envoytest.Edit{Old: "{cluster_name: portcullis}\n                timeout: 1s", New: "{cluster_name: portcullis}\n                timeout: 15s"}
	// anyBasePath leaves the base path to the host, for routes of hosts that have several.
	anyBasePath      = envoytest.Edit{Old: "portcullis.basePath: /\n", New: "unrelated: setting\n"}
	remoteAddressOff = envoytest.Edit{Old: "use_remote_address: true", New: "use_remote_address: false"}
)

// variant is one way to set Envoy.
type variant struct {
	name  string
	edits []envoytest.Edit
}

// variants are the settings of Envoy under which every answer must be the same: paths normalised or not, both shapes of
// headers.
func variants() []variant {
	return []variant{
		{"as shipped", nil},
		{"headers joined", []envoytest.Edit{joinedHeaders}},
		{"paths as sent", []envoytest.Edit{normalizeOff, mergeOff}},
		{"paths as sent, headers joined", []envoytest.Edit{normalizeOff, mergeOff, joinedHeaders}},
	}
}
