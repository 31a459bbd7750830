package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// guard is what a method's authorizationType does.
type guard struct {
	// refuse denies before the caller is authenticated.
	refuse func(*invocation) outcome
	// authenticate finds out who calls, and sets in.caller.
	authenticate func(*invocation, context.Context) outcome
	// decide combines the caller's policies and the API's resource policy. If it goes on, in.reason says why it allows.
	decide func(*invocation) outcome
}

// guards holds the guard of each authorization type. The guard of a route without a type denies.
var guards = [...]guard{
	model.Unguarded:  {refuse: denied, authenticate: deniedToAll, decide: denied},
	model.Open:       {refuse: nothing, authenticate: anonymous, decide: (*invocation).resourcePolicyAlone},
	model.ByIAM:      {refuse: nothing, authenticate: signer, decide: (*invocation).byIAM},
	model.ByFunction: {refuse: (*invocation).refusedAlready, authenticate: askFunction, decide: (*invocation).byFunction},
	model.ByToken:    {refuse: nothing, authenticate: bearer, decide: (*invocation).resourcePolicyAlone},
	model.Unresolved: {refuse: unresolved, authenticate: unresolvedToAll, decide: unresolved},
}

// deniedAlready denies if the route's guard denies before the caller is authenticated.
func (in *invocation) deniedAlready(context.Context) outcome {
	return guards[in.route.Guard].refuse(in)
}

// know authenticates the caller.
func (in *invocation) know(ctx context.Context) outcome {
	return guards[in.route.Guard].authenticate(in, ctx)
}

// decide lets the policies decide.
func (in *invocation) decide(context.Context) outcome { return guards[in.route.Guard].decide(in) }

// releaseBody frees the body if no later step verifies a signature, so that a check that waits does not hold it.
func (in *invocation) releaseBody(context.Context) outcome {
	if in.route.Guard != model.ByIAM {
		in.request.ReleaseBody()
	}
	return goOn()
}

func nothing(*invocation) outcome { return goOn() }

func denied(*invocation) outcome {
	return deny(answer.Internal(authz.CodeInternal, "the route has no authorization"))
}

func deniedToAll(in *invocation, _ context.Context) outcome { return denied(in) }

// unresolved denies as API Gateway denies where an API's configuration is wrong. No function is asked, and no resource policy.
func unresolved(in *invocation) outcome {
	detail := "the configuration does not know the route's guard: " + in.route.Unresolved
	return deny(&authz.Refusal{ResponseType: authz.ResponseAPIConfigurationError, Reason: authz.Reason{Code: authz.CodeUnresolved, Detail: detail}})
}

func unresolvedToAll(in *invocation, _ context.Context) outcome { return unresolved(in) }

func anonymous(*invocation, context.Context) outcome { return goOn() }

// limitARN refuses a method ARN that is too long to be authorized.
func (in *invocation) limitARN(context.Context) outcome {
	if in.guarded() && in.arnLength() > maxARN {
		return deny(&authz.Refusal{ResponseType: authz.ResponseURITooLong, Reason: authz.Reason{Code: authz.CodeTooLong, Detail: "the method ARN is longer than 1600 bytes"}})
	}
	return goOn()
}

// guarded reports whether a policy or an authorizer takes part in the decision. An API key is not authorization.
func (in *invocation) guarded() bool {
	api := in.stage.API
	return api.Policy != nil || api.Private || in.route.Guard != model.Open
}

// resourcePolicyAlone is the flow "API Gateway resource policy only": an anonymous caller needs an explicit Allow, unless no
// policy is attached. The flow "Amazon Cognito authentication and resource policy" ends in it too, because a caller with a token is
// anonymous to IAM.
func (in *invocation) resourcePolicyAlone() outcome {
	if in.stage.API.Policy == nil {
		return in.allowIf(in.noPolicy(), nil)
	}
	return in.allowIf(in.ask(in.stage.API.Policy, nil))
}

// noPolicy returns why a request passes if no policy is attached: the route is open, or the token is good.
func (in *invocation) noPolicy() authz.Reason {
	if in.token == nil {
		return authz.Reason{Code: authz.CodeNoPolicy}
	}
	return authz.Reason{Code: authz.CodeAllowed, Policy: in.route.Authorizer.Name}
}
