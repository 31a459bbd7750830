package openapi

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/openapi/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

// route is a route of the API.
type route struct {
	at    tree.Position
	key   routing.Key
	guard guard
	// op is the operation of a route whose guard is built.
	op *tree.Node
	// headers are upstream headers, by name.
	headers *tree.Node
	// upstream is the name of the upstream, nil if there is none.
	upstream *tree.Node
	// why is why every request for the route is refused. It is empty for a route whose guard is built.
	why string
}

// node is the route in the terms of portcullis.yaml.
func (t *route) node() *tree.Node {
	n := tree.NewMap(t.at).Set("route", tree.NewText(t.key.String(), t.at))
	if t.why != "" {
		return n.Set("unresolved", tree.NewText(t.why, t.at))
	}
	switch {
	case t.guard.authorizer != "":
		n.Set("authorizer", tree.NewText(t.guard.authorizer, t.guard.at))
		if len(t.guard.scopes) > 0 {
			n.Set("scopes", document.List(t.guard.at, t.guard.scopes))
		}
	case t.guard.iam:
		n.Set("authorization", tree.NewText("AWS_IAM", t.guard.at))
	default:
		n.Set("authorization", tree.NewText("NONE", t.at))
	}
	if t.guard.key {
		n.Set("apiKeyRequired", tree.NewBool(true, t.guard.at))
	}
	return n.Set("upstreamHeaders", t.headers).Set("upstream", t.upstream)
}

// paths reads the paths of the document, and checks that a routing table can have the routes.
func (r *reader) paths(p *tree.Pair) {
	paths, t := r.Follow(p.Value)
	if t == nil && !paths.Is(tree.Map) {
		t = document.Unlike(paths, p.Value.Position(), "paths must be a map of paths")
	}
	if t != nil {
		r.refuse("paths", t)
		r.everything(p.At, "the paths are not known: "+t.Message)
		return
	}
	for _, item := range paths.Pairs {
		if !strings.HasPrefix(strings.ToLower(item.Key), "x-") {
			r.path(item)
		}
	}
	r.checkKeys()
	r.finish()
}

// everything adds the routes that take every request, and refuse it.
func (r *reader) everything(at tree.Position, why string) {
	keys := []routing.Key{{Method: routing.Any, Resource: "/"}, {Method: routing.Any, Resource: "/{proxy+}"}}
	if r.http {
		keys = []routing.Key{{Method: routing.Default}}
	}
	for _, key := range keys {
		r.routes = append(r.routes, &route{at: at, key: key, why: why})
	}
}

// checkKeys blocks the API where a routing table cannot have one of its routes.
func (r *reader) checkKeys() {
	table := routing.Table[route]{HTTP: r.http}
	r.routes = slices.DeleteFunc(r.routes, func(t *route) bool {
		err := table.Add(t.key, t)
		if err != nil {
			r.block(t.key.String(), document.TroubleAt(t.at, "no route can have this path beside the others: "+err.Error()))
		}
		return err != nil
	})
}

// path reads a path item.
func (r *reader) path(p tree.Pair) {
	p.Key = r.Fill(p.Key)
	if t := document.NotFilled(p.Key, p.At); t != nil {
		r.block("the path "+fault.Quoted(p.Key), t)
		return
	}
	resource, why := r.resource(p)
	item, t := r.item(p.Value)
	if t != nil {
		r.unknownPath(p.At, resource, t)
		return
	}
	r.NoteDefaults(p.Value, p.Key)
	above := r.abovePath(item)
	for _, op := range item.Pairs {
		key, wrong := r.key(op, resource)
		if key.Method != "" {
			r.operation(&route{at: op.At, key: key}, op.Value, cmp.Or(wrong, why), above)
		}
	}
}

// unknownPath adds the route of a path whose operations are not known: it takes every request for the path.
func (r *reader) unknownPath(at tree.Position, resource string, why *document.Trouble) {
	t := &route{at: at, key: routing.Key{Method: routing.Any, Resource: resource}, why: "the operations of the path are not known: " + why.Message}
	if r.http && (resource == "$default" || resource == "/$default") {
		t.key = routing.Key{Method: routing.Default}
	}
	r.refuse(t.key.String(), document.TroubleAt(why.At, t.why))
	r.routes = append(r.routes, t)
}

