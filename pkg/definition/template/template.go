// Package template resolves a CloudFormation template: its parameters, conditions and intrinsic functions, and the files that it
// includes.
//
// Open puts in what other files hold: AWS::Include, and what Fn::ForEach repeats. Package sam then makes a CloudFormation template of
// a SAM template, as AWS does. Resolve replaces the functions by their values. Package included reads the files, package parameters
// reads files of parameters, and package variable replaces `${…}` in an OpenAPI file that another tool fills in.
//
// To begin with, read Resolve in template.go; then resolver.call in functions.go, which lists the functions.
//
// # Decisions
//
// 2026-11-28: a value that nothing decides is not a fault. It becomes an Unresolved value, and the package that asks for it reports it: a
// template that takes the name of a bucket from another stack may be read without that name. Faults are what CloudFormation refuses.
//
// 2026-11-28: conditions have three values. A condition of which only a part is unknown may still be decided, and a function If whose
// branches are equal needs no condition.
//
// 2026-11-28: a value keeps the names of the parameters whose defaults decided it, and so does a map from which a condition has
// taken a property: AWS may deploy the template with other values.
//
// 2026-11-28: the functions in a definition that lies in S3 (BodyS3Location, DefinitionUri) are not resolved: API Gateway reads it, and
// CloudFormation does not.
//
// 2026-11-28: what AWS::Include puts in takes the place of the same keys beside it. Templates give an API some paths there, so that tools
// accept them which do not follow the include, and name them so ("never-created"); what AWS deploys is the file. AWS's documentation says
// nothing of such keys. A note names both places.
//
// 2026-11-28: a location in S3 stands for the file that a tool has uploaded there. It is looked for under its key, and under the last
// parts of its key, beside the template. The definition of an API is also looked for under the name of an asset of the AWS CDK.
//
// 2026-11-28: all that is made of a template is counted, so that functions which multiply each other's values end early.
package template

