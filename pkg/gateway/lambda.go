package gateway

import (
	"context"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// LambdaCall is one request for a Lambda authorizer.
type LambdaCall struct {
	API, Stage string
	// Identity are the values of the identity sources, in the configured order. They are not to be kept without a copy.
	Identity []string
	// Only is the method ARN if the answer may be kept for it alone; empty if it may be kept for the whole stage.
	Only string
	// Event tells what the function gets to see. It is asked where the function is called, and not where its answer is known.
	Event interface{ Event() *authz.Event }
}

// LambdaAnswer is the answer of a Lambda authorizer's function. It does not change.
type LambdaAnswer interface {
	// PrincipalID is the caller as the function names it; empty in a simple response.
	PrincipalID() string
	// Policy is the policy that the function has returned; nil for a simple response.
	Policy() *policy.Policy
	// Allowed is a simple response's isAuthorized.
	Allowed() bool
	// ContextValue is a value of the answer's context, rendered; false where there is none of the name.
	ContextValue(name string) (string, bool)
}

// deniedAlready asks the resource policy for an explicit Deny, before the function is called ("Lambda authorizer and resource
// policy", first phase). Nothing but the anonymous caller is known then, and nobody else becomes known: what the policy says now
// is what it says in the second phase.
func (in *invocation) deniedAlready() error {
	if in.stage.api.policy == nil {
		return nil
	}
	in.resource = in.stage.api.policy.Evaluate(in.policyRequest(policy.Principal{}))
	if in.fault != nil {
		return in.fault
	}
	if in.resource.Decision == policy.ExplicitDeny {
		_, err := in.outcome(in.resource, policy.Resource)
		return err
	}
	return nil
}

// askFunction authenticates the caller of a method with authorization CUSTOM.
func askFunction(ctx context.Context, in *invocation) (authz.Caller, error) {
	a := in.route.authorizer
	if err := in.show(a); err != nil {
		return authz.Caller{}, err
	}
	if err := in.tellable(); err != nil {
		return authz.Caller{}, err
	}
	answer, err := a.function(ctx, LambdaCall{API: in.stage.api.id, Stage: in.stage.name, Identity: in.values, Only: in.onlyARN(), Event: in})
	switch {
	case err != nil:
		return authz.Caller{}, refused(err)
	case answer == nil:
		return authz.Caller{}, internal(authz.CodeInternal, "the authorizer's function was asked, and there is no answer")
	}
	in.answer = answer
	return authz.Caller{Principal: answer.PrincipalID()}, nil
}

// onlyARN is the method ARN of a path that a function may take for another one: it has other readings, or a colon, at which blueprints
// split the ARN. The Resource that the function builds then may be the ARN of another request.
func (in *invocation) onlyARN() string {
	if len(in.readings) == 0 && strings.IndexByte(in.path, ':') < 0 {
		return ""
	}
	in.buildARN()
	return in.arn
}

// tellable refuses a request of which Event could not tell the client's address or user agent: what a function decides without
// them, it would decide for those who come after, too.
func (in *invocation) tellable() error {
	in.clientAddress()
	in.userAgent()
	return in.fault
}

// byFunction combines the function's answer and the resource policy by Table A: a Deny of either is final, and either's Allow
// is enough. The answer's policy is evaluated for this very request, wherever the answer comes from. A resource policy that
// allows AWS principals and not this request's caller, who is anonymous to it, is more than silent (see the package's decisions).
func (in *invocation) byFunction() (authz.Reason, error) {
	name := in.route.authorizer.name
	if in.answer.Policy() == nil {
		if !in.answer.Allowed() {
			return authz.Reason{}, in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Detail: "isAuthorized is false"})
		}
		return authz.Reason{Code: authz.CodeAllowed, Policy: name}, nil
	}
	result := in.answer.Policy().Evaluate(in.policyRequest(policy.Principal{}))
	if in.fault != nil {
		return authz.Reason{}, in.fault
	}
	switch {
	case result.Decision == policy.ExplicitDeny:
		return authz.Reason{}, in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Statement: result.Statement})
	case in.resource.Decision != policy.Allow && in.stage.api.policy.AllowsPrincipals():
		return in.outcome(in.resource, policy.Resource)
	case result.Decision == policy.Allow:
		return authz.Reason{Code: authz.CodeAllowed, Policy: name, Statement: result.Statement}, nil
	case in.resource.Decision == policy.Allow:
		return in.outcome(in.resource, policy.Resource)
	default:
		detail := "neither the authorizer's policy nor the resource policy allows the request"
		return authz.Reason{}, in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeImplicitDeny, Policy: name, Detail: detail})
	}
}

// notAuthorizedByFunction is the denial of a caller whom an authorizer's policy does not let in. API Gateway added the second
// part of the text in 2025.
func (in *invocation) notAuthorizedByFunction(reason authz.Reason) error {
	how, since2025 := "", " because no identity-based policy allows the execute-api:Invoke action"
	if reason.Code == authz.CodeExplicitDeny {
		how, since2025 = " with an explicit deny", " in an identity-based policy"
	}
	message := "User is not authorized to access this resource" + how
	if !in.stage.api.legacyMessages {
		message += since2025
	}
	return &refusal{kind: accessDenied, message: message, reason: reason}
}

// Event is what the authorizer's function gets to see.
func (in *invocation) Event() *authz.Event {
	in.buildARN()
	path, full, within := in.eventPaths()
	e := &authz.Event{
		Request: in.request, MethodARN: in.arn,
		API: in.stage.api.id, Account: in.stage.api.account, Stage: in.stage.name,
		Route: in.route.key, Resource: in.route.resource,
		Path: path, FullPath: full,
		PathParameters: in.route.parameters(within), StageVariables: in.stage.variables,
		RequestID: in.requestID, Domain: in.host,
		Identity: in.values,
	}
	if in.route == in.stage.api.fallback {
		e.Resource = DefaultRoute
	}
	e.DomainPrefix, _ = in.domainPrefix()
	e.SourceIP, _ = in.sourceIPText()
	e.UserAgent, _ = in.userAgent()
	return e
}
