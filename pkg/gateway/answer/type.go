package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// builtin is the built-in form of a response type.
type builtin struct {
	// status, message and errorType are the defaults; an empty message is null.
	status             int
	message, errorType string
	// use says who can customize the response.
	use use
}

// use says what a configuration and portcullis do with a response type.
type use uint8

const (
	// fixed responses cannot be customized.
	fixed use = iota
	// unused responses can be customized, but portcullis never gives them.
	unused
	// emitted responses can be customized, and portcullis gives them.
	emitted
)

// builtins is the table of "Gateway response types for API Gateway", with the fixed answers above it.
//
// 2026-11-23: answers given before an API is known (400, 403 Forbidden for a host, 414) and internal errors are not gateway responses and
// cannot be customized. A customized status of 200 to 399 is legal in API Gateway: it changes what the client is told, and the decision
// stays a denial.
var builtins = map[authz.ResponseType]builtin{
	authz.ResponseInternalError: {500, "Internal server error", "InternalServerErrorException", fixed},
	authz.ResponseBadRequest:    {400, "Bad Request", "BadRequestException", fixed},
	authz.ResponseForbidden:     {403, "Forbidden", "ForbiddenException", fixed},
	authz.ResponseURITooLong:    {414, "Request URI too long", "", fixed},
	authz.ResponseNotFound:      {404, "Not Found", "NotFoundException", fixed},
	// API Gateway does not let it be customized.
	"REQUEST_TOO_LARGE": {413, "Request Too Long", "RequestTooLargeException", fixed},

	authz.ResponseAccessDenied:                 {403, "", "AccessDeniedException", emitted},
	authz.ResponseAPIConfigurationError:        {500, "Internal server error", "InternalServerErrorException", emitted},
	authz.ResponseAuthorizerConfigurationError: {500, "", "AuthorizerConfigurationException", emitted},
	authz.ResponseAuthorizerFailure:            {500, "", "AuthorizerFailureException", emitted},
	"BAD_REQUEST_BODY":                         {400, "Invalid request body", "BadRequestException", unused},
	"BAD_REQUEST_PARAMETERS":                   {400, "", "BadRequestException", unused},
	authz.ResponseExpiredToken:                 {403, "The security token included in the request is expired", "ExpiredTokenException", emitted},
	"INTEGRATION_FAILURE":                      {504, "Internal server error", "InternalServerErrorException", unused},
	"INTEGRATION_TIMEOUT":                      {504, "Endpoint request timed out", "InternalServerErrorException", unused},
	authz.ResponseInvalidAPIKey:                {403, "Forbidden", "ForbiddenException", emitted},
	authz.ResponseInvalidSignature:             {403, "", "InvalidSignatureException", emitted},
	authz.ResponseMissingAuthenticationToken:   {403, "Missing Authentication Token", "MissingAuthenticationTokenException", emitted},
	"QUOTA_EXCEEDED":                           {429, "Limit Exceeded", "LimitExceededException", unused},
	"RESOURCE_NOT_FOUND":                       {404, "Not Found", "NotFoundException", unused},
	"THROTTLED":                                {429, "Too Many Requests", "TooManyRequestsException", unused},
	authz.ResponseUnauthorized:                 {401, "Unauthorized", "UnauthorizedException", emitted},
	"UNSUPPORTED_MEDIA_TYPE":                   {415, "Unsupported Media Type", "BadRequestException", unused},
	"WAF_FILTERED":                             {403, "Forbidden", "ForbiddenException", unused},
}

// builtinOf returns the built-in form of a type. A type that is not known is an internal error.
func builtinOf(t authz.ResponseType) builtin {
	if b, ok := builtins[t]; ok {
		return b
	}
	return builtins[authz.ResponseInternalError]
}

// IsInternal reports whether a type is answered as an internal error, of which the client is told nothing.
func IsInternal(t authz.ResponseType) bool {
	_, known := builtins[t]
	return !known || t == authz.ResponseInternalError
}

// Customizable reports whether a configuration can customize a type, and whether portcullis ever answers with it.
func Customizable(t authz.ResponseType) (customizable, answered bool) {
	b := builtinOf(t)
	return b.use != fixed, b.use == emitted
}

// Customized returns an API's own forms by type, from those that its configuration names: a type's own, or else DEFAULT_4XX or
// DEFAULT_5XX.
func Customized(named map[string]*Custom) map[authz.ResponseType]*Custom {
	customs := map[authz.ResponseType]*Custom{}
	for t, b := range builtins {
		custom := named[string(t)]
		if custom == nil && b.status < 500 {
			custom = named[Default4XX]
		} else if custom == nil {
			custom = named[Default5XX]
		}
		if custom != nil && b.use == emitted {
			customs[t] = custom
		}
	}
	return customs
}

// The names under which a configuration customizes all types of a class that it does not name.
const (
	Default4XX = "DEFAULT_4XX"
	Default5XX = "DEFAULT_5XX"
)