import (
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// The most resources and parameters that CloudFormation takes.
const (
	maxResources  = 500
	maxParameters = 200
)

// Inputs are the values that a template takes from outside.
type Inputs struct {
	// Parameters are the values of parameters, by their names.
	Parameters map[string]string
	// Values are the values of what else is not known, by tree.Unknown's Key.
	Values map[string]string
	// Asked, if it is not nil, gets the keys of Values that the template asks for.
	Asked map[string]bool
	// Account, Region and Partition are where the template is deployed. Partition follows from Region if it is empty.
	Account, Region, Partition string
	// API is the logical id of the API that is read, and APIID its id. Both may be empty.
	API, APIID string
	// Fragment says that the template is only a part of one: a name that it does not define may be defined elsewhere.
	Fragment bool
	// Read reads a file by its name relative to the template. It refuses what lies outside of the folder.
	Read func(name string) ([]byte, error)
}

// Template is a template whose functions are resolved.
type Template struct {
	// Resources are the resources whose conditions are true or not known, by logical id. What is known of each is resolved.
	Resources *tree.Node
	// Outputs are the values of the outputs.
	Outputs map[string]*tree.Node
	// APIID is the id of the API that is read, which stands in texts that name it.
	APIID string
	// Missing are the values that are not known, each once, in the order in which the template asks for them.
	Missing []Missing
	// Absent are the resources whose condition is false, with the parameters whose defaults decided it.
	Absent map[string][]string

	undecided map[string]*tree.Node
}

// Missing is a value that is not known.
type Missing struct {
	tree.Unknown
	// At is where the template asks for it first.
	At tree.Position
}

// Undecided returns the Unresolved value that says why it is not known whether a resource is created; nil if it is created.
func (t *Template) Undecided(id string) *tree.Node { return t.undecided[id] }

// Resolve replaces the functions of a template by their values. It returns nil if the template cannot be used at all.
func Resolve(root *tree.Node, in Inputs, r *portability.Report) (*Template, fault.List) {
	s := newResolver(root, in, r)
	s.declare()
	t := s.template()
	if s.faults.Fatal() {
		return nil, s.faults
	}
	return t, s.faults
}

// template resolves the resources and the outputs.
func (s *resolver) template() *Template {
	t := &Template{APIID: s.in.APIID, Absent: map[string][]string{}, Outputs: map[string]*tree.Node{}, undecided: map[string]*tree.Node{}}
	if !s.resources.Is(tree.Map) {
		s.fault(s.root, "the template has no Resources, which must be a map of logical ids")
		return t
	}
	if n := len(s.resources.Pairs); n > maxResources {
		s.fault(s.resources, "the template has %d resources: CloudFormation takes at most %d", n, maxResources)
		return t
	}
	t.Resources = tree.NewMap(s.resources.At)
	for name := range s.pairs("Conditions") {
		s.condition(name, s.root.Way("Conditions", name))
	}
	for _, p := range s.resources.Pairs {
		s.resource(t, p)
	}
	for name, output := range s.pairs("Outputs") {
		if present, why := s.present(output); present != no {
			t.Outputs[name] = s.value(output.Get("Value"), why)
		}
	}
	s.checkCycles()
	s.noteNames(t.Resources)
	t.Missing = s.missing
	return t
}

// pairs yields the keys and values of a section of the template.
func (s *resolver) pairs(section string) func(yield func(string, *tree.Node) bool) {
	return func(yield func(string, *tree.Node) bool) {
		n := s.root.Get(section)
		if n != nil && !n.Is(tree.Map) && !n.Is(tree.Null) {
			s.fault(n, "%s must be a map of names", section)
			return
		}
		for _, p := range pairsOf(n) {
			if !yield(p.Key, p.Value) {
				return
			}
		}
	}
}

// resource resolves a resource.
func (s *resolver) resource(t *Template, p tree.Pair) {
	switch {
	case p.Value.Is(tree.Unresolved):
		s.fault(p.Value, "%s", p.Value.Unknown.Message)
		return
	case !p.Value.Is(tree.Map):
		s.fault(p.Value, "the resource %s must be a map with a Type", fault.Quoted(p.Key))
		return
	}
	present, why := s.present(p.Value)
	switch present {
	case no:
		t.Absent[p.Key] = why.names()
		s.leftOut(p.Key, p.Key, p.At, why.names())
		return
	case unknown:
		t.undecided[p.Key] = s.undecided(p.Value)
	case yes:
	}
	s.current = p.Key
	made := tree.NewMap(p.Value.At)
	made.Defaults = union(p.Value.Defaults, why.names())
	for _, part := range p.Value.Pairs {
		value := part.Value
		switch part.Key {
		case "Type", "Properties":
			value = s.value(part.Value, why)
		case "DependsOn":
			s.dependsOn(p.Key, part.Value)
		}
		if part.Key == "Properties" {
			value = s.body(p.Key, value)
		}
		made.Pairs = append(made.Pairs, tree.Pair{Key: part.Key, At: part.At, Value: value})
	}
	s.current = ""
	t.Resources.Pairs = append(t.Resources.Pairs, tree.Pair{Key: p.Key, At: p.At, Value: made})
}

// present says whether a resource or an output is created, and which defaults decided it.
func (s *resolver) present(n *tree.Node) (truth, *branch) {
	condition := n.Get("Condition")
	if condition == nil {
		return yes, nil
	}
	name, ok := condition.Scalar()
	if !ok {
		s.fault(condition, "Condition must be the name of a condition")
		return unknown, nil
	}
	o := s.condition(name, condition)
	return o.truth, s.branch(nil, o.defaults)
}

// undecided says why it is not known whether a resource is created.
func (s *resolver) undecided(n *tree.Node) *tree.Node {
	condition := n.Get("Condition")
	name, _ := condition.Scalar()
	return &tree.Node{Kind: tree.Unresolved, At: condition.Position(), Unknown: s.whyUndecided(name)}
}

// whyUndecided returns what is not known in a condition.
func (s *resolver) whyUndecided(name string) *tree.Unknown {
	u := s.conditions[name].unknown
	if u == nil {
		u = &tree.Unknown{Message: "the template is faulty"}
	}
	return &tree.Unknown{Key: u.Key, Message: fmt.Sprintf("the condition %s is not decided, because %s", name, u.Message)}
}
