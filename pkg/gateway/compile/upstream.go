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

// overrides are headers by which some servers take another method or path than the request's. None is honoured, and none reaches
// an upstream that might. Gunicorn cuts what SCRIPT_NAME says off the path if its peer is local, as a sidecar is: it serves /open/admin as
// /admin. WSGI applications behind a proxy do so by X-Script-Name.
var overrides = []string{
	"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "script-name", "path-info", "x-script-name",
}

// connectionHeaders belong to one connection or frame the message; they are never mapped.
var connectionHeaders = []string{
	"connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

func unfitHeader(name string) string {
	switch {
	case !authz.IsToken(name):
		return "the name is not a header name; write letters, digits and hyphens"
	case slices.Contains(connectionHeaders, answer.Hyphenated(name)):
		return fmt.Sprintf("the header %s belongs to the connection and cannot be mapped", name)
	}
	return ""
}

func unfitResponseHeader(name string) string {
	if strings.EqualFold(name, "x-amzn-errortype") || strings.EqualFold(name, "x-amzn-requestid") {
		return fmt.Sprintf("API Gateway sets the header %s itself: it cannot be mapped", name)
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
			f.add(at, "%s never reaches the upstream, which might take another method or path from it: it cannot be mapped", h.Name)
		}
		if _, ok := compiled[name]; ok {
			f.add(at, "the header %s is mapped twice", name)
		}
		value, err := compileUpstreamValue(h.Value, s)
		if err != nil {
			f.add(at, "%v", err)
		}
		compiled[name] = answer.MappedHeader{Name: name, Value: value}
	}
	return sortedHeaders(compiled)
}

// overrideUpstream lays a route's mapped headers over its API's.
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

// compileUpstreamValue compiles a variable or a literal. A literal may be a secret: no message repeats it.
//
// 2026-11-25: $request.header, $request.querystring and $request.path, with which HTTP APIs map parameters, are refused in
// upstreamHeaders: the upstream gets them from the client anyway, and a header that looks like ours should hold nothing of theirs.
func compileUpstreamValue(value string, s scope) (answer.Variable, error) {
	if name, ok := strings.CutPrefix(value, "$"); ok {
		return s.lookup(name)
	}
	if strings.Contains(value, "$context.") || strings.Contains(value, "$stageVariables.") {
		return answer.Variable{}, errors.New("a variable stands alone, without text around it")
	}
	if !answer.IsHeaderValue(value) {
		return answer.Variable{}, errors.New("the text holds a character that a header cannot carry")
	}
	return answer.Variable{Kind: answer.Literal, Name: value}, nil
}
