package e2e

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	plain "google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// inside is how portcullis is inside of a mesh: not at all, behind a sidecar of its own, or with the mesh's certificate in its own
// hands.
type inside string

const (
	behindSidecar inside = "behind a sidecar"
	withTLS       inside = "with TLS of its own"
)

// portcullisID is the identity of portcullis.
const portcullisID = "spiffe://cluster.local/ns/portcullis/sa/portcullis"

// resources are what the owner of the mesh has for portcullis. In a cluster istiod finds the workload's ports by itself.
func (i inside) resources() string {
	if i != behindSidecar {
		return ""
	}
	return `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: portcullis, namespace: portcullis}
spec:
  workloadSelector: {labels: {app.kubernetes.io/name: portcullis}}
  ingress:
  - {port: {number: PORTCULLIS, protocol: GRPC, name: grpc}, bind: 127.0.0.1, captureMode: NONE, defaultEndpoint: "127.0.0.1:OWN"}
  egress: [{hosts: ["~/*"]}] # none
`
}

// enter says where and how portcullis is asked.
func (m *meshStack) enter(t *testing.T, n node) {
	t.Helper()
	switch n.inside {
	case behindSidecar:
		m.at = "127.0.0.1:" + envoytest.FreePort(t)
	case withTLS:
		m.ca.files(t, m.dir, portcullisID)
		in := func(name string) string { return filepath.Join(m.dir, name) }
		m.flags = []string{"--tls-cert", in("cert-chain.pem"), "--tls-key", in("key.pem"), "--tls-client-ca", in("root-cert.pem")}
	}
}

// startOwn runs the sidecar of portcullis, if it has one.
func (m *meshStack) startOwn(t *testing.T, n node) {
	t.Helper()
	if n.inside != behindSidecar {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	m.own, err = envoytest.StartEnvoy(ctx, envoytest.Require(t), t.TempDir(), m.bootstrap(t, node{
		id: "sidecar~127.0.0.1~portcullis-1.portcullis~portcullis.svc.cluster.local", namespace: "portcullis",
		labels: "app.kubernetes.io/name: portcullis", identity: portcullisID,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.own.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("portcullis' Envoy wrote:\n%s%s", m.own.Stdout(), m.own.Stderr())
		}
	})
}

// portcullis as a workload of a mesh that is strict: with a sidecar of its own, and with the mesh's certificate in its own hands.
func TestMeshInside(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, way := range []inside{behindSidecar, withTLS} {
		for _, n := range []node{nodes()[0], nodes()[2]} {
			n.inside = way
			t.Run(n.name+", portcullis "+string(way), func(t *testing.T) {
				t.Parallel()
				config, pool, issuer := allControls(t)
				m := startMesh(t, n, setup{
					config: withoutCats(config), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
				}, "15s")
				t.Run("policies", m.policies)
				t.Run("signatures", m.signatures)
				t.Run("bodies", m.bodies)
				t.Run("tokens", func(t *testing.T) { m.tokens(t, pool, issuer) })
				t.Run("function", m.function)
				t.Run("strangers", func(t *testing.T) { m.strangers(t, n) })
				t.Run("outages", m.outages)
				t.Run("impostor", m.impostor)
			})
		}
	}
}

// ask is one check of a caller of its own, over TLS or in plain text.
func (m *meshStack) ask(t *testing.T, config *tls.Config, call func(context.Context, *grpc.ClientConn) error) error {
	t.Helper()
	creds := plain.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(m.at, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return call(ctx, conn)
}

func asksCheck(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{})
	return err
}

// strangers are those who may not ask portcullis. With its own TLS it cannot tell the workloads of a mesh apart.
func (m *meshStack) strangers(t *testing.T, n node) {
	if err := m.ask(t, m.ca.client(t, n.identity), asksCheck); err != nil {
		t.Fatalf("who may ask got no answer: %v", err)
	}
	stranger := newMeshCA(t)
	for name, config := range map[string]*tls.Config{
		"plain text":           nil,
		"no certificate":       m.ca.client(t, ""),
		"of another authority": stranger.client(t, n.identity),
	} {
		if err := m.ask(t, config, asksCheck); grpcstatus.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n.inside != behindSidecar {
		return
	}
	for name, identity := range map[string]string{
		"another workload": "spiffe://cluster.local/ns/clients/sa/caller", "the namespace": "spiffe://cluster.local/ns/istio-system/sa/another",
		"more behind it": n.identity + "2", "portcullis itself": portcullisID,
	} {
		if err := m.ask(t, m.ca.client(t, identity), asksCheck); grpcstatus.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := m.ask(t, m.ca.client(t, "spiffe://elsewhere.local/ns/istio-system/sa/gateway"), asksCheck); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("of another mesh: %v", err)
	}
	health := func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	}
	if err := m.ask(t, m.ca.client(t, n.identity), health); grpcstatus.Code(err) != codes.PermissionDenied {
		t.Errorf("another method: %v", err)
	}
}

// allowsAll has everything pass: to Envoy, an empty answer is an Allow.
type allowsAll struct {
	authv3.UnimplementedAuthorizationServer
}

func (allowsAll) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{}, nil
}

// impostor is another workload of the mesh where portcullis was: Envoy takes no answer from it, and would from portcullis.
func (m *meshStack) impostor(t *testing.T) {
	m.portcullis.Kill()
	if m.own != nil {
		m.own.Kill()
	}
	var shown atomic.Pointer[tls.Config]
	show := func(ca *meshCA, identity string) {
		config := ca.client(t, identity)
		config.NextProtos = []string{"h2"}
		shown.Store(config)
	}
	show(newMeshCA(t), portcullisID)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return shown.Load(), nil },
	})))
	authv3.RegisterAuthorizationServer(server, allowsAll{})
	listener, err := net.Listen("tcp", m.at)
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, server, listener)
	refused := func(name string) {
		for range 3 {
			time.Sleep(300 * time.Millisecond) // Envoy connects anew
			a := m.get(t, m.open)
			if a.status != 503 {
				t.Errorf("%s: status %d", name, a.status)
			}
		}
	}
	refused("of another authority")
	show(m.ca, "spiffe://cluster.local/ns/pets/sa/app")
	refused("another workload")
	show(m.ca, "spiffe://elsewhere.local/ns/portcullis/sa/portcullis")
	refused("of another mesh")
	if seen := m.upstream.Take(); len(seen) != 0 {
		t.Errorf("the upstream saw %+v", seen)
	}
	show(m.ca, portcullisID)
	eventually(t, "Envoy takes the answers of who is portcullis", func() bool { return m.get(t, "/admin").status == 200 })
}
