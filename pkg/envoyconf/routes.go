package envoyconf

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// match selects the requests of an Envoy route: one path, a URI template, or everything below a prefix, where "" means
// all paths; and one method, or all.
type match struct {
	Path, Template, Prefix string
	Method                 string
	// Upstream is the upstream that portcullis has named in its answer, "" for any and for requests that are not checked yet.
	Upstream string
}

// exception is a route of portcullis.yaml that Envoy must distinguish from the others of its stage.
type exception struct {
	route *gateway.Route
	// parts are the parts of the base path and of the resource.
	parts []string
	// signed reports whether the body is needed.
	signed bool
}

const anyMethod = "ANY"

// plainPart matches the parts that Envoy and portcullis read alike: after Envoy's normalization, these characters have
// one spelling.
var plainPart = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// needsBody reports whether portcullis needs the bodies of a route's requests. A signature covers the body unless it is
// declared not to. A VPC endpoint policy depends on the signer, whatever the route.
func (p *plan) needsBody(api *gateway.API, r *gateway.Route) bool {
	unsigned := p.UnbufferedUploads && r.Signatures.UnsignedPayload
	return r.Authorization == gateway.IAM && !unsigned || api.Private && p.endpointPolicies
}

// exceptions returns the routes of a stage that Envoy must distinguish, in API Gateway's matching order, if some need a
// body and some do not: each that needs none, and each that needs one and could be mistaken for a later one that does
// not. All others are buffered.
//
// Suppose that portcullis assigns a request to the signed route S. If Envoy matches an exception O without a body, O
// matches in portcullis too, because its match is no wider. So S comes before O in API Gateway's order, and both match
// the request. Then S is among the exceptions, before O, with a match that is no narrower, and Envoy has matched S
// first.
func (p *plan) exceptions(api *gateway.API, base string) []exception {
	if api.HTTP || !(exception{parts: parts(base)}).isPlain() {
		return nil
	}
	var all []exception
	for i := range api.Routes {
		r := &api.Routes[i]
		all = append(all, exception{route: r, parts: parts(base + r.Resource), signed: p.needsBody(api, r)})
	}
	slices.SortStableFunc(all, func(a, b exception) int { return inOrder(a, b) })
	var kept []exception
	for i, e := range all {
		if !e.signed && e.isPlain() || e.signed && slices.ContainsFunc(all[i+1:], e.couldBe) {
			kept = append(kept, e)
		}
	}
	return kept
}

// parts returns the segments of a path; the root has none.
func parts(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// The kinds of path parts, in API Gateway's order ("Route matching").
const (
	literal = iota
	variable
	greedy
)

func kind(part string) int {
	switch {
	case strings.HasSuffix(part, "+}"):
		return greedy
	case strings.HasPrefix(part, "{"):
		return variable
	default:
		return literal
	}
}

// inOrder compares two routes by the order in which portcullis tries them.
func inOrder(a, b exception) int {
	for i := range min(len(a.parts), len(b.parts)) {
		x, y := a.parts[i], b.parts[i]
		if c := cmp.Compare(kind(x), kind(y)); c != 0 {
			return c
		}
		if c := cmp.Compare(x, y); c != 0 && kind(x) == literal {
			return c
		}
	}
	if c := cmp.Compare(len(a.parts), len(b.parts)); c != 0 {
		return c
	}
	if a.route.Method == anyMethod || b.route.Method == anyMethod {
		return cmp.Compare(boolInt(a.route.Method == anyMethod), boolInt(b.route.Method == anyMethod))
	}
	return cmp.Compare(a.route.Method, b.route.Method)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// isPlain reports whether all literal parts of the path have one spelling.
func (e exception) isPlain() bool {
	return !slices.ContainsFunc(e.parts, func(part string) bool { return kind(part) == literal && !plainPart.MatchString(part) })
}

// couldBe reports whether a request of the signed route e could be mistaken for one of o, which needs no body.
func (e exception) couldBe(o exception) bool {
	if o.signed || !o.isPlain() || e.route.Method != o.route.Method && e.route.Method != anyMethod && o.route.Method != anyMethod {
		return false
	}
	for i := 0; ; i++ {
		switch {
		case i == len(e.parts) || i == len(o.parts):
			return len(e.parts) == len(o.parts)
		case kind(e.parts[i]) == greedy || kind(o.parts[i]) == greedy:
			return true
		case kind(e.parts[i]) == literal && kind(o.parts[i]) == literal && e.parts[i] != o.parts[i]:
			return false
		}
	}
}

// matches returns what leads to the route. If the body is needed, they match no less than portcullis: a literal with
// several spellings matches any part, and a trailing slash is ignored. Otherwise they match no more: in a URI template
// ** may be empty, but a greedy variable has at least one part.
func (e exception) matches() []match {
	path, template := "", false
	for _, part := range e.parts {
		switch k := kind(part); {
		case k == greedy && e.signed:
			path, template = path+"/**", true
		case k != literal, !plainPart.MatchString(part):
			path, template = path+"/*", true
		default:
			path += "/" + part
		}
	}
	m := match{Path: cmp.Or(path, "/")}
	if e.route.Method != anyMethod {
		m.Method = e.route.Method
	}
	all := []match{m}
	switch isGreedy := len(e.parts) > 0 && kind(e.parts[len(e.parts)-1]) == greedy; {
	case isGreedy && !e.signed:
		m.Path += "/**"
		all = append(all, m)
	case !isGreedy && e.signed && path != "":
		m.Path += "/"
		all = append(all, m)
	}
	if template {
		for i := range all {
			all[i].Path, all[i].Template = "", all[i].Path
		}
	}
	return all
}

// String returns a match that is not a template in Envoy's format.
func (m match) String() string {
	what := "prefix: /"
	switch {
	case m.Path != "":
		what = "path: " + quote(m.Path)
	case m.Prefix != "":
		what = "path_separated_prefix: " + quote(m.Prefix)
	}
	if m.Method != "" {
		what += ", headers: " + m.Headers()
	}
	if m.Upstream != "" {
		what += ", dynamic_metadata: [{filter: envoy.filters.http.ext_authz, path: [{key: upstream}], value: {string_match: {exact: " + quote(m.Upstream) + "}}}]"
	}
	return "{" + what + "}"
}

// Headers returns the match of the method.
func (m match) Headers() string {
	return `[{name: ":method", string_match: {exact: ` + quote(m.Method) + "}}]"
}
