package trust

import (
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// A Deny may name the caller's role with its path, which AWS does not tell, and a trust policy that cannot be read may deny.
func TestExchangeWithADenyThatMayMatch(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/cart"
	parse := func(effect string) *policy.Policy {
		p, faults := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"`+effect+`","Principal":{"AWS":"arn:aws:iam::444455556666:role/jobs/ci"},"Action":"sts:AssumeRole"}}`),
			policy.Options{Name: "trust-policy", Kind: policy.Trust, Format: policy.FormatJSON})
		if p == nil {
			t.Fatal(faults)
		}
		return p
	}
	for _, c := range []struct {
		name, role string
		trust      *policy.Policy
		unknown    bool
		faulty     bool
		want       bool
	}{
		{"no trust policy", "role/ci", nil, true, false, true},
		{"a trust policy that cannot be read", "role/ci", nil, false, true, false},
		{"an Allow, path unknown", "role/ci", parse("Allow"), true, false, true},
		{"a Deny of the role, path unknown", "role/ci", parse("Deny"), true, false, false},
		{"a Deny of the role", "role/jobs/ci", parse("Deny"), false, false, false},
		{"a Deny of another role", "role/ci", parse("Deny"), false, false, true},
	} {
		_, err := ExchangeAWS(&Role{ARN: arn, ID: "AROACART00000000EXAMPLE", Partition: "aws", Account: "111122223333", Trust: c.trust, TrustFaulty: c.faulty}, arn, &AWSIdentity{
			Principal: policy.Principal{
				Kind: policy.RoleSession, ARN: "arn:aws:sts::444455556666:assumed-role/ci/s1", Account: "444455556666",
				ParentARN: "arn:aws:iam::444455556666:" + c.role, ParentID: "AROACI0000000000EXAMPLE",
			},
			PathUnknown: c.unknown, UserID: "AROACI0000000000EXAMPLE:s1", SessionName: "s1", Temporary: true, At: time.Now(),
		})
		if got := err == nil; got != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
