package gateway

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// CORS is the CORS configuration of an HTTP API ("Configure CORS for HTTP APIs in API Gateway").
type CORS struct {
	// AllowOrigins are origins such as https://www.example.com, or https://*, http://* or *.
	AllowOrigins []string
	// AllowMethods are methods, or *.
	AllowMethods []string
	// AllowHeaders and ExposeHeaders are names of headers, or *.
	AllowHeaders, ExposeHeaders []string
	// MaxAge is for how many seconds a browser keeps the answer to a preflight, -1 for not at all; zero says nothing.
	MaxAge int
	// AllowCredentials lets browsers send cookies and the like.
	AllowCredentials bool
}

// cors is a compiled CORS.
type cors struct {
	config *CORS
	// byOrigin are the headers for each origin that is written out, everyOrigin those for any; nil unless * is allowed.
	byOrigin    map[string]*corsHeaders
	everyOrigin *corsHeaders
	// schemes are what origins that are allowed begin with: "https://".
	schemes []string
}

// corsHeaders are the headers of answers to one origin.
type corsHeaders struct{ answer, preflight []authz.Field }

// otherOrigin are the headers for an origin that is not allowed: nothing, and the upstream's own do not count.
var otherOrigin = &corsHeaders{answer: noOrigin, preflight: noOrigin}

var noOrigin = []authz.Field{
	{Name: "access-control-allow-origin"},
	{Name: "access-control-allow-credentials"},
	{Name: "access-control-expose-headers"},
	varyOrigin,
}

// varyOrigin tells caches that another origin may get another answer: none must get what was kept for one that may less.
var varyOrigin = authz.Field{Name: "vary", Value: "Origin"}

var varyAlone = []authz.Field{varyOrigin}

// isPreflight reports whether a browser asks leave for a request of another origin.
func isPreflight(r *authz.Request) bool {
	if r.Method != "OPTIONS" {
		return false
	}
	_, origins := r.Header("origin")
	_, methods := r.Header("access-control-request-method")
	return origins > 0 && methods > 0
}

// corsHeaders are the CORS headers of the answer, none where the API has no CORS; without an origin it only says that it would
// depend on one. A header without a value is one that the upstream may not set.
func (in *invocation) corsHeaders() []authz.Field {
	if in.stage == nil || in.stage.api.cors == nil {
		return nil
	}
	origin, lines := in.request.Header("origin")
	switch {
	case lines == 0 && in.stage.api.cors.everyOrigin != nil:
		return nil
	case lines == 0:
		return varyAlone
	}
	headers := otherOrigin
	if lines == 1 {
		headers = in.stage.api.cors.headers(origin)
	}
	if isPreflight(in.request) {
		return headers.preflight
	}
	return headers.answer
}

// headers are those for an origin.
func (c *cors) headers(origin string) *corsHeaders {
	if c.everyOrigin != nil {
		return c.everyOrigin
	}
	if h := c.byOrigin[origin]; h != nil {
		return h
	}
	for _, scheme := range c.schemes {
		if rest, ok := strings.CutPrefix(origin, scheme); ok && isAuthority(rest) {
			return c.config.headers(origin)
		}
	}
	return otherOrigin
}

// isAuthority reports whether a browser could write a text behind an origin's scheme: host and port, and nothing that could
// end a header's value.
func isAuthority(s string) bool {
	return s != "" && isHeaderValue(s) && !strings.ContainsAny(s, " ,;\"'/\\?#@")
}

// headers makes the headers for an origin that is allowed. What is not configured is kept from the upstream too: API Gateway
// ignores the CORS headers of an integration.
func (c *CORS) headers(origin string) *corsHeaders {
	credentials, maxAge := "", ""
	if c.AllowCredentials {
		credentials = "true"
	}
	if c.MaxAge != 0 {
		maxAge = strconv.Itoa(c.MaxAge)
	}
	both := []authz.Field{{Name: "access-control-allow-origin", Value: origin}, {Name: "access-control-allow-credentials", Value: credentials}}
	if origin != "*" {
		both = append(both, varyOrigin)
	}
	return &corsHeaders{
		answer: append(slices.Clip(both), authz.Field{Name: "access-control-expose-headers", Value: strings.Join(c.ExposeHeaders, ",")}),
		preflight: append(slices.Clip(both),
			authz.Field{Name: "access-control-allow-methods", Value: strings.Join(c.AllowMethods, ",")},
			authz.Field{Name: "access-control-allow-headers", Value: strings.Join(c.AllowHeaders, ",")},
			authz.Field{Name: "access-control-max-age", Value: maxAge}),
	}
}

// originShape is an origin as a browser writes it: scheme, host, port unless it is the scheme's own.
var originShape = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9_-]+\.)*[a-z0-9_-]+(:[0-9]{1,5})?$|^[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]{1,5})?$`)

// compileCORS compiles an API's CORS configuration, nil where it has none.
func (f *faults) compileCORS(c *CORS, at string) *cors {
	if c == nil {
		return nil
	}
	compiled := &cors{config: c, byOrigin: map[string]*corsHeaders{}}
	if len(c.AllowOrigins) == 0 {
		f.add(at+".allowOrigins", "cors allows no origin: write at least one, such as https://www.example.com")
	}
	for i, origin := range c.AllowOrigins {
		f.compileOrigin(compiled, origin, fmt.Sprintf("%s.allowOrigins[%d]", at, i))
	}
	for i, method := range c.AllowMethods {
		if method != "*" && !slices.Contains(routing.Methods[:], method) {
			f.add(fmt.Sprintf("%s.allowMethods[%d]", at, i), "%q is no method; write * or one of %s", method, strings.Join(routing.Methods[:], ", "))
		}
	}
	f.checkHeaderNames(c.AllowHeaders, at+".allowHeaders")
	f.checkHeaderNames(c.ExposeHeaders, at+".exposeHeaders")
	if c.MaxAge < -1 || c.MaxAge > 86400 {
		f.add(at+".maxAge", "%d is no age; write seconds, at most 86400, or -1", c.MaxAge)
	}
	return compiled
}

// compileOrigin adds an allowed origin.
func (f *faults) compileOrigin(c *cors, origin, at string) {
	switch {
	case origin == "*" && c.config.AllowCredentials:
		f.add(at, "browsers refuse credentials where every origin is allowed: write the origins, or remove allowCredentials")
	case origin == "*":
		c.everyOrigin = c.config.headers("*")
	case origin == "https://*" || origin == "http://*":
		if c.config.AllowCredentials {
			f.warn(at, "%s with allowCredentials lets every site of that scheme act for a user who is logged in: write the origins", origin)
		}
		c.schemes = append(c.schemes, strings.TrimSuffix(origin, "*"))
	case !originShape.MatchString(origin):
		f.add(at, "%q is no origin that a browser sends; write one such as https://www.example.com, in lower case and without a path, or https://*, http://* or *", origin)
	case c.byOrigin[origin] != nil:
		f.add(at, "the origin %s is written twice", origin)
	default:
		c.byOrigin[origin] = c.config.headers(origin)
	}
}

func (f *faults) checkHeaderNames(names []string, at string) {
	for i, name := range names {
		if !authz.IsToken(name) {
			f.add(fmt.Sprintf("%s[%d]", at, i), "%q is no header name; write one such as Authorization, or *", name)
		}
	}
}
