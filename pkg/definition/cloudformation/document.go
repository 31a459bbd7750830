package cloudformation

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/definition/template"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// document makes the OpenAPI document that the API's resources amount to.
func (a *reader) document() *tree.Node {
	d := a.body()
	if a.http {
		a.httpDocument(d)
	} else {
		a.restDocument(d)
	}
	return d.root
}

// body begins the document with the API's Body, or with nothing.
func (a *reader) body() *document {
	body := a.property("Body")
	for _, name := range []string{"BodyS3Location", "CloneFrom"} {
		if given := a.property(name); given != nil && body == nil {
			a.fault(given.At, "%s is not in the template: what it holds is not known; %s", name, a.bring(name, given))
		}
	}
	switch {
	case body == nil:
		return newDocument(a.api.At, a.http)
	case body.Is(tree.Map):
		return &document{root: clone(body), at: a.api.At, added: map[string]bool{}}
	case body.Is(tree.Unresolved):
		a.fault(body.At, "the Body is not known: %s", body.Unknown.Message)
	default:
		a.fault(body.At, "the Body must be an OpenAPI document")
	}
	return newDocument(a.api.At, a.http)
}

// bring says how to bring a document that lies elsewhere.
func (a *reader) bring(property string, n *tree.Node) string {
	if property != "BodyS3Location" {
		return "give the API a Body, or name the OpenAPI file as the definition"
	}
	what := template.BodyKey(a.id)
	bucket, known := n.Get("Bucket").Scalar()
	if key, ok := n.Get("Key").Scalar(); ok && known {
		what = "s3://" + bucket + "/" + key
	}
	return "copy it beside the template, and give the name of the copy by --value '" + what + "=FILE', or in values: of the definition"
}

// document is an OpenAPI document that is being made. What it holds of a Body is cloned where it is changed.
type document struct {
	root *tree.Node
	at   tree.Position
	// added are the security schemes of resources.
	added map[string]bool
}

func newDocument(at tree.Position, http bool) *document {
	root := tree.NewMap(at)
	if http {
		root.Set("openapi", tree.NewText("3.0.1", at))
	} else {
		root.Set("swagger", tree.NewText("2.0", at))
	}
	return &document{root.Set("paths", tree.NewMap(at)), at, map[string]bool{}}
}

// clone copies a map, but not its values.
func clone(n *tree.Node) *tree.Node {
	made := *n
	made.Pairs = slices.Clone(n.Pairs)
	return &made
}

// within returns the map that keys lead to, for a change. It is nil if something else stands there.
func (d *document) within(keys ...string) *tree.Node {
	n := d.root
	for _, key := range keys {
		inner := n.Get(key)
		switch {
		case inner == nil:
			inner = tree.NewMap(d.at)
		case inner.Is(tree.Map):
			inner = clone(inner)
		default:
			return nil
		}
		n.Set(key, inner)
		n = inner
	}
	return n
}

// scheme adds the security scheme of a resource. If the Body has one of its name, nobody can tell which an operation means.
func (d *document) scheme(name string, scheme *tree.Node) {
	at := []string{"components", "securitySchemes"}
	if d.root.Has("swagger") {
		at = []string{"securityDefinitions"}
	}
	schemes := d.within(at...)
	if schemes == nil {
		return
	}
	if schemes.Has(name) && !d.added[name] {
		scheme = unknown(scheme.At, "the Body has a security scheme %s, and the template has a resource of this name: give the resource another logical id", name)
	}
	d.added[name] = true
	schemes.Set(name, scheme)
}

// operation adds an operation. If there is one already, of the Body or of another resource, nobody can tell which counts, and the guard
// is unknown.
func (d *document) operation(path, method string, operation *tree.Node) {
	if item := d.root.Way("paths", path); item.Has(method) || item.Has("$ref") {
		operation = clone(operation).Set("security", unknown(operation.At, "%s %s stands in the template twice: remove one", methodOf(method), path))
	}
	if item := d.within("paths", path); item != nil {
		item.Set(method, operation)
	}
}

// anyMethod is the key of a path item that stands for all methods.
const anyMethod = "x-amazon-apigateway-any-method"

// httpMethods are the methods that API Gateway has.
var httpMethods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

func isMethod(method string) bool { return slices.Contains(httpMethods, strings.ToUpper(method)) }

// methodKey returns the key of a path item for a method.
func methodKey(method string) string {
	if strings.EqualFold(method, "ANY") {
		return anyMethod
	}
	return strings.ToLower(method)
}

// methodOf returns the method that a key of a path item stands for.
func methodOf(key string) string {
	if key == anyMethod {
		return "ANY"
	}
	return strings.ToUpper(key)
}

// lowered returns a value with each key in OpenAPI's spelling, as in requestParameters for RequestParameters. Maps whose keys are
// data keep them: those below the names given.
func lowered(n *tree.Node, data ...string) *tree.Node {
	switch {
	case n.Is(tree.List):
		made := tree.NewList(n.At)
		for _, item := range n.Items {
			made.Items = append(made.Items, lowered(item, data...))
		}
		return made
	case !n.Is(tree.Map):
		return n
	}
	made := tree.NewMap(n.At)
	for _, p := range n.Pairs {
		value := p.Value
		if !slices.Contains(data, p.Key) {
			value = lowered(value, data...)
		}
		made.Pairs = append(made.Pairs, tree.Pair{Key: lower(p.Key), At: p.At, Value: value})
	}
	return made
}

// lower returns a key with its first letter in lower case.
func lower(key string) string {
	first, size := utf8.DecodeRuneInString(key)
	return string(unicode.ToLower(first)) + key[size:]
}
