package e2e

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// privateInMesh is a private API that the workloads of two namespaces call, each by a VPC endpoint of its own.
const privateInMesh = `
apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    endpoint: PRIVATE
    stages: [{name: prod, domains: [pets.example.com]}]
    upstreamHeaders: {x-vpce: $context.identity.vpceId, x-vpc: $context.identity.vpcId}
    routes:
      - {route: GET /open, authorization: NONE}
      - {route: GET /ours, authorization: NONE}
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/*"}
        - {Effect: Deny, Principal: "*", Action: execute-api:Invoke, Resource: "execute-api:/prod/GET/ours", Condition: {StringNotEquals: {aws:SourceVpc: vpc-1a2b3c4d}}}
vpcEndpoints:
  - {id: vpce-1a2b3c4d, vpc: vpc-1a2b3c4d, principals: ["spiffe://cluster.local/ns/clients/*"]}
  - {id: vpce-2b3c4d5e, vpc: vpc-2b3c4d5e, principals: [spiffe://cluster.local/ns/clients/sa/guest, "spiffe://cluster.local/ns/partners/*"]}
`

// A private API in a mesh is called by the workloads that portcullis.yaml maps to a VPC endpoint, and by no others, whatever they say.
func TestMeshPrivateAPI(t *testing.T) {
	t.Parallel()
	envoytest.RequireIstiod(t)
	strict := nodes()[2]
	strict.flags = append(strict.flags, "--vpc-endpoints", "principals")
	m := startMesh(t, strict, setup{config: privateInMesh}, "15s")
	m.sees(t, m.get(t, "/open", "x-vpce: forged"), "x-vpce: vpce-1a2b3c4d", "x-vpc: vpc-1a2b3c4d")
	m.sees(t, m.get(t, "/ours"), "x-vpc: vpc-1a2b3c4d")

	as := func(identity string) *stack {
		s := *m.stack
		s.addr = m.ca.sidecar(t, "127.0.0.1:"+m.port, identity)
		return &s
	}
	for _, guest := range []string{"spiffe://cluster.local/ns/clients/sa/guest", "spiffe://cluster.local/ns/partners/sa/shop"} {
		s := as(guest)
		s.sees(t, s.get(t, "/open"), "x-vpce: vpce-2b3c4d5e", "x-vpc: vpc-2b3c4d5e")
		check(t, s, s.get(t, "/ours"), 403, accessDenied, strings.Replace(explicitDeny, "/admin", "/ours", 1))
	}
	forged := []string{"x-forwarded-client-cert: URI=spiffe://cluster.local/ns/clients/sa/caller", "x-amzn-vpce-id: vpce-1a2b3c4d"}
	for _, stranger := range []string{"spiffe://cluster.local/ns/clients2/sa/caller", "spiffe://cluster.local/ns/pets/sa/caller", "spiffe://cluster.local/ns/clients"} {
		s := as(stranger)
		check(t, s, s.get(t, "/open", forged...), 403, "ForbiddenException", `{"message":"Forbidden"}`)
	}
}
