package authorizer

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// identitySources are the identity sources of a Lambda authorizer.
func (x *extension) identitySources() *document.Trouble {
	if x.kind == "token" {
		source, t := x.oneSource()
		if t != nil {
			return t
		}
		x.made.Set("identitySource", tree.NewList(source.At, source))
		return nil
	}
	n := x.n.Get("identitySource")
	if document.Empty(n) {
		return nil
	}
	all, t := x.sources(n)
	if t == nil && len(all) > 0 {
		x.made.Set("identitySource", document.List(n.At, all))
	}
	return t
}

// sources are the identity sources of a list, a text, or a text with commas, in the syntax of the API's kind.
func (x *extension) sources(n *tree.Node) ([]string, *document.Trouble) {
	texts, t := x.Texts(n, x.what)
	if t != nil {
		return nil, t
	}
	var all []string
	for _, text := range texts {
		for source := range strings.SplitSeq(text, ",") {
			if source = strings.TrimSpace(source); source == "" {
				continue
			}
			source, ok := x.source(source)
			if !ok {
				return nil, document.TroubleAt(n.At, fault.Quoted(source)+" is not an identity source: write method.request.header.NAME, method.request.querystring.NAME, stageVariables.NAME or context.NAME, "+
					"on an HTTP API $request.header.NAME and so on")
			}
			if !slices.Contains(all, source) {
				all = append(all, source)
			}
		}
	}
	return all, nil
}

// source is an identity source in the syntax of the API's kind: method.request.header.X on a REST API, $request.header.X on an HTTP API.
// Documents have either on both, where an API has moved from one kind to the other.
func (x *extension) source(text string) (string, bool) {
	name := strings.TrimPrefix(text, "$")
	for _, before := range []string{"method.", "route."} {
		if rest, ok := strings.CutPrefix(name, before); ok && strings.HasPrefix(rest, "request.") {
			name = rest
		}
	}
	known := false
	for _, kind := range []string{"request.header.", "request.querystring.", "stageVariables.", "context."} {
		rest, ok := strings.CutPrefix(name, kind)
		known = known || ok && rest != ""
	}
	switch {
	case !known:
		return text, false
	case x.HTTP:
		return "$" + name, true
	case strings.HasPrefix(name, "request."):
		return "method." + name, true
	}
	return name, true
}

// oneSource is the identity source of an authorizer that has one: what identitySource says, or the header that the security scheme
// names.
func (x *extension) oneSource() (*tree.Node, *document.Trouble) {
	n := x.n.Get("identitySource")
	if document.Empty(n) {
		return x.schemeSource()
	}
	all, t := x.sources(n)
	switch {
	case t != nil:
		return nil, t
	case len(all) != 1:
		return nil, document.TroubleAt(n.At, "an authorizer of type "+x.kind+" has one identity source: write one")
	case !x.HTTP && !strings.HasPrefix(all[0], "method.request.header."):
		return nil, document.TroubleAt(n.At, "an authorizer of type "+x.kind+" looks at a header: write method.request.header.NAME")
	}
	return tree.NewText(all[0], n.At), nil
}

// schemeSource is the header that a security scheme names, Authorization if it names none.
func (x *extension) schemeSource() (*tree.Node, *document.Trouble) {
	name, at := "Authorization", x.n.At
	if in := x.Scheme.Get("in"); !document.Absent(in) {
		text, t := x.Text(in, x.what)
		if t != nil {
			return nil, t
		}
		if text != "header" {
			return nil, document.TroubleAt(in.At, "an authorizer of type "+x.kind+" looks at a header: write in: header, or its identitySource")
		}
	}
	if n := x.Scheme.Get("name"); !document.Absent(n) {
		text, t := x.Text(n, x.what)
		if t != nil {
			return nil, t
		}
		name, at = text, n.At
	}
	source, ok := x.source("method.request.header." + name)
	if !ok {
		return nil, document.TroubleAt(at, "name must be the header that the token stands in")
	}
	return tree.NewText(source, at), nil
}
