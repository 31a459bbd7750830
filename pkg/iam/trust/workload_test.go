package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// A workload assumes a role as by IAM Roles Anywhere.
func TestWorkloads(t *testing.T) {
	const id, arn = "spiffe://cluster.local/ns/shop/sa/api", "arn:aws:iam::111122223333:role/orders"
	service := `"Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]`
	for name, c := range map[string]struct {
		statement string
		ok        bool
	}{
		"the id":           {service + `, "Condition": {"StringEquals": {"aws:PrincipalTag/x509SAN/URI": "` + id + `"}}`, true},
		"as a request tag": {service + `, "Condition": {"StringEquals": {"aws:RequestTag/x509SAN/URI": "` + id + `"}}`, true},
		"a pattern":        {service + `, "Condition": {"StringLike": {"aws:PrincipalTag/x509SAN/URI": "spiffe://cluster.local/ns/shop/*"}}`, true},
		"another id":       {service + `, "Condition": {"StringEquals": {"aws:PrincipalTag/x509SAN/URI": "` + id + `2"}}`, false},
		"a trust anchor":   {service + `, "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"}}`, false},
		"no tags":          {strings.Replace(service, `["sts:AssumeRole", "sts:TagSession"]`, `"sts:AssumeRole"`, 1), false},
		"another service":  {strings.Replace(service, "rolesanywhere", "lambda", 1), false},
		"web identities":   {strings.Replace(service, "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", 1), false},
		"everybody":        {`"Principal": "*", "Action": "sts:*"`, false},
		"the account":      {`"Principal": {"AWS": "111122223333"}, "Action": "sts:*"`, false},
		"any of AWS":       {`"Principal": {"AWS": "*"}, "Action": "sts:*"`, false},
	} {
		p, faults := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", `+c.statement+`}]}`), policy.Options{Name: "trust", Kind: policy.Trust})
		if p == nil {
			t.Fatal(name, faults)
		}
		role := &Role{ARN: arn, ID: "AROAORDERS", Partition: "aws", Account: "111122223333", Trust: p}
		s, err := Assume(role, &Request{Role: arn, Workload: id, SessionName: "api", At: time.Now()})
		if (s != nil) != c.ok || (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil && (len(s.Tags) != 1 || s.Tags[0].Value != id || len(s.TransitiveTagKeys) > 0) {
			t.Errorf("%s: %+v", name, s)
		}
		for what, r := range map[string]*Request{
			"a tag of its own":  {Role: arn, Workload: id, SessionName: "api", At: time.Now(), SourceIdentity: "a"},
			"a token, too":      {Role: arn, Workload: id, SessionName: "api", At: time.Now(), Web: &WebIdentity{Issuer: "https://a", Subject: "b"}},
			"no identity":       {Role: arn, SessionName: "api", At: time.Now()},
			"a long identifier": {Role: arn, Workload: id + strings.Repeat("a", 256), SessionName: "api", At: time.Now()},
		} {
			if s, err := Assume(role, r); s != nil || err == nil {
				t.Errorf("%s: %+v", what, s)
			}
		}
	}
}
