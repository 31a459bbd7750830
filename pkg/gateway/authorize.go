package gateway

import (
	"context"
	"errors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
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
		return in.denial(answer.Internal(authz.CodeInternal, "the flow ended without a decision"))
	}
	if in.losesUpstream() {
		return in.denial(answer.Bad(authz.CodeBadRequest, "the Connection header lists a header that an API maps: whoever is behind Envoy would drop it"))
	}
	d := in.decision(reason)
	in.setUpstream(&d)
	d.ResponseHeaders = in.stage.api.cors.Headers(in.request)
	if in.fault != nil {
		return in.denial(in.fault)
	}
	if ctx.Err() != nil {
		return in.denial(answer.Internal(authz.CodeCanceled, "the check was canceled, or its time ran out"))
	}
	d.Allow = true
	return d
}

// denial answers with the refusal that err is. Any other error is an internal one, which the client is told nothing about.
func (in *invocation) denial(err error) authz.Decision {
	if !errors.As(err, &in.refusal) {
		in.refusal = answer.Internal(authz.CodeInternal, err.Error())
	}
	d := in.decision(in.refusal.Reason)
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

// render makes the client's answer of the refusal.
func (in *invocation) render() authz.Response {
	r := in.refusal
	switch {
	case in.stage == nil && r.Type == answer.NotFound: // only an HTTP API answers so
		return r.HTTP(in.requestID, nil)
	case in.stage == nil:
		return r.REST(nil, in.requestID, in)
	case in.stage.api.http:
		return r.HTTP(in.requestID, in.stage.api.cors.Headers(in.request))
	default:
		return r.REST(in.stage.api.responses[r.Type], in.requestID, in)
	}
}
