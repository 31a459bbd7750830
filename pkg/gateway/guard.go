package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// guard is what a method's authorizationType means. A function that is nil denies.
type guard struct {
	// refuse denies before the caller is asked for.
	refuse func(*invocation) outcome
	// authenticate finds out who calls, and fills in in.caller.
	authenticate func(*invocation, context.Context) outcome
	// decide combines the caller's policies and the API's resource policy. Where it goes on, in.reason says why it allows.
	decide func(*invocation) outcome
}

// guards are what the authorizations mean. That of a route without one denies.
var guards = [...]guard{
	model.Unguarded:  {refuse: denied, authenticate: deniedToAll, decide: denied},
	model.Open:       {refuse: nothing, authenticate: anonymous, decide: (*invocation).resourcePolicyAlone},
	model.ByIAM:      {refuse: nothing, authenticate: signer, decide: (*invocation).byIAM},
	model.ByFunction: {refuse: (*invocation).refusedAlready, authenticate: askFunction, decide: (*invocation).byFunction},
	model.ByToken:    {refuse: nothing, authenticate: bearer, decide: (*invocation).resourcePolicyAlone},
}

// deniedAlready denies what the route's guard denies before the caller is asked for.
func (in *invocation) deniedAlready(context.Context) outcome {
	return guards[in.route.Guard].refuse(in)
}

// know finds out who calls.
func (in *invocation) know(ctx context.Context) outcome {
	return guards[in.route.Guard].authenticate(in, ctx)
}

// decide has the policies decide.
func (in *invocation) decide(context.Context) outcome { return guards[in.route.Guard].decide(in) }

// releaseBody frees the body where no later step verifies a signature: a check that waits does not hold it.
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

func anonymous(*invocation, context.Context) outcome { return goOn() }

// limitARN refuses a method ARN that is too long to be authorized.
func (in *invocation) limitARN(context.Context) outcome {
	if in.guarded() && in.arnLength() > maxARN {
		return deny(&authz.Refusal{ResponseType: authz.ResponseURITooLong, Reason: authz.Reason{Code: authz.CodeTooLong, Detail: "the method ARN is longer than 1600 bytes"}})
	}
	return goOn()
}

// guarded reports whether anything but routing decides.
func (in *invocation) guarded() bool {
	api := in.stage.API
	return api.Policy != nil || api.Private || !in.route.IsOpen()
}

// resourcePolicyAlone is the flow "API Gateway resource policy only": an anonymous caller needs an explicit Allow, unless no
// policy is attached. The flow "Amazon Cognito authentication and resource policy" ends in it too: whoever has shown a token
// is nobody of IAM's.
func (in *invocation) resourcePolicyAlone() outcome {
	if in.stage.API.Policy == nil {
		return in.allowIf(in.noPolicy(), nil)
	}
	return in.allowIf(in.ask(in.stage.API.Policy, policy.Principal{}))
}

// noPolicy is why a request passes where no policy is attached: because nothing guards it, or for its token.
func (in *invocation) noPolicy() authz.Reason {
	if in.token == nil {
		return authz.Reason{Code: authz.CodeNoPolicy}
	}
	return authz.Reason{Code: authz.CodeAllowed, Policy: in.route.Authorizer.Name}
}

// allowIf denies for a refusal. Without one it notes why the policies allow the request; later steps may still deny.
func (in *invocation) allowIf(reason authz.Reason, refusal *authz.Refusal) outcome {
	if refusal != nil {
		return deny(refusal)
	}
	in.reason = reason
	return goOn()
}

// ask has one policy decide on its own. Without a refusal it allows.
func (in *invocation) ask(p *policy.Policy, caller policy.Principal) (authz.Reason, *authz.Refusal) {
	return in.judge(p.Evaluate(in.policyRequest(caller)), p.Kind())
}

