package value

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Intrinsic reports whether a value is an intrinsic function: a map whose one key is Ref, Condition or begins with Fn::.
func Intrinsic(n *tree.Node) bool {
	if !OneKey(n) {
		return false
	}
	key := n.Pairs[0].Key
	return key == "Ref" || key == "Condition" || strings.HasPrefix(key, "Fn::")
}

// OneKey reports whether a value is a map of one key. The translator leaves the type of such a property to CloudFormation.
func OneKey(n *tree.Node) bool { return n.Is(tree.Map) && len(n.Pairs) == 1 }

// NoValue reports whether a value is Ref AWS::NoValue.
func NoValue(n *tree.Node) bool { return OneKey(n) && Says(n.Get("Ref"), "AWS::NoValue") }

// Branches returns the values that an Fn::If may have, without AWS::NoValue, or the value itself if it is none. An Fn::If that is not
// a list is a fault.
func Branches(n *tree.Node, faults *Faults) []*tree.Node {
	if !n.Is(tree.Map) || !n.Has("Fn::If") {
		return []*tree.Node{n}
	}
	arguments := n.Get("Fn::If")
	if !arguments.Is(tree.List) {
		faults.Add(arguments.Position(), "Fn::If must be a list of a condition and two values")
		return nil
	}
	var branches []*tree.Node
	for i, item := range arguments.Items {
		if i > 0 && !NoValue(item) {
			branches = append(branches, item)
		}
	}
	return branches
}

// If returns an Fn::If that has a value while a condition holds, and is AWS::NoValue otherwise.
func If(condition string, then *tree.Node, at tree.Position) *tree.Node {
	return function("Fn::If", tree.NewList(at, tree.NewText(condition, at), then, Ref("AWS::NoValue", at)), at)
}

// Ref returns a Ref.
func Ref(name string, at tree.Position) *tree.Node {
	return function("Ref", tree.NewText(name, at), at)
}

// GetAtt returns an Fn::GetAtt.
func GetAtt(resource, attribute string, at tree.Position) *tree.Node {
	return function("Fn::GetAtt", tree.NewList(at, tree.NewText(resource, at), tree.NewText(attribute, at)), at)
}

// Sub returns an Fn::Sub of a text.
func Sub(text string, at tree.Position) *tree.Node {
	return function("Fn::Sub", tree.NewText(text, at), at)
}

// SubWith returns an Fn::Sub of a text with a variable.
func SubWith(text, variable string, v *tree.Node, at tree.Position) *tree.Node {
	variables := tree.NewMap(at)
	Put(variables, variable, at, v)
	return function("Fn::Sub", tree.NewList(at, tree.NewText(text, at), variables), at)
}

// Or returns an Fn::Or of conditions.
func Or(conditions []string, at tree.Position) *tree.Node {
	list := tree.NewList(at)
	for _, c := range conditions {
		list.Items = append(list.Items, function("Condition", tree.NewText(c, at), at))
	}
	return function("Fn::Or", list, at)
}

func function(name string, argument *tree.Node, at tree.Position) *tree.Node {
	n := tree.NewMap(at)
	Put(n, name, at, argument)
	return n
}

// Object returns a map of keys and values in turns, all of which stand at a position. A nil value is left out.
func Object(at tree.Position, pairs ...any) *tree.Node {
	n := tree.NewMap(at)
	for i := 0; i+1 < len(pairs); i += 2 {
		key := pairs[i].(string) //nolint:forcetypeassert // keys are literals
		switch v := pairs[i+1].(type) {
		case string:
			Put(n, key, at, tree.NewText(v, at))
		case bool:
			Put(n, key, at, tree.NewBool(v, at))
		case *tree.Node:
			if v != nil {
				Put(n, key, at, v)
			}
		}
	}
	return n
}
