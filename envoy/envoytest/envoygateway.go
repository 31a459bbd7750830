package envoytest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// EnvoyGatewayVersion is the Envoy Gateway that hack/mesh.sh builds.
const EnvoyGatewayVersion = "1.9.1"

// RequireEnvoyGateway returns the envoy-gateway that hack/mesh.sh builds. Unless MESH=required, the test is skipped.
func RequireEnvoyGateway(tb testing.TB) string {
	tb.Helper()
	return requireBuilt(tb, "envoy-gateway-"+EnvoyGatewayVersion, "envoy-gateway")
}

// EnvoyGateway is a running Envoy Gateway. It reads resources from files, and runs an Envoy for each Gateway.
type EnvoyGateway struct {
	*Process
	// dir has the resources, and home the Envoy and what it writes.
	dir, home string
}

// gatewayPorts are the ports that Envoy Gateway listens on, which cannot be changed.
var gatewayPorts = []string{"18000", "18002", "8081", "19000", "19001", "19003"}

// oneGateway is held while an Envoy Gateway runs in this process.
var oneGateway sync.Mutex

// gatewayPatience is how long another process may use the ports.
const gatewayPatience = 2 * time.Minute

// EnvoyProxy is the resource that an Envoy Gateway without a cluster needs: which Envoy it runs.
const EnvoyProxy = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: host, namespace: envoy-gateway-system}
spec: {provider: {type: Host, host: {envoyVersion: "` + Version + `"}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec:
  controllerName: gateway.envoyproxy.io/gatewayclass-controller
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: host, namespace: envoy-gateway-system}
`

const gatewayConfig = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
gateway: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
provider:
  type: Custom
  custom:
    resource: {type: File, file: {paths: [%[1]q]}}
    infrastructure: {type: Host, host: {configHome: %[2]s/config, dataHome: %[2]s/data, stateHome: %[2]s/state, runtimeDir: %[2]s/run}}
logging: {level: {default: info}}
extensionApis: {enableBackend: true, enableEnvoyPatchPolicy: true}
`

// StartEnvoyGateway runs Envoy Gateway with files of resources until the test ends. settings are further lines of its
// configuration. One runs at a time: others wait.
func StartEnvoyGateway(tb testing.TB, envoy string, resources map[string]string, settings ...string) *EnvoyGateway {
	tb.Helper()
	program := RequireEnvoyGateway(tb)
	oneGateway.Lock()
	tb.Cleanup(oneGateway.Unlock)
	waitForPorts(tb)
	g := &EnvoyGateway{dir: tb.TempDir(), home: tb.TempDir()}
	for name, text := range resources {
		g.Configure(tb, name, text)
	}
	// It takes no link.
	if err := os.CopyFS(filepath.Join(g.home, "data", "envoy-versions", Version, "bin"), os.DirFS(filepath.Dir(envoy))); err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command(program, "certgen", "--local", "--config-home", filepath.Join(g.home, "config")).CombinedOutput(); err != nil {
		tb.Fatalf("certgen: %v\n%s", err, out)
	}
	config := filepath.Join(g.home, "envoy-gateway.yaml")
	write(tb, config, fmt.Sprintf(gatewayConfig, g.dir, g.home)+strings.Join(settings, "\n"))
	s := &service{
		command: func() *exec.Cmd { return exec.Command(program, "server", "--config-path", config) },
		ready:   func(*Process) bool { return true }, // its Envoy answers later
	}
	if err := s.begin(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	s.keep(tb)
	g.Process = s.Process
	return g
}

// waitForPorts waits until no other process uses the ports.
func waitForPorts(tb testing.TB) {
	tb.Helper()
	for _, port := range gatewayPorts {
		deadline := time.Now().Add(gatewayPatience)
		for {
			l, err := net.Listen("tcp", ":"+port)
			if err == nil {
				l.Close()
				break
			}
			if time.Now().After(deadline) {
				tb.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// Configure writes a file of resources, in one step.
func (g *EnvoyGateway) Configure(tb testing.TB, name, text string) {
	tb.Helper()
	replace(tb, filepath.Join(g.dir, name), text)
}

// Remove removes a file of resources.
func (g *EnvoyGateway) Remove(tb testing.TB, name string) {
	tb.Helper()
	if err := os.Remove(filepath.Join(g.dir, name)); err != nil {
		tb.Fatal(err)
	}
}

// Envoy is its Envoy, which serves already. Its process is that of Envoy Gateway.
func (g *EnvoyGateway) Envoy(tb testing.TB) *Envoy {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(g.home, "run", "*", "admin-address.txt"))
	if err != nil || len(files) != 1 {
		tb.Fatalf("the Envoy has %d admin addresses, %v", len(files), err)
	}
	admin, err := os.ReadFile(files[0])
	if err != nil {
		tb.Fatal(err)
	}
	return &Envoy{Process: g.Process, admin: string(admin)}
}

// EnvoyOutput returns the output and the log of its Envoy so far.
func (g *EnvoyGateway) EnvoyOutput(tb testing.TB) string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(g.home, "state", "envoy-runs", "*", "std*.log"))
	if err != nil {
		tb.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
