package sam

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/document"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// api is an API that is being made of one of SAM's.
type api struct {
	*transform
	from tree.Pair
	// p are its properties.
	p    *tree.Node
	body *tree.Node
	// domain is its Domain, with parameters resolved.
	domain *tree.Node
	auth   *tree.Node
}

func (a *api) refuse(at tree.Position, format string, args ...any) {
	a.faults.Add(at, "the API %s: "+format, append([]any{a.from.Key}, args...)...)
}

// document returns the API's document for editing, for a property that needs one; nil with a fault if it has none.
func (a *api) document(property string, http bool) *document.Document {
	n := a.p.Get(property)
	if !value.Truthy(a.body) {
		a.refuse(n.At, "%s works only with a DefinitionBody: write the definition there, or what %s says in the definition itself", property, property)
		return nil
	}
	return a.edit(http, a.body, value.At(a.body))
}

// isMap reports whether a property is a map that has certain keys alone.
func (a *api) isMap(n *tree.Node, what string, keys []string) bool {
	if !n.Is(tree.Map) {
		a.refuse(n.At, "%s must be a map", what)
		return false
	}
	ok := true
	for _, p := range n.Pairs {
		if !slices.Contains(keys, p.Key) {
			a.refuse(p.At, "%s has no key %s: it must be one of %s", what, p.Key, strings.Join(keys, ", "))
			ok = false
		}
	}
	return ok
}

// setBody gives the resource of an API its definition, or where that lies.
func (a *api) setBody(made *tree.Node) {
	uri := a.p.Get("DefinitionUri")
	if !value.Truthy(uri) {
		if value.Truthy(a.body) {
			a.convert()
			value.Put(made, "Body", a.body.At, a.body)
		}
		return
	}
	switch {
	case uri.Is(tree.Text):
		value.Put(made, "BodyS3Location", uri.At, location(uri))
	case uri.Has("paths"):
		value.Put(made, "Body", uri.At, uri)
	case value.Truthy(uri.Get("Bucket")) && value.Truthy(uri.Get("Key")):
		value.Put(made, "BodyS3Location", uri.At, value.Object(uri.At, "Bucket", uri.Get("Bucket"), "Key", uri.Get("Key"), "Version", uri.Get("Version")))
	default:
		a.refuse(uri.At, "DefinitionUri must be a text, or a map with Bucket and Key")
	}
}

// location returns where a definition lies, as CloudFormation has it: the bucket and the key of an S3 URI, or the name of a file, which
// `sam package` would upload.
func location(uri *tree.Node) *tree.Node {
	u, err := url.Parse(uri.Text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Path == "" {
		return uri
	}
	made := value.Object(uri.At, "Bucket", u.Host, "Key", strings.TrimLeft(u.Path, "/"))
	if versions := u.Query()["versionId"]; len(versions) == 1 {
		value.Put(made, "Version", uri.At, tree.NewText(versions[0], uri.At))
	}
	return made
}

// convert writes what SAM has added to a document of OpenAPI 3 in the form of that version: the schemes take the place of those that
// the document has itself.
func (a *api) convert() {
	version := a.p.Get("OpenApiVersion")
	if value.None(version) {
		version = a.body.Get("openapi")
	}
	if !value.None(a.body.Get("swagger")) || !value.Truthy(version) || !document.IsVersion3(version) {
		return
	}
	if own := a.body.Get("components").Get("securitySchemes"); value.Truthy(own) && value.Truthy(a.body.Get("securityDefinitions")) {
		a.report.Enforce(own.At, "securitySchemes of "+a.from.Key, "SAM replaces them by the Authorizers of the API: declare all of them there")
	}
	document.ToVersion3(a.body, a.faults)
}

// alphanumeric reports whether a text is of letters and digits, at least one.
func alphanumeric(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// given returns a value, nil for null.
func given(n *tree.Node) *tree.Node {
	if value.None(n) {
		return nil
	}
	return n
}
