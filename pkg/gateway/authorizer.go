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

// bearer authenticates the caller of a method with a token.
func bearer(in *invocation, ctx context.Context) outcome {
	a := in.route.Authorizer
	if refusal := in.show(a); refusal != nil {
		return deny(refusal)
	}
	token, err := a.Token(ctx, in.values[0], in.route.Scopes)
	switch {
	case err != nil:
		return denyFor(err)
	case token == nil:
		return deny(answer.Internal(authz.CodeInternal, "the authorizer returned neither a token nor an error"))
	}
	in.token = token
	in.caller, in.cache = token.Caller(), token.Cache()
	return goOn()
}

// show sets in.values to the values of the identity sources. A value that is missing, empty or ambiguous, or does not match the
// authorizer's expression, is answered with 401, and the authorizer is not asked ("Input to an API Gateway Lambda authorizer").
func (in *invocation) show(a *model.Authorizer) *authz.Refusal {
	in.values = in.valueBuffer[:0]
	for i := range a.Sources {
		value, ok := in.Value(a.Sources[i].Value)
		switch {
		case in.fault != nil:
			return in.fault
		case !ok || value == "":
			return in.unidentified("the identity source " + a.Sources[i].Written + " is missing, empty, or given more than once")
		case a.Validation != nil && !a.Validation.MatchString(value):
			return in.unidentified("the identity source " + a.Sources[i].Written + " does not match identityValidationExpression")
		}
		in.values = append(in.values, value)
	}
	return nil
}

// unidentified returns the answer to a caller without an identity. An HTTP API asks for a token if its authorizer expects one; a function
// may expect something else.
func (in *invocation) unidentified(detail string) *authz.Refusal {
	r := &authz.Refusal{ResponseType: authz.ResponseUnauthorized, Reason: authz.Reason{Code: authz.CodeUnauthorized, Detail: detail}}
	r.Challenge = in.route.Authorizer.Challenge
	return r
}

// refusedAlready evaluates the resource policy, before the function is called, and denies for an explicit Deny ("Lambda authorizer and
// resource policy", first phase).
//
// 2026-11-25: the resource policy of a route with a Lambda authorizer is evaluated once, for both phases of API Gateway's flow. The
// caller stays anonymous to it, so the second result could not differ. A caller with a token is anonymous to it too, and needs
// an explicit Allow if a policy is attached, with a JWT authorizer as with a user pool.
func (in *invocation) refusedAlready() outcome {
	if in.stage.API.Policy == nil {
		return goOn()
	}
	in.resource = in.stage.API.Policy.Evaluate(in.policyRequest(nil))
	in.trace.evaluated(in, in.stage.API.Policy)
	if in.fault != nil {
		return deny(in.fault)
	}
	if in.resource.Decision == policy.ExplicitDeny {
		_, refusal := in.judge(in.stage.API.Policy, in.resource, policy.Resource)
		return deny(refusal)
	}
	return goOn()
}

// askFunction authenticates the caller of a method with authorization CUSTOM.
//
// 2026-11-28: the answer to a request that is explained is not kept. The operator chooses its client address and headers,
// and a line of the log has no headers. The answer may differ from the one to a client's request, and must not decide about it.
func askFunction(in *invocation, ctx context.Context) outcome {
	a := in.route.Authorizer
	if refusal := in.show(a); refusal != nil {
		return deny(refusal)
	}
	if in.tellable(); in.fault != nil {
		return deny(in.fault)
	}
	if in.trace.isOffline() {
		return deny(answer.Internal(authz.CodeAuthorizerFailed, "the function is not asked offline"))
	}
	said, err := a.Function(ctx, model.LambdaCall{
		API: in.stage.API.ID, Stage: in.stage.Name, Identity: in.values, Only: in.onlyARN(), Unkept: in.trace != nil, Event: in,
	})
	switch {
	case err != nil:
		return denyFor(err)
	case said == nil:
		return deny(answer.Internal(authz.CodeInternal, "the authorizer's function returned neither an answer nor an error"))
	}
	in.answer, in.cache = said, said.Cache()
	in.caller.Principal = said.PrincipalID()
	return goOn()
}

