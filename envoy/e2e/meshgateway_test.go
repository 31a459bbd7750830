package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// gatewayStack is a stack whose Envoy is run by Envoy Gateway, with what portcullis envoy prints for it.
type gatewayStack struct {
	*meshStack
	gateway    *envoytest.EnvoyGateway
	securePort string
}

// gatewayPatience bounds a change of Envoy Gateway's resources, each of which takes it two seconds of a processor's time.
const gatewayPatience = 3 * patience

// What the owner of a Gateway has, beside what is printed: a route of its own, on a host of no API and below one of an API.
const (
	gatewayResources = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: default}
spec:
  gatewayClassName: eg
  listeners:
  - {name: http, protocol: HTTP, port: PORT, allowedRoutes: {namespaces: {from: All}}}
  - {name: https, protocol: HTTPS, port: SECURE, hostname: "*.example.com", tls: {certificateRefs: [{name: tls}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: tls, namespace: default}
type: kubernetes.io/tls
data: {tls.crt: CERTIFICATE, tls.key: KEY}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own, namespace: default}
spec:
  parentRefs: [{name: eg}]
  hostnames: [own.example.com, pets.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /own}}]
    backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: portcullis-upstream}]
`
	// basesAPI is an API with base paths on hosts that it shares.
	basesAPI = `
  - id: b1a2s3e4s5
    account: "111122223333"
    region: eu-west-1
    executeApiEndpoint: true
    stages:
      - {name: v_1, domains: [api.example.com/pets/v.1]}
    upstreamHeaders: {x-api: $context.apiId, x-stage: $context.stage}
    routes:
      - {route: "GET /{proxy+}", authorization: NONE}
      - {route: GET /admin, authorization: AWS_IAM}
