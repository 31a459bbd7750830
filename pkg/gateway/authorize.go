package gateway

import (
	"cmp"
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

// order lists the steps of a decision in their order ("Authorization flow in API Gateway"). Nothing denies outside of the steps, and only
// the last one allows.
var order = [...]step{
	{authz.StepMethod, (*invocation).readMethod},
	{authz.StepPath, (*invocation).readPath},
	{authz.StepHost, (*invocation).readHost},
	{authz.StepStage, (*invocation).findStage},
	{authz.StepArrival, (*invocation).arrive},
	{authz.StepStrict, (*invocation).refuseLoosePath},
	{authz.StepRoute, (*invocation).findRoute},
	{authz.StepPreflight, (*invocation).answerPreflight},
	{authz.StepNoRoute, (*invocation).requireRoute},
	{authz.StepPattern, (*invocation).refusePattern},
	{authz.StepReadings, (*invocation).sameInEveryReading},
	{authz.StepLength, (*invocation).limitARN},
	{authz.StepEndpoint, (*invocation).enterPrivateAPI},
	{authz.StepBody, (*invocation).releaseBody},
	{authz.StepDenied, (*invocation).deniedAlready},
	{authz.StepCaller, (*invocation).know},
	{authz.StepDecision, (*invocation).decide},
	{authz.StepAPIKey, (*invocation).requireAPIKey},
	{authz.StepConnection, (*invocation).keepHeaders},
	{authz.StepForwarded, (*invocation).keepHost},
	{authz.StepUpstream, (*invocation).mapHeaders},
	{authz.StepPass, (*invocation).pass},
}

// step is one step of a decision.
type step struct {
	name authz.Step
	run  func(*invocation, context.Context) outcome
}

// Authorize decides one request. It denies unless the last step allows. It denies a check that is canceled, or whose time runs out.
func (g *Gateway) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	return g.take(r).decideAll(ctx)
}

// take returns the invocation of a request.
func (g *Gateway) take(r *authz.Request) *invocation {
	return &invocation{gateway: cmp.Or(g.model, &noModel), request: r, requestID: requestID(r.ID)}
}

// decideAll runs the steps.
func (in *invocation) decideAll(ctx context.Context) authz.Decision {
	for i := range order {
		in.step = order[i].name
		out := order[i].run(in, ctx)
		if in.trace != nil {
			in.trace.passed(in, out)
		}
		switch {
		case out.verdict == goesOn:
			continue
		case out.verdict == answers:
			return in.preflight()
		case out.verdict == allows && i == len(order)-1:
			return in.allowance()
		default:
			return in.denial(out.refusal)
		}
	}
	return in.denial(nil)
}

// pass allows a request if an earlier step noted a reason to allow, and the check still has time.
func (in *invocation) pass(ctx context.Context) outcome {
	switch {
	case in.reason.Code != authz.CodeNoPolicy && in.reason.Code != authz.CodeAllowed:
		return deny(answer.Internal(authz.CodeInternal, "the steps ended without a decision"))
	case ctx.Err() != nil:
		return deny(answer.Internal(authz.CodeCanceled, "the check was canceled, or its time ran out"))
	}
	return outcome{verdict: allows}
}

// allowance returns the decision that lets the request pass, with what the steps found out.
func (in *invocation) allowance() (d authz.Decision) {
	d = in.decision(in.reason)
	d.SetHeaders, d.RemoveHeaders, d.Target = in.setHeaders, in.removeHeaders, in.target
	d.Upstream = in.route.UpstreamAnswer
	d.ResponseHeaders = in.stage.API.CORS.Headers(in.request)
	d.Allow = true
	return d
}

// preflight returns the answer to a CORS preflight.
func (in *invocation) preflight() authz.Decision {
	d := in.decision(authz.Reason{Code: authz.CodePreflight, Detail: "the API answers the CORS preflight itself"})
	d.Denial = in.stage.API.CORS.Preflight(in.requestID, in.request)
	return d
}

// denial returns the decision that answers with a refusal. A nil refusal stands for an internal error.
func (in *invocation) denial(r *authz.Refusal) authz.Decision {
	if r == nil {
		r = answer.Internal(authz.CodeInternal, "a step denied without a reason")
	}
	in.refusal = answer.ForClient(r)
	d := in.decision(r.Reason)
	if in.caller.Principal == "" {
		d.Caller = r.Caller
	}
	d.Denial = in.render()
	d.Reason.Condition, d.Reason.ConditionKey = in.decidingCondition()
	return d
}

// decision returns a denial without an answer, with what the steps found out.
func (in *invocation) decision(reason authz.Reason) (d authz.Decision) {
	d = authz.Decision{
		Reason: reason, Step: in.step, Caller: in.caller, RequestID: in.requestID,
		Method: in.request.Method, Host: in.host, Path: in.full.Text, ClientAddress: in.knownAddress(), Cache: in.cache,
	}
	if in.token != nil {
		d.Claims = in.token
	}
	if in.stage != nil {
		d.API, d.Stage = in.stage.API.ID, in.stage.Name
		d.Meter = in.stage.MeterOf(in.route)
	}
	if in.route != nil {
		d.Route, d.NeededScopes = in.route.Name, in.route.Scopes
		if in.route.Authorizer != nil {
			d.Authorizer = in.route.Authorizer.Name
		}
	}
	return d
}

// render returns the client's answer for the refusal.
func (in *invocation) render() authz.Response {
	r := in.refusal
	switch {
	case in.stage == nil && r.ResponseType == authz.ResponseNotFound: // only HTTP APIs have this type
		return answer.HTTP(r, in.requestID, nil)
	case in.stage == nil:
		return answer.REST(r, nil, in.requestID, in)
	case in.stage.API.HTTP:
		return answer.HTTP(r, in.requestID, in.stage.API.CORS.Headers(in.request))
	default:
		return answer.REST(r, in.stage.API.Responses[r.ResponseType], in.requestID, in)
	}
}
