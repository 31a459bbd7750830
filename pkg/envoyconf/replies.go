package envoyconf

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// reply replaces one of Envoy's own answers.
type reply struct {
	Status  int
	Message string
	Headers []header
}

type header struct{ Name, Value string }

// requestID is the format of the request's id, with the length of a UUID.
const requestID = "%REQ(X-REQUEST-ID):36%"

// Replies returns API Gateway's messages for Envoy's own answers: those of HTTP APIs if there are no others, or else
// those of REST APIs. A request with too many headers has no id yet.
func (p *plan) Replies() []reply {
	if !slices.ContainsFunc(p.apis, func(api gateway.API) bool { return !api.HTTP }) {
		id := []header{{"apigw-requestid", requestID}}
		return []reply{
			{413, "Request Entity Too Large", id},
			{431, "Request Header Fields Too Large", nil},
			{503, "Service Unavailable", id},
			{504, "Service Unavailable", id},
		}
	}
	id := header{"x-amzn-RequestId", requestID}
	failed := func(errorType string) []header { return []header{id, {"x-amzn-ErrorType", errorType}} }
	return []reply{
		{413, "Request Too Long", failed("RequestTooLargeException")},
		{431, "Request Header Fields Too Large", nil},
		{503, "Service Unavailable", failed("ServiceUnavailableException")},
		{504, "Endpoint request timed out", failed("InternalServerErrorException")},
	}
}
