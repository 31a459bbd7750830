package extauthz

import (
	"strings"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// What the answers of allowed have in common. Nobody writes to them: an answer that is not marshalled at once is made one's own.
var (
	statusOK  = &rpcstatus.Status{Code: int32(codes.OK)}
	unchanged = &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}
)

// allowed is the only place where an answer that Envoy lets pass is built.
func allowed(d *authz.Decision, took time.Duration) *authv3.CheckResponse {
	if len(d.SetHeaders)+len(d.RemoveHeaders)+len(d.Target)+len(d.ResponseHeaders) == 0 {
		return withMetadata(&authv3.CheckResponse{Status: statusOK, HttpResponse: unchanged}, d, took)
	}
	return withMetadata(&authv3.CheckResponse{
		Status: statusOK,
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:              requestOptions(d),
			HeadersToRemove:      d.RemoveHeaders,
			ResponseHeadersToAdd: responseOptions(d.ResponseHeaders),
		}},
	}, d, took)
}

// own shares nothing with another answer. An interceptor, or a program that calls Check, may write to what it gets, and would write
// into everybody's answers.
func own(out *authv3.CheckResponse) *authv3.CheckResponse { return proto.CloneOf(out) }

// denied never writes a zero: neither in status.code, which Envoy would take for Allow, nor in the HTTP status.
func denied(d *authz.Decision, took time.Duration) *authv3.CheckResponse {
	status := httpStatus(d.Denial.Status)
	code := codes.PermissionDenied
	if status == typev3.StatusCode_Unauthorized {
		code = codes.Unauthenticated
	}
	return withMetadata(&authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: status},
			Headers: headerOptions(d.Denial.Headers),
			Body:    utf8Text(d.Denial.Body),
		}},
	}, d, took)
}

// httpStatus is a status that Envoy knows: it refuses an answer with another one. An unknown number becomes the first of its
// class, one outside 200 to 599 an internal error.
func httpStatus(status int) typev3.StatusCode {
	if status < 200 || status > 599 {
		return typev3.StatusCode_InternalServerError
	}
	if _, known := typev3.StatusCode_name[int32(status)]; known {
		return typev3.StatusCode(status)
	}
	return typev3.StatusCode(status / 100 * 100)
}

// renderable tells whether Envoy can carry out what an Allow asks for. It could not set a header with a bad name or value, nor
// protobuf carry a name that is not UTF-8, and a request must not pass half changed.
func renderable(d *authz.Decision) bool {
	for _, fields := range [...][]authz.Field{d.SetHeaders, d.ResponseHeaders} {
		for _, h := range fields {
			if !authz.IsToken(h.Name) || !isFieldValue(h.Value) {
				return false
			}
		}
	}
	for _, name := range d.RemoveHeaders {
		if !authz.IsToken(name) {
			return false
		}
	}
	return d.Target == "" || d.Target[0] == '/' && isVisible(d.Target) && utf8.ValidString(d.Target)
}

// requestOptions are the headers of the upstream's request. The target is the pseudo header :path. Envoy would write a query anew
// from which it removed parameters (query_parameters_to_remove), in another order; a :path it takes as it is. The path
// stays the same, so the route does too, also under clear_route_cache, which Envoy has if routes have upstreams.
func requestOptions(d *authz.Decision) []*corev3.HeaderValueOption {
	options := headerOptions(d.SetHeaders)
	if d.Target != "" {
		options = append(options, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: ":path", Value: d.Target},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS,
		})
	}
	return options
}

// headerOptions makes each field replace what is there under its name. A field that no HTTP message can hold is left out; it
// can only be one of a denial, for renderable has seen the others.
func headerOptions(fields []authz.Field) []*corev3.HeaderValueOption {
	if len(fields) == 0 {
		return nil
	}
	options := make([]*corev3.HeaderValueOption, 0, len(fields))
	for _, f := range fields {
		if !authz.IsToken(f.Name) || !isFieldValue(f.Value) {
			continue
		}
		options = append(options, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: f.Name, Value: utf8Text(f.Value)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return options
}

// responseOptions are the headers of the upstream's answer. Envoy cannot remove one: a field without a value empties it.
func responseOptions(fields []authz.Field) []*corev3.HeaderValueOption {
	options := headerOptions(fields)
	for _, o := range options {
		switch {
		case strings.EqualFold(o.Header.Key, "vary"):
			o.AppendAction = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		case o.Header.Value == "":
			o.AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS
		}
	}
	return options
}

// utf8Text is s as protobuf can carry it.
func utf8Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "!")
}

// Refuse is the decision for a check that is turned away without an API having been asked. The client is answered in the form
// of API Gateway's own errors; the detail is for the operator.
func Refuse(status int, code authz.Code, detail string) authz.Decision {
	d := authz.Decision{Reason: authz.Reason{Code: code, Detail: detail}}
	Deny(&d, status)
	return d
}

// Deny gives d a denial with a request id, in place of whatever it was to answer. Header names and texts are those of
// "Gateway response types for API Gateway".
func Deny(d *authz.Decision, status int) {
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
