package envoyconf

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// match is which requests an Envoy route is for: one path, a URI template, or everything below a prefix, which is the empty
// text for all paths; for one method, or for all.
type match struct {
	Path, Template, Prefix string
	Method                 string
}

// exception is a route of portcullis.yaml that Envoy has to tell from the others of its stage.
type exception struct {
	route *gateway.Route
	// parts are the path parts, of the base path and of the resource.
	parts []string
	// signed says that the request's body is needed.
	signed bool
}

const anyMethod = "ANY"

// plainPart holds the parts whose text Envoy and portcullis read alike: neither has another way to write these characters once
// Envoy has normalised the path.
var plainPart = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// needsBody says whether portcullis has to see the body of a route's requests: a signature is over it, unless it is said to
// leave the body out. A VPC endpoint policy asks who has signed, whatever the route.
func (p *plan) needsBody(api *gateway.API, r *gateway.Route) bool {
	unsigned := p.UnbufferedUploads && r.Signatures.UnsignedPayload
	return r.Authorization == gateway.IAM && !unsigned || api.Private && p.endpointPolicies
}

// exceptions are the routes of a stage to be told apart, in the order in which API Gateway looks for them, if those that need
// a body and those that do not are mixed: each that needs none, and each that needs one and could be taken for a later one
// that does not. All others are buffered.
//
// Let portcullis give a request to the signed route S. An exception O without a body that Envoy finds for it matches in
// portcullis too, for its match is no wider; so S comes before O in API Gateway's order, and both match the request, so that S
// is among the exceptions, before O, with a match that is no narrower. Envoy has found S.
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

// parts are the segments of a path; the root has none.
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

// inOrder compares two routes by which of them portcullis looks at first.
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

// isPlain says whether all that is literal in the path has one spelling.
func (e exception) isPlain() bool {
	return !slices.ContainsFunc(e.parts, func(part string) bool { return kind(part) == literal && !plainPart.MatchString(part) })
}

// couldBe says whether a request of the signed route e could be taken for one of o, which needs no body.
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

// matches are what leads to the route. Where the body is needed they match no less than portcullis does: a literal with several
// spellings is any part, and a slash at the end does not count. Where it is not, they match no more: of a URI template, **
// may be nothing, and a greedy variable is at least one part.
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

// String is the match as Envoy writes one that is not a template.
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
	return "{" + what + "}"
}

// Headers is the match of the method.
func (m match) Headers() string {
	return `[{name: ":method", string_match: {exact: ` + quote(m.Method) + "}}]"
}
