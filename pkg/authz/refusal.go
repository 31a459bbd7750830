package authz

// Refusal is a denial in API Gateway's terms, before it is rendered. Authenticators return it as an error, and pkg/gateway refuses
// requests with it. Its zero value is an internal error.
type Refusal struct {
	// ResponseType selects the answer.
	ResponseType ResponseType
	// Message and ErrorType replace those of the response type unless they are empty. They are ignored for an internal error, and
	// HTTP APIs do not send them.
	Message, ErrorType string
	// Explanation follows the fixed message of an HTTP API, for debugging; empty for none.
	Explanation string
	// Challenge is the www-authenticate header of an HTTP API's answer; empty for none.
	Challenge string
	// Reason is for the operator.
	Reason Reason
	// Caller is, for the operator too, what is known of a caller who is refused: of a verified token that does not suffice, or the id of a
	// known key whose signature is wrong. It allows nothing.
	Caller Caller
}

func (r *Refusal) Error() string { return r.Reason.Code.String() + ": " + r.Reason.Detail }

// ResponseType is the type of an answer to a request that does not pass. Those in capitals are API Gateway's gateway response types, by
// the names that a configuration uses to customize them ("Gateway response types for API Gateway"). A type that is not known is answered
// as an internal error.
type ResponseType string

// The types that portcullis answers with. The first group cannot be customized: the answers that API Gateway gives before it knows an API,
// one of HTTP APIs, and the internal error, which is the zero value and tells the client nothing.
const (
	ResponseInternalError ResponseType = ""
	ResponseBadRequest    ResponseType = "bad_request"
	ResponseForbidden     ResponseType = "forbidden"
	ResponseURITooLong    ResponseType = "uri_too_long"
	ResponseNotFound      ResponseType = "not_found"

	ResponseAccessDenied                 ResponseType = "ACCESS_DENIED"
	ResponseAPIConfigurationError        ResponseType = "API_CONFIGURATION_ERROR"
	ResponseAuthorizerConfigurationError ResponseType = "AUTHORIZER_CONFIGURATION_ERROR"
	ResponseAuthorizerFailure            ResponseType = "AUTHORIZER_FAILURE"
	ResponseExpiredToken                 ResponseType = "EXPIRED_TOKEN"
	ResponseInvalidAPIKey                ResponseType = "INVALID_API_KEY"
	ResponseInvalidSignature             ResponseType = "INVALID_SIGNATURE"
	ResponseMissingAuthenticationToken   ResponseType = "MISSING_AUTHENTICATION_TOKEN"
	ResponseUnauthorized                 ResponseType = "UNAUTHORIZED"
)
