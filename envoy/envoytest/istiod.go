package envoytest

import (
	"errors"
	"fmt"
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

// Istiod is a running istiod. Its configuration is in files and its Kubernetes API has nothing, or the API has its configuration.
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
	d := newIstiod(tb, mesh)
	for name, text := range resources {
		d.Configure(tb, name, text)
	}
	// Without the registry Kubernetes, this istiod does not start with files.
	d.start(tb, kubeAPI(tb, "").URL, "PILOT_ENABLE_GATEWAY_API=false", "--configDir", d.dir)
	return d
}

// StartIstiodInCluster runs istiod until the test ends, with a MeshConfig and the resources of a cluster, which do not change. It reads
// resources of the Gateway API too.
func StartIstiodInCluster(tb testing.TB, mesh, resources string, settings ...string) *Istiod {
	tb.Helper()
	d := newIstiod(tb, mesh)
	d.start(tb, kubeAPI(tb, resources).URL, strings.Join(append([]string{"PILOT_ENABLE_GATEWAY_API=true"}, settings...), " "))
	return d
}

func newIstiod(tb testing.TB, mesh string) *Istiod {
	tb.Helper()
	d := &Istiod{dir: tb.TempDir(), meshConfig: filepath.Join(tb.TempDir(), "mesh.yaml")}
	d.ConfigureMesh(tb, mesh)
	return d
}

// start runs istiod with a Kubernetes API, and with environment variables separated by blanks.
func (d *Istiod) start(tb testing.TB, api, settings string, flags ...string) {
	tb.Helper()
	cmd := exec.Command(RequireIstiod(tb), append([]string{"discovery", "--registries", "Kubernetes", "--kubeconfig", kubeconfig(tb, api),
		"--meshConfig", d.meshConfig, "--grpcAddr", "127.0.0.1:0", "--httpAddr", "127.0.0.1:0", "--monitoringAddr", "127.0.0.1:0", "--httpsAddr", "", "--secureGRPCAddr", "", "--ctrlz_port", "0"}, flags...)...)
	cmd.Env = append(os.Environ(), "POD_NAME=istiod-1", "POD_NAMESPACE=istio-system", "CLUSTER_ID=Kubernetes", "ENABLE_CA_SERVER=false",
		// Filters that only Istio's own build of Envoy has.
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false", "PILOT_DISABLE_MX_ALPN=true")
	cmd.Env = append(cmd.Env, strings.Fields(settings)...)
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
