package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// ownedRoutes are routes of the Gateway's owner: the host of each, and its kind and rules. All of them lead to the upstream of the APIs.
var ownedRoutes = map[string]string{
	"plain":    "HTTPRoute {rules: [{backendRefs: [TO]}]}",
	"rewrite":  "HTTPRoute {rules: [{filters: [{type: URLRewrite, urlRewrite: {hostname: pets.example.com, path: {type: ReplaceFullPath, replaceFullPath: /open}}}], backendRefs: [TO]}]}",
	"headers":  "HTTPRoute {rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-caller, value: owner}]}}], backendRefs: [TO]}]}",
	"mirror":   "HTTPRoute {rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: TO}}], backendRefs: [TO]}]}",
	"redirect": "HTTPRoute {rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: elsewhere.example.com}}]}]}",
	"named":    "HTTPRoute {rules: [{name: rule, backendRefs: [TO]}]}",
	"rpc":      "GRPCRoute {rules: [{matches: [{method: {service: pets.Pets, method: Get}}], backendRefs: [TO]}]}",
}

// ownPolicy is a SecurityPolicy with a CORS policy, which replaces the printed one of the Gateway.
const ownPolicy = `---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: %s, namespace: %s}
spec: {targetRefs: [%s], %scors: {allowOrigins: ["https://example.com"], allowMethods: [GET]}}
`

// ownedResources has each route with a policy of its own, and one without, with a policy that is merged with the Gateway's, and in
// another namespace. It returns the resources and the hosts.
func ownedResources(upstream string) (text string, hosts []string) {
	var b strings.Builder
	add := func(name, namespace, spec string, policies ...string) {
		kind, rules, _ := strings.Cut(spec, " ")
		host := name + "." + namespace + ".example.com"
		hosts = append(hosts, host)
		fmt.Fprintf(&b, ownedRoute, kind, name, namespace, host, strings.ReplaceAll(strings.TrimPrefix(rules, "{"), "TO", "{group: gateway.envoyproxy.io, kind: Backend, name: owner}"))
		section := ""
		if name == "named" {
			section = ", sectionName: rule"
		}
		for _, more := range policies {
			fmt.Fprintf(&b, ownPolicy, name, namespace, fmt.Sprintf("{group: gateway.networking.k8s.io, kind: %s, name: %s%s}", kind, name, section), more)
		}
	}
	for _, namespace := range []string{"default", "shop"} {
		fmt.Fprintf(&b, ownedBackend, namespace, upstream)
		add("bare", namespace, ownedRoutes["plain"])
		add("plain", namespace, ownedRoutes["plain"], "")
	}
	add("merged", "default", ownedRoutes["plain"], "mergeType: StrategicMerge, ")
	for name, spec := range ownedRoutes {
		if name != "plain" {
			add(name, "default", spec, "")
		}
	}
	return strings.TrimPrefix(b.String(), "---\n"), hosts
}

const (
	ownedRoute = `---
apiVersion: gateway.networking.k8s.io/v1
kind: %s
metadata: {name: %s, namespace: %s}
spec: {parentRefs: [{name: eg, namespace: default, sectionName: http}], hostnames: [%s], %s
`
	ownedBackend = `---
apiVersion: v1
kind: Namespace
metadata: {name: %s}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: owner, namespace: %[1]s}
spec: {endpoints: [{ip: {address: 127.0.0.1, port: %s}}]}
`
)

