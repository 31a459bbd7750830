// Package sam makes a CloudFormation template of a SAM template, as the transform AWS::Serverless-2016-10-31 does: as far as it decides
// who may call an API.
//
// Transform in transform.go has the order of work: implicit.go finds the API of each event and makes the implicit ones, globals.go
// merges Globals, function.go makes functions and state machines, whose operations event.go and eventauth.go add, rest.go and http.go
// make the APIs with their stages, and domain.go and plan.go what belongs to them. Intrinsic functions stay as they are, but for the
// references to parameters that SAM itself resolves. Package document edits the OpenAPI documents, and package value has the rules of
// Python.
//
// Decisions (2026-11-28):
//   - Quirks of the translator are kept: what it leaves open is open at AWS. A note says so where that is rarely intended.
//   - What the translator refuses is a fault, if it concerns an API. Properties of functions that do not are not looked at, so a
//     template need not be packaged: CodeUri may name a local folder.
//   - A null that the translator writes into the template, as for an authorizer without a function, is a fault here, for
//     CloudFormation refuses it.
//   - The value of a parameter that lies in AWS's parameter store is not known here, so that its Ref stays. The translator takes the name
//     of the store's entry for the value.
//   - Permissions of functions, tags and DNS records are not made.
//
// The test oracle_test.go compares the result with that of the translator itself, version 1.115.0.
package sam

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// macro is the transform that makes a template one of SAM's.
const macro = "AWS::Serverless-2016-10-31"

// Is reports whether a template is one of SAM's.
func Is(root *tree.Node) bool {
	transforms := root.Get("Transform")
	return value.Says(transforms, macro) || value.Contains(value.Items(transforms), tree.NewText(macro, tree.Position{}))
}

// Transform returns the CloudFormation template that AWS makes of a SAM template, or nil and what AWS refuses. The parameters are those
// that are given, besides the template's defaults; AWS::Partition among them decides the partition of ARNs, which is left to
// CloudFormation without it. The template itself is not changed.
//
// The order is the translator's: an empty document for APIs without a definition, implicit APIs, Globals; then functions and state
// machines, which add operations; then APIs. What is not an API, a function, a state machine or an application stays as it is.
func Transform(root *tree.Node, given map[string]string, r *portability.Report) (*tree.Node, fault.List) {
	t := &transform{
		root: value.Copy(root), managed: map[string]bool{}, faults: &value.Faults{}, report: r, references: value.References{},
		partition: "${AWS::Partition}",
	}
	if partition := given["AWS::Partition"]; partition != "" {
		t.partition = partition
	}
	t.parameters = value.NewParameters(root, given, t.faults)
	if !t.check() {
		return nil, t.faults.List()
	}
	t.addSkeletons()
	t.addImplicit(rest)
	t.addImplicit(http)
	t.mergeGlobals()
	if faults := t.faults.List(); len(faults) > 0 {
		return nil, faults
	}
	t.expand()
	if faults := t.faults.List(); len(faults) > 0 {
		return nil, faults
	}
	return t.references.Resolve(t.result()), nil
}

// check reports whether the template has the form that the translator needs.
func (t *transform) check() bool {
	t.resources = t.root.Get("Resources")
	if !t.resources.Is(tree.Map) || len(t.resources.Pairs) == 0 {
		t.faults.Add(t.root.Position(), "the template has no Resources: write some")
		return false
	}
	for _, r := range t.resources.Pairs {
		properties, condition := r.Value.Get("Properties"), r.Value.Get("Condition")
		switch {
		case !r.Value.Is(tree.Map):
			t.faults.Add(r.At, "the resource %s must be a map with Type and Properties", r.Key)
		case value.Truthy(condition) && !condition.Is(tree.Text):
			t.faults.Add(condition.At, "Condition of the resource %s must be the name of a condition", r.Key)
		case serverless(r.Value) != "" && r.Value.Has("Properties") && !properties.Is(tree.Map):
			t.faults.Add(r.At, "Properties of the resource %s must be a map", r.Key)
		}
	}
	if len(t.faults.List()) == 0 {
		t.checkSize()
	}
	return len(t.faults.List()) == 0
}

// expand makes what the resources of SAM stand for, in the translator's order.
func (t *transform) expand() {
	for _, step := range []struct {
		kinds []string
		make  func(tree.Pair)
	}{
		{[]string{"Function"}, t.expandFunction},
		{[]string{"StateMachine"}, t.expandStateMachine},
		{[]string{"Api", "HttpApi"}, t.expandAPI},
		{[]string{"Application"}, t.expandApplication},
	} {
		for _, r := range t.resources.Pairs {
			if slices.Contains(step.kinds, serverless(r.Value)) {
				step.make(r)
			}
		}
	}
}

func (t *transform) expandAPI(r tree.Pair) {
	if serverless(r.Value) == "Api" {
		t.expandREST(r)
		return
	}
	t.expandHTTP(r)
}

// expandApplication makes a nested stack of an application.
func (t *transform) expandApplication(r tree.Pair) {
	p := properties(r.Value)
	t.emit(r, r.Key, "AWS::CloudFormation::Stack", value.Object(r.At, "TemplateURL", p.Get("Location"), "Parameters", p.Get("Parameters")))
}

// result returns the template with the resources that were made in place of SAM's.
func (t *transform) result() *tree.Node {
	made := tree.NewMap(t.resources.At)
	for _, r := range t.resources.Pairs {
		switch serverless(r.Value) {
		case "Function", "StateMachine", "Api", "HttpApi", "Application":
		default:
			made.Pairs = append(made.Pairs, r)
		}
	}
	for _, r := range t.generated {
		value.Put(made, r.id, r.at, r.value)
	}
	value.Put(t.root, "Resources", t.resources.At, made)
	transforms := t.root.Get("Transform")
	others := slices.DeleteFunc(slices.Clone(value.Items(transforms)), func(n *tree.Node) bool { return value.Says(n, macro) })
	if len(others) > 0 {
		value.Put(t.root, "Transform", transforms.At, tree.NewList(transforms.At, others...))
	} else {
		value.Delete(t.root, "Transform")
	}
	return t.root
}
