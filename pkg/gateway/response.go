package gateway

import (
	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// responseType is a kind of answer to a request that does not pass: API Gateway's gateway response types, and the answers
// that no API can customize: four that API Gateway gives before it knows an API, and two of HTTP APIs. The zero value is the internal error.
type responseType uint8

const (
	internalError responseType = iota
	badRequestAnswer
	forbiddenAnswer
	uriTooLong
	notFoundAnswer
	preflightAnswer

	accessDenied
	apiConfigurationError
	authorizerConfigurationError
	authorizerFailure
	badRequestBody
	badRequestParameters
	expiredToken
	integrationFailure
	integrationTimeout
	invalidAPIKey
	invalidSignature
	missingAuthenticationToken
	quotaExceeded
	requestTooLarge
	resourceNotFound
	throttled
	unauthorized
	unsupportedMediaType
	wafFiltered
	responseTypes
)

// gatewayResponse is the built-in form of a response type.
type gatewayResponse struct {
	// name is the type's name in a configuration; empty for the answers that cannot be customized.
	name string
	// status, message and errorType are the defaults; an empty message is null.
	status             int
	message, errorType string
	// emitted says that portcullis gives this response.
	emitted bool
}

// gatewayResponses is the table of "Gateway response types for API Gateway". Each denial gets its default from here.
var gatewayResponses = [responseTypes]gatewayResponse{
	internalError:    {status: 500, message: "Internal server error", errorType: "InternalServerErrorException"},
	badRequestAnswer: {status: 400, message: "Bad Request", errorType: "BadRequestException"},
	forbiddenAnswer:  {status: 403, message: "Forbidden", errorType: "ForbiddenException"},
	uriTooLong:       {status: 414, message: "Request URI too long"},
	notFoundAnswer:   {status: 404, message: "Not Found", errorType: "NotFoundException"},
	preflightAnswer:  {status: 204},

	accessDenied:                 {"ACCESS_DENIED", 403, "", "AccessDeniedException", true},
	apiConfigurationError:        {"API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException", false},
	authorizerConfigurationError: {"AUTHORIZER_CONFIGURATION_ERROR", 500, "", "AuthorizerConfigurationException", true},
	authorizerFailure:            {"AUTHORIZER_FAILURE", 500, "", "AuthorizerFailureException", true},
	badRequestBody:               {"BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException", false},
	badRequestParameters:         {"BAD_REQUEST_PARAMETERS", 400, "", "BadRequestException", false},
	expiredToken:                 {"EXPIRED_TOKEN", 403, "The security token included in the request is expired", "ExpiredTokenException", true},
	integrationFailure:           {"INTEGRATION_FAILURE", 504, "Internal server error", "InternalServerErrorException", false},
	integrationTimeout:           {"INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", "InternalServerErrorException", false},
	invalidAPIKey:                {"INVALID_API_KEY", 403, "Forbidden", "ForbiddenException", false},
	invalidSignature:             {"INVALID_SIGNATURE", 403, "", "InvalidSignatureException", true},
	missingAuthenticationToken:   {"MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token", "MissingAuthenticationTokenException", true},
	quotaExceeded:                {"QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException", false},
	requestTooLarge:              {"REQUEST_TOO_LARGE", 413, "Request Too Long", "RequestTooLargeException", false},
	resourceNotFound:             {"RESOURCE_NOT_FOUND", 404, "Not Found", "NotFoundException", false},
	throttled:                    {"THROTTLED", 429, "Too Many Requests", "TooManyRequestsException", false},
	unauthorized:                 {"UNAUTHORIZED", 401, "Unauthorized", "UnauthorizedException", true},
	unsupportedMediaType:         {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "BadRequestException", false},
	wafFiltered:                  {"WAF_FILTERED", 403, "Forbidden", "ForbiddenException", false},
}

// refusal is a denial in API Gateway's words, not yet rendered. It is the error of the steps of the flow.
type refusal struct {
	kind responseType
	// message and errorType stand in for the kind's own unless they are empty.
	message, errorType string
	// explanation follows an HTTP API's message; empty for nothing.
	explanation string
	// challenge is the www-authenticate header of an HTTP API's answer; empty for none.
	challenge string
	reason    authz.Reason
}

func (r *refusal) Error() string { return r.reason.Code.String() + ": " + r.reason.Detail }

func badRequest(code authz.Code, detail string) *refusal {
	return &refusal{kind: badRequestAnswer, reason: authz.Reason{Code: code, Detail: detail}}
}

func forbidden(code authz.Code, detail string) *refusal {
	return &refusal{kind: forbiddenAnswer, reason: authz.Reason{Code: code, Detail: detail}}
}

func internal(code authz.Code, detail string) *refusal {
	return &refusal{kind: internalError, reason: authz.Reason{Code: code, Detail: detail}}
}

func envoyConfig(detail string) *refusal { return internal(authz.CodeEnvoyConfig, detail) }

// text is the message, and whether there is one: some types answer null.
func (r *refusal) text() (string, bool) {
	if r.message != "" {
		return r.message, true
	}
	message := gatewayResponses[r.kind].message
	return message, message != ""
}

// errorTypeHeader is the value of x-amzn-ErrorType, empty for none. Customization does not change it.
func (r *refusal) errorTypeHeader() string {
	if r.errorType != "" {
		return r.errorType
	}
	return gatewayResponses[r.kind].errorType
}

// render makes the client's answer of a refusal.
func (in *invocation) render() authz.Response {
	if in.answersAsHTTP() {
		return in.renderHTTP()
	}
	r := in.refusal
	response := authz.Response{Status: gatewayResponses[r.kind].status}
	contentType := "application/json"
	escape := jsonText
	var custom *customResponse
	if in.stage != nil {
		custom = in.stage.api.responses[r.kind]
	}
	if custom != nil {
		escape = custom.escape
		if custom.status != 0 {
			response.Status = custom.status
		}
	}
	if custom != nil && custom.contentType != "" {
		contentType, response.Body = custom.contentType, custom.body.expand(in)
	} else {
		response.Body = r.defaultBody(escape)
	}
	response.Headers = make([]authz.Field, 0, 5)
	if hasNoBody(response.Status) {
		response.Body = ""
	} else {
		response.Headers = append(response.Headers, authz.Field{Name: "Content-Type", Value: contentType})
	}
	if errorType := r.errorTypeHeader(); errorType != "" {
		response.Headers = append(response.Headers, authz.Field{Name: "x-amzn-ErrorType", Value: errorType})
	}
	response.Headers = append(response.Headers,
		authz.Field{Name: "x-amzn-RequestId", Value: in.requestID}, authz.Field{Name: "x-amz-apigw-id", Value: in.requestID})
	if custom != nil {
		response.Headers = custom.appendHeaders(response.Headers, in)
	}
	return response
}

// defaultBody is what API Gateway's own template makes: {"message":$context.error.messageString}. Denials by policy are the
// exception, they say "Message"; an access key that is not known, and a token without the route's scopes, are denied under the
// same type, with "message".
func (r *refusal) defaultBody(escape format) string {
	key := `{"message":`
	if r.kind == accessDenied && r.errorType == "" {
		key = `{"Message":`
	}
	return key + escape.messageString(r.messageString()) + "}"
}

// messageString is $context.error.messageString: the message as a JSON value.
func (r *refusal) messageString() string {
	message, ok := r.text()
	if !ok {
		return "null"
	}
	return `"` + escapeJSON(message) + `"`
}