`
)

// startGateway runs a stack. portcullis is started last: until then nothing passes.
func startGateway(t *testing.T, c setup) *gatewayStack {
	t.Helper()
	envoytest.RequireEnvoyGateway(t)
	envoy := envoytest.Require(t)
	g := &gatewayStack{meshStack: &meshStack{stack: &stack{dir: t.TempDir()}, port: envoytest.FreePort(t), open: "/open", byScheme: true}, securePort: envoytest.FreePort(t)}
	g.prepare(t, c)
	g.listen, g.addr = "127.0.0.1:"+envoytest.FreePort(t), "127.0.0.1:"+g.port
	g.print(t, c.config)
	ca := newAuthority(t, g.dir)
	ca.issue(t, g.dir, "server", "*.example.com")
	resources := strings.NewReplacer("PORT", g.port, "SECURE", g.securePort, "CERTIFICATE", g.base64(t, "server.crt"), "KEY", g.base64(t, "server.key"))
	g.gateway = envoytest.StartEnvoyGateway(t, envoy, map[string]string{
		"class.yaml": envoytest.EnvoyProxy, "gateway.yaml": resources.Replace(gatewayResources), "portcullis.yaml": g.printed,
	})
	within(t, gatewayPatience, "Envoy serves", func() bool {
		a, err := g.try("pets.example.com", "/open")
		return err == nil && a.status == 503
	})
	g.envoy = g.gateway.Envoy(t)
	g.nothingPasses(t)
	g.serve(t)
	t.Cleanup(func() { g.portcullis.Stop() })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("portcullis wrote:\n%s", g.portcullis.Stderr())
		}
	})
	eventually(t, "Envoy has found portcullis", func() bool { return g.get(t, g.open).status == 200 })
	g.upstream.Take()
	return g
}

func (g *gatewayStack) base64(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// print prints the resources for a configuration.
func (g *gatewayStack) print(t *testing.T, config string) {
	t.Helper()
	g.write(t, "portcullis.yaml", config)
	g.printed = printed(t, g.dir, "--for", "envoy-gateway", "--gateway-listener", "http", "--gateway-listener", "https", "--timeout", "15s",
		"--upstream", "127.0.0.1:"+g.upstream.Port(), "--portcullis", g.listen)
}

// try sends a request where Envoy may not listen yet.
func (s *stack) try(host, target string) (answer, error) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return answer{}, err
	}
	return converse(c, to(host, request("GET", target)))
}

// apply has other resources in force. The upstream sees nothing of what is denied now and then.
func (g *gatewayStack) apply(t *testing.T, text, what string, inForce func() bool) {
	t.Helper()
	g.gateway.Configure(t, "portcullis.yaml", text)
	within(t, gatewayPatience, what, inForce)
	g.upstream.Take()
}

// What portcullis envoy prints for Envoy Gateway makes of a real one's Envoy what envoy/ has for plain ones.
func TestMeshEnvoyGateway(t *testing.T) {
	t.Parallel()
	envoytest.RequireEnvoyGateway(t)
	config, pool, issuer := allControls(t)
	g := startGateway(t, setup{
		answer: func(s envoytest.Seen) string {
			if s.Target == "/pets" {
				return "rex, tom\n" // as the README's
			}
			return s.Method + " " + s.Target + "\n"
		},
		config: strings.Replace(config, "CATS\n", catsAPI+basesAPI, 1),
		files:  map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()},
	})
	t.Run("policies", g.policies)
	t.Run("signatures", g.signatures)
	t.Run("bodies", g.bodies)
	t.Run("tokens", func(t *testing.T) { g.tokens(t, pool, issuer) })
	t.Run("function", g.function)
	t.Run("hosts", g.hosts)
	t.Run("base paths", g.basePaths)
	t.Run("TLS", g.overTLS)
	t.Run("access log", g.logs)
	t.Run("doctor", g.examined)
	t.Run("the owner's resources", g.owned)
	t.Run("faults", g.faults)
	t.Run("outages", func(t *testing.T) {
		g.portcullis.Kill()
		g.nothingPasses(t)
		g.serve(t)
		eventually(t, "Envoy is connected again", func() bool { return g.get(t, "/open").status == 200 })
		g.upstream.Take()
	})
	t.Run("old connections", func(t *testing.T) {
		g.oldConnections(t, strings.Replace(config, "CATS\n", catsAPI+basesAPI+laterAPI, 1))
	})
	t.Run("README", g.readme)
}

// hosts are those of the APIs, of nobody, and a route of the Gateway's owner.
func (g *gatewayStack) hosts(t *testing.T) {
	g.sees(t, g.from(t, "cats.example.com", "/cats"), "x-api: c1a2t3s4e5", "x-stage: test")
	g.denied(t, g.from(t, "cats.example.com", "/open"), 403)
	g.denied(t, g.from(t, "pets.example.com", "/cats"), 403)
	for _, host := range []string{"pets.example.com:" + g.port, "PETS.example.com"} {
		g.sees(t, g.from(t, host, "/open"), "x-stage: prod")
		g.denied(t, g.from(t, host, "/admin"), 403)
	}
	for _, host := range []string{"nobody.example.com", "pets.example.com.", "127.0.0.1", "pets.example.com.evil.example"} {
		a := g.from(t, host, "/open")
		g.denied(t, a, 403)
		if a.body != forbidden {
			t.Errorf("%s: %s", host, a.body)
		}
	}
	for host, target := range map[string]string{"own.example.com": "/own", "pets.example.com": "/own/open", "nobody.example.com": "/.portcullis/unguarded"} {
		check(t, g.stack, g.from(t, host, target), 500, "InternalServerErrorException", internal)
	}
}

// basePaths are not seen by the upstream.
func (g *gatewayStack) basePaths(t *testing.T) {
	for target, want := range map[string]string{
		"/pets/v.1/7": "/7", "/pets/v.1//7": "/7", "/pets/v.1/pets/v.1/7": "/pets/v.1/7", "/pets/v.1/a%2Fb?x=/pets/v.1": "/a%2Fb?x=/pets/v.1",
	} {
		g.seesPath(t, want, g.from(t, "api.example.com", target), "x-api: b1a2s3e4s5", "x-stage: v_1")
	}
	g.seesPath(t, "/7", g.from(t, "b1a2s3e4s5.execute-api.eu-west-1.amazonaws.com", "/v_1/7"), "x-api: b1a2s3e4s5")
	g.denied(t, g.from(t, "api.example.com", "/pets/v.1/admin"), 403)
	g.denied(t, g.from(t, "api.example.com", "/pets/v.1//admin"), 403)
	for _, target := range []string{"/", "/7", "/pets/7", "/pets/vx1/7", "/pets/v.10/7"} {
		a := g.from(t, "api.example.com", target)
		g.denied(t, a, 403)
		if a.body != forbidden {
			t.Errorf("%s: %s", target, a.body)
		}
	}
}

// overTLS has the scheme of the connection in aws:SecureTransport, whatever the client says.
func (g *gatewayStack) overTLS(t *testing.T) {
	secure := *g.stack
	secure.addr = "127.0.0.1:" + g.securePort
	client := &tls.Config{RootCAs: pool(t, g.dir), ServerName: "pets.example.com"}
	g.sees(t, secure.sendTLS(t, client, request("GET", "/secure", "X-Forwarded-Proto: http")), "x-stage: prod")
	g.denied(t, secure.sendTLS(t, client, request("GET", "/admin")), 403)
	g.denied(t, secure.sendTLS(t, client, to("nobody.example.com", request("GET", "/open"))), 403)
	g.denied(t, secure.sendTLS(t, client, to("own.example.com", request("GET", "/own"))), 500)
	alice := user(owner, grants)
	r := by(alice, inHeader, "POST", "/pets/7")
	r.Body = everyByte()
	signed := goClient().mustSign(t, r)
	g.passes(t, secure.sendTLS(t, client, signed.wire()), signed, alice)
	g.denied(t, g.get(t, "/secure", "X-Forwarded-Proto: https", "X-Forwarded-Proto: https"), 403)
}

// logs has decisions, and no signature of a presigned request.
func (g *gatewayStack) logs(t *testing.T) {
	decided := regexp.MustCompile(`"path":"/admin".*"portcullis":{[^}]*"decision":"deny"`)
	eventually(t, "the decision is logged", func() bool { return decided.MatchString(g.gateway.EnvoyOutput(t)) })
	if found := signatureShape.FindString(g.gateway.EnvoyOutput(t) + g.gateway.Stdout() + g.gateway.Stderr()); found != "" {
		t.Errorf("%s is in a log", found)
	}
}

// examined has portcullis doctor find nothing. The route of the Gateway's owner is of no API, and checks failed before portcullis was started.
func (g *gatewayStack) examined(t *testing.T) {
	finds(t, g.dir, nil, "--envoy", g.envoy.Admin(), "--config", "portcullis.yaml", "--ignore", "checks-failing", "--ignore", "unknown-host")
	g.dump(t, "dump.json")
	finds(t, g.dir, nil, "dump.json")
	if *update {
		g.sample(t, "envoy-gateway.json")
	}
}

// faults are mistakes in the resources, one after the other. Nothing is open by them.
func (g *gatewayStack) faults(t *testing.T) {
	r := by(user(owner, grants), inHeader, "POST", "/pets/7")
	r.Body = everyByte()
	binary := goClient().mustSign(t, r)
	is := func(host, target string, status int) func() bool {
		return func() bool { return g.from(t, host, target).status == status }
	}
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(g.printed, old) {
			t.Fatalf("%s is not printed", old)
		}
		return strings.ReplaceAll(g.printed, old, new)
	}
	t.Run("portcullis has no backend", func(t *testing.T) {
		g.apply(t, edit("kind: Backend, namespace: default, name: portcullis}", "kind: Backend, namespace: default, name: portcullys}"),
			"the backend is missing", is("pets.example.com", "/open", 403))
		for host, target := range map[string]string{"pets.example.com": "/admin", "own.example.com": "/own", "nobody.example.com": "/", "cats.example.com": "/cats"} {
			g.denied(t, g.from(t, host, target), 403) // Envoy Gateway's own answer, 500, is behind portcullis-allowed
		}
	})
	t.Run("a policy has a misspelt targetRef", func(t *testing.T) {
		g.apply(t, edit("kind: HTTPRoute, name: portcullis-api-a1b2c3d4e5-prod}", "kind: HTTPRoute, name: portcullis-api-a1b2c3d4e5-prodd}"),
			"the other API is guarded again", is("cats.example.com", "/cats", 200))
		g.denied(t, g.get(t, "/open"), 500)
		g.denied(t, g.get(t, "/admin"), 500)
	})
	t.Run("the policy of the Gateway has a misspelt targetRef, and a route another policy", func(t *testing.T) {
		const ref = "{group: gateway.networking.k8s.io, kind: Gateway, name: eg}"
		g.gateway.Configure(t, "cors.yaml", corsPolicy)
		g.apply(t, edit("targetRefs:\n  - "+ref, "targetRefs:\n  - "+strings.Replace(ref, "eg}", "egg}", 1)), "both are in force", func() bool {
			return g.get(t, "/open").status == 200 && g.from(t, "cats.example.com", "/cats").status == 500
		})
		g.denied(t, g.get(t, "/admin"), 403)
		g.denied(t, g.send(t, to("cats.example.com", request("GET", "/cats", "Origin: https://example.com"))), 500)
		g.denied(t, g.from(t, "own.example.com", "/own"), 500)
		g.denied(t, g.from(t, "nobody.example.com", "/open"), 403)
	})
	g.gateway.Remove(t, "cors.yaml")
	t.Run("patches match nothing", func(t *testing.T) {
		g.apply(t, edit("/portcullis-(api-.+|other|unguarded)$/", "/others-(api-.+|other|unguarded)$/"), "nothing passes", is("pets.example.com", "/open", 500))
		g.denied(t, g.send11(t, binary), 500)
		g.eventuallyFinds(t, "joined-headers", "body-text")
		g.denied(t, g.get(t, "/admin"), 500)
		g.denied(t, g.from(t, "own.example.com", "/own"), 500)
		g.denied(t, g.from(t, "nobody.example.com", "/open"), 403)
	})
	g.apply(t, g.printed, "the printed resources are in force again", func() bool { return is("cats.example.com", "/cats", 200)() && g.send11(t, binary).status == 200 })
}

// corsPolicy is a SecurityPolicy that Envoy Gateway prefers to the printed one, because its name is first.
const corsPolicy = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: cors, namespace: default}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: portcullis-api-c1a2t3s4e5-test}]
  cors: {allowOrigins: ["https://example.com"], allowMethods: [GET]}
`

