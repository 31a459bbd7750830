package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// guard is the authorization of a route. A route with neither an authorizer nor iam is open.
type guard struct {
	// at is where the guard is named.
	at tree.Position
	// authorizer is the authorizer's name in portcullis.yaml, and name the one of its security scheme.
	authorizer, name string
	iam              bool
	// key says that callers need an API key.
	key bool
	// scopes are those of the authorizer.
	scopes []string
	// says has the values that the authorizer sets for callers, for upstream headers.
	says authorizer.Words
	// waits is why the guard cannot be built, where a scheme that is refused has the cause.
	waits string
}

// asked is one name of a security requirement.
type asked struct {
	scheme *scheme
	name   string
	at     tree.Position
	scopes *tree.Node
}

// guardOf decides what guards an operation: x-amazon-apigateway-auth, its security, or the security of the document's root.
func (r *reader) guardOf(op *tree.Node, at tree.Position, what string) (guard, *document.Trouble) {
	said, t := r.saidAuth(op)
	if t != nil {
		return guard{}, t
	}
	security := op.Pair("security")
	if security == nil {
		if security, t = r.rootSecurity(at, what, said); t != nil {
			return guard{}, t
		}
	}
	var all []asked
	if security != nil {
		if all, t = r.requirements(security, what); t != nil {
			return guard{}, t
		}
	}
	return r.combine(said, all, at, what)
}

// saidAuth is the type of x-amazon-apigateway-auth: NONE, AWS_IAM, or empty where it is not written.
func (r *reader) saidAuth(op *tree.Node) (string, *document.Trouble) {
	p := op.Pair(xAuth)
	if p == nil {
		return "", nil
	}
	n, t := r.Follow(p.Value)
	if t != nil {
		return "", t
	}
	text, t := r.Text(n.Get("type"), xAuth)
	r.NoteDefaults(n, xAuth)
	switch kind := strings.ToUpper(text); {
	case !n.Is(tree.Map) || !n.Has("type"):
		return "", document.TroubleAt(p.At, xAuth+" must be {type: NONE} or {type: AWS_IAM}")
	case t != nil:
		return "", t
	case kind == "NONE" || kind == "AWS_IAM":
		return kind, nil
	}
	return "", document.TroubleAt(n.Get("type").At, fmt.Sprintf("the type %s of %s is not known: write NONE or AWS_IAM", fault.Quoted(text), xAuth))
}

// rootSecurity is the security of the document's root, for an operation that has none of its own. API Gateway applies it, but not that of
// a document of Swagger 2.0.
func (r *reader) rootSecurity(at tree.Position, what, said string) (*tree.Pair, *document.Trouble) {
	if t := misspelled(r.Root); t != nil && !r.swagger {
		return nil, t
	}
	root := r.Root.Pair("security")
	if root == nil || root.Value.Is(tree.List) && !slices.ContainsFunc(root.Value.Items, func(n *tree.Node) bool { return !n.Is(tree.Map) || len(n.Pairs) > 0 }) {
		return nil, nil
	}
	switch {
	case r.swagger && said == "":
		r.Report.Approximate(at, what, fmt.Sprintf("OPEN: API Gateway does not use the security of the root of a Swagger 2.0 document (line %d); write security at the operation to guard it", root.At.Line))
		return nil, nil
	case r.swagger:
		return nil, nil
	}
	message := fmt.Sprintf("guarded by the security of the document's root (line %d), as OpenAPI says", root.At.Line)
	if !r.http {
		message += ", and as API Gateway imports it, though its documentation says that a REST API does not use it"
	}
	r.Report.Approximate(at, what, message)
	return root, nil
}

// requirements are the names of a security, of all its entries.
func (r *reader) requirements(p *tree.Pair, what string) ([]asked, *document.Trouble) {
	if t := document.Unknown(p.Value); t != nil {
		return nil, t
	}
	if !p.Value.Is(tree.List) {
		return nil, document.Unlike(p.Value, p.At, "security must be a list, such as [] for an open operation")
	}
	r.NoteDefaults(p.Value, what)
	var all []asked
	for _, entry := range p.Value.Items {
		r.NoteDefaults(entry, what)
		if t := document.Unknown(entry); t != nil {
			return nil, t
		}
		if !entry.Is(tree.Map) {
			return nil, document.Unlike(entry, entry.Position(), "an entry of security must be a map of a scheme's name to scopes, such as {partners: []}")
		}
		for _, p := range entry.Pairs {
			name := r.Fill(p.Key)
			if t := document.NotFilled(name, p.At); t != nil {
				return nil, t
			}
			all = append(all, asked{r.scheme(name, p.At), name, p.At, p.Value})
		}
	}
	return all, nil
}