// resource is the resource path that a path stands for. The slash at its beginning may be missing on a REST API, and one at its end does
// not count: API Gateway makes resources of the parts. On an HTTP API it makes another route, which cannot be told from this one here.
func (r *reader) resource(p tree.Pair) (resource string, wrong *document.Trouble) {
	if r.http && p.Key == "$default" {
		return p.Key, nil
	}
	resource = "/" + strings.TrimPrefix(p.Key, "/")
	if len(resource) > 1 && !strings.HasSuffix(resource, "//") {
		resource = strings.TrimSuffix(resource, "/")
	}
	switch {
	case resource == p.Key:
	case r.http:
		return resource, document.TroubleAt(p.At, "a path of an HTTP API begins with a slash and does not end in one: write "+fault.Quoted(resource))
	default:
		r.Report.Approximate(p.At, p.Key, "taken for "+resource+": the slashes at the ends of a path do not count on a REST API")
	}
	return resource, nil
}

// item is a path item, with what its $ref leads to. An operation that both have is not known.
func (r *reader) item(n *tree.Node) (*tree.Node, *document.Trouble) {
	target, t := r.FollowItem(n)
	switch {
	case t != nil:
		return nil, t
	case !target.Is(tree.Map):
		return nil, document.Unlike(target, n.Position(), "a path must be a map of operations")
	case target == n:
		return n, nil
	}
	all := tree.NewMap(n.At)
	all.Pairs = slices.Clone(target.Pairs)
	for _, p := range n.Pairs {
		switch {
		case p.Key == "$ref":
		case all.Has(p.Key):
			return nil, document.TroubleAt(p.At, fault.Quoted(p.Key)+" stands here and in what $ref leads to: keep one")
		default:
			all.Pairs = append(all.Pairs, p)
		}
	}
	return all, nil
}

// abovePath is why operations of a path that have no security of their own cannot be told: the path has something that may guard, and
// OpenAPI has no such thing there.
func (r *reader) abovePath(item *tree.Node) *document.Trouble {
	for _, p := range item.Pairs {
		if isSecurity(p.Key) {
			return document.TroubleAt(p.At, "OpenAPI has no security of a path: write it at each operation")
		}
	}
	if p := item.Pair(xAuth); p != nil {
		return document.TroubleAt(p.At, xAuth+" belongs to an operation: write it at each of them")
	}
	return r.extensions(item, "path", xAny, xAuth)
}

// methods are the keys of a path item that are operations.
var methods = []string{"delete", "get", "head", "options", "patch", "post", "put"}

// key is the route key of an operation; without a method for an invalid key. The second result says why it is not known.
func (r *reader) key(op tree.Pair, resource string) (routing.Key, *document.Trouble) {
	name := strings.ToLower(strings.TrimSpace(op.Key))
	key := routing.Key{Resource: resource}
	switch {
	case name == xAny:
		key = r.anyKey(op, resource)
	case name == "any":
		key.Method = routing.Any
		return key, document.TroubleAt(op.At, "API Gateway has no operation "+fault.Quoted(op.Key)+": write "+xAny)
	case slices.Contains(methods, name):
		key.Method = strings.ToUpper(name)
	case name == "trace":
		r.Report.Pass(op.At, "TRACE "+resource, "API Gateway has no method TRACE, and makes no route of it")
	}
	if key.Method != "" && name != op.Key {
		return key, document.TroubleAt(op.At, "OpenAPI writes "+fault.Quoted(op.Key)+" as "+name+", and API Gateway makes no route of another spelling: write "+name)
	}
	return key, nil
}

// anyKey is the route key of an operation for any method. On an HTTP API it may be that of the default route.
func (r *reader) anyKey(op tree.Pair, resource string) routing.Key {
	value, _ := r.Follow(op.Value) // operation says what is wrong with it
	isDefault, _ := value.Get("isDefaultRoute").Truth()
	if r.http && (resource == "$default" || resource == "/$default" && isDefault) {
		return routing.Key{Method: routing.Default}
	}
	return routing.Key{Method: routing.Any, Resource: resource}
}
