package openapi

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// identitySources are what identifies a caller of a Lambda authorizer.
func (x *extension) identitySources() *trouble {
	if x.kind == "token" {
		source, t := x.oneSource()
		if t != nil {
			return t
		}
		x.made.Set("identitySource", tree.NewList(source.At, source))
		return nil
	}
	n := x.n.Get("identitySource")
	if empty(n) {
		return nil
	}
	all, t := x.sources(n)
	if t == nil && len(all) > 0 {
		x.made.Set("identitySource", list(n.At, all))
	}
	return t
}

// sources are the identity sources of a list, a text, or a text with commas, in the syntax of the API's kind.
func (x *extension) sources(n *tree.Node) ([]string, *trouble) {
	texts, t := x.texts(n, x.what)
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
				return nil, troubleAt(n.At, fault.Quoted(source)+" is not an identity source: write method.request.header.NAME, method.request.querystring.NAME, stageVariables.NAME or context.NAME, "+
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
	case x.http:
		return "$" + name, true
	case strings.HasPrefix(name, "request."):
		return "method." + name, true
	}
	return name, true
}

// oneSource is the identity source of an authorizer that has one: what identitySource says, or the header that the security scheme
// names.
func (x *extension) oneSource() (*tree.Node, *trouble) {
	n := x.n.Get("identitySource")
	if empty(n) {
		return x.schemeSource()
	}
	all, t := x.sources(n)
	switch {
	case t != nil:
		return nil, t
	case len(all) != 1:
		return nil, troubleAt(n.At, "an authorizer of type "+x.kind+" has one identity source: write one")
	case !x.http && !strings.HasPrefix(all[0], "method.request.header."):
		return nil, troubleAt(n.At, "an authorizer of type "+x.kind+" looks at a header: write method.request.header.NAME")
	}
	return tree.NewText(all[0], n.At), nil
}

// schemeSource is the header that a security scheme names, Authorization if it names none.
func (x *extension) schemeSource() (*tree.Node, *trouble) {
	name, at := "Authorization", x.n.At
	if in := x.scheme.Get("in"); !absent(in) {
		text, t := x.text(in, x.what)
		if t != nil {
			return nil, t
		}
		if text != "header" {
			return nil, troubleAt(in.At, "an authorizer of type "+x.kind+" looks at a header: write in: header, or its identitySource")
		}
	}
	if n := x.scheme.Get("name"); !absent(n) {
		text, t := x.text(n, x.what)
		if t != nil {
			return nil, t
		}
		name, at = text, n.At
	}
	source, ok := x.source("method.request.header." + name)
	if !ok {
		return nil, troubleAt(at, "name must be the header that the token stands in")
	}
	return tree.NewText(source, at), nil
}