// owned are routes and policies of the Gateway's owner. None of them passes, and no policy of theirs opens a printed route.
func (g *gatewayStack) owned(t *testing.T) {
	text, hosts := ownedResources(g.upstream.Port())
	section := fmt.Sprintf(ownPolicy, "section", "default", "{group: gateway.networking.k8s.io, kind: Gateway, name: eg, sectionName: http}", "")
	authorization := strings.Replace(corsPolicy, `cors: {allowOrigins: ["https://example.com"], allowMethods: [GET]}`, "authorization: {defaultAction: Allow}", 1)
	g.gateway.Configure(t, "owner.yaml", text+section+"---"+authorization)
	target := func(host string) string {
		if strings.HasPrefix(host, "rpc") {
			return "/pets.Pets/Get"
		}
		return "/open"
	}
	within(t, gatewayPatience, "the owner's routes are in force", func() bool {
		for _, host := range hosts {
			if g.from(t, host, target(host)).status == 403 { // it is on no route
				return false
			}
		}
		return true
	})
	for _, host := range hosts {
		for _, headers := range [][]string{nil, {"Origin: https://example.com"}} {
			check(t, g.stack, g.send(t, to(host, request("GET", target(host), headers...))), 500, "InternalServerErrorException", internal)
		}
		if a := g.send(t, to(host, request("POST", target(host), "Content-Type: application/grpc"))); a.status == 200 && a.header.Get("grpc-status") == "" {
			t.Errorf("%s: %+v", host, a)
		}
	}
	if seen := g.upstream.Take(); len(seen) > 0 {
		t.Errorf("the upstream saw %+v", seen)
	}
	g.sees(t, g.get(t, "/open"), "x-stage: prod")
	g.denied(t, g.get(t, "/admin"), 403)

	g.denied(t, g.from(t, "cats.example.com", "/cats"), 500)
	g.gateway.Remove(t, "owner.yaml")
	within(t, gatewayPatience, "the owner's routes are gone", func() bool {
		return g.from(t, hosts[0], "/open").status == 403 && g.from(t, "cats.example.com", "/cats").status == 200
	})
	g.upstream.Take()
}

// named is a Gateway, with further settings of its EnvoyProxy, of Envoy Gateway and of the ClientTrafficPolicy, and the flags for it.
type named struct {
	listeners, proxy, settings, policy string
	plain                              bool
	flags                              []string
}

// Gateways whose listeners have other names in Envoy: listeners that share a port, merged Gateways, HTTP/3, and another scheme of names.
// The flags name them, and the doctor finds nothing. Without the flags no request passes.
func TestMeshEnvoyGatewayNames(t *testing.T) {
	t.Parallel()
	envoytest.RequireEnvoyGateway(t)
	const shared = "{name: first, protocol: HTTPS, port: PORT, hostname: first.example.com, tls: {certificateRefs: [{name: tls}]}}"
	const own = httpsListener
	for name, c := range map[string]named{
		"a shared port": {listeners: shared + ", " + own, flags: []string{"--gateway-envoy-listener", "default/eg/first", "--gateway-envoy-routes", "default/eg/https"}},
		"a shared port without TLS": {
			listeners: "{name: first, protocol: HTTP, port: PORT, hostname: first.example.com}, " + strings.NewReplacer("HTTPS", "HTTP", ", tls: {certificateRefs: [{name: tls}]}", "").Replace(own),
			plain:     true, flags: []string{"--gateway-envoy-listener", "default/eg/first", "--gateway-envoy-routes", "default/eg/first"},
		},
		"merged Gateways": {
			listeners: own, proxy: "mergeGateways: true, ", flags: []string{"--gateway-class", "eg"},
		},
		"XDSNameSchemeV2": {
			listeners: own, settings: "runtimeFlags: {enabled: [XDSNameSchemeV2]}",
			flags: []string{"--gateway-envoy-listener", "tcp-PORT", "--gateway-envoy-routes", "default/eg/https"},
		},
		"HTTP/3": {
			listeners: own, policy: "  http3: {}\n",
			flags: []string{"--gateway-envoy-listener", "default/eg/https", "--gateway-envoy-listener", "default/eg/https-quic"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startNamed(t, c, strings.ReplaceAll(pets, "/pets", "/open"))
			client := &tls.Config{RootCAs: pool(t, g.dir), ServerName: "pets.example.com"}
			status := func(target string) int {
				a, err := g.tryEither(client, target, c.plain)
				if err != nil {
					return 0
				}
				return a.status
			}
			within(t, gatewayPatience, "Envoy serves", func() bool { s := status("/open"); return s != 0 && s != 503 })
			g.envoy = g.gateway.Envoy(t)
			examine := []string{"--envoy", g.envoy.Admin(), "--config", "portcullis.yaml", "--ignore", "checks-failing", "--ignore", "unknown-host"}
			if s, found := status("/open"), findingsOf(doctor(t, g.dir, examine...)); c.policy == "" && s != 500 || len(found) == 0 {
				t.Errorf("without the flags: %d and %v, want 500 and findings", s, found)
			}
			g.gateway.Configure(t, "portcullis.yaml", g.printedWith(t, c, c.flags...))
			within(t, gatewayPatience, "the patches apply", func() bool { return status("/open") == 200 })
			if s := status("/admin"); s != 403 {
				t.Errorf("/admin: %d", s)
			}
			within(t, gatewayPatience, "the doctor finds nothing", func() bool {
				return len(findingsOf(doctor(t, g.dir, append(examine, "--ignore", "draining")...))) == 0
			})
		})
	}
}