// onlyARN returns the method ARN if a function may read the path as another one, and "" otherwise. Such a path has other readings, or a
// colon, at which blueprints split the ARN. The Resource that the function builds may then be the ARN of another request.
//
// 2026-11-28: the answer of a function to a path that it may read as another one is kept for that method ARN alone. AWS' blueprints split
// the ARN at its colons, so a caller of "/admin:x" gets a policy for "/admin"; other functions decode path parameters, or cut at a
// semicolon. Used for every path, as API Gateway does, the answer would open "/admin". The cost is one call for each path that has a
// colon or another reading.
func (in *invocation) onlyARN() string {
	if len(in.readings) == 0 && strings.IndexByte(in.path, ':') < 0 {
		return ""
	}
	in.buildARN()
	return in.question.Resource
}

// tellable sets in.fault if Event could not contain the client's address or user agent.
//
// 2026-11-25: a function is not called for a request whose client address or user agent cannot be determined. The function would decide
// without values that it may need, and the answer may be kept for other requests.
func (in *invocation) tellable() {
	in.clientAddress()
	in.userAgent()
}

// byFunction combines the function's answer and the resource policy by Table A: a Deny of either is final, and either's Allow
// is enough. The answer's policy is evaluated for this very request, also if the answer comes from the cache.
//
// 2026-11-25: if the resource policy has an Allow that names AWS principals, "authorization will fail for all resources not secured
// with AWS_IAM" ("Create and attach an API Gateway resource policy to an API"). Table A does not mention this for Lambda authorizers.
// Here their Allow is not enough then: the resource policy must allow the request for "*" too, in another statement. Otherwise the answer
// is the resource policy's implicit deny. The function is still called before, because phase one looks for explicit denies only.
func (in *invocation) byFunction() outcome {
	name := in.route.Authorizer.Name
	if in.answer.Policy() == nil {
		if !in.answer.Allowed() {
			return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Detail: "isAuthorized is false"}))
		}
		return in.allowIf(authz.Reason{Code: authz.CodeAllowed, Policy: name}, nil)
	}
	result := in.answer.Policy().Evaluate(in.policyRequest(nil))
	in.trace.evaluated(in, in.answer.Policy())
	if in.fault != nil {
		return deny(in.fault)
	}
	switch {
	case result.Decision == policy.ExplicitDeny:
		in.denied = &denial{in.answer.Policy(), result}
		return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeExplicitDeny, Policy: name, Statement: result.Statement}))
	case in.resource.Decision != policy.Allow && in.stage.API.Policy.AllowsPrincipals():
		return in.allowIf(in.judge(in.stage.API.Policy, in.resource, policy.Resource))
	case result.Decision == policy.Allow:
		return in.allowIf(authz.Reason{Code: authz.CodeAllowed, Policy: name, Statement: result.Statement}, nil)
	case in.resource.Decision == policy.Allow:
		return in.allowIf(in.judge(in.stage.API.Policy, in.resource, policy.Resource))
	default:
		in.denied = &denial{in.answer.Policy(), result}
		detail := "neither the authorizer's policy nor the resource policy allows the request"
		return deny(in.notAuthorizedByFunction(authz.Reason{Code: authz.CodeImplicitDeny, Policy: name, Detail: detail}))
	}
}

// notAuthorizedByFunction returns the denial of a caller whom an authorizer's policy does not allow. API Gateway added the second
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

// Event returns what the authorizer's function is told about the request.
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

// eventPaths returns the paths of an event: path includes a domain's base path but not a stage's name, full includes both, and the route's
// parameters are taken from within. As on API Gateway, they are as received on REST APIs, and decoded on HTTP APIs.
//
// 2026-11-28: only the method ARN of a REST API's event is canonical. A path with the characters of a pattern has been refused, in every
// form that two decodings lead to.
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

// receivedWithin returns the part of a received path that corresponds to a canonical path within the stage. Decoding leaves every
// slash where it is, so counting slashes finds the part.
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
