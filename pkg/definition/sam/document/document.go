// Package document edits OpenAPI documents as AWS's SAM translator does: it adds the operations of events, their authorizers, API keys
// and CORS preflights, and the statements of resource policies.
//
// Document in document.go has what REST and HTTP APIs share; rest.go, security.go and policy.go are for REST APIs, http.go for HTTP
// APIs; authorizer.go makes security schemes.
//
// Decisions (2026-11-28): the quirks of the translator are kept, since they decide who may call. So an operation without an
// integration gets no default authorizer, and a security that only says NONE stays as it is.
package document

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const (
	integration = "x-amazon-apigateway-integration"
	anyMethod   = "x-amazon-apigateway-any-method"
)

var version3 = regexp.MustCompile(`^3(\.\d)(\.\d)?$`)

// Document is an OpenAPI document that is being edited, in place.
type Document struct {
	root   *tree.Node
	faults *value.Faults
}

// IsVersion3 reports whether a value is a version of OpenAPI 3.
func IsVersion3(n *tree.Node) bool {
	text, ok := n.Scalar()
	return ok && version3.MatchString(text)
}

// ValidREST reports whether the translator takes a value for the document of a REST API.
func ValidREST(n *tree.Node) bool {
	if !n.Is(tree.Map) || !n.Get("paths").Is(tree.Map) {
		return false
	}
	return value.Truthy(n.Get("swagger")) || value.Truthy(n.Get("openapi")) && IsVersion3(n.Get("openapi"))
}

// ValidHTTP reports whether the translator takes a value for the document of an HTTP API.
func ValidHTTP(n *tree.Node) bool {
	return n.Is(tree.Map) && n.Get("paths").Is(tree.Map) && value.Truthy(n.Get("openapi")) && IsVersion3(n.Get("openapi"))
}

// REST returns the document of a REST API for editing, nil with a fault if it is not one.
func REST(root *tree.Node, at tree.Position, faults *value.Faults) *Document {
	if !ValidREST(root) {
		faults.Add(at, "DefinitionBody is not an OpenAPI document: it must have paths, and swagger 2.0 or openapi 3.x")
		return nil
	}
	d := &Document{root, faults}
	for _, p := range d.paths().Pairs {
		d.items(p.Key)
	}
	return d
}

// HTTP returns the document of an HTTP API for editing, nil with a fault if it is not one.
func HTTP(root *tree.Node, at tree.Position, faults *value.Faults) *Document {
	if !ValidHTTP(root) {
		faults.Add(at, "DefinitionBody is not an OpenAPI document: it must have paths and openapi 3.x")
		return nil
	}
	if n := root.Get("components"); !value.None(n) && !n.Is(tree.Map) {
		faults.Add(n.At, "components of DefinitionBody must be a map")
		return nil
	}
	return &Document{root, faults}
}

func (d *Document) paths() *tree.Node { return d.root.Get("paths") }

// Paths returns the paths of the document.
func (d *Document) Paths() []string { return value.Names(d.paths()) }

// items returns what a path may have: its item, or those of its Fn::If. One that is not a map is a fault.
func (d *Document) items(path string) []*tree.Node {
	return d.maps(d.paths().Get(path), d.position(path), "the path "+path)
}

// maps returns the maps that a value may be. At is where it would stand if it is missing.
func (d *Document) maps(n *tree.Node, at tree.Position, what string) []*tree.Node {
	var maps []*tree.Node
	for _, branch := range value.Branches(n, d.faults) {
		if !branch.Is(tree.Map) {
			if branch != nil {
				at = branch.At
			}
			d.faults.Add(at, "%s must be a map in the OpenAPI document: write it there, or remove what refers to it", what)
			continue
		}
		maps = append(maps, branch)
	}
	return maps
}

// position returns where a path stands, or the paths if it is missing.
func (d *Document) position(path string) tree.Position {
	if p := d.paths().Pair(path); p != nil {
		return p.At
	}
	return d.paths().At
}

// Normalized returns the name of a method as a path item has it.
func Normalized(method string) string {
	method = strings.ToLower(method)
	if method == "any" {
		return anyMethod
	}
	return method
}

// hasIntegration reports whether an operation integrates with something. The translator leaves those that do not alone.
func hasIntegration(operation *tree.Node) bool { return value.Truthy(operation.Get(integration)) }

