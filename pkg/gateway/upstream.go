package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// overrides are headers by which some servers take another method or path than the request's. None is honoured, and none reaches
// an upstream that might. Gunicorn cuts what SCRIPT_NAME says off the path if its peer is local, as a sidecar is: it serves /open/admin as
// /admin. WSGI applications behind a proxy do so by X-Script-Name.
var overrides = []string{
	"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "script-name", "path-info", "x-script-name",
}

// setUpstream fills in the headers that an allowed request's upstream gets, and those that it must not get: whatever the
// client sent under a name that any API maps. Names are compared as an upstream might that reads x_user and x.user as x-user
// (CGI does).
func (in *invocation) setUpstream(d *authz.Decision) {
	for _, h := range in.route.upstream {
		if value, ok := h.value(in); ok {
			d.SetHeaders = append(d.SetHeaders, authz.Field{Name: h.name, Value: encodeHeaderValue(value)})
		}
	}
	for name := range in.request.Headers() {
		if in.gateway.mapped.has(name) {
			removeHeader(d, name)
		}
	}
	in.removeSignature(d)
}

// losesUpstream reports whether Connection lists a header that some API maps. What is listed ends at the next hop (RFC 9110, section
// 7.6.1): a proxy behind Envoy would drop what is set for the upstream, which then takes the request for one without. Envoy itself hands
// Connection on with a protocol upgrade alone.
func (in *invocation) losesUpstream() bool {
	for line := range in.request.HeaderValues("connection") {
		for name := range strings.SplitSeq(line, ",") {
			if in.gateway.mapped.has(strings.Trim(name, " \t")) {
				return true
			}
		}
	}
	return false
}

// removeHeader removes a header from the upstream's request unless it is set there.
func removeHeader(d *authz.Decision, name string) {
	set := func(f authz.Field) bool { return f.Name == name }
	if !slices.ContainsFunc(d.SetHeaders, set) && !slices.Contains(d.RemoveHeaders, name) {
		d.RemoveHeaders = append(d.RemoveHeaders, name)
	}
}

// headerNames is a set of header names that treats every character but letters and digits as a hyphen.
type headerNames struct {
	names map[string]struct{}
	// lengths has the bit of each name's length, of those from 63 on the last: most names are told by it.
	lengths uint64
}

func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

func (n *headerNames) add(name string) {
	if n.names == nil {
		n.names = map[string]struct{}{}
	}
	n.names[hyphenated(name)] = struct{}{}
	n.lengths |= lengthBit(name)
}

func (n *headerNames) has(name string) bool {
	if n.lengths&lengthBit(name) == 0 {
		return false
	}
	_, ok := n.names[hyphenated(name)]
	return ok
}

// hyphenated is a header name in lower case with a hyphen for every character that is no letter and no digit.
func hyphenated(name string) string {
	i := 0
	for i < len(name) && (name[i] == '-' || isLowerAlphanumeric(name[i])) {
		i++
	}
	if i == len(name) {
		return name
	}
	out := []byte(lower(name))
	for ; i < len(out); i++ {
		if !isLowerAlphanumeric(out[i]) {
			out[i] = '-'
		}
	}
	return string(out)
}

func isLowerAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// encodeHeaderValue percent-encodes what a header cannot carry: control characters, what is not ASCII, and white space at
// either end.
func encodeHeaderValue(s string) string {
	if isHeaderValue(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && (i == 0 || i == len(s)-1) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapePercent encodes the percent signs that begin an escape, so that a text that looks like an encoded one is not taken for
// what it would be decoded to: two users' names must not become one.
func escapePercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '%' && isEscape(s, i) {
			b.WriteString("25")
		}
	}
	return b.String()
}

// isHeaderValue reports whether a header carries a text unchanged: visible ASCII, with spaces only in between.
func isHeaderValue(s string) bool {
	visible := func(c rune) bool { return ' ' <= c && c <= '~' }
	return strings.TrimFunc(s, visible) == "" && strings.Trim(s, " ") == s
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
	case slices.Contains(connectionHeaders, hyphenated(name)):
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
func (f *faults) compileUpstream(headers []UpstreamHeader, s scope, at string) []mappedHeader {
	compiled := map[string]mappedHeader{}
	for _, h := range headers {
		at := fmt.Sprintf("%s.upstreamHeaders[%q]", at, h.Name)
		name := lower(h.Name)
		if message := unfitHeader(name); message != "" {
			f.add(at, "%s", message)
		}
		if slices.Contains(overrides, hyphenated(name)) {
			f.add(at, "%s never reaches the upstream, which might take another method or path from it: it cannot be mapped", h.Name)
		}
		if _, ok := compiled[name]; ok {
			f.add(at, "the header %s is mapped twice", name)
		}
		value, err := compileUpstreamValue(h.Value, s)
		if err != nil {
			f.add(at, "%v", err)
		}
		compiled[name] = mappedHeader{name, value}
	}
	return sortedHeaders(compiled)
}

// overrideUpstream lays a route's mapped headers over its API's.
func overrideUpstream(api, route []mappedHeader) []mappedHeader {
	if len(route) == 0 {
		return api
	}
	byName := map[string]mappedHeader{}
	for _, h := range slices.Concat(api, route) {
		byName[h.name] = h
	}
	return sortedHeaders(byName)
}

func sortedHeaders(byName map[string]mappedHeader) []mappedHeader {
	var headers []mappedHeader
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		headers = append(headers, byName[name])
	}
	return headers
}

// compileUpstreamValue compiles a variable or a literal. A literal may be a secret: no message repeats it.
func compileUpstreamValue(value string, s scope) (variable, error) {
	if name, ok := strings.CutPrefix(value, "$"); ok {
		said, err := s.lookup(name)
		if err != nil || !strings.HasPrefix(name, "context.authorizer.") {
			return said, err
		}
		return func(in *invocation) (string, bool) {
			text, ok := said(in)
			return escapePercent(text), ok
		}, nil
	}
	if strings.Contains(value, "$context.") || strings.Contains(value, "$stageVariables.") {
		return nil, errors.New("a variable stands alone, without text around it")
	}
	if !isHeaderValue(value) {
		return nil, errors.New("the text holds a character that a header cannot carry")
	}
	return func(*invocation) (string, bool) { return value, true }, nil
}
