package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// httpMessages has the message of an HTTP API for each status. A status without a message is answered as an internal error.
var httpMessages = map[int]string{
	400: "Bad Request",
	401: "Unauthorized",
	403: "Forbidden",
	404: "Not Found",
	413: "Request Entity Too Large",
	414: "Request URI too long",
	429: "Too Many Requests",
	500: "Internal Server Error",
	503: "Service Unavailable",
}

// HTTP renders a refusal for an HTTP API, with the headers that CORS adds. The answer cannot be customized.
//
// 2026-11-25: an HTTP API answers with the name of the status and nothing else, whatever the reason. An internal error of an authorizer is
// 500; a timeout or an overload is 503, where a REST API answers AUTHORIZER_FAILURE with 500. apigw-requestid is the id that a
// REST API sends as x-amzn-RequestId: a UUID, which is also in the log. API Gateway's own has another, undocumented form (16 letters of
// Base64). Answers given before an API is known (400, 403 for a host) have the REST form. A default endpoint without the stage answers
// 404.
//
// 2026-11-28: with explainSignatures, the explanation of a wrong signature follows the fixed message.
func HTTP(r *authz.Refusal, requestID string, cors []authz.Field) authz.Response {
	status := builtinOf(r.ResponseType).status
	if status == 504 || r.ResponseType == authz.ResponseAuthorizerFailure && r.Reason.Code == authz.CodeOverload {
		status = 503
	}
	message, ok := httpMessages[status]
	if !ok {
		status, message = 500, httpMessages[500]
	}
	headers := make([]authz.Field, 0, 8)
	headers = append(headers, authz.Field{Name: "Content-Type", Value: "application/json"}, authz.Field{Name: "apigw-requestid", Value: requestID})
	if challenge := r.Challenge; challenge != "" && (status == 401 || status == 403) && IsHeaderValue(challenge) {
		headers = append(headers, authz.Field{Name: "www-authenticate", Value: challenge})
	}
	if r.Explanation != "" {
		message += ". " + r.Explanation
	}
	return authz.Response{Status: status, Headers: appendCORS(headers, cors), Body: `{"message":"` + escapeJSON(message) + `"}`}
}

// Preflight returns the answer to a preflight: 204, whatever origin, method and headers the browser asks for. The browser compares them.
func (c *CORS) Preflight(requestID string, r *authz.Request) authz.Response {
	return authz.Response{Status: 204, Headers: appendCORS([]authz.Field{{Name: "apigw-requestid", Value: requestID}}, c.Headers(r))}
}

// appendCORS adds the API's CORS headers to those of an answer that does not come from the upstream.
func appendCORS(headers, cors []authz.Field) []authz.Field {
	for _, h := range cors {
		if h.Value != "" {
			headers = append(headers, h)
		}
	}
	return headers
}