// Integrated reports whether a method of a path has an integration, in each branch of the path.
func (d *Document) Integrated(path, method string) bool {
	method = Normalized(method)
	if !d.paths().Has(path) {
		return false
	}
	for _, item := range value.Branches(d.paths().Get(path), d.faults) {
		operation := item.Get(method)
		if !operation.Is(tree.Map) || !d.anyIntegrated(operation, path, method) {
			return false
		}
	}
	return true
}

func (d *Document) anyIntegrated(operation *tree.Node, path, method string) bool {
	for _, branch := range d.maps(operation, operation.At, "the method "+method+" of the path "+path) {
		if hasIntegration(branch) {
			return true
		}
	}
	return false
}

// Place is where an event's path and method stand.
type Place struct {
	Path, Method     string
	PathAt, MethodAt tree.Position
}

// Add adds a path and method without content, unless they are there.
func (d *Document) Add(p Place) {
	if !d.paths().Has(p.Path) {
		value.Put(d.paths(), p.Path, p.PathAt, tree.NewMap(p.PathAt))
	}
	if !d.paths().Get(p.Path).Is(tree.Map) {
		d.items(p.Path)
		return
	}
	method := Normalized(p.Method)
	for _, item := range d.items(p.Path) {
		if !item.Has(method) {
			value.Put(item, method, p.MethodAt, tree.NewMap(p.MethodAt))
		}
	}
}

// MakeConditional makes a path depend on a condition.
func (d *Document) MakeConditional(path, condition string) {
	item := d.paths().Get(path)
	value.Put(d.paths(), path, item.At, value.If(condition, item, item.At))
}

// integrate gives a method of a path an integration: make fills in the operation. If there is a condition, the method depends on it.
func (d *Document) integrate(p Place, condition string, fill func(operation *tree.Node)) {
	d.Add(p)
	method := Normalized(p.Method)
	for _, item := range d.items(p.Path) {
		operation := item.Get(method)
		if value.None(operation) {
			operation = tree.NewMap(p.MethodAt)
		}
		if !operation.Is(tree.Map) {
			d.faults.Add(operation.At, "the method %s of the path %s must be a map in the OpenAPI document", method, p.Path)
			continue
		}
		fill(operation)
		if condition != "" {
			operation = value.If(condition, operation, p.MethodAt)
		}
		value.Put(item, method, p.MethodAt, operation)
	}
}

// operations returns what a method of a path may be, where it has an integration.
func (d *Document) operations(path, method string) []*tree.Node {
	var all []*tree.Node
	for _, item := range d.items(path) {
		for _, operation := range d.maps(item.Get(Normalized(method)), d.position(path), "the method "+method+" of the path "+path) {
			if hasIntegration(operation) {
				all = append(all, operation)
			}
		}
	}
	return all
}

// security returns the requirements of an operation. One that is not a list is a fault.
func (d *Document) security(operation *tree.Node, path, method string) []*tree.Node {
	security := operation.Get("security")
	if security == nil {
		return nil
	}
	if !security.Is(tree.List) {
		d.faults.Add(security.At, "security of the method %s of the path %s must be a list", method, path)
		return nil
	}
	return security.Items
}

// child returns the value of a key of a map, which becomes an empty map if it is none yet.
func child(n *tree.Node, key string, at tree.Position) *tree.Node {
	if !value.Truthy(n.Get(key)) {
		value.Put(n, key, at, tree.NewMap(at))
	}
	return n.Get(key)
}

// setSecurity gives an operation its requirements, which stand at at unless the operation has some.
func setSecurity(operation *tree.Node, requirements []*tree.Node, at tree.Position) {
	if had := operation.Get("security"); had != nil {
		at = had.At
	}
	value.Put(operation, "security", at, tree.NewList(at, requirements...))
}

// requirement is an entry of security: a scheme and the scopes that it asks for.
func requirement(scheme string, scopes *tree.Node, at tree.Position) *tree.Node {
	if scopes == nil {
		scopes = tree.NewList(at)
	}
	return value.Object(at, scheme, scopes)
}

// SetTimeout gives a method of a path the timeout of its integration.
func (d *Document) SetTimeout(path, method string, timeout *tree.Node) {
	for _, operation := range d.operations(path, method) {
		if n := operation.Get(integration); n.Is(tree.Map) {
			value.Put(n, "timeoutInMillis", timeout.At, timeout)
		}
	}
}
