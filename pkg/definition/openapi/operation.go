package openapi

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// operation adds the route of an operation. wrong is why its guard cannot be told, whatever the operation says; above is why not if it
// has no security.
func (r *reader) operation(t *route, n *tree.Node, wrong, above *document.Trouble) {
	r.routes = append(r.routes, t)
	what := t.key.String()
	op, broken := r.Follow(n)
	switch {
	case wrong != nil:
	case broken != nil:
		wrong = broken
	case !op.Is(tree.Map):
		wrong = document.Unlike(op, t.at, "an operation must be a map")
	case above != nil && !op.Has("security"):
		wrong = above
	default:
		r.NoteDefaults(op, what)
		wrong = r.extensions(op, what, xAuth, xIntegration)
	}
	if wrong == nil {
		wrong = r.misplaced(op, t)
	}
	if wrong == nil {
		t.guard, wrong = r.guardOf(op, t.at, what)
	}
	switch {
	case wrong != nil:
		r.refuseRoute(t, wrong)
	case t.guard.waits != "":
		t.why = t.guard.waits
		r.waits(t.at, what, t.why)
	default:
		t.op = op
	}
}

func (r *reader) refuseRoute(t *route, wrong *document.Trouble) {
	t.why = wrong.Message
	r.refuse(t.key.String(), wrong)
}

// finish maps the headers of the routes that are built, once all authorizers are known.
func (r *reader) finish() {
	for _, t := range r.routes {
		if t.why != "" {
			continue
		}
		headers, wrong := r.upstreamHeaders(t)
		if wrong != nil {
			r.refuseRoute(t, wrong)
			continue
		}
		t.headers = headers
		if wrong := r.upstreamOf(t); wrong != nil {
			r.refuseRoute(t, wrong)
			continue
		}
		if r.blocked == "" {
			r.noteRoute(t)
		}
	}
}

// misplaced refuses security in another spelling, which guards nothing at API Gateway, and what only the default route of an HTTP API has.
func (r *reader) misplaced(op *tree.Node, t *route) *document.Trouble {
	if t := misspelled(op); t != nil {
		return t
	}
	p := op.Pair("isDefaultRoute")
	if p == nil {
		return nil
	}
	isDefault, ok := p.Value.Truth()
	switch {
	case document.Unknown(p.Value) != nil:
		return document.Unknown(p.Value)
	case !ok:
		return document.TroubleAt(p.At, "isDefaultRoute must be true or false")
	case isDefault && t.key.Resource != "":
		return document.TroubleAt(p.At, "isDefaultRoute makes the route $default of an HTTP API: write it at the path /$default, with kind: HTTP")
	}
	return nil
}

// misspelled says that a map has security in another spelling.
func misspelled(n *tree.Node) *document.Trouble {
	for _, p := range n.Pairs {
		if isSecurity(p.Key) && p.Key != "security" {
			return document.TroubleAt(p.At, "OpenAPI writes "+fault.Quoted(p.Key)+" as security, and API Gateway ignores another spelling: write security")
		}
	}
	return nil
}

// isSecurity reports whether a key is security, in any spelling.
func isSecurity(key string) bool { return strings.EqualFold(strings.TrimSpace(key), "security") }

// noteRoute notes a route that is built.
func (r *reader) noteRoute(t *route) {
	var parts []string
	switch g := t.guard; {
	case g.authorizer != "":
		parts = append(parts, "guarded by the authorizer "+g.name)
	case g.iam:
		parts = append(parts, "guarded by signatures (AWS_IAM)")
	case g.key:
		parts = append(parts, "no authorizer")
	default:
		parts = append(parts, "open")
	}
	if len(t.guard.scopes) > 0 {
		parts = append(parts, "scopes "+strings.Join(t.guard.scopes, ", "))
	}
	if t.guard.key {
		parts = append(parts, "needs an API key")
	}
	r.Report.Enforce(t.at, t.key.String(), strings.Join(parts, "; "))
	if id, ok := t.op.Get("operationId").Scalar(); ok && r.ids[id] {
		r.Report.Pass(t.op.Get("operationId").At, t.key.String(), "the operationId "+fault.Quoted(id)+" is written twice; it does not say who may call")
	} else if ok {
		r.ids[id] = true
	}
	if document.Absent(t.op.Get(xIntegration)) {
		r.Report.Pass(t.at, t.key.String(), "the operation has no "+xIntegration+": API Gateway cannot deploy it, and portcullis serves it all the same")
	}
}
