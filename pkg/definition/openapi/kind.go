package openapi

import (
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

// marks are the first marks of each kind.
type marks struct{ rest, http *mark }

func (m *marks) isREST(what string, n *tree.Node) {
	if m.rest == nil && n != nil {
		m.rest = &mark{what, n.At}
	}
}

func (m *marks) isHTTP(what string, n *tree.Node) {
	if m.http == nil && n != nil {
		m.http = &mark{what, n.At}
	}
}

// tellKind decides which kind of API the document is imported as, and writes it to the API. A reader who says it decides.
//
// x-amazon-apigateway-cors tells an HTTP API only where nothing else tells the kind: it is written in documents of REST APIs too, where
// it has no effect.
func (r *reader) tellKind(swagger bool, isHTTP *bool) {
	m := r.marks(swagger)
	at, kind := r.Root.Position(), "REST"
	switch {
	case isHTTP != nil:
		r.http, r.sure = *isHTTP, true
	case m.rest != nil && m.http != nil:
		at = m.http.at
		r.block("kind", document.TroubleAt(at, fmt.Sprintf("the document has what only REST APIs have (%s) and what only HTTP APIs have (%s): write kind: REST or kind: HTTP", m.rest, m.http)))
	case m.rest != nil:
		r.sure, at = true, m.rest.at
		r.Report.Enforce(at, "kind", "a REST API, by "+m.rest.String())
	case m.http != nil:
		r.http, r.sure, at = true, true, m.http.at
		r.Report.Enforce(at, "kind", "an HTTP API, by "+m.http.String())
	case !document.Absent(r.Root.Get(xCORS)):
		r.http, at = true, r.Root.Get(xCORS).At
		r.Report.Approximate(at, "kind", "taken for an HTTP API, because only they have "+xCORS+": write kind: REST if it is imported as one")
	default:
		r.Report.Approximate(at, "kind", "taken for a REST API, because nothing tells the kind: write kind: HTTP if it is imported as an HTTP API")
	}
	if r.http {
		kind = "HTTP"
	}
	r.api.Set("kind", tree.NewText(kind, at))
}

// marks looks for what only one kind of API has.
func (r *reader) marks(swagger bool) *marks {
	m := &marks{}
	if swagger {
		m.isREST("Swagger 2.0", r.Root.Get("swagger"))
	}
	for _, name := range []string{xPolicy, xKeySource, xResponses, "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"} {
		m.isREST(name, r.Root.Get(name))
	}
	m.isHTTP("x-amazon-apigateway-importexport-version", r.Root.Get("x-amazon-apigateway-importexport-version"))
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
		m.isHTTP("authorizerPayloadFormatVersion", a.Get("authorizerPayloadFormatVersion"))
	case "jwt":
		m.isREST("issuers", a.Way("jwtConfiguration", "issuers"))
		m.isHTTP("an authorizer of type jwt", a.Way("jwtConfiguration", "audience"))
	}
	source := a.Get("identitySource")
	if source.Is(tree.List) {
		m.isHTTP("a list of identity sources", source)
	} else if text, _ := source.Scalar(); strings.HasPrefix(text, "$request.") {
		m.isHTTP("the identity source "+text, source)
	}
}

// markIntegration looks at an operation's integration. REST APIs alone have integrations that are not proxies; HTTP APIs alone name the
// version of their events.
func markIntegration(m *marks, integration *tree.Node) {
	kind, _ := integration.Get("type").Scalar()
	switch strings.ToLower(kind) {
	case "mock", "http", "aws":
		m.isREST("an integration of type "+kind, integration.Get("type"))
	}
	m.isHTTP("payloadFormatVersion", integration.Get("payloadFormatVersion"))
	m.isHTTP("integrationSubtype", integration.Get("integrationSubtype"))
}
