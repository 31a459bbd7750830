package policy

import (
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/lint"
)

// Lint reports what is legal in a resource-based policy and surely wrong where it is attached: a Deny that can never apply is
// a fault, for somebody relies on it; an Allow that cannot is a warning, as is a condition that says nothing.
func (p *Policy) Lint(t Target) []fault.Fault {
	if p == nil {
		return nil
	}
	return lint.Check(p.statements, t)
}

// What a resource-based policy is attached to.
type (
	// Target is the API or the VPC endpoint that a resource-based policy is attached to.
	Target = lint.Target
	// TargetRoute is a route: Method is a verb or ANY, Resource a path such as /pets/{petId} or /{proxy+}.
	TargetRoute = lint.TargetRoute
)

// TrustTarget is where a role's trust policy is.
type TrustTarget = lint.TrustTarget

// LintTrust reports what is legal in a trust policy and rarely intended: whom it trusts without limits, and whom it names without effect.
// All of it are warnings.
func (p *Policy) LintTrust(t TrustTarget) []fault.Fault {
	if p == nil {
		return nil
	}
	return lint.Trust(p.statements, t)
}
