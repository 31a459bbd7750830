package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// gatewayAPI is what a cluster has beside the README's Gateway and HTTPRoute: the gateway's pod, an application, and HTTPRoutes with filters, of
// another stage, and of all hosts.
const gatewayAPI = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio}
spec: {controllerName: istio.io/gateway-controller}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pets-istio, namespace: shop}
spec:
  hosts: [pets-istio.shop.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: PORT}]
  endpoints: [{address: 127.0.0.1, labels: {gateway.networking.k8s.io/gateway-name: pets}}]
---
apiVersion: v1
kind: Service
metadata: {name: pets, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 8080, protocol: TCP, targetPort: UPSTREAM}], selector: {app: app}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: pets-1, namespace: shop, labels: {kubernetes.io/service-name: pets}}
addressType: IPv4
ports: [{name: http, port: UPSTREAM, protocol: TCP}]
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: filters, namespace: shop}
spec:
  parentRefs: [{name: pets}]
  hostnames: [pets.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /rewritten}}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /open}}}
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-owner, value: set}]}}
    backendRefs: [{name: pets, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /redirected}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: elsewhere.example.com}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cats, namespace: shop}
spec:
  parentRefs: [{name: pets}]
  hostnames: [cats.example.com]
  rules: [{backendRefs: [{name: pets, port: 8080}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: rest, namespace: shop}
spec:
  parentRefs: [{name: pets}]
  rules: [{backendRefs: [{name: pets, port: 8080}]}]
`

// startGatewayAPI runs a Gateway of Istio, with what portcullis envoy prints for the flags that the README shows.
func startGatewayAPI(t *testing.T, c setup, settings ...string) *meshStack {
	t.Helper()
	envoy := envoytest.Require(t)
	m := &meshStack{stack: &stack{dir: t.TempDir()}, port: envoytest.FreePort(t), open: "/open", service: "9001"}
	m.prepare(t, c)
	m.listen = "127.0.0.1:" + envoytest.FreePort(t)
	_, at, _ := strings.Cut(m.listen, ":")
	resources, flags := gatewayAPIReadme(t)
	m.takeApart(t, printed(t, m.dir, append(flags, "--timeout", "15s", "--secure-transport", "true")...))
	ports := strings.NewReplacer("PORTCULLIS", at, "UPSTREAM", m.upstream.Port(), "PORT", m.port, "SERVICE", m.service)
	services, _, _ := strings.Cut(meshServices, "---\n")
	m.istiod = envoytest.StartIstiodInCluster(t, m.mesh, ports.Replace(gatewayAPI+"---\n"+services)+"---\n"+resources+"---\n"+m.printed, settings...)
	m.startEnvoy(t, envoy, node{id: "router~127.0.0.1~pets-istio-1.shop~shop.svc.cluster.local", namespace: "shop", labels: "gateway.networking.k8s.io/gateway-name: pets"})
	eventually(t, "Envoy serves", func() bool {
		_, err := m.try("pets.example.com", m.open)
		return err == nil
	})
	return m
}

// gatewayAPIReadme returns the resources and the flags that the README shows.
func gatewayAPIReadme(t *testing.T) (resources string, flags []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(text), "\n## Gateway API with Istio\n")
	script := strings.ReplaceAll(block(own, "sh"), "\\\n", " ")
	flags = strings.Fields(regexp.MustCompile(`--for istio .*>`).FindString(script))
	if at := slices.Index(flags, "--config"); at < 0 {
		t.Fatalf("the README's command is another one: %s", script)
	} else {
		flags = slices.Delete(flags, at, at+2)
	}
	return block(own, "yaml"), slices.DeleteFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, ">") })
}

// What portcullis envoy prints for a Gateway of the Gateway API that Istio runs allows and denies as at other gateways.
func TestMeshGatewayAPI(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	config, pool, issuer := allControls(t)
	m := startGatewayAPI(t, setup{config: strings.Replace(config, "CATS\n", catsAPI, 1), files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}})
	m.nothingPasses(t)
	m.serve(t)
	t.Cleanup(func() { m.portcullis.Stop() })
	eventually(t, "Envoy has found portcullis", func() bool { return m.get(t, m.open).status == 200 })
	m.upstream.Take()
	t.Run("policies", m.policies)
	t.Run("hosts", func(t *testing.T) { m.hosts(t, nodes()[0]) })
	t.Run("signatures", m.signatures)
	t.Run("bodies", m.bodies)
	t.Run("tokens", func(t *testing.T) { m.tokens(t, pool, issuer) })
	t.Run("filters", func(t *testing.T) {
		m.denied(t, m.get(t, "/rewritten"), 403)
		m.denied(t, m.get(t, "/redirected"), 403)
	})
	t.Run("doctor", func(t *testing.T) {
		// One note: the owner's filter rewrites the path after the check.
		finds(t, m.dir, []string{"path-rewritten"}, "--envoy", m.envoy.Admin(), "--config", "portcullis.yaml", "--ignore", "checks-failing", "--ignore", "unknown-host")
	})
	m.noneRejected(t)
}

// An istiod that does not apply selectors to Gateways of the Gateway API leaves them open, as the README says.
func TestMeshGatewayAPIWithoutSelectors(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	m := startGatewayAPI(t, setup{config: pets}, "ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY=false")
	eventually(t, "Envoy serves", func() bool { return m.get(t, "/admin").status == 200 })
	rules, text := doctor(t, m.dir, "--envoy", m.envoy.Admin(), "--config", "portcullis.yaml")
	if !slices.Contains(rules, "no-ext-authz") {
		t.Errorf("the doctor finds %v:\n%s", rules, text)
	}
	m.upstream.Take()
}
