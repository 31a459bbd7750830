package gateway

import (
	"context"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
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
		return deny(answer.Internal(authz.CodeInternal, "a token was verified, and there is none"))
	}
	in.token = token
	in.caller.Principal = token.Subject()
	return goOn()
}

// show fills in what the caller shows. What is missing, empty or ambiguous, or does not match the authorizer's expression, is
// answered with 401, and nobody is asked ("Input to an API Gateway Lambda authorizer").
func (in *invocation) show(a *model.Authorizer) *authz.Refusal {
	in.values = in.valueBuffer[:0]
	for i := range a.Sources {
		value, ok := in.Value(a.Sources[i].Value)
		switch {
		case in.fault != nil:
			return in.fault
		case !ok || value == "":
			return in.unidentified("the identity source " + a.Sources[i].Written + " is missing, empty, or there more than once")
		case a.Validation != nil && !a.Validation.MatchString(value):
			return in.unidentified("the identity source " + a.Sources[i].Written + " does not match identityValidationExpression")
		}
		in.values = append(in.values, value)
	}
	return nil
}

// unidentified is the answer to who shows nothing. An HTTP API asks for a token then, where it wants one: what a function wants to
// be shown need not be any.
func (in *invocation) unidentified(detail string) *authz.Refusal {
	r := &authz.Refusal{ResponseType: authz.ResponseUnauthorized, Reason: authz.Reason{Code: authz.CodeUnauthorized, Detail: detail}}
	r.Challenge = in.route.Authorizer.Challenge
	return r
}
