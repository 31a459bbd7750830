package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// REST makes a REST API's answer of a refusal: custom is the API's own form of it, nil for the built-in one.
//
// 2026-11-25: x-amz-apigw-id, which is $context.extendedRequestId, is the request id again: one id finds everything.
func (r *Refusal) REST(custom *Custom, requestID string, values Values) authz.Response {
	response := authz.Response{Status: r.Type.Status()}
	contentType := "application/json"
	escape := JSON
	if custom != nil {
		escape = custom.Escape
		if custom.Status != 0 {
			response.Status = custom.Status
		}
	}
	if custom != nil && custom.ContentType != "" {
		contentType, response.Body = custom.ContentType, custom.Body.Expand(values)
	} else {
		response.Body = r.defaultBody(escape)
	}
	response.Headers = make([]authz.Field, 0, 5)
	if HasNoBody(response.Status) {
		response.Body = ""
	} else {
		response.Headers = append(response.Headers, authz.Field{Name: "Content-Type", Value: contentType})
	}
	if errorType := r.errorTypeHeader(); errorType != "" {
		response.Headers = append(response.Headers, authz.Field{Name: "x-amzn-ErrorType", Value: errorType})
	}
	response.Headers = append(response.Headers,
		authz.Field{Name: "x-amzn-RequestId", Value: requestID}, authz.Field{Name: "x-amz-apigw-id", Value: requestID})
	if custom != nil {
		response.Headers = custom.appendHeaders(response.Headers, values)
	}
	return response
}

// defaultBody is what API Gateway's own template makes: {"message":$context.error.messageString}. Denials by policy are the
// exception, they say "Message"; an access key that is not known, and a token without the route's scopes, are denied under the
// same type, with "message".
func (r *Refusal) defaultBody(escape Format) string {
	key := `{"message":`
	if r.Type == AccessDenied && r.ErrorType == "" {
		key = `{"Message":`
	}
	return key + escape.messageString(r.MessageString()) + "}"
}

// MessageString is $context.error.messageString: the message as a JSON value.
func (r *Refusal) MessageString() string {
	message, ok := r.Text()
	if !ok {
		return "null"
	}
	return `"` + escapeJSON(message) + `"`
}
