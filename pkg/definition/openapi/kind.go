package openapi

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// A mark is something in a document that only one kind of API has.
type mark struct {
	what string
	at   tree.Position
}

func (m *mark) String() string { return fmt.Sprintf("%s in line %d", m.what, m.at.Line) }

// marks are the first marks of each kind. Those of rest and http are certain, as API Gateway refuses them in the other kind. The others
// are hints, from the strongest to the weakest: API Gateway documents each for one kind, and imports the other kind with it too.
type marks struct {
	rest, http *mark
	// version is the version of an event, which only HTTP APIs choose. source is an identity source in the way of REST APIs, and export
	// the version of an export, which REST APIs in AWS's own examples have.
	version, source, export *mark
}

// first keeps the first mark.
func first(m **mark, what string, n *tree.Node) {
	if *m == nil && n != nil {
		*m = &mark{what, n.At}
	}
}

func (m *marks) isREST(what string, n *tree.Node) { first(&m.rest, what, n) }

func (m *marks) isHTTP(what string, n *tree.Node) { first(&m.http, what, n) }

// doubt is a hint that what is otherwise a REST API is an HTTP API, nil if there is none.
func (m *marks) doubt() *mark { return cmp.Or(m.version, m.export) }

// decide reports whether the marks leave no doubt about the kind.
func (m *marks) decide(swagger bool) bool {
	if m.rest != nil {
		return m.http == nil && (swagger || m.doubt() == nil)
	}
	return m.http != nil
}

// tellKind decides which kind of API the document is imported as, and writes it to the API.
//
// x-amazon-apigateway-cors tells an HTTP API only where nothing else tells the kind: it is written in documents of REST APIs too, where
// it has no effect.
func (r *reader) tellKind(o *Options) {
	m, isHTTP := r.marks(), o.HTTP
	if isHTTP == nil && !m.decide(r.swagger) {
		isHTTP = o.OpenHTTP
	}
	at, kind := r.Root.Position(), "REST"
	switch {
	case isHTTP != nil:
		r.http = *isHTTP
	case m.rest != nil && m.http != nil:
		at = m.http.at
		r.block("kind", document.TroubleAt(at, fmt.Sprintf("the document has what only REST APIs have (%s) and what only HTTP APIs have (%s): %s", m.rest, m.http, sayKind("REST or HTTP"))))
	case m.rest != nil && (r.swagger || m.doubt() == nil):
		at = m.rest.at
		r.Report.Enforce(at, "kind", "a REST API, by "+m.rest.String())
	case m.rest != nil, m.version == nil && m.source != nil && m.http == nil:
		at = r.doubtful(cmp.Or(m.rest, m.source), m.doubt())
	case m.http != nil, m.doubt() != nil:
		by := cmp.Or(m.http, m.doubt())
		r.http, at = true, by.at
		r.Report.Enforce(at, "kind", "an HTTP API, by "+by.String())
	case !document.Absent(r.Root.Get(xCORS)):
		r.http, at = true, r.Root.Get(xCORS).At
		r.Report.Approximate(at, "kind", "taken for an HTTP API, because only they have "+xCORS+": if it is imported as a REST API, "+sayKind("REST"))
	default:
		r.Report.Approximate(at, "kind", "taken for a REST API, because nothing tells the kind: if it is imported as an HTTP API, "+sayKind("HTTP"))
	}
	if r.http {
		kind = "HTTP"
	}
	r.api.Set("kind", tree.NewText(kind, at))
}

// doubtful notes that the document is taken for one of a REST API, by a mark and against a hint, which may be nil.
func (r *reader) doubtful(by, doubt *mark) tree.Position {
	against := ""
	if doubt != nil {
		against = ", although " + doubt.String() + " is of HTTP APIs"
	}
	r.Report.Approximate(by.at, "kind", "taken for a REST API, by "+by.String()+against+": if it is imported as an HTTP API, "+sayKind("HTTP"))
	return by.at
}

// sayKind says how to give the kind of the API.
func sayKind(kind string) string {
	return "say it by --value 'API kind=…', or by kind: beside the definition, with " + kind
}

// marks looks for what only one kind of API has.
func (r *reader) marks() *marks {
	m := &marks{}
	if r.swagger {
		m.isREST("Swagger 2.0", r.Root.Get("swagger"))
	}
	for _, name := range []string{xPolicy, xKeySource, xResponses, "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"} {
		m.isREST(name, r.Root.Get(name))
	}
	first(&m.export, "x-amazon-apigateway-importexport-version", r.Root.Get("x-amazon-apigateway-importexport-version"))
	all, _ := r.definitions() // the operations that name one say what is wrong
	for _, p := range document.Pairs(all) {
		if scheme, t := r.Follow(p.Value); t == nil {
			r.markScheme(m, scheme)
		}
	}
	for _, p := range document.Pairs(r.Root.Get("paths")) {
		if p.Key == "$default" || p.Key == "/$default" && p.Value.Way(xAny, "isDefaultRoute") != nil {
			m.isHTTP("the path "+p.Key, p.Value)
		}
		for _, op := range document.Pairs(p.Value) {
			if integration, t := r.Follow(op.Value.Get(xIntegration)); t == nil {
				markIntegration(m, integration)
			}
		}
	}
	return m
}

// markScheme looks at a security scheme.
func (r *reader) markScheme(m *marks, scheme *tree.Node) {
	a, t := r.Follow(scheme.Get(xAuthorizer))
	switch {
	case t != nil:
		return
	case a == nil && isKey(scheme):
		m.isREST("an API key", scheme)
	}
	kind, _ := a.Get("type").Scalar()
	switch strings.ToLower(kind) {
	case "token", "cognito_user_pools":
		m.isREST("an authorizer of type "+kind, a.Get("type"))
	case "request":
		first(&m.version, "authorizerPayloadFormatVersion", a.Get("authorizerPayloadFormatVersion"))
	case "jwt":
		m.isREST("issuers", a.Way("jwtConfiguration", "issuers"))
		m.isHTTP("an authorizer of type jwt", a.Way("jwtConfiguration", "audience"))
	}
	source := a.Get("identitySource")
	if source.Is(tree.List) {
		m.isHTTP("a list of identity sources", source)
	} else if text, _ := source.Scalar(); strings.HasPrefix(text, "$request.") {
		m.isHTTP("the identity source "+text, source)
	} else if strings.HasPrefix(text, "method.request.") {
		first(&m.source, "the identity source "+text, source)
	}
}

// markIntegration looks at an operation's integration. REST APIs alone have integrations that are not proxies; HTTP APIs alone use the
// version of their events.
func markIntegration(m *marks, integration *tree.Node) {
	kind, _ := integration.Get("type").Scalar()
	switch strings.ToLower(kind) {
	case "mock", "http", "aws":
		m.isREST("an integration of type "+kind, integration.Get("type"))
	}
	first(&m.version, "payloadFormatVersion", integration.Get("payloadFormatVersion"))
	m.isHTTP("integrationSubtype", integration.Get("integrationSubtype"))
}
