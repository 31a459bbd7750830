package gateway

import (
	"cmp"
	"context"
	"errors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
)

// order is the whole order of a decision ("Authorization flow in API Gateway"). Nothing denies outside of it, and the last step alone
// allows.
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

// outcome is how a step ends. Its zero value denies.
type outcome struct {
	verdict verdict
	// refusal is why the step denies; nil stands for an internal error.
	refusal *authz.Refusal
}

// verdict says what comes after a step.
type verdict uint8

const (
	// denies ends in a denial.
	denies verdict = iota
	// goesOn leads to the next step.
	goesOn
	// answers ends in the answer to a preflight, in place of an upstream.
	answers
	// allows lets the request pass.
	allows
)

func goOn() outcome { return outcome{verdict: goesOn} }

func deny(r *authz.Refusal) outcome { return outcome{refusal: r} }

// denyFor denies with the refusal that err is. Any other error is an internal one, which the client is told nothing about.
func denyFor(err error) outcome {
	if r, ok := errors.AsType[*authz.Refusal](err); ok {
		return deny(r)
	}
	return deny(answer.Internal(authz.CodeInternal, err.Error()))
}

// unless denies for an error, and goes on without one.
func unless(err error) outcome {
	if err != nil {
		return denyFor(err)
	}
	return goOn()
}

// Authorize decides one request. It denies unless the last step allows. A check that is canceled, or whose time runs out, is denied.
func (g *Gateway) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	in := &invocation{gateway: cmp.Or(g.model, &noModel), request: r, requestID: requestID(r.ID)}
	for i := range order {
		out := order[i].run(in, ctx)
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

// pass lets a request pass that was allowed for a reason, unless its time ran out.
func (in *invocation) pass(ctx context.Context) outcome {
	switch {
	case in.reason.Code != authz.CodeNoPolicy && in.reason.Code != authz.CodeAllowed:
		return deny(answer.Internal(authz.CodeInternal, "the flow ended without a decision"))
	case ctx.Err() != nil:
		return deny(answer.Internal(authz.CodeCanceled, "the check was canceled, or its time ran out"))
	}
	return outcome{verdict: allows}
}

// allowance is the decision that lets a request pass, as the steps have made it.
func (in *invocation) allowance() authz.Decision {
	d := in.decision(in.reason)
	d.SetHeaders, d.RemoveHeaders, d.Target = in.setHeaders, in.removeHeaders, in.target
	d.ResponseHeaders = in.stage.API.CORS.Headers(in.request)
	d.Allow = true
	return d
}

// preflight answers a preflight.
func (in *invocation) preflight() authz.Decision {
	d := in.decision(authz.Reason{Code: authz.CodePreflight, Detail: "a CORS preflight, which the gateway answers itself"})
	d.Denial = in.stage.API.CORS.Preflight(in.requestID, in.request)
	return d
}

// denial answers with a refusal; nil is one of a step that says nothing.
func (in *invocation) denial(r *authz.Refusal) authz.Decision {
	if r == nil {
		r = answer.Internal(authz.CodeInternal, "a step denied without a reason")
	}
	in.refusal = answer.ForClient(r)
	d := in.decision(r.Reason)
	d.Denial = in.render()
	return d
}

// decision is a denial without an answer, filled with what was found out.
func (in *invocation) decision(reason authz.Reason) authz.Decision {
	d := authz.Decision{Reason: reason, Caller: in.caller, RequestID: in.requestID}
	if in.stage != nil {
		d.API, d.Stage = in.stage.API.ID, in.stage.Name
	}
	if in.route != nil {
		d.Route = in.route.Name
	}
	return d
}

// render makes the client's answer of the refusal.
func (in *invocation) render() authz.Response {
	r := in.refusal
	switch {
	case in.stage == nil && r.ResponseType == authz.ResponseNotFound: // only an HTTP API answers so
		return answer.HTTP(r, in.requestID, nil)
	case in.stage == nil:
		return answer.REST(r, nil, in.requestID, in)
	case in.stage.API.HTTP:
		return answer.HTTP(r, in.requestID, in.stage.API.CORS.Headers(in.request))
	default:
		return answer.REST(r, in.stage.API.Responses[r.ResponseType], in.requestID, in)
	}
}
