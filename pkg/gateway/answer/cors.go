package answer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// CORS is how an HTTP API answers browsers ("Configure CORS for HTTP APIs in API Gateway"). It is safe for concurrent use once all origins
// are added. nil stands for an API that leaves CORS to its upstreams.
//
// 2026-11-25: API Gateway ignores CORS headers of integrations. Envoy's ext_authz can set and overwrite an answer's headers, but not
// remove them. So headers of the upstream are overwritten with an empty value, which browsers treat as a refusal. The
// upstream's headers for a request without an Origin stay. portcullis adds Vary: Origin, unless every origin gets the same headers, so that
// a cache does not send one origin the answer for another. Origins are compared byte for byte.
type CORS struct {
	options CORSOptions
	// byOrigin has the headers for each single origin. everyOrigin has those for any origin, nil unless * is allowed.
	byOrigin    map[string]*corsHeaders
	everyOrigin *corsHeaders
	// schemes has the prefixes of allowed origins, such as "https://".
	schemes []string
}

// CORSOptions are the options that do not depend on the origin.
type CORSOptions struct {
	// AllowMethods has methods, AllowHeaders and ExposeHeaders names of headers, or *.
	AllowMethods, AllowHeaders, ExposeHeaders []string
	// MaxAge is for how many seconds a browser keeps the answer to a preflight: -1 for not at all, zero for the browser's default.
	MaxAge int
	// AllowCredentials lets browsers send cookies and the like.
	AllowCredentials bool
}

// NewCORS returns a CORS without allowed origins.
func NewCORS(o CORSOptions) *CORS { return &CORS{options: o, byOrigin: map[string]*corsHeaders{}} }

// AllowEveryOrigin allows any origin.
func (c *CORS) AllowEveryOrigin() { c.everyOrigin = c.options.headers("*") }

// AllowScheme allows all origins of a scheme, such as "https://".
func (c *CORS) AllowScheme(scheme string) { c.schemes = append(c.schemes, scheme) }

// AllowOrigin allows one origin. It returns false if the origin is already allowed.
func (c *CORS) AllowOrigin(origin string) bool {
	if c.byOrigin[origin] != nil {
		return false
	}
	c.byOrigin[origin] = c.options.headers(origin)
	return true
}

// corsHeaders has the headers of answers to one origin.
type corsHeaders struct{ answer, preflight []authz.Field }

// otherOrigin has the headers for an origin that is not allowed. They empty those of the upstream.
var otherOrigin = &corsHeaders{answer: noOrigin, preflight: noOrigin}

var noOrigin = []authz.Field{
	{Name: "access-control-allow-origin"},
	{Name: "access-control-allow-credentials"},
	{Name: "access-control-expose-headers"},
	varyOrigin,
}

// varyOrigin tells caches that the answer depends on the origin.
var varyOrigin = authz.Field{Name: "vary", Value: "Origin"}

var varyAlone = []authz.Field{varyOrigin}

// IsPreflight reports whether a request is a CORS preflight.
func IsPreflight(r *authz.Request) bool {
	if r.Method != "OPTIONS" {
		return false
	}
	_, origins := r.Header("origin")
	_, methods := r.Header("access-control-request-method")
	return origins > 0 && methods > 0
}

// Headers returns the CORS headers of the answer to a request. Without an origin they only say that the answer depends on the origin. A
// header with an empty value replaces the upstream's.
func (c *CORS) Headers(r *authz.Request) []authz.Field {
	if c == nil {
		return nil
	}
	origin, lines := r.Header("origin")
	switch {
	case lines == 0 && c.everyOrigin != nil:
		return nil
	case lines == 0:
		return varyAlone
	}
	headers := otherOrigin
	if lines == 1 {
		headers = c.headers(origin)
	}
	if IsPreflight(r) {
		return headers.preflight
	}
	return headers.answer
}

// headers returns the headers for an origin.
func (c *CORS) headers(origin string) *corsHeaders {
	if c.everyOrigin != nil {
		return c.everyOrigin
	}
	if h := c.byOrigin[origin]; h != nil {
		return h
	}
	for _, scheme := range c.schemes {
		if rest, ok := strings.CutPrefix(origin, scheme); ok && isAuthority(rest) {
			return c.options.headers(origin)
		}
	}
	return otherOrigin
}

// isAuthority reports whether a text can follow the scheme of an origin: a host and a port, without characters that could
// end a header's value.
func isAuthority(s string) bool {
	return s != "" && IsHeaderValue(s) && !strings.ContainsAny(s, " ,;\"'/\\?#@")
}

// headers returns the headers for an allowed origin. Headers that are not configured are empty, so that they replace the upstream's.
func (o *CORSOptions) headers(origin string) *corsHeaders {
	credentials, maxAge := "", ""
	if o.AllowCredentials {
		credentials = "true"
	}
	if o.MaxAge != 0 {
		maxAge = strconv.Itoa(o.MaxAge)
	}
	both := []authz.Field{{Name: "access-control-allow-origin", Value: origin}, {Name: "access-control-allow-credentials", Value: credentials}}
	if origin != "*" {
		both = append(both, varyOrigin)
	}
	return &corsHeaders{
		answer: append(slices.Clip(both), authz.Field{Name: "access-control-expose-headers", Value: strings.Join(o.ExposeHeaders, ",")}),
		preflight: append(slices.Clip(both),
			authz.Field{Name: "access-control-allow-methods", Value: strings.Join(o.AllowMethods, ",")},
			authz.Field{Name: "access-control-allow-headers", Value: strings.Join(o.AllowHeaders, ",")},
			authz.Field{Name: "access-control-max-age", Value: maxAge}),
	}
}
