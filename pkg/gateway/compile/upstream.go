package compile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// overrides lists headers that change the method or the path for some servers. They are not honoured here, and are removed from the
// upstream's request. Gunicorn cuts the value of SCRIPT_NAME off the path if its peer is local, as a sidecar is: it serves /open/admin as
// /admin. WSGI applications behind a proxy do the same with X-Script-Name.
var overrides = []string{
	"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "script-name", "path-info", "x-script-name",
}

// connectionHeaders lists headers that belong to one connection or frame the message. They cannot be mapped.
var connectionHeaders = []string{
	"connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

func unfitHeader(name string) string {
	switch {
	case !authz.IsToken(name):
		return fmt.Sprintf("%q is not a header name; write letters, digits and hyphens", name)
	case slices.Contains(connectionHeaders, answer.Hyphenated(name)):
		return fmt.Sprintf("the header %s belongs to the connection and cannot be mapped; remove it", name)
	}
	return ""
}

func unfitResponseHeader(name string) string {
	if strings.EqualFold(name, "x-amzn-errortype") || strings.EqualFold(name, "x-amzn-requestid") {
		return fmt.Sprintf("the header %s cannot be mapped, because API Gateway sets it itself; remove it", name)
	}
	return unfitHeader(name)
}

// compileUpstream compiles the mapped headers of an API or a route, in the order of their names.
func (f *faults) compileUpstream(headers []UpstreamHeader, s scope, at *fault.Place) []answer.MappedHeader {
	compiled := map[string]answer.MappedHeader{}
	for _, h := range headers {
		at := at.Field("upstreamHeaders").Key(h.Name)
		name := canon.Lower(h.Name)
		if message := unfitHeader(name); message != "" {
			f.add(at, "%s", message)
		}
		if slices.Contains(overrides, answer.Hyphenated(name)) {
			f.add(at, "the header %s cannot be mapped, because it could change the method or the path for the upstream; remove it", h.Name)
		}
		if answer.Hyphenated(name) == upstreamHeader {
			f.add(at, "the header %s is for the name of the upstream; write another name", h.Name)
		}
		if _, ok := compiled[name]; ok {
			f.add(at, "the header %s is mapped twice; remove one", name)
		}
		value, err := compileUpstreamValue(h.Value, s)
		if err != nil {
			f.add(at, "%v", err)
		}
		compiled[name] = answer.MappedHeader{Name: name, Value: value}
	}
	return sortedHeaders(compiled)
}

// overrideUpstream returns the API's mapped headers, with those of the route in place of headers of the same name.
func overrideUpstream(api, route []answer.MappedHeader) []answer.MappedHeader {
	if len(route) == 0 {
		return api
	}
	byName := map[string]answer.MappedHeader{}
	for _, h := range slices.Concat(api, route) {
		byName[h.Name] = h
	}
	return sortedHeaders(byName)
}

func sortedHeaders(byName map[string]answer.MappedHeader) []answer.MappedHeader {
	var headers []answer.MappedHeader
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		headers = append(headers, byName[name])
	}
	return headers
}

// compileUpstreamValue compiles a variable or a literal. A literal may be a secret, so messages do not quote it.
//
// 2026-11-25: $request.header, $request.querystring and $request.path, by which HTTP APIs map parameters, are refused in
// upstreamHeaders. The upstream gets these values from the client anyway, and must be able to trust the mapped headers.
func compileUpstreamValue(value string, s scope) (answer.Variable, error) {
	if name, ok := strings.CutPrefix(value, "$"); ok {
		return s.lookup(name)
	}
	if strings.Contains(value, "$context.") || strings.Contains(value, "$stageVariables.") {
		return answer.Variable{}, errors.New("a variable cannot have text around it; write the variable alone")
	}
	if !answer.IsHeaderValue(value) {
		return answer.Variable{}, errors.New("the text contains a character that a header cannot carry; write visible ASCII, with spaces only inside")
	}
	return answer.Variable{Kind: answer.Literal, Name: value}, nil
}
