package gateway

import (
	"context"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// refusedAlready asks the resource policy for an explicit Deny, before the function is called ("Lambda authorizer and resource
// policy", first phase). Nothing but the anonymous caller is known then, and nobody else becomes known: what the policy says now
// is what it says in the second phase.
//
// 2026-11-25: the resource policy of a route with a Lambda authorizer is asked once, for both phases of API Gateway's flow: the
// caller stays anonymous to it, so that the second answer could be no other. A token's caller is anonymous to it too, and needs
// an explicit Allow where a policy is attached, with a JWT authorizer as with a user pool.
func (in *invocation) refusedAlready() outcome {
	if in.stage.API.Policy == nil {
		return goOn()
	}
	in.resource = in.stage.API.Policy.Evaluate(in.policyRequest(policy.Principal{}))
	if in.fault != nil {
		return deny(in.fault)
	}
	if in.resource.Decision == policy.ExplicitDeny {
		_, refusal := in.judge(in.resource, policy.Resource)
		return deny(refusal)
	}
	return goOn()
}

// askFunction authenticates the caller of a method with authorization CUSTOM.
func askFunction(in *invocation, ctx context.Context) outcome {
	a := in.route.Authorizer
	if refusal := in.show(a); refusal != nil {
		return deny(refusal)
	}
	if in.tellable(); in.fault != nil {
		return deny(in.fault)
	}
	said, err := a.Function(ctx, model.LambdaCall{API: in.stage.API.ID, Stage: in.stage.Name, Identity: in.values, Only: in.onlyARN(), Event: in})
	switch {
	case err != nil:
		return denyFor(err)
	case said == nil:
		return deny(answer.Internal(authz.CodeInternal, "the authorizer's function was asked, and there is no answer"))
	}
	in.answer = said
	in.caller.Principal = said.PrincipalID()
	return goOn()
}

// onlyARN is the method ARN of a path that a function may take for another one: it has other readings, or a colon, at which blueprints
// split the ARN. The Resource that the function builds then may be the ARN of another request.
//
// 2026-11-28: what a function answers to a path that it may take for another one is kept for that method ARN alone. AWS' blueprints split
// the ARN at its colons, so that they return the ARN of "/admin" to whoever asks for "/admin:x"; others decode path parameters, or cut at a
// semicolon. Judged for every path, as API Gateway does, the answer would open "/admin". It costs a call for each path that has a colon or
// another reading.
func (in *invocation) onlyARN() string {
	if len(in.readings) == 0 && strings.IndexByte(in.path, ':') < 0 {
		return ""
	}
	in.buildARN()
	return in.question.Resource
}

// tellable refuses a request of which Event could not tell the client's address or user agent: what a function decides without
// them, it would decide for those who come after, too.
//
// 2026-11-25: a function is not asked about a request whose client address or user agent cannot be told: it would decide on less
// than it asks for, and the answer may be kept for others.
func (in *invocation) tellable() {
	in.clientAddress()
	in.userAgent()
}

// byFunction combines the function's answer and the resource policy by Table A: a Deny of either is final, and either's Allow
// is enough. The answer's policy is evaluated for this very request, wherever the answer comes from. A resource policy that
// allows AWS principals and not this request's caller, who is anonymous to it, is more than silent.
//
// 2026-11-25: where the resource policy has an Allow that names AWS principals, "authorization will fail for all resources not secured
// with AWS_IAM" ("Create and attach an API Gateway resource policy to an API"), which Table A does not say of Lambda authorizers. So
// their Allow is not enough there: the resource policy must allow the request for "*" as well, in another statement. The answer is
// the resource policy's implicit deny. The function is asked before, as phase one looks for explicit denies only.
func (in *invocation) byFunction() outcome {
	name := in.route.Authorizer.Name
	if in.answer.Policy() == nil {
		if !in.answer.Allowed() {
			return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Detail: "isAuthorized is false"}))
		}
		return in.allowIf(authz.Reason{Code: authz.CodeAllowed, Policy: name}, nil)
	}
	result := in.answer.Policy().Evaluate(in.policyRequest(policy.Principal{}))
	if in.fault != nil {
		return deny(in.fault)
	}
	switch {
	case result.Decision == policy.ExplicitDeny:
		return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Statement: result.Statement}))
	case in.resource.Decision != policy.Allow && in.stage.API.Policy.AllowsPrincipals():
		return in.allowIf(in.judge(in.resource, policy.Resource))
	case result.Decision == policy.Allow:
		return in.allowIf(authz.Reason{Code: authz.CodeAllowed, Policy: name, Statement: result.Statement}, nil)
	case in.resource.Decision == policy.Allow:
		return in.allowIf(in.judge(in.resource, policy.Resource))
	default:
		detail := "neither the authorizer's policy nor the resource policy allows the request"
		return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeImplicitDeny, Policy: name, Detail: detail}))
	}
}

// notAuthorizedByFunction is the denial of a caller whom an authorizer's policy does not let in. API Gateway added the second
// part of the text in 2025.
func (in *invocation) notAuthorizedByFunction(reason authz.Reason) *authz.Refusal {
	how, since2025 := "", " because no identity-based policy allows the execute-api:Invoke action"
	if reason.Code == authz.CodeExplicitDeny {
		how, since2025 = " with an explicit deny", " in an identity-based policy"
	}
	message := "User is not authorized to access this resource" + how
	if !in.stage.API.LegacyMessages {
		message += since2025
	}
	return &authz.Refusal{ResponseType: authz.ResponseAccessDenied, Message: message, Reason: reason}
}

// Event is what the authorizer's function gets to see.
func (in *invocation) Event() *authz.Event {
	in.buildARN()
	path, full, within := in.eventPaths()
	e := &authz.Event{
		Request: in.request, MethodARN: in.question.Resource,
		API: in.stage.API.ID, Account: in.stage.API.Account, Stage: in.stage.Name,
		Route: in.route.Name, Resource: in.route.Resource,
		Path: path, FullPath: full,
		PathParameters: in.route.Parameters(within), StageVariables: in.stage.Variables,
		RequestID: in.requestID, Domain: in.host,
		Identity: in.values,
	}
	if in.route.Method == routing.Default {
		e.Resource = routing.Default
	}
	e.DomainPrefix, _ = in.domainPrefix()
	e.SourceIP, _ = in.sourceIPText()
	e.UserAgent, _ = in.userAgent()
	return e
}

// eventPaths returns the paths of an event: path has a domain's base path and not a stage's name, full has either, and within is
// what the route's parameters are taken from. On REST APIs they are as the client sent them, as on API Gateway; on HTTP APIs they
// are decoded, as there.
//
// 2026-11-28: a REST API's function is told path and path parameters as the client sent them, as on API Gateway. Only the method ARN
// is canonical. A path with a pattern's characters is refused before, in every form that two decodings lead to.
func (in *invocation) eventPaths() (path, full, within string) {
	path, full, within = in.full.Text, in.full.Text, in.path
	if !in.stage.API.HTTP {
		full = in.request.Path()
		path = canon.CollapseLeading(full)
		within = receivedWithin(path, in.full.Text, in.path)
	}
	if h := in.gateway.Host(in.host); h != nil && h.Owner != nil {
		path = within
	}
	return path, full, within
}

// receivedWithin returns the part of a received path that a canonical path within the stage was made of. Decoding leaves every
// slash where it is, so that counting slashes finds it.
func receivedWithin(received, full, within string) string {
	if within == "/" {
		return within
	}
	rest := received
	for range strings.Count(full, "/") - strings.Count(within, "/") {
		rest = rest[canon.SegmentEnd(rest, 0):]
	}
	return rest
}
