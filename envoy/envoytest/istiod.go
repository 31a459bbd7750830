package envoytest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// IstioVersion is the Istio that hack/mesh.sh builds.
const IstioVersion = "0.0.0-20260827124520-eed52ebb66ad"

// RequireIstiod returns the istiod that hack/mesh.sh builds. Unless MESH=required, the test is skipped.
func RequireIstiod(tb testing.TB) string {
	tb.Helper()
	return requireIstio(tb, "pilot-discovery")
}

// RequireIstioctl returns the istioctl that hack/mesh.sh builds, or ends the test as RequireIstiod does.
func RequireIstioctl(tb testing.TB) string {
	tb.Helper()
	return requireIstio(tb, "istioctl")
}

func requireIstio(tb testing.TB, program string) string {
	tb.Helper()
	return requireBuilt(tb, "istio-"+IstioVersion, program)
}

// requireBuilt returns a program that hack/mesh.sh builds. Unless MESH=required, the test is skipped.
func requireBuilt(tb testing.TB, folder, program string) string {
	tb.Helper()
	if os.Getenv("MESH") != "required" {
		tb.Skipf("needs a real %s, which takes long to build: make e2e-mesh runs it", program)
	}
	cache, err := cacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	path, err := exec.LookPath(filepath.Join(cache, "portcullis", folder, "bin", program))
	if err != nil {
		tb.Fatal(errors.Join(err, errors.New("run hack/mesh.sh")))
	}
	return path
}

// Istiod is a running istiod. Its configuration is in files, and its Kubernetes API has nothing.
type Istiod struct {
	*Process
	// XDS is the address that Envoys ask.
	XDS             string
	dir, meshConfig string
}

var xdsLine = regexp.MustCompile(`starting gRPC discovery service at (127\.0\.0\.1:\d+)`)

// StartIstiod runs istiod until the test ends, with a MeshConfig and files of resources.
func StartIstiod(tb testing.TB, mesh string, resources map[string]string) *Istiod {
	tb.Helper()
	program := RequireIstiod(tb)
	d := &Istiod{dir: tb.TempDir(), meshConfig: filepath.Join(tb.TempDir(), "mesh.yaml")}
	d.ConfigureMesh(tb, mesh)
	for name, text := range resources {
		d.Configure(tb, name, text)
	}
	// Without the registry Kubernetes, this istiod does not start with files.
	cmd := exec.Command(program, "discovery", "--configDir", d.dir, "--registries", "Kubernetes", "--kubeconfig", kubeconfig(tb, kubeAPI(tb).URL),
		"--meshConfig", d.meshConfig, "--grpcAddr", "127.0.0.1:0", "--httpAddr", "127.0.0.1:0", "--monitoringAddr", "127.0.0.1:0", "--httpsAddr", "", "--secureGRPCAddr", "", "--ctrlz_port", "0")
	cmd.Env = append(os.Environ(), "POD_NAME=istiod-1", "POD_NAMESPACE=istio-system", "CLUSTER_ID=Kubernetes", "ENABLE_CA_SERVER=false", "PILOT_ENABLE_GATEWAY_API=false",
		// Filters that only Istio's own build of Envoy has.
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false", "PILOT_DISABLE_MX_ALPN=true")
	s := &service{command: func() *exec.Cmd { return cmd }, ready: func(p *Process) bool {
		found := xdsLine.FindStringSubmatch(p.Stdout() + p.Stderr())
		if found == nil {
			return false
		}
		d.XDS = found[1]
		return true
	}}
	if err := s.begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	s.keep(tb)
	d.Process = s.Process
	return d
}

// Configure writes a file of resources, in one step.
func (d *Istiod) Configure(tb testing.TB, name, text string) {
	tb.Helper()
	replace(tb, filepath.Join(d.dir, name), text)
}

// ConfigureMesh writes the MeshConfig, in one step.
func (d *Istiod) ConfigureMesh(tb testing.TB, mesh string) {
	tb.Helper()
	replace(tb, d.meshConfig, mesh)
}

func replace(tb testing.TB, path, text string) {
	tb.Helper()
	write(tb, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

// Analyze has istioctl analyze files of resources, and returns what it finds. That the EnvoyFilter portcullis is an EnvoyFilter, of which
// it warns too (IST0133), does not count.
func Analyze(tb testing.TB, mesh string, files ...string) error {
	tb.Helper()
	cmd := exec.Command(requireIstio(tb, "istioctl"), append([]string{"analyze", "--use-kube=false", "--all-namespaces", "--meshConfigFile", mesh, "--failure-threshold", "Warning",
		"--suppress", "IST0133=EnvoyFilter */portcullis"}, files...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("istioctl analyze: %w\n%s", err, out)
	}
	return nil
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// kubeAPI is as much of a Kubernetes API as istiod insists on while its configuration comes from files: a cluster that has nothing, in
// which nothing happens and where nothing may be written.
func kubeAPI(tb testing.TB) *httptest.Server {
	tb.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, `{"major": "1", "minor": "37", "gitVersion": "v1.37.2"}`)
	})
	mux.HandleFunc("GET /api/v1/{rest...}", readNothing)
	mux.HandleFunc("GET /apis/{group}/{version}/{rest...}", readNothing)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			refuse(w, http.StatusNotFound, "NotFound")
			return
		}
		refuse(w, http.StatusForbidden, "Forbidden")
	})
	server := httptest.NewServer(mux)
	tb.Cleanup(func() {
		server.CloseClientConnections() // which ends the watches
		server.Close()
	})
	return server
}

// readNothing answers a read of objects: a list is empty, a watch stays open without an event, and an object is not there.
func readNothing(w http.ResponseWriter, r *http.Request) {
	query, rest := r.URL.Query(), strings.Split(r.PathValue("rest"), "/")
	// What follows the version is resource, resource/name, namespaces/ns/resource or namespaces/ns/resource/name.
	named := len(rest) == 2 || len(rest) == 4
	switch {
	case r.PathValue("rest") == "", named:
		refuse(w, http.StatusNotFound, "NotFound")
	case query.Has("watch") && query.Has("sendInitialEvents"):
		refuse(w, http.StatusUnprocessableEntity, "Invalid") // the client lists first then
	case query.Has("watch"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // a client that is gone needs no headers
		<-r.Context().Done()
	default:
		kind := "" // a client that asked for a resource takes the list as one of it
		if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
			kind = `"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", `
		}
		respond(w, http.StatusOK, fmt.Sprintf(`{%s"metadata": {"resourceVersion": "1"}, "items": []}`, kind))
	}
}

func refuse(w http.ResponseWriter, code int, reason string) {
	respond(w, code, fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d}`, reason, code))
}

func respond(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprint(w, body) // a client that is gone needs no answer
}

// kubeconfig writes the file by which a client finds an API, and returns its path.
func kubeconfig(tb testing.TB, url string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	write(tb, path, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: empty, cluster: {server: %q}}]
users: [{name: nobody, user: {}}]
contexts: [{name: empty, context: {cluster: empty, user: nobody}}]
current-context: empty
`, url))
	return path
}
