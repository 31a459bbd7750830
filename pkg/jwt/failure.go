package jwt

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Failure is why a token does not count. Nothing of an unverified token is in it.
type Failure struct {
	// code is why, for the operator; without one it is CodeUnauthorized.
	code authz.Code
	// detail is a sentence for the operator, description one for the client of an HTTP API.
	detail, description string
	// caller is who a verified token is of.
	caller authz.Caller
}

// Of is the failure of a verified token.
func (f *Failure) Of(t *Token) *Failure {
	of := *f
	of.caller = t.Caller()
	return &of
}

// Caller is who the token is of, if it was verified.
func (f *Failure) Caller() authz.Caller { return f.caller }

// Code is CodeUnauthorized, CodeExpiredToken, CodeMissingScope or, if it is not the token's fault, CodeAuthorizerFailed or CodeOverload.
func (f *Failure) Code() authz.Code {
	if f.code == authz.CodeInternal {
		return authz.CodeUnauthorized
	}
	return f.code
}

// Detail is a sentence for the operator.
func (f *Failure) Detail() string { return f.detail }

func (f *Failure) Error() string { return f.Code().String() + ": " + f.detail }

// Description is a fixed sentence for the client.
func (f *Failure) Description() string {
	if f.description == "" {
		return "the token is not valid"
	}
	return f.description
}

// NewFailure is a failure of a check that is not this package's.
func NewFailure(code authz.Code, detail string) *Failure { return &Failure{code: code, detail: detail} }

func malformed(detail string) *Failure { return &Failure{detail: detail} }

var (
	failExpired = &Failure{code: authz.CodeExpiredToken, detail: "the token has expired", description: "the token has expired"}
	failEarly   = &Failure{detail: "the token's nbf or iat is in the future", description: "the token is not valid yet"}
	failIssuer  = &Failure{detail: "the token's issuer is not one of the authorizer's", description: "the token does not have a valid issuer"}
	failAlg     = &Failure{detail: "the token's alg is not one of the authorizer's"}
	failKey     = &Failure{detail: "the token's key is not one of its issuer's, or not for its alg"}
	failSign    = &Failure{detail: "the token's signature is not its issuer's"}
	failNoKeys  = &Failure{code: authz.CodeAuthorizerFailed, detail: errNoKeys.Error()}
	failTooMany = &Failure{code: authz.CodeOverload, detail: errTooMany.Error()}
	failMissing = &Failure{detail: "the request has no token"}
)

// Refusal is a failure in API Gateway's terms.
func (f *Failure) Refusal() *authz.Refusal {
	r := &authz.Refusal{ResponseType: authz.ResponseUnauthorized, Reason: authz.Reason{Code: f.Code(), Detail: f.detail}, Caller: f.caller}
	switch f.Code() {
	case authz.CodeAuthorizerFailed, authz.CodeOverload:
		r.ResponseType = authz.ResponseAuthorizerFailure
	case authz.CodeMissingScope:
		r.ResponseType, r.ErrorType, r.Message = authz.ResponseAccessDenied, "AccessDeniedException", "Forbidden"
	default: // UNAUTHORIZED in its own words
	}
	return r
}

// challenge is the www-authenticate header of an HTTP API's answer (RFC 6750, section 3). Every text in it is fixed.
func (f *Failure) challenge() string {
	switch {
	case f.Code() == authz.CodeAuthorizerFailed, f.Code() == authz.CodeOverload:
		return ""
	case f == failMissing:
		return "Bearer"
	case f.Code() == authz.CodeMissingScope:
		return `Bearer scope="" error="insufficient_scope" error_description="the token does not have a required scope"`
	}
	return `Bearer scope="" error="invalid_token" error_description="` + f.Description() + `"`
}
