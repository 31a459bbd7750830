package simulate

import (
	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// evaluate decides about one action and resource.
func (s *simulation) evaluate(action, resource string) EvaluationResult {
	q := s.query(action, resource)
	e := policy.Explain(s.policies, q)
	if s.places == nil {
		s.places = places(s.loader.texts, e.Statements)
	}
	result := EvaluationResult{
		EvalActionName: action, EvalResourceName: resource, EvalDecision: e.Decision.String(),
		MatchedStatements:    s.matched(&e),
		MissingContextValues: append([]string{}, e.MissingKeys...),
	}
	if s.policies.Boundary != nil && q.Principal.Kind != policy.Anonymous {
		result.PermissionsBoundaryDecisionDetail = &PermissionsBoundaryDecisionDetail{s.policies.Boundary.Evaluate(q).Decision == policy.Allow}
	}
	if len(s.policies.SCP) > 0 && q.Principal.Kind != policy.Anonymous {
		result.OrganizationsDecisionDetail = &OrganizationsDecisionDetail{organizationsAllow(s.policies.SCP, q)}
	}
	if resource == "*" {
		return result
	}
	if result.OrganizationsDecisionDetail == nil || result.OrganizationsDecisionDetail.AllowedByOrganizations {
		result.EvalDecisionDetails = s.sides(q)
	}
	result.ResourceSpecificResults = []ResourceSpecificResult{{
		EvalResourceName: resource, EvalResourceDecision: result.EvalDecision,
		MatchedStatements: result.MatchedStatements, MissingContextValues: result.MissingContextValues,
		EvalDecisionDetails: result.EvalDecisionDetails, PermissionsBoundaryDecisionDetail: result.PermissionsBoundaryDecisionDetail,
	}}
	return result
}

// query is the request to the policies, with both accounts (see the package's decisions).
func (s *simulation) query(action, resource string) *policy.Request {
	q := &policy.Request{Principal: s.caller, Action: action, Resource: resource, ResourceAccount: s.owner, Context: s.context}
	if parts, ok := arn.Split(resource); ok && isAccount(parts[4]) {
		q.ResourceAccount = parts[4]
	}
	if q.ResourceAccount == "" {
		q.ResourceAccount = s.caller.Account
	}
	if q.ResourceAccount == "" {
		q.ResourceAccount = unknownAccount
	}
	if q.Principal.Kind != policy.Anonymous && q.Principal.Account == "" {
		q.Principal.Account = q.ResourceAccount
	}
	return q
}

// matched are the statements that made the decision.
func (s *simulation) matched(e *policy.Explanation) []Statement {
	all := []Statement{}
	for _, o := range e.Statements {
		decides := false
		switch e.Decision {
		case policy.ExplicitDeny:
			decides = o.Deny
		case policy.Allow:
			decides = !o.Deny && (o.Kind == policy.Identity || o.Kind == policy.Resource)
		case policy.ImplicitDeny:
		}
		if o.Applies && decides {
			at := s.places[o.Policy][o.Start]
			all = append(all, Statement{o.Policy, sourceType(o.Kind), at.start, at.end})
		}
	}
	return all
}

// sourceType is the type of a policy as IAM's simulator names it, which is not what its API reference lists.
func sourceType(k policy.Kind) string {
	switch k {
	case policy.Identity:
		return "IAM Policy"
	case policy.Resource:
		return "Resource Policy"
	case policy.Boundary:
		return "Permissions Boundary Policy"
	case policy.Session:
		return "Session Policy"
	case policy.SCP:
		return "Service Control Policy"
	case policy.RCP, policy.VPCEndpoint, policy.Authorizer, policy.Trust: // no request has them
	}
	return "none"
}

// organizationsAllow reports whether no level denies and each allows.
func organizationsAllow(levels [][]*policy.Policy, q *policy.Request) bool {
	for _, level := range levels {
		if together(level, q) != policy.Allow {
			return false
		}
	}
	return true
}

// together is the outcome of several policies of one kind.
func together(list []*policy.Policy, q *policy.Request) policy.Decision {
	decision := policy.ImplicitDeny
	for _, p := range list {
		switch p.Evaluate(q).Decision {
		case policy.ExplicitDeny:
			return policy.ExplicitDeny
		case policy.Allow:
			decision = policy.Allow
		case policy.ImplicitDeny:
		}
	}
	return decision
}

// sides are the decisions of the caller's account and the resource's, if these are two.
func (s *simulation) sides(q *policy.Request) map[string]string {
	if q.Principal.Kind == policy.Anonymous || q.Principal.Account == q.ResourceAccount {
		return map[string]string{}
	}
	identity := together(s.policies.Identity, q)
	if q.Principal.Kind == policy.Root && identity == policy.ImplicitDeny {
		identity = policy.Allow
	}
	return map[string]string{
		sourceType(policy.Identity): identity.String(),
		sourceType(policy.Resource): s.policies.Resource.Evaluate(q).Decision.String(),
	}
}
