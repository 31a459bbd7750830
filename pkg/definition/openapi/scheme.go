package openapi

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// scheme is a security scheme.
type scheme struct {
	kind schemeKind
	at   tree.Position
	// authorizer is the name in portcullis.yaml.
	authorizer string
	// scoped says that the authorizer looks at scopes.
	scoped bool
	says   authorizer.Words
	// told is the refusal of the scheme that is noted.
	told *document.Trouble
}

// refused says why routes that wait for a scheme are refused.
func (s *scheme) refused(name string) string {
	return fmt.Sprintf("the security scheme %s is refused in line %d: %s", fault.Quoted(name), s.told.At.Line, s.told.Message)
}

// schemeKind is the kind of guard that a security scheme stands for. The zero schemeKind is refused.
type schemeKind uint8

const (
	// schemeBroken cannot be built, or cannot be told. A refusal is noted.
	schemeBroken schemeKind = iota
	// schemeIgnored has no extension: API Gateway does not use it.
	schemeIgnored
	// schemeOpen stands for no guard: SAM's marker NONE, or one that the reader's values call NONE.
	schemeOpen
	schemeKey
	schemeIAM
	schemeAuthorizer
)

// definitions are the security schemes of the document.
func (r *reader) definitions() (*tree.Node, *document.Trouble) {
	if r.Root.Has("swagger") {
		return r.Follow(r.Root.Get("securityDefinitions"))
	}
	components, t := r.Follow(r.Root.Get("components"))
	if t != nil {
		return nil, t
	}
	return r.Follow(components.Get("securitySchemes"))
}

// scheme is the security scheme of a name. at is where an operation names it first.
func (r *reader) scheme(name string, at tree.Position) *scheme {
	if s := r.schemes[name]; s != nil {
		return s
	}
	s := &scheme{at: at}
	r.schemes[name] = s
	what := "security scheme " + fault.Quoted(name)
	all, t := r.definitions()
	p := all.Pair(name)
	if p != nil {
		s.at = p.At
	}
	if r.given(name, what, s, p) {
		return s
	}
	if t != nil {
		r.broken(s, what, t)
		return s
	}
	if p == nil && name == "NONE" {
		s.kind = schemeOpen // as SAM writes it
		return s
	}
	if p == nil {
		r.broken(s, what, document.TroubleAt(at, r.undefined(name)))
		return s
	}
	n, t := r.Follow(p.Value)
	if t == nil && !n.Is(tree.Map) {
		t = document.Unlike(n, p.At, "a security scheme must be a map")
	}
	if t == nil {
		r.NoteDefaults(n, what)
		t = r.extensions(n, what, xAuthorizer, xAuthtype)
	}
	if t == nil {
		t = r.classify(s, name, n)
	}
	if t != nil {
		r.broken(s, what, t)
	}
	return s
}

// unused notes the security schemes that no operation names.
func (r *reader) unused() {
	all, _ := r.definitions() // no operation names one of them
	for _, p := range document.Pairs(all) {
		if r.schemes[p.Key] == nil {
			r.Report.Pass(p.At, "security scheme "+fault.Quoted(p.Key), "no operation names it")
		}
	}
}

// given makes a scheme what the reader's values say that it stands for. They cannot open what an extension guards.
func (r *reader) given(name, what string, s *scheme, p *tree.Pair) bool {
	value, ok := r.Given("security " + name)
	if !ok {
		return false
	}
	kinds := map[string]schemeKind{"NONE": schemeOpen, "AWS_IAM": schemeIAM, "API_KEY": schemeKey}
	named, isAuthorizer := strings.CutPrefix(value, "authorizer ")
	kind, isKind := kinds[value]
	switch {
	case isAuthorizer && nameShape.MatchString(named):
		s.kind, s.authorizer, s.scoped, s.says = schemeAuthorizer, named, true, authorizer.Claims|authorizer.Context
	case !isKind:
		r.broken(s, what, document.TroubleAt(s.at, "values: \"security "+name+"\" must be NONE, AWS_IAM, API_KEY, or authorizer and the name of one that stands in portcullis.yaml"))
		return true
	case kind != schemeIAM && r.guards(p):
		r.broken(s, what, document.TroubleAt(s.at, "values: \"security "+name+"\" is "+value+", and the scheme's extension guards: remove one of the two"))
		return true
	default:
		s.kind = kind
	}
	r.Report.Approximate(s.at, what, "taken for "+value+", as values say")
	return true
}

// guards reports whether a scheme has an extension that guards by itself.
func (r *reader) guards(p *tree.Pair) bool {
	if p == nil {
		return false
	}
	n, t := r.Follow(p.Value)
	authtype, isText := n.Get(xAuthtype).Scalar()
	return t != nil || !document.Absent(n.Get(xAuthorizer)) || n.Has(xAuthtype) && (!isText || strings.EqualFold(authtype, "awsSigv4"))
}

