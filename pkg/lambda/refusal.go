package lambda

import (
	"context"
	"errors"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/cache"
)

// The gateway response types of a Lambda authorizer.
const (
	unauthorized       = authz.ResponseUnauthorized
	configurationError = authz.ResponseAuthorizerConfigurationError
	authorizerFailure  = authz.ResponseAuthorizerFailure
)

// unauthorizedMessage is the error by which a function says 401.
const unauthorizedMessage = "Unauthorized"

func (a *Authorizer) refuse(responseType authz.ResponseType, code authz.Code, detail string) *authz.Refusal {
	return &authz.Refusal{ResponseType: responseType, Reason: authz.Reason{Code: code, Detail: "authorizer " + a.name + ": " + detail}}
}

// overload refuses what exceeds its share: 500 on a REST API, and 503 on an HTTP API.
func (a *Authorizer) overload(detail string) *authz.Refusal {
	return a.refuse(authorizerFailure, authz.CodeOverload, detail)
}

// malformed refuses an answer that decides nothing.
func (a *Authorizer) malformed(problem string) *authz.Refusal {
	return a.refuse(configurationError, authz.CodeAuthorizerAnswer, "the function's answer: "+problem)
}

// internal refuses what our own fault is.
func (a *Authorizer) internal(detail string) *authz.Refusal {
	return a.refuse("", authz.CodeInternal, detail)
}

// refusal returns the refusal for a failed invocation. ctx is the caller's.
func (a *Authorizer) refusal(ctx context.Context, err error) *authz.Refusal {
	if r, ok := errors.AsType[*authz.Refusal](err); ok {
		return r
	}
	if f, ok := errors.AsType[*FunctionError](err); ok {
		return a.functionError(f)
	}
	if failed, ok := errors.AsType[*InvokeError](err); ok {
		return a.notInvoked(failed)
	}
	switch {
	case ctx.Err() != nil:
		return a.refuse(authorizerFailure, authz.CodeCanceled, "the check ended before the function answered")
	case errors.Is(err, cache.ErrTooManyFlights):
		return a.overload("too many functions are invoked at once: in all, for this API or for this authorizer")
	case errors.Is(err, context.DeadlineExceeded):
		return a.refuse(authorizerFailure, authz.CodeAuthorizerFailed, "the function did not answer within "+a.timeout.String())
	default:
		return a.refuse(authorizerFailure, authz.CodeAuthorizerFailed, "the function could not be invoked")
	}
}

func (a *Authorizer) functionError(f *FunctionError) *authz.Refusal {
	if f.Message == unauthorizedMessage {
		return a.refuse(unauthorized, authz.CodeUnauthorized, "the function has refused the caller")
	}
	return a.refuse(configurationError, authz.CodeAuthorizerAnswer, "the function has ended with an error; only the message Unauthorized is a 401")
}

func (a *Authorizer) notInvoked(e *InvokeError) *authz.Refusal {
	switch e.Failure {
	case NotPermitted:
		return a.refuse(configurationError, authz.CodeAuthorizerFailed, e.Detail)
	case TooLarge:
		return a.refuse(configurationError, authz.CodeAuthorizerAnswer, e.Detail)
	case Busy:
		return a.overload(e.Detail)
	default:
		return a.refuse(authorizerFailure, authz.CodeAuthorizerFailed, e.Detail)
	}
}