// combine makes one guard of all that an operation asks for.
func (r *reader) combine(said string, all []asked, at tree.Position, what string) (guard, *document.Trouble) {
	g := guard{at: at}
	if said == "AWS_IAM" {
		g.iam = true
	}
	first := ""
	if g.iam {
		first = xAuth + " with AWS_IAM"
	}
	for _, a := range all {
		switch s := a.scheme; s.kind {
		case schemeBroken:
			g.waits = a.scheme.refused(a.name)
		case schemeOpen, schemeIgnored: // withoutMeaning decides
		case schemeKey:
			g.key, g.at = true, a.at
			r.noScopes(a, what)
		case schemeIAM:
			r.noScopes(a, what)
			if g.authorizer != "" {
				return g, several(first, a)
			}
			g.iam, g.at, first = true, a.at, a.name
		case schemeAuthorizer:
			if g.iam || g.authorizer != "" && g.authorizer != s.authorizer {
				return g, several(first, a)
			}
			if t := r.scopes(&g, a, what); t != nil {
				return g, t
			}
			g.authorizer, g.name, g.says, g.at, first = s.authorizer, a.name, s.says, a.at, a.name
		}
	}
	guarded := g.iam || g.authorizer != ""
	if guarded && said == "NONE" {
		return g, document.TroubleAt(at, xAuth+" says NONE, and security names a guard: keep one")
	}
	if g.waits == "" {
		g.waits = r.withoutMeaning(all, guarded, what)
	}
	return g, nil
}

// several is why an operation with two guards cannot be told.
func several(first string, a asked) *document.Trouble {
	return document.TroubleAt(a.at, fmt.Sprintf("a method has one authorizer, and security names %s beside %s: keep one, for API Gateway does not document which it takes", fault.Quoted(a.name), fault.Quoted(first)))
}

// withoutMeaning decides about schemes that API Gateway ignores: beside an authorizer, it does what API Gateway does. Without one, the
// operation would be open, and it says why it is not.
func (r *reader) withoutMeaning(all []asked, guarded bool, what string) string {
	why := ""
	for _, a := range all {
		switch {
		case a.scheme.kind == schemeIgnored && guarded:
			r.Report.Approximate(a.at, what, "API Gateway ignores the security scheme "+fault.Quoted(a.name)+", which has no extension; the operation's authorizer guards it")
		case a.scheme.kind == schemeIgnored:
			r.refuseIgnored(a)
			why = a.scheme.refused(a.name)
		}
	}
	return why
}

// scopes gives a guard the scopes of its authorizer. Two entries with the same authorizer must have the same scopes.
func (r *reader) scopes(g *guard, a asked, what string) *document.Trouble {
	if t := document.Unknown(a.scopes); t != nil {
		return t
	}
	if document.Absent(a.scopes) {
		a.scopes = tree.NewList(a.at)
	}
	if !a.scopes.Is(tree.List) {
		return document.Unlike(a.scopes, a.at, "the scopes of "+fault.Quoted(a.name)+" must be a list, such as [] for none")
	}
	all, t := r.Texts(a.scopes, what)
	if t != nil {
		return t
	}
	if g.authorizer != "" {
		if a.scheme.scoped && !slices.Equal(g.scopes, all) {
			return document.TroubleAt(a.at, "security names "+fault.Quoted(a.name)+" twice with different scopes: keep one")
		}
		return nil
	}
	switch {
	case len(all) == 0:
	case a.scheme.scoped:
		g.scopes = all
	default:
		r.noScopes(a, what)
	}
	return nil
}

// noScopes notes scopes of what does not look at them.
func (r *reader) noScopes(a asked, what string) {
	if a.scopes.Is(tree.List) && len(a.scopes.Items) > 0 {
		r.Report.Approximate(a.at, what, "only tokens of user pools and JWTs have scopes: those of "+fault.Quoted(a.name)+" have no effect")
	}
}
