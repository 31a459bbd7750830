package openapi

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// upstreamHeaders are the headers in which an operation's integration is told who calls: context.authorizer and context.identity. Other
// mappings say nothing of the caller.
func (r *reader) upstreamHeaders(t *route) (*tree.Node, *document.Trouble) {
	what := t.key.String()
	integration, wrong := r.Follow(t.op.Get(xIntegration))
	if wrong != nil {
		r.Report.Pass(wrong.At, what, "the integration is not known: "+wrong.Message)
		return nil, nil
	}
	parameters := integration.Get("requestParameters")
	if wrong := document.Unknown(parameters); wrong != nil {
		return nil, wrong
	}
	var headers *tree.Node
	for _, p := range document.Pairs(parameters) {
		name, isHeader := header(p.Key)
		if !isHeader {
			r.elsewhere(p, what)
			continue
		}
		value, wrong := r.caller(p, what)
		if wrong != nil {
			return nil, wrong
		}
		if value == "" {
			continue
		}
		if headers == nil {
			headers = tree.NewMap(parameters.At)
		}
		if value, wrong = r.said(t, value, p.At); wrong != nil {
			return nil, wrong
		}
		headers.Set(name, tree.NewText(value, p.Value.At))
		r.Report.Enforce(p.At, what, "the header "+name+" carries "+value+" upstream")
	}
	return headers, nil
}

// elsewhere notes what is known of the caller and goes upstream in another place than a header.
func (r *reader) elsewhere(p tree.Pair, what string) {
	if text, _ := p.Value.Scalar(); ofCaller.MatchString(text) {
		r.Report.Approximate(p.At, what, "what is known of the caller goes upstream in "+fault.Quoted(p.Key)+", which is no header: portcullis does not set it, and a client may send it")
	}
}

// header is the header that a mapping sets: integration.request.header.X on a REST API, append:header.X and overwrite:header.X on an HTTP
// API.
func header(key string) (name string, ok bool) {
	for _, before := range []string{"integration.request.header.", "overwrite:header.", "append:header."} {
		if name, ok := strings.CutPrefix(key, before); ok && name != "" {
			return name, true
		}
	}
	return "", false
}

var (
	// oneVariable matches a value that is one such variable.
	oneVariable = regexp.MustCompile(`^\$?(context\.(?:authorizer|identity)\.[^ ,${}]+)$`)
	// ofCaller matches one in a text, as HTTP APIs have it.
	ofCaller = regexp.MustCompile(`context\.(?:authorizer|identity)\b`)
)

// caller is the variable that a mapping carries upstream, empty for one that says nothing of the caller.
func (r *reader) caller(p tree.Pair, what string) (string, *document.Trouble) {
	if t := document.Unknown(p.Value); t != nil {
		r.Report.Approximate(p.At, what, "the mapping "+fault.Quoted(p.Key)+" is left out: "+t.Message)
		return "", nil
	}
	text, _ := p.Value.Scalar()
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "${"); ok && strings.Count(text, "}") == 1 {
		text = strings.TrimSuffix(inner, "}")
	}
	if m := oneVariable.FindStringSubmatch(text); m != nil {
		return "$" + m[1], nil
	}
	if ofCaller.MatchString(text) && !strings.HasPrefix(text, "'") {
		return "", document.TroubleAt(p.At, fault.Quoted(p.Key)+" carries what is known of the caller within a text, and a header carries a variable alone: map the variable alone")
	}
	return "", nil
}

// said returns the variable that a header carries. Where the route's guard does not say what a mapping asks for, the header is empty at API
// Gateway. Here it is one that the route never has, for then a client's own header of the name is removed.
func (r *reader) said(t *route, variable string, at tree.Position) (string, *document.Trouble) {
	name, ofAuthorizer := strings.CutPrefix(variable, "$context.authorizer.")
	if !ofAuthorizer || name == "principalId" {
		return variable, nil
	}
	asks := authorizer.Context
	if strings.HasPrefix(name, "claims.") || strings.HasPrefix(name, "claims['") {
		asks = authorizer.Claims
	}
	switch {
	case t.guard.says&asks != 0:
		return variable, nil
	case r.says&asks != 0:
		r.Report.Approximate(at, t.key.String(), "the operation's authorizer does not say "+variable+": the header is removed")
		return variable, nil
	case t.guard.authorizer == "":
		r.Report.Approximate(at, t.key.String(), "the operation has no authorizer that says "+variable+": the header is removed")
		return "$context.authorizer.principalId", nil
	}
	return "", document.TroubleAt(at, variable+" is not what the operation's authorizer says: remove the mapping, or guard the operation with an authorizer that says it")
}
