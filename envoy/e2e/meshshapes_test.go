package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// beside are APIs of other shapes, at the gateway of an HTTP API: of many domains and several stages, at its default endpoint, and private.
const beside = `
  - id: 5tages0000
    account: "111122223333"
    region: eu-west-1
    stages:
      - {name: prod, domains: [DOMAINS]}
      - {name: test, domains: [test.example.com]}
    upstreamHeaders: {x-api: $context.apiId, x-stage: $context.stage}
    routes:
      - {route: GET /pets, authorization: NONE}
  - id: based00000
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [base.example.com/v1, base.example.org/v1]}]
    upstreamHeaders: {x-api: $context.apiId, x-stage: $context.stage}
    routes:
      - {route: GET /pets, authorization: NONE}
  - id: endp010000
    account: "111122223333"
    region: eu-west-1
    executeApiEndpoint: true
    stages: [{name: prod}]
    upstreamHeaders: {x-api: $context.apiId}
    routes:
      - {route: GET /pets, authorization: NONE}
  - id: pr1vate000
    account: "111122223333"
    region: eu-west-1
    endpoint: PRIVATE
    stages: [{name: prod, domains: [private.example.com]}]
    upstreamHeaders: {x-api: $context.apiId, x-vpce: $context.identity.vpceId}
    routes:
      - {route: GET /pets, authorization: NONE}
    resourcePolicy:
      Statement: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {StringEquals: {aws:SourceVpc: vpc-1a2b3c4d}}}]
vpcEndpoints:
  - {id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d, networks: [127.0.0.0/8]}
`

// manyDomains are those of one stage.
const manyDomains = 60

// virtualService is one that the owner of the mesh has for hosts.
func virtualService(name string, hosts ...string) string {
	return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: pets}
spec:
  hosts: [%s]
  gateways: [istio-system/pets]
  http: [{route: [{destination: {host: app.pets.svc.cluster.local, port: {number: 80}}}]}]
`, name, strings.Join(hosts, ", "))
}

// At a gateway, APIs of each kind that portcullis envoy prints for Istio are what they are at an Envoy of their own.
func TestMeshShapes(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	var many []string
	for i := range manyDomains {
		many = append(many, fmt.Sprintf("d%d.example.com", i))
	}
	const endpoint = "endp010000.execute-api.eu-west-1.amazonaws.com"
	n, c := nodes()[0], onHTTP()
	// The APIs with base paths have, so to say, upstreams of their own.
	n.open, n.flags = "/pets", []string{"--vpc-endpoints", "networks", "--upstream", "based00000=based:80", "--upstream", "endp010000=endpoint:80"}
	c.config = strings.Replace(c.config, "iam:\n", strings.Replace(strings.TrimPrefix(beside, "\n"), "DOMAINS", strings.Join(many, ", "), 1)+"iam:\n", 1)
	gateway, _, _ := strings.Cut(meshGateway, "---\n")
	n.resources = gateway + virtualService("pets", "pets.example.com") + virtualService("many", many...) + virtualService("based", "base.example.com", "base.example.org") +
		virtualService("test", "test.example.com") + virtualService("endpoint", endpoint) + virtualService("private", "private.example.com") + virtualService("examples", "'*.example.com'") + virtualService("rest", "'*'")
	m := startMesh(t, n, c, "15s")

	t.Run("an HTTP API", func(t *testing.T) {
		t.Run("signatures", func(t *testing.T) { signedHTTP(t, m.stack) })
		t.Run("preflights", func(t *testing.T) { preflights(t, m.stack) })
		t.Run("browsers", func(t *testing.T) { browsers(t, m.stack) })
	})
	t.Run("many domains", func(t *testing.T) {
		for _, host := range many {
			m.sees(t, m.from(t, host, "/pets"), "x-api: 5tages0000", "x-stage: prod")
			m.denied(t, m.from(t, host, "/cats"), 403)
		}
		m.sees(t, m.from(t, "test.example.com", "/pets"), "x-api: 5tages0000", "x-stage: test")
	})
	t.Run("a base path", func(t *testing.T) {
		m.seesPath(t, "/v1/pets", m.from(t, "base.example.com", "/v1/pets"), "x-api: based00000", "x-stage: prod")
		for _, target := range []string{"/pets", "/v2/pets", "/v1pets", "/v1/../pets", "/prod/pets"} {
			m.denied(t, m.from(t, "base.example.com", target), 403)
		}
	})
	t.Run("the default endpoint", func(t *testing.T) {
		m.sees(t, m.from(t, endpoint, "/prod/pets"), "x-api: endp010000")
		m.denied(t, m.from(t, endpoint, "/pets"), 403)
		m.denied(t, m.from(t, endpoint, "/test/pets"), 403)
	})
	t.Run("a private API", func(t *testing.T) {
		m.sees(t, m.from(t, "private.example.com", "/pets"), "x-api: pr1vate000", "x-vpce: vpce-1a2b3c4d")
	})
	t.Run("nobody's hosts", func(t *testing.T) {
		for _, host := range []string{"nobody.example.com", "nobody.example.org", "d60.example.com"} {
			m.denied(t, m.from(t, host, "/pets"), 500)
		}
	})
	m.noneRejected(t)
}

// A private API in a sidecar: who comes by the VPC endpoint is said by the peer's own address, and not by X-Forwarded-For, or by the
// workload, which then has no other clients.
func TestMeshPrivateSidecar(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	const private = `
apis:
  - id: pr1vate000
    account: "111122223333"
    region: eu-west-1
    endpoint: PRIVATE
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-vpce: $context.identity.vpceId}
    routes:
      - {route: GET /open, authorization: NONE}
    resourcePolicy:
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*", Condition: {StringNotEquals: {aws:SourceVpc: vpc-1a2b3c4d}}}
vpcEndpoints:
  - {id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d, HERE}
  - {id: vpce-2b3c4d5e, vpc: vpc-2b3c4d5e, networks: [10.0.0.0/8]}
`
	for name, here := range map[string]string{"networks": "networks: [127.0.0.0/8]", "listener:internal": "listeners: [internal]"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodes()[1]
			n.flags = append(n.flags, "--vpc-endpoints", name)
			m := startMesh(t, n, setup{config: strings.Replace(private, "HERE", here, 1)}, "15s")
			m.sees(t, m.get(t, "/open", "x-forwarded-for: 10.0.0.1", "x-vpce: vpce-2b3c4d5e"), "x-vpce: vpce-1a2b3c4d")
			m.denied(t, m.get(t, "/closed"), 403)
			m.sees(t, m.from(t, "app.pets", "/open"), "x-vpce: vpce-1a2b3c4d")
		})
	}
}

// In a mesh too, connections that are older than the first signed route verify bodies.
func TestMeshOldConnections(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	for _, n := range nodes()[:2] {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t, n, setup{config: signedLater, files: map[string]string{owner + ".json": export(owner), "access-keys.yaml": ownKeys()}}, "15s")
			old := m.connect(t, 12)
			m.reconfigure(t, signedNow())
			if n.namespace == "istio-system" {
				oldConnectionsVerify(t, m.stack, old)
				return
			}
			// The routes of a sidecar are its listener's, so that old connections keep those too, and no mark is on them.
			m.denied(t, old.send(t, chunked(m.becomesSigned(t), "9\r\n{\"x\": \"y\"\r\n0\r\n\r\n")), 500)
		})
	}
}
