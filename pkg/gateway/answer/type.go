package answer

import "iter"

// Type is a kind of answer to a request that does not pass: API Gateway's gateway response types, and the answers
// that no API can customize: four that API Gateway gives before it knows an API, and one of HTTP APIs. The zero value is the internal error.
//
// 2026-11-23: answers given before an API is known (400, 403 Forbidden for a host, 414) and internal errors are no gateway
// responses and cannot be customized. A customized status of 200 to 399 is legal in API Gateway: it changes what the client
// is told, and the decision stays a denial.
type Type uint8

// The types.
const (
	InternalError Type = iota
	BadRequest
	Forbidden
	URITooLong
	NotFound

	AccessDenied
	APIConfigurationError
	AuthorizerConfigurationError
	AuthorizerFailure
	BadRequestBody
	BadRequestParameters
	ExpiredToken
	IntegrationFailure
	IntegrationTimeout
	InvalidAPIKey
	InvalidSignature
	MissingAuthenticationToken
	QuotaExceeded
	RequestTooLarge
	ResourceNotFound
	Throttled
	Unauthorized
	UnsupportedMediaType
	WAFFiltered
	types
)

// builtin is the built-in form of a response type.
type builtin struct {
	// name is the type's name in a configuration; empty for the answers that cannot be customized.
	name string
	// status, message and errorType are the defaults; an empty message is null.
	status             int
	message, errorType string
	// emitted says that portcullis gives this response.
	emitted bool
}

// builtins is the table of "Gateway response types for API Gateway". Each denial gets its default from here.
var builtins = [types]builtin{
	InternalError: {status: 500, message: "Internal server error", errorType: "InternalServerErrorException"},
	BadRequest:    {status: 400, message: "Bad Request", errorType: "BadRequestException"},
	Forbidden:     {status: 403, message: "Forbidden", errorType: "ForbiddenException"},
	URITooLong:    {status: 414, message: "Request URI too long"},
	NotFound:      {status: 404, message: "Not Found", errorType: "NotFoundException"},

	AccessDenied:                 {"ACCESS_DENIED", 403, "", "AccessDeniedException", true},
	APIConfigurationError:        {"API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException", true},
	AuthorizerConfigurationError: {"AUTHORIZER_CONFIGURATION_ERROR", 500, "", "AuthorizerConfigurationException", true},
	AuthorizerFailure:            {"AUTHORIZER_FAILURE", 500, "", "AuthorizerFailureException", true},
	BadRequestBody:               {"BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException", false},
	BadRequestParameters:         {"BAD_REQUEST_PARAMETERS", 400, "", "BadRequestException", false},
	ExpiredToken:                 {"EXPIRED_TOKEN", 403, "The security token included in the request is expired", "ExpiredTokenException", true},
	IntegrationFailure:           {"INTEGRATION_FAILURE", 504, "Internal server error", "InternalServerErrorException", false},
	IntegrationTimeout:           {"INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", "InternalServerErrorException", false},
	InvalidAPIKey:                {"INVALID_API_KEY", 403, "Forbidden", "ForbiddenException", true},
	InvalidSignature:             {"INVALID_SIGNATURE", 403, "", "InvalidSignatureException", true},
	MissingAuthenticationToken:   {"MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token", "MissingAuthenticationTokenException", true},
	QuotaExceeded:                {"QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException", false},
	RequestTooLarge:              {"REQUEST_TOO_LARGE", 413, "Request Too Long", "RequestTooLargeException", false},
	ResourceNotFound:             {"RESOURCE_NOT_FOUND", 404, "Not Found", "NotFoundException", false},
	Throttled:                    {"THROTTLED", 429, "Too Many Requests", "TooManyRequestsException", false},
	Unauthorized:                 {"UNAUTHORIZED", 401, "Unauthorized", "UnauthorizedException", true},
	UnsupportedMediaType:         {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "BadRequestException", false},
	WAFFiltered:                  {"WAF_FILTERED", 403, "Forbidden", "ForbiddenException", false},
}

// Name is the type's name in a configuration, such as ACCESS_DENIED; empty for the answers that cannot be customized.
func (t Type) Name() string { return builtins[t].name }

// Status is the type's status unless it is customized.
func (t Type) Status() int { return builtins[t].status }

// Emitted reports whether portcullis answers with the type.
func (t Type) Emitted() bool { return builtins[t].emitted }

// Types are all types.
func Types() iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for t := range types {
			if !yield(t) {
				return
			}
		}
	}
}
