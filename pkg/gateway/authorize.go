package gateway

import (
	"context"
	"errors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// Authorize decides one request. Whatever is not an Allow for a reason is a denial.
func (g *Gateway) Authorize(ctx context.Context, r *authz.Request) authz.Decision {
	in := &invocation{gateway: g, request: r, requestID: requestID(r.ID)}
	reason, err := in.authorize(ctx)
	if err != nil {
		return in.denial(err)
	}
	return in.allowance(ctx, reason)
}

// authorize is API Gateway's order of things ("Authorization flow in API Gateway"). Any error denies.
func (in *invocation) authorize(ctx context.Context) (authz.Reason, error) {
	if err := in.find(); err != nil {
		return authz.Reason{}, err
	}
	if err := in.limitARN(); err != nil {
		return authz.Reason{}, err
	}
	if err := in.enterPrivateAPI(); err != nil {
		return authz.Reason{}, err
	}
	// Whatever signature has to be verified on this route, but for AWS_IAM's, has been: a check that waits does not hold its body.
	if in.route.guard != guards[IAM] {
		in.request.ReleaseBody()
	}
	if refuse := in.route.guard.refuse; refuse != nil {
		if err := refuse(in); err != nil {
			return authz.Reason{}, err
		}
	}
	caller, err := in.route.guard.authenticate(ctx, in)
	if err != nil {
		return authz.Reason{}, err
	}
	in.caller = caller
	return in.route.guard.decide(in)
}

// allowance lets a request pass that was allowed for a reason, unless its time ran out or a header of the upstream's cannot
// be made.
func (in *invocation) allowance(ctx context.Context, reason authz.Reason) authz.Decision {
	if reason.Code != authz.CodeNoPolicy && reason.Code != authz.CodeAllowed {
		return in.denial(internal(authz.CodeInternal, "the flow ended without a decision"))
	}
	if in.losesUpstream() {
		return in.denial(badRequest(authz.CodeBadRequest, "the Connection header lists a header that an API maps: whoever is behind Envoy would drop it"))
	}
	if in.namesAnotherHost() {
		return in.denial(badRequest(authz.CodeBadRequest, "a header such as X-Forwarded-Host names the host of another stage, which an upstream that they share might take for the request's"))
	}
	d := in.decision(reason)
	in.setUpstream(&d)
	d.ResponseHeaders = in.corsHeaders()
	if in.fault != nil {
		return in.denial(in.fault)
	}
	if ctx.Err() != nil {
		return in.denial(internal(authz.CodeCanceled, "the check was canceled, or its time ran out"))
	}
	d.Allow = true
	return d
}

// denial answers with the refusal that err is. Any other error is an internal one, which the client is told nothing about.
func (in *invocation) denial(err error) authz.Decision {
	if !errors.As(err, &in.refusal) {
		in.refusal = internal(authz.CodeInternal, err.Error())
	}
	d := in.decision(in.refusal.reason)
	d.Denial = in.render()
	return d
}

// decision is a denial without an answer, filled with what was found out.
func (in *invocation) decision(reason authz.Reason) authz.Decision {
	d := authz.Decision{Reason: reason, Caller: in.caller, RequestID: in.requestID}
	if in.stage != nil {
		d.API, d.Stage = in.stage.api.id, in.stage.name
	}
	if in.route != nil {
		d.Route = in.route.key
	}
	return d
}
