package policy

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

func TestNames(t *testing.T) {
	p := must(t, Resource, "resource-policy", "Allow")
	if p.Name() != "resource-policy" || p.Kind() != Resource {
		t.Errorf("%s %s", p.Name(), p.Kind())
	}
	seen := map[string]bool{}
	for kind := Identity; kind <= Authorizer+1; kind++ {
		if text := kind.String(); text == "" || seen[text] {
			t.Errorf("kind %d is called %q", kind, text)
		}
		seen[kind.String()] = true
	}
	if got := (fault.Fault{Line: 2, Column: 3, Statement: "s", Message: "m"}).Text(); got != "2:3: s: m" {
		t.Error(got)
	}
}
