package gateway

import (
	"context"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// noFacts has no condition key.
type noFacts struct{}

func (noFacts) Lookup(*policy.Key) (policy.Value, bool) { return policy.Value{}, false }

// The policy of a VPC endpoint is asked about a caller who does not sign as it is asked about a signer.
func TestEndpointPolicyIsAskedAboutUnsignedCallers(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/orders"
	for effect, want := range map[string]authz.Code{"Allow": authz.CodeAllowed, "Deny": authz.CodeExplicitDeny} {
		api := privateAPI(t)
		for i := range api.Routes {
			api.Routes[i].Authorization = IAM
		}
		endpoint := VPCEndpoint{ID: "vpce-1", VPC: "vpc-1"}
		var faults any
		endpoint.Policy, faults = policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
			{"Effect":"`+effect+`","Principal":{"AWS":"`+role+`"},"Action":"*","Resource":"*"}]}`), policy.Options{Name: "endpoint", Kind: policy.VPCEndpoint})
		if endpoint.Policy == nil {
			t.Fatal(faults)
		}
		asked := 0
		config := Config{APIs: []API{api}, VPCEndpoints: []VPCEndpoint{endpoint}, Signatures: signatures(callers{statement: statement("Allow", all)}.builder(t))}
		config.Identify = func(context.Context, *Unsigned) (*Signed, error) {
			asked++
			return &Signed{Facts: noFacts{}, Principal: policy.Principal{
				Kind: policy.RoleSession, Account: owner, ARN: "arn:aws:sts::111122223333:assumed-role/orders/a", ParentARN: role,
			}}, nil
		}
		g := mustCompile(t, config)
		r := by("vpce-1", get("/pets"))
		if d := g.Authorize(t.Context(), r); d.Reason.Code != want || asked != 1 {
			t.Errorf("%s: %s %s, asked %d times", effect, d.Reason.Code, d.Reason.Detail, asked)
		}
		for name, r := range map[string]*authz.Request{
			"a part of a signature": get("/pets", "authorization", "AWS4-HMAC-SHA256 Credential=a"), "one in the query": get("/pets?X-Amz-Credential=a"),
		} {
			if d := g.Authorize(t.Context(), by("vpce-1", r)); d.Allow || asked != 1 {
				t.Errorf("%s: %s, asked %d times", name, d.Reason.Code, asked)
			}
		}
	}
}

// What is no role session is not a caller.
func TestIdentifyFailsClosed(t *testing.T) {
	for name, found := range map[string]*Signed{
		"nobody": {}, "anonymous": {Facts: noFacts{}}, "a user": {Facts: noFacts{}, Principal: policy.Principal{Kind: policy.User, Account: owner}},
		"a session without facts": {Principal: policy.Principal{Kind: policy.RoleSession, Account: owner}},
	} {
		api := testAPI("GET /pets")
		api.Routes[0].Authorization = IAM
		config := Config{APIs: []API{api}, Signatures: signatures(callers{statement: statement("Allow", all)}.builder(t))}
		config.Identify = func(context.Context, *Unsigned) (*Signed, error) { return found, nil }
		if d := mustCompile(t, config).Authorize(t.Context(), get("/pets")); d.Allow || d.Reason.Code != authz.CodeInternal {
			t.Errorf("%s: %v %s", name, d.Allow, d.Reason.Code)
		}
	}
}
