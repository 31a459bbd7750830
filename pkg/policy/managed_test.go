package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// managedPolicies are AWS's own managed policies by name, as moto carries them.
func managedPolicies(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(envoytest.MotoServer.Require(t), "moto", "iam", "aws_managed_policies.py"))
	if err != nil {
		t.Fatal(err)
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

// What AWS attaches to its customers' users and roles loads, and what AWS's own documents rule out is warned of.
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
			if want := warned[name]; want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Message, want)) {
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