// startNamed runs Envoy Gateway with a Gateway's listeners, and portcullis. The resources are printed without the flags.
func startNamed(t *testing.T, c named, config string) *gatewayStack {
	t.Helper()
	g := &gatewayStack{meshStack: &meshStack{stack: &stack{dir: t.TempDir()}, port: envoytest.FreePort(t), open: "/open"}}
	var err error
	if g.upstream, err = envoytest.StartUpstream(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.upstream.Stop)
	g.listen, g.addr = "127.0.0.1:"+envoytest.FreePort(t), "127.0.0.1:"+g.port
	newAuthority(t, g.dir).issue(t, g.dir, "server", "*.example.com")
	g.write(t, "portcullis.yaml", config)
	resources := strings.NewReplacer("PORT", g.port, "CERTIFICATE", g.base64(t, "server.crt"), "KEY", g.base64(t, "server.key"))
	g.gateway = envoytest.StartEnvoyGateway(t, envoytest.Require(t), map[string]string{
		"class.yaml":   strings.Replace(envoytest.EnvoyProxy, "spec: {provider", "spec: {"+c.proxy+"provider", 1),
		"gateway.yaml": resources.Replace(fmt.Sprintf(namedGateway, c.listeners)), "portcullis.yaml": g.printedWith(t, c),
	}, c.settings)
	g.serve(t)
	t.Cleanup(func() { g.portcullis.Stop() })
	return g
}

// printedWith returns what portcullis envoy prints for the listener https.
func (g *gatewayStack) printedWith(t *testing.T, c named, flags ...string) string {
	t.Helper()
	all := []string{"--for", "envoy-gateway", "--gateway-listener", "https", "--upstream", "127.0.0.1:" + g.upstream.Port(), "--portcullis", g.listen}
	for _, flag := range flags {
		all = append(all, strings.ReplaceAll(flag, "PORT", g.port))
	}
	return strings.Replace(printed(t, g.dir, all...), "  path:\n", c.policy+"  path:\n", 1)
}

const httpsListener = `{name: https, protocol: HTTPS, port: PORT, hostname: "*.example.com", tls: {certificateRefs: [{name: tls}]}}`

const namedGateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: default}
spec: {gatewayClassName: eg, listeners: [%s]}
---
apiVersion: v1
kind: Secret
metadata: {name: tls, namespace: default}
type: kubernetes.io/tls
data: {tls.crt: CERTIFICATE, tls.key: KEY}
`

// tryEither sends a request, over TLS unless it is to be plain, where Envoy may not listen yet.
func (g *gatewayStack) tryEither(client *tls.Config, target string, plain bool) (answer, error) {
	if plain {
		return g.try("pets.example.com", target)
	}
	c, err := tls.Dial("tcp", g.addr, client)
	if err != nil {
		return answer{}, err
	}
	return converse(c, request("GET", target))
}

// findingsOf leaves out the text.
func findingsOf(found []string, _ string) []string { return found }

// Workloads are known by their certificates at a Gateway that verifies them, and by nothing where the authorities are missing.
func TestMeshEnvoyGatewayClientCertificates(t *testing.T) {
	t.Parallel()
	envoytest.RequireEnvoyGateway(t)
	g := startNamed(t, named{listeners: httpsListener}, fmt.Sprintf(unsignedConfig, "http://127.0.0.1:1", "127.0.0.1:1"))
	clients := t.TempDir()
	ca := newAuthority(t, clients)
	stranger := newAuthority(t, t.TempDir())
	client := func(ca *authority, file, id string) *tls.Config {
		c := &tls.Config{RootCAs: pool(t, g.dir), ServerName: "pets.example.com"}
		if id == "" {
			return c
		}
		ca.issue(t, g.dir, file, id)
		pair, err := tls.LoadX509KeyPair(g.dir+"/"+file+".crt", g.dir+"/"+file+".key")
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
		return c
	}
	cart := client(ca, "cart", "spiffe://cluster.local/ns/shop/sa/cart")
	status := func(c *tls.Config) int {
		a, err := g.tryEither(c, "/pets/1", false)
		if err != nil {
			return 0
		}
		return a.status
	}
	g.gateway.Configure(t, "portcullis.yaml", g.printedWith(t, named{}, "--gateway-client-ca", "clients"))
	within(t, gatewayPatience, "Envoy Gateway has seen the policy", func() bool { return strings.Contains(g.gateway.Stdout()+g.gateway.Stderr(), "clients") })
	for range 20 {
		if s := status(cart); s == 200 {
			t.Fatal("a client passes without authorities")
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, err := os.ReadFile(clients + "/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	g.gateway.Configure(t, "clients.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: clients, namespace: default}\ndata:\n  ca.crt: |\n    "+strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")+"\n")
	within(t, gatewayPatience, "the workload passes", func() bool { return status(cart) == 200 })
	for what, c := range map[string]*tls.Config{
		"another workload":     client(ca, "other", "spiffe://cluster.local/ns/pets/sa/cart"),
		"of another authority": client(stranger, "stranger", "spiffe://cluster.local/ns/shop/sa/cart"),
		"no certificate":       client(ca, "", ""),
	} {
		if s := status(c); s != 403 && s != 0 {
			t.Errorf("%s: %d", what, s)
		}
	}
}

// everyRoute is a SecurityPolicy for all routes, as an older one with targetSelectors would be. Envoy Gateway prefers it to each that is
// printed.
const everyRoute = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: all, namespace: default}
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: portcullis-api-a1b2c3d4e5-prod}
  - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: portcullis-unguarded}
  - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: portcullis-other-hosts}
  cors: {allowOrigins: ["https://example.com"], allowMethods: [GET]}
`

// A policy of the Gateway's owner for all routes takes every printed one away. Nothing passes.
func TestMeshEnvoyGatewayPolicyForAllRoutes(t *testing.T) {
	t.Parallel()
	envoytest.RequireEnvoyGateway(t)
	g := startNamed(t, named{listeners: httpsListener}, strings.ReplaceAll(pets, "/pets", "/open"))
	client := &tls.Config{RootCAs: pool(t, g.dir), ServerName: "pets.example.com"}
	status := func(target string) int {
		a, err := g.tryEither(client, target, false)
		if err != nil {
			return 0
		}
		return a.status
	}
	within(t, gatewayPatience, "Envoy serves", func() bool { return status("/open") == 200 })
	g.gateway.Configure(t, "all.yaml", everyRoute)
	within(t, gatewayPatience, "the policy is in force", func() bool { return status("/admin") != 403 || status("/open") != 200 })
	for range 40 {
		for _, target := range []string{"/open", "/admin", "/.portcullis/unguarded"} {
			if s := status(target); s != 500 && s != 403 && s != 503 { // 503 while the listener is older than the clusters
				t.Fatalf("%s: %d", target, s)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}
