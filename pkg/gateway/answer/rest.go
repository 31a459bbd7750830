package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// REST renders a refusal for a REST API. custom is the API's own form of the response type, nil for the built-in one.
//
// 2026-11-25: x-amz-apigw-id, which is $context.extendedRequestId, is the request id again: one id finds everything.
func REST(r *authz.Refusal, custom *Custom, requestID string, values Values) authz.Response {
	response := authz.Response{Status: builtinOf(r.ResponseType).status}
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
		response.Body = defaultBody(r, escape)
	}
	response.Headers = make([]authz.Field, 0, 5)
	if HasNoBody(response.Status) {
		response.Body = ""
	} else {
		response.Headers = append(response.Headers, authz.Field{Name: "Content-Type", Value: contentType})
	}
	if errorType := errorTypeHeader(r); errorType != "" {
		response.Headers = append(response.Headers, authz.Field{Name: "x-amzn-ErrorType", Value: errorType})
	}
	response.Headers = append(response.Headers,
		authz.Field{Name: "x-amzn-RequestId", Value: requestID}, authz.Field{Name: "x-amz-apigw-id", Value: requestID})
	if custom != nil {
		response.Headers = custom.appendHeaders(response.Headers, values)
	}
	return response
}

// defaultBody returns what API Gateway's own template renders: {"message":$context.error.messageString}. Denials by a policy are the
// exception and say "Message". An unknown access key and a token without the route's scopes have the same type, and say "message".
//
// 2026-11-23: IncompleteSignatureException is customized as INVALID_SIGNATURE, on which API Gateway's documentation is silent.
func defaultBody(r *authz.Refusal, escape Format) string {
	key := `{"message":`
	if r.ResponseType == authz.ResponseAccessDenied && r.ErrorType == "" {
		key = `{"Message":`
	}
	return key + escape.messageString(JSONText(r)) + "}"
}
