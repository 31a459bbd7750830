package extauthz

import "github.com/portcullis-authz/portcullis/pkg/authz"

// Refuse is the decision for a check that is turned away without an API having been asked. The client is answered in the form
// of API Gateway's own errors; the detail is for the operator.
func Refuse(status int, code authz.Code, detail string) authz.Decision {
	d := authz.Decision{Reason: authz.Reason{Code: code, Detail: detail}}
	deny(&d, status)
	return d
}

// deny gives d a denial with a request id, in place of whatever it was to answer. Header names and texts are those of
// "Gateway response types for API Gateway".
func deny(d *authz.Decision, status int) {
	if d.RequestID == "" {
		d.RequestID = authz.NewRequestID()
	}
	message, errorType := texts(status)
	headers := []authz.Field{
		{Name: "content-type", Value: "application/json"},
		{Name: "x-amzn-RequestId", Value: d.RequestID},
		{Name: "x-amz-apigw-id", Value: d.RequestID},
	}
	if errorType != "" {
		headers = append(headers, authz.Field{Name: "x-amzn-ErrorType", Value: errorType})
	}
	d.Allow = false
	d.Denial = authz.Response{Status: status, Headers: headers, Body: `{"message":"` + message + `"}`}
}

func texts(status int) (message, errorType string) {
	switch status {
	case 400:
		return "Bad Request", "BadRequestException"
	case 413:
		return "Request Too Long", "RequestTooLargeException"
	case 414:
		return "Request URI too long", ""
	case 431:
		return "Request Header Fields Too Large", ""
	case 503:
		return "Service Unavailable", "ServiceUnavailableException"
	case 504:
		return "Endpoint request timed out", "InternalServerErrorException"
	default:
		return "Internal server error", "InternalServerErrorException"
	}
}
