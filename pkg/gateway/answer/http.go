package answer

import "github.com/portcullis-authz/portcullis/pkg/authz"

// httpMessages are what an HTTP API says with a status. Whatever has none here is an internal error.
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

// HTTP makes an HTTP API's answer of a refusal, with the headers that cors adds. It cannot be customized, and does not say more than its status unless
// signatures are explained. What is refused because too much waits already is 503 here; a REST API says AUTHORIZER_FAILURE, with 500.
//
// 2026-11-25: an HTTP API answers with the name of the status and nothing else, whatever was wrong; an internal error of an
// authorizer is 500, a timeout 503. apigw-requestid is the request id that is a REST API's x-amzn-RequestId, a UUID, by which a
// log line is found: API Gateway's own looks otherwise (16 letters of Base64), and its form is not documented. Answers given before an API is known (400, 403 for
// a host) have the REST form; a default endpoint without such a stage answers 404.
//
// 2026-11-28: what signatures broke is told to an HTTP API's client after the fixed message, where explainSignatures is on: there is
// no other place for it, and it is not on for long.
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

// Preflight is the answer to a preflight: 204, whatever the origin, method and headers asked for. It is for the browser to compare them.
func (c *CORS) Preflight(requestID string, r *authz.Request) authz.Response {
	return authz.Response{Status: 204, Headers: appendCORS([]authz.Field{{Name: "apigw-requestid", Value: requestID}}, c.Headers(r))}
}

// appendCORS adds the CORS headers of the API to those of an answer of our own.
func appendCORS(headers, cors []authz.Field) []authz.Field {
	for _, h := range cors {
		if h.Value != "" {
			headers = append(headers, h)
		}
	}
	return headers
}
