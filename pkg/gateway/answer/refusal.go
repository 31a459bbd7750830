package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Bad returns the refusal of a request that cannot be decided: 400.
func Bad(code authz.Code, detail string) *authz.Refusal {
	return refuse(authz.ResponseBadRequest, code, detail)
}

// Forbid returns the refusal of a request that belongs to no API or came by the wrong way: 403.
func Forbid(code authz.Code, detail string) *authz.Refusal {
	return refuse(authz.ResponseForbidden, code, detail)
}

// Internal returns an internal error, of which the client is told nothing: 500.
func Internal(code authz.Code, detail string) *authz.Refusal {
	return refuse(authz.ResponseInternalError, code, detail)
}

// Misconfigured returns an internal error that Envoy's configuration causes: 500.
func Misconfigured(detail string) *authz.Refusal { return Internal(authz.CodeEnvoyConfig, detail) }

// Missing returns the refusal of an HTTP API's request that has no route: 404.
func Missing(detail string) *authz.Refusal {
	return refuse(authz.ResponseNotFound, authz.CodeNoRoute, detail)
}

func refuse(t authz.ResponseType, code authz.Code, detail string) *authz.Refusal {
	return &authz.Refusal{ResponseType: t, Reason: authz.Reason{Code: code, Detail: detail}}
}

// ForClient returns what the client may be told of a refusal. Of an internal error that is nothing, whatever an authenticator wrote into
// it.
func ForClient(r *authz.Refusal) *authz.Refusal {
	if IsInternal(r.ResponseType) {
		return &authz.Refusal{Reason: r.Reason}
	}
	return r
}

// Text returns the message of a refusal. It returns false if the message is null.
func Text(r *authz.Refusal) (string, bool) {
	if r.Message != "" {
		return r.Message, true
	}
	message := builtinOf(r.ResponseType).message
	return message, message != ""
}

// JSONText returns $context.error.messageString: the message as a JSON value.
func JSONText(r *authz.Refusal) string {
	message, ok := Text(r)
	if !ok {
		return "null"
	}
	return `"` + escapeJSON(message) + `"`
}

// errorTypeHeader returns the value of x-amzn-ErrorType, empty for none. Customization does not change it.
func errorTypeHeader(r *authz.Refusal) string {
	if r.ErrorType != "" {
		return r.ErrorType
	}
	return builtinOf(r.ResponseType).errorType
}
