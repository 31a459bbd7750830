package gateway

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

func notFound(detail string) *refusal {
	return &refusal{kind: notFoundAnswer, reason: authz.Reason{Code: authz.CodeNoRoute, Detail: detail}}
}

// answersAsHTTP reports whether the request gets an HTTP API's answer. Without a stage it does where only an HTTP API answers
// so.
func (in *invocation) answersAsHTTP() bool {
	if in.stage == nil {
		return in.refusal.kind == notFoundAnswer
	}
	return in.stage.api.http
}

// renderHTTP makes an HTTP API's answer of a refusal. It cannot be customized, and does not say more than its status unless
// signatures are explained. What is refused because too much waits already is 503 there; a REST API says AUTHORIZER_FAILURE, with 500.
func (in *invocation) renderHTTP() authz.Response {
	status := gatewayResponses[in.refusal.kind].status
	if in.refusal.kind == preflightAnswer {
		return authz.Response{Status: status, Headers: in.appendCORS([]authz.Field{{Name: "apigw-requestid", Value: in.requestID}})}
	}
	if status == 504 || in.refusal.kind == authorizerFailure && in.refusal.reason.Code == authz.CodeOverload {
		status = 503
	}
	message, ok := httpMessages[status]
	if !ok {
		status, message = 500, httpMessages[500]
	}
	headers := make([]authz.Field, 0, 8)
	headers = append(headers, authz.Field{Name: "Content-Type", Value: "application/json"}, authz.Field{Name: "apigw-requestid", Value: in.requestID})
	if challenge := in.refusal.challenge; challenge != "" && (status == 401 || status == 403) && isHeaderValue(challenge) {
		headers = append(headers, authz.Field{Name: "www-authenticate", Value: challenge})
	}
	if in.refusal.explanation != "" {
		message += ". " + in.refusal.explanation
	}
	return authz.Response{Status: status, Headers: in.appendCORS(headers), Body: `{"message":"` + escapeJSON(message) + `"}`}
}

// appendCORS adds the CORS headers of the API to those of an answer of our own.
func (in *invocation) appendCORS(headers []authz.Field) []authz.Field {
	for _, h := range in.corsHeaders() {
		if h.Value != "" {
			headers = append(headers, h)
		}
	}
	return headers
}
