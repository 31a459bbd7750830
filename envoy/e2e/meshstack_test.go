package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// node is what an Envoy is in a mesh.
type node struct {
	name string
	// flags are those of portcullis envoy that say where portcullis guards.
	flags []string
	// id, namespace and labels are what istiod is told of the Envoy.
	id, namespace, labels string
	// resources are what the owner of the mesh has written for it. PORT is where it listens.
	resources string
	// open is the path of an open route, /open unless it is set.
	open string
	// mutual says that the Envoy takes connections with certificates of the mesh alone.
	mutual bool
	// identity is the Envoy's own, where the mesh has an authority.
	identity string
	// inside is how portcullis is inside of the mesh.
	inside inside
	// proxyConfig is what the owner of the mesh says of the Envoy in its ProxyConfig.
	proxyConfig string
	// tls says that the Envoy ends TLS of its clients. It has two ports more then, SECURE and REDIRECT in resources, and the folder FOLDER
	// has its certificate.
	tls bool
}

// What the owner of a mesh has: portcullis and an application as services, and either a gateway or a sidecar before the application.
const (
	meshServices = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: portcullis, namespace: portcullis}
spec:
  hosts: [portcullis.portcullis.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: SERVICE, name: grpc, protocol: GRPC, targetPort: PORTCULLIS}]
  endpoints: [{address: 127.0.0.1, serviceAccount: portcullis, labels: {app.kubernetes.io/name: portcullis}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: app, namespace: pets}
spec:
  hosts: [app.pets.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: UPSTREAM}]
  workloadSelector: {labels: {app: app}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: app-1, namespace: pets}
spec: {address: 127.0.0.1, labels: {app: app}, serviceAccount: app}
`
	meshGateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: pets, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: PORT, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pets, namespace: pets}
spec:
  hosts: [pets.example.com]
  gateways: [istio-system/pets]
  http:
  - {name: below, match: [{uri: {prefix: /pets}}], route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}
  - {name: rest, route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cats, namespace: pets}
spec:
  hosts: [cats.example.com]
  gateways: [istio-system/pets]
  http:
  - {route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}
---
# What no API has a part in.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rest, namespace: pets}
spec:
  hosts: ["*"]
  gateways: [istio-system/pets]
  http:
  - {route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}
`
	meshSidecar = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: app, namespace: pets}
