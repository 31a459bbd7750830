package answer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// CORS is how an HTTP API answers browsers ("Configure CORS for HTTP APIs in API Gateway"). It is safe for concurrent use once origins
// are allowed. nil stands for an API that leaves CORS to its upstreams.
//
// 2026-11-25: API Gateway ignores CORS headers of integrations. Envoy's ext_authz can set and overwrite an answer's headers, not
// remove them: what the upstream must not say is overwritten with nothing, which browsers take for a refusal. The
// upstream's headers for a request without an Origin are left alone. Vary: Origin is portcullis' own, for caches, and there unless every
// origin gets the same: a cache must not answer who is allowed with what it kept for who is not. An origin is compared byte for byte.
type CORS struct {
	options CORSOptions
	// byOrigin are the headers for each origin that is written out, everyOrigin those for any; nil unless * is allowed.
	byOrigin    map[string]*corsHeaders
	everyOrigin *corsHeaders
	// schemes are what origins that are allowed begin with: "https://".
	schemes []string
}

// CORSOptions are what an API tells browsers, whatever their origin.
type CORSOptions struct {
	// AllowMethods are methods, AllowHeaders and ExposeHeaders names of headers, or *.
	AllowMethods, AllowHeaders, ExposeHeaders []string
	// MaxAge is for how many seconds a browser keeps the answer to a preflight, -1 for not at all; zero says nothing.
	MaxAge int
	// AllowCredentials lets browsers send cookies and the like.
	AllowCredentials bool
}

// NewCORS returns a CORS that allows no origin yet.
func NewCORS(o CORSOptions) *CORS { return &CORS{options: o, byOrigin: map[string]*corsHeaders{}} }

// AllowEveryOrigin allows whatever origin.
func (c *CORS) AllowEveryOrigin() { c.everyOrigin = c.options.headers("*") }

// AllowScheme allows all origins of a scheme, such as "https://".
func (c *CORS) AllowScheme(scheme string) { c.schemes = append(c.schemes, scheme) }

// AllowOrigin allows one origin. It returns false if that is allowed already.
func (c *CORS) AllowOrigin(origin string) bool {
	if c.byOrigin[origin] != nil {
		return false
	}
	c.byOrigin[origin] = c.options.headers(origin)
	return true
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

// IsPreflight reports whether a browser asks leave for a request of another origin.
func IsPreflight(r *authz.Request) bool {
	if r.Method != "OPTIONS" {
		return false
	}
	_, origins := r.Header("origin")
	_, methods := r.Header("access-control-request-method")
	return origins > 0 && methods > 0
}

// Headers are the CORS headers of the answer to a request. Without an origin they only say that the answer would depend on one. A header
// without a value is one that the upstream may not set.
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

// headers are those for an origin.
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

// isAuthority reports whether a browser could write a text behind an origin's scheme: host and port, and nothing that could
// end a header's value.
func isAuthority(s string) bool {
	return s != "" && IsHeaderValue(s) && !strings.ContainsAny(s, " ,;\"'/\\?#@")
}

// headers makes the headers for an origin that is allowed. What is not configured is kept from the upstream too: API Gateway
// ignores the CORS headers of an integration.
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
