package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Refusal is a denial in API Gateway's words, not yet rendered. Its zero value is an internal error.
type Refusal struct {
	Type Type
	// Message and ErrorType stand in for the type's own unless they are empty.
	Message, ErrorType string
	// Explanation follows an HTTP API's message; empty for nothing.
	Explanation string
	// Challenge is the www-authenticate header of an HTTP API's answer; empty for none.
	Challenge string
	Reason    authz.Reason
}

func (r *Refusal) Error() string { return r.Reason.Code.String() + ": " + r.Reason.Detail }

// Bad returns the refusal of a request that cannot be judged: 400.
func Bad(code authz.Code, detail string) *Refusal {
	return &Refusal{Type: BadRequest, Reason: authz.Reason{Code: code, Detail: detail}}
}

// Forbid returns the refusal of a request that no API lets in: 403.
func Forbid(code authz.Code, detail string) *Refusal {
	return &Refusal{Type: Forbidden, Reason: authz.Reason{Code: code, Detail: detail}}
}

// Internal returns an internal error, about which the client is told nothing: 500.
func Internal(code authz.Code, detail string) *Refusal {
	return &Refusal{Type: InternalError, Reason: authz.Reason{Code: code, Detail: detail}}
}

// Misconfigured returns an internal error that Envoy's configuration causes.
func Misconfigured(detail string) *Refusal { return Internal(authz.CodeEnvoyConfig, detail) }

// Text is the message, and whether there is one: some types answer null.
func (r *Refusal) Text() (string, bool) {
	if r.Message != "" {
		return r.Message, true
	}
	message := builtins[r.Type].message
	return message, message != ""
}

// errorTypeHeader is the value of x-amzn-ErrorType, empty for none. Customization does not change it.
func (r *Refusal) errorTypeHeader() string {
	if r.ErrorType != "" {
		return r.ErrorType
	}
	return builtins[r.Type].errorType
}

// Missing returns the refusal of an HTTP API's request that has no route: 404.
func Missing(detail string) *Refusal {
	return &Refusal{Type: NotFound, Reason: authz.Reason{Code: authz.CodeNoRoute, Detail: detail}}
}

// Of puts an authenticator's refusal into API Gateway's words.
//
// 2026-11-23: IncompleteSignatureException is customized as INVALID_SIGNATURE; API Gateway does not say.
func Of(r *authz.Refusal) *Refusal {
	for t, response := range builtins {
		if response.name != "" && response.name == r.ResponseType {
			return &Refusal{Type: Type(t), Message: r.Message, ErrorType: r.ErrorType, Explanation: r.Explanation, Challenge: r.Challenge, Reason: r.Reason}
		}
	}
	return Internal(r.Reason.Code, r.Reason.Detail)
}
