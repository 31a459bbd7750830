package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

const rolesAPI = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes: [{route: GET /pets, authorization: NONE}]
`

// The example of pkg/iam/trust/README.md loads without a warning, and admits the workload that it is about and nobody else.
func TestExampleOfRoles(t *testing.T) {
	readme, err := os.ReadFile("../iam/trust/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, ok := strings.Cut(example, "```\n")
	if !ok {
		t.Fatal("no example")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(rolesAPI+example))
	s := mustLoad(t, dir)
	if len(s.Warnings) > 0 {
		t.Error(s.Warnings)
	}
	for subject, want := range map[string]bool{"system:serviceaccount:shop:orders": true, "system:serviceaccount:shop:orders2": false} {
		got, err := s.keys.AssumeRole(&iam.AssumeRequest{
			Role: "arn:aws:iam::111122223333:role/orders", SessionName: "orders-1", At: time.Now(),
			Web: &iam.WebIdentity{Issuer: "https://token.example.com", Subject: subject, Audience: []string{"portcullis"}},
		})
		refused, _ := errors.AsType[*iam.Refused](err)
		if (got != nil) != want || (refused == nil) != want {
			t.Errorf("%s: %v, %v", subject, got, err)
		}
	}
}

const doubtfulExport = `{"RoleDetailList": [{"RoleName": "a", "RoleId": "AROAA", "Arn": "arn:aws:iam::111122223333:role/a",
	"AssumeRolePolicyDocument": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}}]}`

// Nobody assumes a role of an export if there are no sessions, so that its trust policy is nobody's concern.
func TestTrustPoliciesWithoutSessions(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "export.json"), []byte(doubtfulExport))
	for config, want := range map[string]int{
		"iam: {accounts: [{file: export.json}]}\n":                                                                                                         0,
		"iam: {accounts: [{file: export.json}], roles: [{name: b, account: \"111122223333\"}]}\n":                                                          1,
		"iam: {accounts: [{file: export.json}], sessions: {keys: [{id: a, use: ISSUE, secret: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}}\n": 1,
	} {
		write(t, filepath.Join(dir, "portcullis.yaml"), []byte(rolesAPI+config))
		s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Warnings) != want {
			t.Errorf("%s: %v", config, s.Warnings)
		}
	}
}
