package deploy

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

const patience = 20 * time.Second

// running is the portcullis of a pod.
type running struct {
	*envoytest.Portcullis
	container container
	config    volume
	secrets   volume
	dir       string
}

// run starts the portcullis of a variant with the arguments that its manifest has.
func run(t *testing.T, m manifests) *running {
	t.Helper()
	p := m.pod(t)
	r := &running{container: p.container(t, "portcullis"), dir: t.TempDir()}
	volumes := mounted(t, m, r.dir)
	r.config, r.secrets = volumes["config"], volumes["secrets"]
	listen := "127.0.0.1:0"
	var args []string
	for _, arg := range r.container.Args[1:] {
		switch name, value, _ := strings.Cut(arg, "="); {
		case name == "--listen" && strings.HasPrefix(value, "unix:"):
			listen = "unix:" + filepath.Join(r.dir, "portcullis.sock")
		case name == "--listen", name == "--admin":
		default:
			args = append(args, name+"="+strings.Replace(value, folder, r.dir+folder, 1))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	r.Portcullis, err = envoytest.StartPortcullis(ctx, program(t), "replaced by --config", listen, args...)
	must(t, err)
	t.Cleanup(func() {
		r.Kill() // and not Stop: it would wait for --drain-delay
		if t.Failed() {
			t.Logf("portcullis wrote:\n%s", r.Stderr())
		}
	})
	return r
}

// until waits for what a change brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func fetch(t *testing.T, url, host string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	must(t, err)
	r.Host = host
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

// readyz returns the answer of the admin port about the configuration.
func (r *running) readyz(t *testing.T) string {
	t.Helper()
	status, text := fetch(t, "http://"+r.Admin+"/readyz", "localhost")
	if status != http.StatusOK {
		t.Fatalf("readyz: %d %s", status, text)
	}
	return text
}

// closed is the example's policy with everything denied.
const closed = `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}`

func with(files map[string]string, name, text string) map[string]string {
	changed := map[string]string{name: text}
	for n, old := range files {
		if n != name {
			changed[n] = old
		}
	}
	return changed
}

// The example is what the ConfigMaps hold, and it is valid.
func TestExampleIsValid(t *testing.T) {
	for _, name := range []string{"central", "sidecar"} {
		t.Run(name, func(t *testing.T) {
			m, dir := variant(t, name), t.TempDir()
			config := mounted(t, m, dir)["config"]
			files, err := os.ReadDir("helm/portcullis/files/example")
			must(t, err)
			for _, f := range files {
				text, err := os.ReadFile(filepath.Join("helm/portcullis/files/example", f.Name()))
				must(t, err)
				if f.Name() == "envoy.yaml" {
					continue
				}
				got, err := os.ReadFile(filepath.Join(string(config), f.Name()))
				must(t, err)
				if diff := cmp.Diff(string(text), string(got)); diff != "" {
					t.Errorf("%s in the chart (-) and in the ConfigMap (+):\n%s", f.Name(), diff)
				}
			}
			out, err := exec.CommandContext(t.Context(), program(t), "validate", "--config", filepath.Join(string(config), "portcullis.yaml")).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "1 API, 3 routes") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The bootstrap of the sidecar is what `portcullis envoy` prints for the example.
func TestBootstrapIsWhatIsPrinted(t *testing.T) {
	want, err := exec.CommandContext(t.Context(), program(t), "envoy", "--config", "helm/portcullis/files/example/portcullis.yaml",
		"--listen", "0.0.0.0:10000", "--portcullis", "unix:/run/portcullis/portcullis.sock").Output()
	must(t, err)
	for name, got := range map[string]string{
		"the ConfigMap": variant(t, "sidecar").one(t, "ConfigMap", "pets-envoy").Data["envoy.yaml"],
		"the chart":     read(t, "helm/portcullis/files/example/envoy.yaml"),
	} {
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("printed (-) and in %s (+):\n%s", name, diff)
		}
	}
}

// What is printed for an Envoy elsewhere in the cluster finds every pod by the Service that leads to them, and the real Envoy takes it.
func TestBootstrapForTheCluster(t *testing.T) {
	t.Parallel()
	bin, service := envoytest.Require(t), variant(t, "central").one(t, "Service", "portcullis-pods")
	at := service.Metadata.Name + "." + service.Metadata.Namespace + ".svc.cluster.local:" + service.Spec.Ports[0].Port
	command := "--portcullis " + at + " --upstream pets.shop.svc.cluster.local:8080"
	if !strings.Contains(read(t, "README.md"), command) {
		t.Errorf("the README does not say %s", command)
	}
	out, err := exec.CommandContext(t.Context(), program(t), append([]string{"envoy", "--config", "helm/portcullis/files/example/portcullis.yaml",
		"--listen", "0.0.0.0:10000"}, strings.Fields(command)...)...).Output()
	must(t, err)
	if !strings.Contains(string(out), "- name: portcullis\n    type: STRICT_DNS\n") {
		t.Errorf("Envoy would not ask all pods:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	must(t, os.WriteFile(file, out, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, envoytest.Validate(ctx, bin, file))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

// The central pod answers its probes and its checks, reads a swapped ConfigMap without a restart, and keeps the last good configuration
// where the new one is faulty.
func TestCentral(t *testing.T) {
	t.Parallel()
	m := variant(t, "central")
	r := run(t, m)
	for name, p := range map[string]probe{"startup": r.container.StartupProbe, "liveness": r.container.LivenessProbe, "readiness": r.container.ReadinessProbe} {
		if p.HTTPGet != nil {
			if status, text := fetch(t, "http://"+r.Admin+p.HTTPGet.Path, "localhost"); status != http.StatusOK {
				t.Errorf("%s probe: %d %s", name, status, text)
			}
		} else if p.GRPC == nil {
			t.Errorf("no %s probe", name)
		}
	}
	conn, err := grpc.NewClient(r.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	health, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("gRPC health: %v, %v", health, err)
	}
	allowed := func(path string) bool {
		out, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Host: "pets.example.com", Path: path, Scheme: "http"}},
		}})
		must(t, err)
		return out.GetStatus().GetCode() == 0
	}
	if allowed("/admin/users") || !allowed("/pets") {
		t.Fatal("the example's policy does not hold")
	}
	files := m.one(t, "ConfigMap", "portcullis-config").Data
	r.config.write(t, with(files, "pets.policy.json", closed))
	until(t, "the new policy", func() bool { return !allowed("/pets") })
	r.config.write(t, with(files, "portcullis.yaml", "apis: []\n"))
	until(t, "the refusal of a faulty file", func() bool { return strings.Contains(r.readyz(t), "refused") })
	if allowed("/pets") {
		t.Error("a faulty configuration opened what the last good one denies")
	}
	r.config.write(t, files)
	until(t, "the old policy again", func() bool { return allowed("/pets") })
	if text := r.readyz(t); strings.Contains(text, "refused") {
		t.Errorf("readyz: %s", text)
	}
}

// The sidecar's pod, with the real Envoy and its bootstrap: the first denied and the first allowed request, and a change of policy.
func TestSidecar(t *testing.T) {
	t.Parallel()
	bin, m := envoytest.Require(t), variant(t, "sidecar")
	upstream, err := envoytest.StartUpstream(nil)
	must(t, err)
	t.Cleanup(upstream.Stop)
	r := run(t, m)
	bootstrap, err := envoytest.Apply(m.one(t, "ConfigMap", "pets-envoy").Data["envoy.yaml"],
		envoytest.Port(9901, "0"), envoytest.Port(8080, upstream.Port()), envoytest.Edit{Old: "address: 0.0.0.0, port_value: 10000}", New: "address: 127.0.0.1, port_value: 0}"},
		envoytest.Edit{Old: "{pipe: {path: /run/portcullis/portcullis.sock}}", New: "{pipe: {path: " + strings.TrimPrefix(r.GRPC, "unix:") + "}}"},
		envoytest.Edit{Old: "timeout: 1s # for the whole check", New: "timeout: 15s # for the whole check"}) // a busy machine takes longer
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	envoy, err := envoytest.StartEnvoy(ctx, bin, r.dir, bootstrap)
	must(t, err)
	t.Cleanup(envoy.Stop)
	at, err := envoy.Listener(ctx, "http")
	must(t, err)

	status, text := fetch(t, "http://"+at+"/admin/users", "pets.example.com")
	if status != http.StatusForbidden || !strings.Contains(text, "with an explicit deny in a resource-based policy") {
		t.Errorf("/admin/users: %d %s", status, text)
	}
	status, text = fetch(t, "http://"+at+"/pets", "pets.example.com")
	if status != http.StatusOK || text != "GET /pets\n" {
		t.Errorf("/pets: %d %s", status, text)
	}
	if status, _ := fetch(t, "http://"+at+"/pets", "other.example.com"); status != http.StatusForbidden {
		t.Errorf("another host: %d", status)
	}
	upstream.Take()
	r.config.write(t, with(m.one(t, "ConfigMap", "pets-config").Data, "pets.policy.json", closed))
	until(t, "the new policy", func() bool {
		status, _ := fetch(t, "http://"+at+"/pets", "pets.example.com")
		return status == http.StatusForbidden
	})
	// A ConfigMap with a file that breaks off: what was closed stays closed, and the probe's answer says so.
	upstream.Take()
	r.config.write(t, with(m.one(t, "ConfigMap", "pets-config").Data, "pets.policy.json", closed[:len(closed)-2]))
	until(t, "the refusal of a broken file", func() bool { return strings.Contains(r.readyz(t), "refused") })
	if status, _ := fetch(t, "http://"+at+"/pets", "pets.example.com"); status != http.StatusForbidden || len(upstream.Take()) > 0 {
		t.Errorf("with a broken file: %d", status)
	}
	r.config.write(t, m.one(t, "ConfigMap", "pets-config").Data)
	until(t, "the file that is whole again", func() bool {
		status, _ := fetch(t, "http://"+at+"/pets", "pets.example.com")
		return status == http.StatusOK
	})
	r.Stop()
	upstream.Take()
	if status, _ := fetch(t, "http://"+at+"/pets", "pets.example.com"); status != http.StatusServiceUnavailable || len(upstream.Take()) > 0 {
		t.Errorf("without portcullis: %d", status)
	}
}