// laterAPI is one that is added while connections are open.
const laterAPI = `
  - id: l1a2t3e4r5
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [later.example.com]}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /closed, authorization: AWS_IAM}
`

// oldConnections do not have the filter of an API that is added later. They do not reach it unchecked.
func (g *gatewayStack) oldConnections(t *testing.T, config string) {
	old := g.connect(t, 400)
	g.print(t, config)
	g.gateway.Configure(t, "portcullis.yaml", g.printed)
	var statuses []int
	closed := func() {
		if a, err := converse(old.next(t), to("later.example.com", request("GET", "/closed"))); err == nil {
			statuses = append(statuses, a.status)
		}
	}
	within(t, gatewayPatience, "the API is added", func() bool {
		if len(*old) > 8 {
			closed()
		}
		return g.from(t, "later.example.com", "/open").status == 200
	})
	for range 8 {
		closed()
	}
	for _, seen := range g.upstream.Take() {
		if seen.Target != "/open" {
			t.Errorf("the upstream saw %+v", seen)
		}
	}
	if !slices.Contains(statuses, 500) || slices.Contains(statuses, 200) {
		t.Errorf("old connections got %v, want 403 and 500", statuses)
	}
}

// readme has the README's API, whose requests get the answers that it shows. What is replaced are addresses, and helm and kubectl by files
// that Envoy Gateway reads.
func (g *gatewayStack) readme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	own := section(t, string(text), "envoy-gateway.yaml")
	for _, b := range blocks(own) {
		if b.saveAs == "portcullis.yaml" && b.language == "yaml" {
			g.print(t, b.text)
		}
	}
	g.apply(t, g.printed, "the README's API is in force", func() bool {
		return g.get(t, "/pets").status == 200 && g.from(t, "cats.example.com", "/cats").body == forbidden
	})
	shows := commands(own)
	if len(shows) < 3 {
		t.Fatalf("the README shows %d requests", len(shows))
	}
	for _, show := range shows {
		run(t, g.dir, show, strings.NewReplacer("127.0.0.1:8080", g.addr))
	}
}