// policyRequest is what policies are asked.
func (in *invocation) policyRequest(caller policy.Principal) *policy.Request {
	in.buildARN()
	in.question.Principal, in.question.Action = caller, "execute-api:Invoke"
	in.question.ResourceAccount, in.question.Context = in.stage.API.Account, in
	return &in.question
}

// judge turns a result into a reason to allow, or a refusal. Where no statement decided, lacking is the kind of policy that
// allows nothing.
//
// 2026-11-23: X-Forwarded-For is read when a policy or a mapping asks for the client's address. If it cannot be read then, the
// request is denied (403 Forbidden), whatever the policy says. So it is with Referer and User-Agent of several lines (400) and
// with a request without a time (500): a condition on a value that cannot be told never decides.
func (in *invocation) judge(result policy.Result, lacking policy.Kind) (authz.Reason, *authz.Refusal) {
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
func (in *invocation) notAllowed(by policy.Kind, detail string) *authz.Refusal {
	in.buildARN()
	reason := authz.Reason{Code: authz.CodeImplicitDeny, Detail: detail}
	return in.notAuthorized(reason, "", " because no "+by.String()+" allows the execute-api:Invoke action")
}

// notAuthorized is the denial of a caller. API Gateway added the second part of the text in 2025.
func (in *invocation) notAuthorized(reason authz.Reason, how, since2025 string) *authz.Refusal {
	message := "User: " + in.userName() + " is not authorized to perform: execute-api:Invoke on resource: " + in.maskARN() + how
	if !in.stage.API.LegacyMessages {
		message += since2025
	}
	return &authz.Refusal{ResponseType: authz.ResponseAccessDenied, Message: message, Reason: reason}
}

// maxARN is the length in bytes of the longest method ARN that is authorized ("Quotas": method ARN with authorization).
const maxARN = 1600

// arnLength is the length of the invocation's method ARN.
func (in *invocation) arnLength() int {
	return len(in.stage.ARN) + len(in.request.Method) + len(in.path)
}

// buildARN fills in the method ARN and its other spellings. Routing ignores trailing slashes and servers read paths in other ways, so
// that a Deny on …/GET/admin must hold for /admin/ and for /admin;x too. For a plain path ARN and spellings share one string.
//
// 2026-11-28: policies are asked about the path as it came, and a path's other readings, with and without a slash at the end, can only
// take away: a Deny on one holds, and so does a NotResource in an Allow. A wildcard of an Allow must take in each reading that has a route,
// whatever the slash at its end: "*.css" is not for "/admin;.css", which a servlet container serves as "/admin". So must the NotResource of
// a Deny. A Resource that spells out the whole path is about that path. Under strictPaths they are in lower case too: a Deny that is to
// hold whatever the case is written in lower case.
func (in *invocation) buildARN() {
	if in.question.Resource != "" {
		return
	}
	in.question.Resource, in.question.Spellings = canon.Spell(in.stage.ARN, in.request.Method, in.path, in.spellingBuffer[:0])
	for _, reading := range in.readings {
		arn := in.spell(reading)
		if in.stage.API.Routes.Find(reading, in.request.Method) != nil {
			in.question.Readings = append(in.question.Readings, arn)
		}
	}
	if !in.stage.API.StrictPaths {
		return
	}
	for _, reading := range append(in.readings, in.path) {
		if folded := canon.FoldCase(reading); folded != reading {
			in.spell(folded)
		}
	}
}

// spell adds the spellings of a path that some server may read the request's as, and returns its method ARN.
func (in *invocation) spell(path string) string {
	var arn string
	arn, in.question.Spellings = canon.Spell(in.stage.ARN, in.request.Method, path, in.question.Spellings)
	in.question.Spellings = append(in.question.Spellings, arn)
	return arn
}

// maskARN hides the account's first eight digits, as API Gateway does in what it tells clients.
func (in *invocation) maskARN() string {
	return in.stage.MaskedARN + in.question.Resource[len(in.stage.ARN):]
}