// undefined says that the document has no scheme of a name.
func (r *reader) undefined(name string) string {
	hint := ""
	other := r.Root.Way("components", "securitySchemes", name)
	place := "components.securitySchemes"
	if r.Root.Has("swagger") {
		place = "securityDefinitions"
	} else {
		other = r.Root.Way("securityDefinitions", name)
	}
	if other != nil {
		hint = " (line " + strconv.Itoa(other.At.Line) + " has it where this version of OpenAPI does not look)"
	}
	return "security names it, and the document has no such scheme" + hint + ": write it under " + place + ", or say what it stands for by " + remedy(name)
}

// remedy is how to say what a scheme stands for.
func remedy(name string) string {
	return "--value 'security " + name + "=…', or in values: of the definition, with NONE, AWS_IAM, API_KEY or authorizer NAME"
}

func (r *reader) broken(s *scheme, what string, t *document.Trouble) {
	s.kind, s.told = schemeBroken, t
	r.refuse(what, t)
}

// refuseIgnored notes that an operation would be open because of a scheme that API Gateway ignores.
func (r *reader) refuseIgnored(a asked) {
	if a.scheme.told != nil {
		return
	}
	a.scheme.told = document.TroubleAt(a.scheme.at, "it has neither "+xAuthorizer+" nor "+xAuthtype+
		": API Gateway ignores it and leaves its operations open; write the extension, or say what it stands for by "+remedy(a.name))
	r.refuse("security scheme "+fault.Quoted(a.name), a.scheme.told)
}

// classify tells what a scheme stands for.
func (r *reader) classify(s *scheme, name string, n *tree.Node) *document.Trouble {
	authtype := ""
	if !document.Absent(n.Get(xAuthtype)) {
		text, t := r.Text(n.Get(xAuthtype), name)
		if t != nil {
			return t
		}
		authtype = strings.ToLower(text)
	}
	signs := authtype == "awssigv4"
	extension, t := r.Follow(n.Get(xAuthorizer))
	switch {
	case t != nil:
		return t
	case !document.Absent(extension) && signs:
		return document.TroubleAt(s.at, xAuthtype+" says awsSigv4, and there is "+xAuthorizer+": keep one")
	case !document.Absent(extension):
		return r.authorizer(s, authorizer.Source{Document: r.Document, HTTP: r.http, Name: name, At: s.at, Authtype: authtype, Scheme: n, Extension: extension})
	case signs:
		s.kind = schemeIAM
		return nil
	case authtype != "":
		return document.TroubleAt(s.at, "it has "+xAuthtype+" and lacks "+xAuthorizer+", without which API Gateway makes none of its methods: write it, or say what it stands for by "+remedy(name))
	}
	return r.plain(s, n)
}

// authorizer makes an authorizer and writes it to the API.
func (r *reader) authorizer(s *scheme, from authorizer.Source) *document.Trouble {
	made, t := authorizer.Make(from)
	if t != nil {
		return t
	}
	s.kind, s.authorizer, s.scoped, s.says = schemeAuthorizer, r.uniqueName(from.Name, s.at), made.Scoped, made.Says
	r.says |= made.Says
	all := r.api.Get("authorizers")
	if all == nil {
		all = tree.NewMap(made.Node.At)
		r.api.Set("authorizers", all)
	}
	all.Set(s.authorizer, made.Node)
	return nil
}

// plain tells an API key from schemes that API Gateway ignores.
func (r *reader) plain(s *scheme, n *tree.Node) *document.Trouble {
	s.kind = schemeIgnored
	for _, key := range []string{"type", "in", "name"} {
		if t := document.Unknown(n.Get(key)); t != nil {
			return t
		}
	}
	if !isKey(n) {
		return nil
	}
	if r.http {
		return document.TroubleAt(s.at, "an HTTP API has no API keys: write an authorizer, or kind: REST")
	}
	s.kind = schemeKey
	return nil
}

// isKey reports whether a scheme is that of API Gateway's API keys.
func isKey(n *tree.Node) bool {
	kind, _ := n.Get("type").Scalar()
	in, _ := n.Get("in").Scalar()
	name, _ := n.Get("name").Scalar()
	return kind == "apiKey" && in == "header" && strings.EqualFold(name, "x-api-key")
}

var (
	nameShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	unfit     = regexp.MustCompile(`[^A-Za-z0-9._-]`)
)

// uniqueName is the name of an authorizer in portcullis.yaml: that of its scheme where it is fit, else one that no scheme has.
func (r *reader) uniqueName(name string, at tree.Position) string {
	unique := name
	if !nameShape.MatchString(name) {
		const most = 100
		unique = unfit.ReplaceAllString(name, "_")
		unique = unique[:min(len(unique), most)]
		all, _ := r.definitions() // the scheme is one of them
		for base, i := unique, 1; unique == "" || r.names[unique] || all.Has(unique); i++ {
			unique = base + "-" + strconv.Itoa(i)
		}
		r.Report.Pass(at, "authorizer "+unique, "the name "+fault.Quoted(name)+" is written so in portcullis.yaml")
	}
	r.names[unique] = true
	return unique
}
