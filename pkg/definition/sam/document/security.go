package document

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const definitions = "securityDefinitions"

// notMethods are the keys of a path item that the translator does not take for methods.
var notMethods = []string{"summary", "description", "parameters"}

// forEachOperation calls f for each operation of a path, with the normalized name of its method. The translator leaves operations without
// an integration alone.
func (d *Document) forEachOperation(path string, f func(method string, operation *tree.Node, integrated bool)) {
	for _, item := range d.items(path) {
		for _, p := range item.Pairs {
			if slices.Contains(notMethods, p.Key) {
				continue
			}
			for _, operation := range d.maps(p.Value, p.At, "the method "+p.Key+" of the path "+path) {
				f(Normalized(p.Key), operation, hasIntegration(operation))
			}
		}
	}
}

// schemes returns the map of the document's security schemes, which is made if need be; nil with a fault if it is not one.
func (d *Document) schemes(at tree.Position) *tree.Node {
	schemes := child(d.root, definitions, at)
	if !schemes.Is(tree.Map) {
		d.faults.Add(schemes.At, "%s of DefinitionBody must be a map", definitions)
		return nil
	}
	return schemes
}

// AddSchemes adds the security schemes of authorizers, in place of those of the same name.
func (d *Document) AddSchemes(authorizers []Authorizer) {
	for _, a := range authorizers {
		if schemes := d.schemes(a.At); schemes != nil {
			value.Put(schemes, a.Name, a.At, a.Scheme)
		}
	}
}

func (d *Document) addScheme(name string, scheme *tree.Node) {
	if schemes := d.schemes(scheme.At); schemes != nil {
		putNew(schemes, name, scheme)
	}
}

func (d *Document) addIAM(at tree.Position) {
	d.addScheme("AWS_IAM", IAM(at).Scheme)
}

// AddKeyScheme adds the security scheme of API keys unless it is there.
func (d *Document) AddKeyScheme(at tree.Position) {
	d.addScheme("api_key", value.Object(at, "type", "apiKey", "name", "x-api-key", "in", "header"))
}

// Default is the DefaultAuthorizer of an API.
type Default struct {
	Name string
	// Authorizers are those of the API.
	Authorizers []Authorizer
	// SkipPreflight leaves OPTIONS methods alone.
	SkipPreflight bool
	At            tree.Position
}

// scopes returns the scopes that the default authorizer asks for.
func (a Default) scopes() *tree.Node {
	for _, b := range a.Authorizers {
		if b.Name == a.Name && !value.None(b.Scopes) {
			return b.Scopes
		}
	}
	return nil
}

// names reports whether a requirement names one of the API's authorizers, or AWS_IAM.
func (a Default) names(requirement *tree.Node) bool {
	return requirement.Has("AWS_IAM") || slices.ContainsFunc(a.Authorizers, func(b Authorizer) bool { return requirement.Has(b.Name) })
}

// SetDefaultAuthorizer adds the default authorizer to each operation that names no authorizer of the API. NONE among its requirements
// is taken out in place of that. Requirements that name other schemes stay. Where NONE is the only requirement, it stays too.
func (d *Document) SetDefaultAuthorizer(a Default) {
	for _, path := range d.Paths() {
		d.forEachOperation(path, func(method string, operation *tree.Node, integrated bool) {
			switch {
			case method == "options" && a.SkipPreflight:
			case integrated:
				d.setDefault(a, path, method, operation)
			default:
				leaveUnguarded(operation, "DefaultAuthorizer", a.At)
			}
		})
	}
}

// leaveUnguarded marks an operation without an integration that says of no guard itself. The translator leaves it open, and API Gateway
// does not deploy it: its meaning is not known.
func leaveUnguarded(operation *tree.Node, by string, at tree.Position) {
	if value.Truthy(operation.Get("security")) || operation.Has("x-amazon-apigateway-auth") {
		return
	}
	why := by + " does not guard it, because it has no x-amazon-apigateway-integration: write that, or what guards it under security"
	value.Put(operation, "security", at, &tree.Node{Kind: tree.Unresolved, At: operation.At, Unknown: &tree.Unknown{Message: why}})
}

func (d *Document) setDefault(a Default, path, method string, operation *tree.Node) {
	own, others, ok := d.split(operation, path, method, a.names)
	if !ok {
		return
	}
	none := slices.IndexFunc(others, func(r *tree.Node) bool { return r.Has("NONE") })
	switch {
	case none >= 0:
		others, own = slices.Delete(others, none, none+1), nil
	case len(own) == 0:
		own = []*tree.Node{requirement(a.Name, a.scopes(), a.At)}
	}
	if all := append(others, own...); len(all) > 0 {
		setSecurity(operation, all, a.At)
		if all[0].Has("AWS_IAM") {
			d.addIAM(a.At)
		}
	}
}

// split returns the requirements of an operation that are picked, and the others. It is not ok if one is not a map.
func (d *Document) split(operation *tree.Node, path, method string, pick func(*tree.Node) bool) (picked, others []*tree.Node, ok bool) {
	for _, r := range d.security(operation, path, method) {
		switch {
		case !r.Is(tree.Map):
			d.faults.Add(r.Position(), "each requirement in security of the method %s of the path %s must be a map", method, path)
			return nil, nil, false
		case pick(r):
			picked = append(picked, r)
		default:
			others = append(others, r)
		}
	}
	return picked, others, true
}

// SetDefaultKey makes each operation ask for an API key, unless its event says that it need not.
func (d *Document) SetDefaultKey(at tree.Position, skipPreflight bool) {
	isKey := func(r *tree.Node) bool { return r.Has("api_key") || r.Has("api_key_false") }
	for _, path := range d.Paths() {
		d.forEachOperation(path, func(method string, operation *tree.Node, integrated bool) {
			if !integrated {
				if method != "options" || !skipPreflight {
					leaveUnguarded(operation, "ApiKeyRequired", at)
				}
				return
			}
			keys, others, ok := d.split(operation, path, method, isKey)
			if !ok {
				return
			}
			need := !slices.ContainsFunc(keys, func(r *tree.Node) bool { return r.Has("api_key_false") })
			if need && (method != "options" || !skipPreflight) {
				others = append(others, requirement("api_key", nil, at))
			}
			if !slices.EqualFunc(others, d.security(operation, path, method), value.Equal) {
				setSecurity(operation, others, at)
			}
		})
	}
}

// SetAuthorizer makes a method ask for an authorizer, beside what it asks for already.
func (d *Document) SetAuthorizer(path, method, name string, scopes *tree.Node, at tree.Position) {
	for _, operation := range d.operations(path, method) {
		all := append(slices.Clone(d.security(operation, path, method)), requirement(name, scopes, at))
		setSecurity(operation, all, at)
		if all[0].Has("AWS_IAM") {
			d.addIAM(at)
		}
	}
}

// SetKey makes a method ask for an API key, or marks that it needs none, for SetDefaultKey.
func (d *Document) SetKey(path, method string, required bool, at tree.Position) {
	name := "api_key_false"
	if required {
		name = "api_key"
	}
	for _, operation := range d.operations(path, method) {
		if required {
			d.AddKeyScheme(at)
		}
		setSecurity(operation, append(slices.Clone(d.security(operation, path, method)), requirement(name, nil, at)), at)
	}
}
