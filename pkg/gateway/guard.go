package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// guard is what a method's authorizationType means.
type guard struct {
	// refuse denies before the caller is asked for; nil where nothing does.
	refuse func(*invocation) error
	// authenticate finds out who calls.
	authenticate func(context.Context, *invocation) (authz.Caller, error)
	// decide combines the caller's policies and the API's resource policy. Without an error the reason says why it allows.
	decide func(*invocation) (authz.Reason, error)
}

// guards are the authorization types there are.
var guards = map[Authorization]*guard{
	None:    {authenticate: anonymous, decide: (*invocation).resourcePolicyAlone},
	IAM:     {authenticate: signer, decide: (*invocation).byIAM},
	Custom:  {refuse: (*invocation).deniedAlready, authenticate: askFunction, decide: (*invocation).byFunction},
	Cognito: {authenticate: bearer, decide: (*invocation).resourcePolicyAlone},
	JWT:     {authenticate: bearer, decide: (*invocation).resourcePolicyAlone},
}

func anonymous(context.Context, *invocation) (authz.Caller, error) { return authz.Caller{}, nil }

// limitARN refuses a method ARN that is too long to be authorized.
func (in *invocation) limitARN() error {
	if in.guarded() && in.arnLength() > maxARN {
		return &refusal{kind: uriTooLong, reason: authz.Reason{Code: authz.CodeTooLong, Detail: "the method ARN is longer than 1600 bytes"}}
	}
	return nil
}

// guarded reports whether anything but routing decides.
func (in *invocation) guarded() bool {
	api := in.stage.api
	return api.policy != nil || api.private || in.route.guard != guards[None]
}

// resourcePolicyAlone is the flow "API Gateway resource policy only": an anonymous caller needs an explicit Allow, unless no
// policy is attached. The flow "Amazon Cognito authentication and resource policy" ends in it too: whoever has shown a token
// is nobody of IAM's.
func (in *invocation) resourcePolicyAlone() (authz.Reason, error) {
	if in.stage.api.policy == nil {
		return in.noPolicy(), nil
	}
	return in.ask(in.stage.api.policy, policy.Principal{})
}

// noPolicy is why a request passes where no policy is attached: because nothing guards it, or for its token.
func (in *invocation) noPolicy() authz.Reason {
	if in.token == nil {
		return authz.Reason{Code: authz.CodeNoPolicy}
	}
	return authz.Reason{Code: authz.CodeAllowed, Policy: in.route.authorizer.name}
}

// ask has one policy decide on its own. Without an error it allows.
func (in *invocation) ask(p *policy.Policy, caller policy.Principal) (authz.Reason, error) {
	return in.outcome(p.Evaluate(in.policyRequest(caller)), p.Kind())
}

// policyRequest is what policies are asked.
func (in *invocation) policyRequest(caller policy.Principal) *policy.Request {
	in.buildARN()
	in.question = policy.Request{
		Principal:       caller,
		Action:          "execute-api:Invoke",
		Resource:        in.arn,
		Spellings:       in.spellings,
		Readings:        in.otherARNs,
		ResourceAccount: in.stage.api.account,
		Context:         in,
	}
	return &in.question
}

// outcome turns a result into a reason to allow or a denial. Where no statement decided, lacking is the kind of policy that
// allows nothing.
func (in *invocation) outcome(result policy.Result, lacking policy.Kind) (authz.Reason, error) {
	if in.fault != nil {
		return authz.Reason{}, in.fault
	}
	reason := authz.Reason{Policy: result.Policy, Statement: result.Statement}
	switch result.Decision {
	case policy.Allow:
		reason.Code = authz.CodeAllowed
		return reason, nil
	case policy.ExplicitDeny:
		reason.Code = authz.CodeExplicitDeny
		return authz.Reason{}, in.notAuthorized(reason, " with an explicit deny", " in "+withArticle(result.By))
	default:
		return authz.Reason{}, in.notAllowed(lacking, "no "+lacking.String()+" allows the request")
	}
}

func withArticle(k policy.Kind) string {
	if k == policy.Identity {
		return "an " + k.String()
	}
	return "a " + k.String()
}

// notAllowed is the denial of a caller because no policy of a kind allows the request.
func (in *invocation) notAllowed(by policy.Kind, detail string) error {
	in.buildARN()
	reason := authz.Reason{Code: authz.CodeImplicitDeny, Detail: detail}
	return in.notAuthorized(reason, "", " because no "+by.String()+" allows the execute-api:Invoke action")
}

// notAuthorized is the denial of a caller. API Gateway added the second part of the text in 2025.
func (in *invocation) notAuthorized(reason authz.Reason, how, since2025 string) error {
	message := "User: " + in.userName() + " is not authorized to perform: execute-api:Invoke on resource: " + in.maskARN() + how
	if !in.stage.api.legacyMessages {
		message += since2025
	}
	return &refusal{kind: accessDenied, message: message, reason: reason}
}
