package gateway

import (
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// signedFor is a request that is signed for one host and comes with another, on a route that names the API and a stage.
func signedFor(signedHost, host, stage, target string) *authz.Request {
	r := on(signedHost, get(target))
	r.SetBody(nil, authz.BodyComplete)
	signerOf(owner).Sign(r)
	r.Host, r.API, r.Stage = host, "a1b2c3d4e5", stage
	return r
}

// A signature is for a host of the stage that the request is for, or for an alias: whatever host Envoy lets in, what was signed for
// another service, API or stage does not pass.
func TestSignedHost(t *testing.T) {
	const petsEndpoint, ordersEndpoint = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "f6g7h8i9j0.execute-api.eu-west-1.amazonaws.com"
	orders := testAPI("ANY /{proxy+}")
	orders.ID, orders.ExecuteAPIEndpoint = "f6g7h8i9j0", true
	orders.Stages = []Stage{{Name: "prod", Domains: []string{"orders.example.com"}}}
	pets := func(endpoint bool) *Gateway {
		a := testAPI("ANY /{proxy+}")
		a.Routes[0].Authorization = IAM
		a.ExecuteAPIEndpoint = endpoint
		a.Stages = []Stage{
			{Name: "prod", Domains: []string{"pets.example.com", "api.example.com/pets"}},
			{Name: "beta", Domains: []string{"beta.example.com"}},
			{Name: "inside"},
		}
		a.Signatures.HostAliases = []string{"public.example.com", "public.example.com:8443", "beta.example.com", petsEndpoint}
		return mustCompile(t, Config{APIs: []API{a, orders}, Signatures: signatures(callers{statement: statement("Allow", all)}.builder(t))})
	}
	off, on := pets(false), pets(true)
	for _, tt := range []struct {
		gateway                         *Gateway
		signedHost, host, stage, target string
		want                            authz.Code
	}{
		{off, "pets.example.com", "pets.example.com", "prod", "/x", authz.CodeAllowed},
		{off, "PETS.example.com.:8443", "PETS.example.com.:8443", "prod", "/x", authz.CodeAllowed},
		{off, "api.example.com", "api.example.com", "prod", "/pets/x", authz.CodeAllowed},
		{off, "beta.example.com", "beta.example.com", "beta", "/x", authz.CodeAllowed},
		{on, petsEndpoint, petsEndpoint, "inside", "/inside/x", authz.CodeAllowed},
		// Aliases, as they are signed and as they come.
		{off, "public.example.com", "pets.example.com", "prod", "/x", authz.CodeAllowed},
		{off, "public.example.com:8443", "10.0.0.7:8080", "prod", "/x", authz.CodeAllowed},
		{off, "public.example.com", "public.example.com", "prod", "/x", authz.CodeAllowed},
		{off, "public.example.com:9000", "public.example.com:9000", "prod", "/x", authz.CodeAllowed},
		{off, "public.example.com", "10.0.0.7", "inside", "/x", authz.CodeAllowed},
		{off, "beta.example.com", "10.0.0.7", "beta", "/x", authz.CodeAllowed},
		{off, petsEndpoint, "10.0.0.7", "prod", "/x", authz.CodeAllowed},
		// Hosts that nobody owns.
		{off, "orders.other-team.internal", "orders.other-team.internal", "prod", "/x", authz.CodeBadSignature},
		{off, "10.0.0.7:8080", "10.0.0.7:8080", "prod", "/x", authz.CodeBadSignature},
		{off, "xpublic.example.com", "xpublic.example.com", "prod", "/x", authz.CodeBadSignature},
		{off, "public.example.com.evil", "public.example.com.evil", "prod", "/x", authz.CodeBadSignature},
		{off, "other.example.com", "pets.example.com", "prod", "/x", authz.CodeBadSignature},
		{off, "other", "other", "prod", "/nowhere/%2541", authz.CodeBadSignature},
		// Hosts of another stage, of another API.
		{off, "beta.example.com", "pets.example.com", "prod", "/x", authz.CodeBadSignature},
		{off, "beta.example.com", "10.0.0.7", "prod", "/x", authz.CodeBadSignature},
		{off, "beta.example.com", "10.0.0.7", "inside", "/x", authz.CodeBadSignature},
		{on, petsEndpoint, "beta.example.com", "beta", "/prod/x", authz.CodeBadSignature},
		{on, petsEndpoint, "10.0.0.7", "prod", "/beta/x", authz.CodeBadSignature},
		{off, "orders.example.com", "pets.example.com", "prod", "/x", authz.CodeBadSignature},
		{off, "orders.example.com", "10.0.0.7", "prod", "/x", authz.CodeBadSignature},
		{off, ordersEndpoint, "10.0.0.7", "prod", "/x", authz.CodeBadSignature},
	} {
		d := tt.gateway.Authorize(t.Context(), signedFor(tt.signedHost, tt.host, tt.stage, tt.target))
		if d.Reason.Code != tt.want || d.Allow != (tt.want == authz.CodeAllowed) {
			t.Errorf("signed for %s, to %s %s%s: %+v", tt.signedHost, tt.stage, tt.host, tt.target, d.Reason)
		}
	}
}

// The client is told what API Gateway says of a signature that does not match, the operator which host is missing.
func TestSignedHostIsToldToTheOperator(t *testing.T) {
	g := callers{statement: statement("Allow", all)}.gateway(t, "")
	for _, h := range []string{"orders.other-team.internal", strings.Repeat("long.", 200) + "example.com"} {
		d := g.Authorize(t.Context(), signedFor(h, h, "prod", "/x"))
		checkDenial(t, d, 403, authz.CodeBadSignature, "InvalidSignatureException", `{"message":"`+mismatch+`"}`)
		if len(d.Reason.Detail) > 500 || !strings.Contains(d.Reason.Detail, "hostAliases") {
			t.Errorf("%q", d.Reason.Detail)
		}
	}
	wrong := signedFor("pets.example.com", "pets.example.com", "prod", "/x")
	wrong.Target = "/y"
	d := g.Authorize(t.Context(), wrong)
	checkDenial(t, d, 403, authz.CodeBadSignature, "InvalidSignatureException", `{"message":"`+mismatch+`"}`)
}

// A VPC endpoint policy is not asked about a caller who has signed for another service.
func TestSignedHostBeforeAVPCEndpointPolicy(t *testing.T) {
	a, all := privateAPI(t), endpoints()
	all[0].Policy = endpointPolicy(t, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)
	g := mustCompile(t, Config{APIs: []API{a}, VPCEndpoints: all, Signatures: signatures(callers{statement: statement("Allow", "*")}.builder(t))})
	const suffix = ".execute-api.eu-west-1.amazonaws.com"
	for host, want := range map[string]authz.Code{
		"pets.example.com": authz.CodeAllowed, "orders.other-team.internal": authz.CodeBadSignature,
		"a1b2c3d4e5" + suffix: authz.CodeAllowed, "a1b2c3d4e5-vpce-1a2b3c4d" + suffix: authz.CodeAllowed,
	} {
		target := "/pets"
		if strings.HasSuffix(host, suffix) {
			target = "/prod/pets"
		}
		if d := g.Authorize(t.Context(), by("vpce-1a2b3c4d", signedFor(host, host, "prod", target))); d.Reason.Code != want {
			t.Errorf("%s: %+v", host, d.Reason)
		}
	}
}