spec:
  workloadSelector: {labels: {app: app}}
  ingress:
  - {port: {number: PORT, protocol: HTTP, name: http-in}, bind: 127.0.0.1, captureMode: NONE, defaultEndpoint: "127.0.0.1:UPSTREAM"}
  egress: [{hosts: [portcullis/*]}]
`
	meshTLS = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: app, namespace: pets}
spec: {mtls: {mode: MODE}}
`
)

// nodes are a gateway, and an application's sidecar without and with mutual TLS.
func nodes() []node {
	gateway := node{
		name: "gateway", id: "router~127.0.0.1~gateway-1.istio-system~istio-system.svc.cluster.local", namespace: "istio-system",
		labels: "istio: ingressgateway", resources: meshGateway,
	}
	sidecar := node{
		name: "sidecar", id: "sidecar~127.0.0.1~app-1.pets~pets.svc.cluster.local", namespace: "pets", labels: "app: app",
		resources: meshSidecar + strings.Replace(meshTLS, "MODE", "DISABLE", 1), // else it would wait for certificates
		flags:     []string{"--istio-sidecar", "--istio-namespace", "pets", "--istio-selector", "app=app"},
	}
	sidecar.flags = append(sidecar.flags, "--istio-source-principal")
	gateway.identity, sidecar.identity = "spiffe://cluster.local/ns/istio-system/sa/gateway", "spiffe://cluster.local/ns/pets/sa/app"
	strict := sidecar
	strict.name, strict.mutual, strict.resources = "sidecar with mutual TLS", true, meshSidecar+strings.Replace(meshTLS, "MODE", "STRICT", 1)
	return []node{gateway, sidecar, strict}
}

// meshStack is a stack whose Envoy is told by istiod what portcullis envoy prints for Istio.
type meshStack struct {
	*stack
	istiod *envoytest.Istiod
	// text is what portcullis envoy prints: printed are its resources, and mesh its MeshConfig with what else istiod has to be told here.
	text, printed, mesh string
	port, open          string
	// byScheme says that aws:SecureTransport is the scheme of the connection, and not declared.
	byScheme bool
	// securePort ends TLS, and redirectPort leads there.
	securePort, redirectPort string
	// resources are the node's, with its ports.
	resources string
	ca        *meshCA
	// listen is where portcullis listens, and at where it is asked: there, or at its sidecar, which is own. service is its port as a service.
	listen, at, service string
	own                 *envoytest.Envoy
	// flags are further ones of portcullis serve, and printFlags those of portcullis envoy.
	flags, printFlags []string
}

// startMesh runs a node. portcullis is started last: until then nothing passes.
func startMesh(t *testing.T, n node, c setup, timeout string) *meshStack {
	t.Helper()
	envoytest.RequireIstiod(t)
	envoy := envoytest.Require(t)
	m := &meshStack{stack: &stack{dir: t.TempDir()}, port: envoytest.FreePort(t), open: cmp.Or(n.open, "/open")}
	m.prepare(t, c)
	if n.mutual || n.inside != "" || n.tls {
		m.ca = newMeshCA(t)
	}
	if n.tls {
		m.ca.serverFiles(t, m.dir, "pets.example.com", "cats.example.com")
		m.securePort, m.redirectPort = envoytest.FreePort(t), envoytest.FreePort(t)
	}
	m.listen = "127.0.0.1:" + envoytest.FreePort(t)
	m.at, m.service = m.listen, "9001"
	m.enter(t, n)

	flags := append([]string{"--for", "istio", "--timeout", timeout, "--secure-transport", "true"}, n.flags...)
	if n.namespace == "istio-system" {
		flags = append(flags, "--istio-port", m.port)
	} else {
		m.service = envoytest.FreePort(t) // a sidecar has a listener there for the application behind it
		flags = append(flags, "--portcullis", "portcullis.portcullis.svc.cluster.local:"+m.service)
	}
	if n.tls {
		flags = append(flags, "--istio-port", m.securePort, "--istio-port", m.redirectPort)
	}
	if n.inside != "" {
		flags = append(flags, "--istio-callers", n.identity)
	}
	m.printFlags = flags
	m.takeApart(t, printed(t, m.dir, flags...))
	_, at, _ := strings.Cut(m.at, ":")
	_, own, _ := strings.Cut(m.listen, ":")
	ports := strings.NewReplacer("PORTCULLIS", at, "UPSTREAM", m.upstream.Port(), "PORT", m.port, "OWN", own, "SERVICE", m.service, "FOLDER", m.dir,
		"SECURE", m.securePort, "REDIRECT", m.redirectPort)
	m.resources = ports.Replace(n.resources)
	m.istiod = envoytest.StartIstiod(t, m.mesh, map[string]string{
		"services.yaml": ports.Replace(meshServices + n.inside.resources()), "node.yaml": m.resources, "portcullis.yaml": m.printed,
	})
	m.startEnvoy(t, envoy, n)
	m.startOwn(t, n)
	m.nothingPasses(t)
	m.serve(t)
	t.Cleanup(func() { m.portcullis.Stop() })
	eventually(t, "Envoy has found portcullis", func() bool { return m.get(t, m.open).status == 200 })
	m.upstream.Take()
	return m
}

// serve runs portcullis, where it was before if it was.
func (m *meshStack) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	if m.portcullis, err = envoytest.StartPortcullis(ctx, portcullis(t), filepath.Join(m.dir, "portcullis.yaml"), m.listen, m.flags...); err != nil {
		t.Fatal(err)
	}
}

// nothingPasses is how it is without portcullis.
func (m *meshStack) nothingPasses(t *testing.T) {
	t.Helper()
	for range 3 {
		m.denied(t, m.get(t, m.open), 503)
	}
}

// reconfigure has another portcullis.yaml, printed again.
func (m *meshStack) reconfigure(t *testing.T, config string) {
	t.Helper()
	m.write(t, "portcullis.yaml", config)
	m.takeApart(t, printed(t, m.dir, m.printFlags...))
	m.istiod.Configure(t, "portcullis.yaml", m.printed)
	m.istiod.ConfigureMesh(t, m.mesh)
}

// takeApart shares out what portcullis envoy prints: the MeshConfig goes to istiod's file, with what this machine needs, and the
// resources to another.
func (m *meshStack) takeApart(t *testing.T, text string) {
	t.Helper()
	first, rest, _ := strings.Cut(text, "\n---\n")
	mesh := mapping(t, mapping(t, documents(t, first)[0])["meshConfig"])
	maps.Copy(mesh, map[string]any{
		"rootNamespace": "istio-system", "trustDomain": "cluster.local", "accessLogFile": "/dev/stdout",
		"enableAutoMtls": false, "defaultProviders": map[string]any{}, // metrics are made by a filter that only Istio's Envoy has
	})
	out, err := yaml.Marshal(mesh)
	if err != nil {
		t.Fatal(err)
	}
	m.text, m.mesh, m.printed = text, string(out), rest
}

// startEnvoy runs the node, in plain text or behind a client's sidecar.
func (m *meshStack) startEnvoy(t *testing.T, envoy string, n node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	if m.envoy, err = envoytest.StartEnvoy(ctx, envoy, m.dir, m.bootstrap(t, n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.envoy.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			if m.portcullis != nil {
				t.Logf("portcullis wrote:\n%s", m.portcullis.Stderr())
			}
			t.Logf("Envoy wrote:\n%s%s", m.envoy.Stdout(), m.envoy.Stderr())
		}
	})
	m.addr = "127.0.0.1:" + m.port
	if n.mutual {
		m.addr = m.ca.sidecar(t, m.addr, "spiffe://cluster.local/ns/clients/sa/caller")
	}
}

// bootstrap is what a node's Envoy starts with.
func (m *meshStack) bootstrap(t *testing.T, n node) string {
	t.Helper()
	clusters := grpcCluster("xds-grpc", m.istiod.XDS)
	if m.ca != nil {
		clusters += grpcCluster("sds-grpc", m.ca.agent(t, n.identity))
	}
	return fmt.Sprintf(meshBootstrap, n.id, n.namespace, n.labels, n.proxyConfig, clusters)
}

const meshBootstrap = `
node:
  id: %q
  cluster: node
  metadata: {NAMESPACE: %s, LABELS: {%s}, CLUSTER_ID: Kubernetes, MESH_ID: cluster.local, INTERCEPTION_MODE: NONE, PROXY_CONFIG: {%s}, ISTIO_VERSION: 1.31.0}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: xds-grpc}}]
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
static_resources:
  clusters:
%s`

func grpcCluster(name, addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return fmt.Sprintf(`  - name: %[1]s
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: %[1]s
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}}]}]
`, name, port)
}
