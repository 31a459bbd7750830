package policy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// managedPolicies are AWS's own managed policies by name, as moto carries them (hack/parts.sh moto). Without moto the test is
// skipped, and fails where CI=true.
func managedPolicies(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	data, err := readMoto("moto/iam/aws_managed_policies.py")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	_, text, _ := strings.Cut(string(data), `"""`)
	text, _, _ = strings.Cut(text, `"""`)
	if strings.Contains(text, `\`) {
		t.Fatal("moto's policies are in Python's escapes now: this test reads none")
	}
	var managed map[string]struct{ Document json.RawMessage }
	if err := json.Unmarshal([]byte(text), &managed); err != nil {
		t.Fatal(err)
	}
	documents := map[string]json.RawMessage{}
	for name, p := range managed {
		documents[name] = p.Document
	}
	return documents
}

func readMoto(name string) ([]byte, error) {
	lock, err := os.ReadFile("../../hack/issuers/requirements.txt")
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(cache, "portcullis", fmt.Sprintf("moto-%x", sha256.Sum256(lock))[:len("moto-")+12], name))
	if err != nil {
		return nil, fmt.Errorf("the part moto is not installed: run hack/parts.sh moto: %w", err)
	}
	return data, nil
}

// What AWS attaches to its customers' users and roles loads, and nothing of it is warned of but what AWS's own documents rule
// out.
func TestManagedPolicies(t *testing.T) {
	warned := map[string]string{
		"AmazonDevOpsGuruOrganizationsAccess":       "ends after its fifth colon",
		"AmazonTimestreamInfluxDBServiceRolePolicy": "has a policy variable before its fifth colon",
	}
	documents := managedPolicies(t)
	if len(documents) < 1500 {
		t.Errorf("there are %d policies", len(documents))
	}
	for name, document := range documents {
		for _, kind := range []Kind{Identity, Boundary} {
			p, faults := Parse(document, Options{Name: name, Kind: kind, Format: FormatJSON})
			if p == nil {
				t.Errorf("%s as %s: %v", name, kind, faults)
			}
			if want, known := warned[name]; known && !mentions(faults, want) {
				t.Errorf("%s as %s: %v, want %q", name, kind, faults, want)
			}
		}
	}
	for name := range warned {
		if documents[name] == nil {
			t.Errorf("%s is gone: the exception for it may be too", name)
		}
	}
}
