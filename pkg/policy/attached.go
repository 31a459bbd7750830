package policy

import "github.com/portcullis-authz/portcullis/pkg/fault"

// Lint reports what is legal in a resource-based policy and surely wrong where it is attached: a Deny that can never apply is
// a fault, for somebody relies on it; an Allow that cannot is a warning, as is a condition that says nothing.
func (p *Policy) Lint(t Target) []fault.Fault {
	if p == nil {
		return nil
	}
	return lint(p.statements, t)
}
