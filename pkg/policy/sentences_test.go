package policy

import (
	"encoding/json"
	"testing"
)

// TestSentences holds the package to the IAM User Guide's reference of policy elements sentence by sentence: each row of the file
// has one thing in it that a sentence speaks of, for a condition under an Allow and under a Deny. The expected outcomes were written
// down from the documents alone. Refused is a policy that does not load.
func TestSentences(t *testing.T) {
	expect := map[string]Decision{"Allowed": Allow, "ImplicitlyDenied": ImplicitDeny, "ExplicitlyDenied": ExplicitDeny}
	all := readVectors(t, "testdata/sentences.jsonl.gz")
	if len(all) < 1900 {
		t.Errorf("%d rows", len(all))
	}
	for _, v := range all {
		ps, loads := v.strict()
		want, known := expect[v.Expect]
		switch {
		case !loads && v.Expect == "Refused":
		case !loads || !known:
			t.Errorf("%s: loads %v, want %s", v.ID, loads, v.Expect)
		default:
			if got := Evaluate(ps, v.request()); got.Decision != want {
				t.Errorf("%s: %v by %s %s (missing %d), want %s", v.ID, got.Decision, got.Policy, got.Statement, got.Missing, v.Expect)
			}
		}
	}
}

// strict parses a row's policies as those that guard something; false if one of them does not load.
func (v *vector) strict() (*Policies, bool) {
	loads := true
	one := func(text json.RawMessage, kind Kind) *Policy {
		if len(text) == 0 || string(text) == "null" {
			return nil
		}
		p, _ := Parse(text, Options{Name: kind.String(), Kind: kind, ExpandPrefix: benchPrefix})
		loads = loads && p != nil
		return p
	}
	ps := &Policies{Boundary: one(v.PermissionsBoundary, Boundary), Resource: one(v.ResourcePolicy, Resource)}
	for _, text := range v.IdentityPolicies {
		ps.Identity = append(ps.Identity, one(text, Identity))
	}
	if p := one(v.SessionPolicy, Session); p != nil {
		ps.Session = []*Policy{p}
	}
	for _, level := range v.SCPs {
		list := []*Policy{}
		for _, text := range level {
			list = append(list, one(text, SCP))
		}
		ps.SCP = append(ps.SCP, list)
	}
	return ps, loads
}
