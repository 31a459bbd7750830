package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/extauthz"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Options change how a request is decided.
type Options struct {
	// As counts as the verified signer of the request; nil for the request's own.
	As *gateway.Signed
	// Offline asks no function and no issuer.
	Offline bool
}

// tracer is the server's authorizer with a trace. It keeps the trace and the request of the last check.
type tracer struct {
	gateway *gateway.Gateway
	options gateway.ExplainOptions
	trace   *gateway.Trace
	query   string
}

// Authorize implements extauthz.Authorizer.
func (t *tracer) Authorize(ctx context.Context, r *authz.Request) (d authz.Decision) {
	t.query = r.RawQuery()
	d, t.trace = t.gateway.Explain(ctx, r, t.options)
	return d
}

// Explain decides a request as the server does, and reports the way. The error says what is wrong with the Input.
func Explain(ctx context.Context, g *gateway.Gateway, in *Input, o Options) (*Report, error) {
	t := &tracer{gateway: g, options: gateway.ExplainOptions{As: o.As, Offline: o.Offline}}
	var d authz.Decision
	if !in.logged.isAlone() {
		var err error
		if d, err = extauthz.CheckRecorded(ctx, t, in.check); err != nil {
			return nil, err
		}
	}
	if t.trace == nil {
		t.trace = &gateway.Trace{}
	}
	if in.logged != nil && in.logged.needsMore(&d) {
		in.logged.instead(&d, t.trace)
		r := newReport(&d, t.trace)
		if d.Step == authz.StepSTS {
			r.Remedy = in.logged.remediesOfSTS()
		}
		r.Answer, r.Logged, r.Notes = answerOf(&d, nil), in.logged, []string{ownReason}
		return r, nil
	}
	in.logged.withhold(t.trace)
	r := newReport(&d, t.trace)
	r.Answer, r.Logged, r.Notes = answerOf(&d, in.secrets), in.logged, notes(&d, t, in, o)
	if o.Offline && d.Reason.Code == authz.CodeAuthorizerFailed {
		r.Decision, r.Answer, r.Remedy = Unknown, Answer{}, nil
	}
	return r, nil
}

// notes says what a reader has to know about how the report came about.
func notes(d *authz.Decision, t *tracer, in *Input, o Options) (all []string) {
	if o.As != nil {
		all = append(all, "ASSUMED: "+o.As.Principal.ARN+" counts as the verified signer; no signature was looked at")
		if !t.used(o.As) {
			all = append(all, "the assumed signer had no part in the decision: the route does not ask for a signature, or an earlier step decided")
		}
	}
	all = append(all, in.logged.notes(d)...)
	if o.Offline && d.Reason.Code == authz.CodeAuthorizerFailed {
		all = append(all, "offline: the function or the issuer was not asked, so the decision is not known")
	}
	if t.query != "" {
		all = append(all, "the request has a query, whose values are not shown")
	}
	return all
}

// used reports whether the decision is about the assumed signer.
func (t *tracer) used(as *gateway.Signed) bool {
	return slices.ContainsFunc(t.trace.Steps, func(s gateway.TraceStep) bool {
		return s.Name == authz.StepCaller && strings.Contains(s.Found, as.Principal.ARN)
	})
}

// Explainer returns a function that explains CheckRequests in JSON, one report in JSON for each. It is for a server's admin port.
func Explainer(g *gateway.Gateway, signer func(arn string, at time.Time) *gateway.Signed) func(ctx context.Context, q Question) (*Report, error) {
	return func(ctx context.Context, q Question) (*Report, error) {
		in, err := FromCheck(q.Check)
		if err != nil {
			return nil, err
		}
		in.logged = q.Logged
		o, err := q.options(signer)
		if err != nil {
			return nil, err
		}
		return Explain(ctx, g, in, o)
	}
}
