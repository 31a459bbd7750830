package value

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Schema is the Shape of each property that a resource or an event may have.
type Schema map[string]Shape

// Shape is the shape that a property may have.
type Shape struct {
	kinds []tree.Kind
	// plain says that it may not be an intrinsic function.
	plain bool
	// required says that it must be there.
	required bool
}

// The shapes of properties. Each but those that say so may also be an intrinsic function.
var (
	Anything          = Shape{}
	AText             = Shape{kinds: []tree.Kind{tree.Text}}
	AMap              = Shape{kinds: []tree.Kind{tree.Map}}
	AList             = Shape{kinds: []tree.Kind{tree.List}}
	ATruth            = Shape{kinds: []tree.Kind{tree.Bool}}
	ANumber           = Shape{kinds: []tree.Kind{tree.Number, tree.Bool}}
	TextOrMap         = Shape{kinds: []tree.Kind{tree.Text, tree.Map}}
	TruthOrMap        = Shape{kinds: []tree.Kind{tree.Bool, tree.Map}}
	PlainBool         = Shape{kinds: []tree.Kind{tree.Bool}, plain: true}
	RequiredText      = Shape{kinds: []tree.Kind{tree.Text}, required: true}
	RequiredTextOrMap = Shape{kinds: []tree.Kind{tree.Text, tree.Map}, required: true}
)

// Conforms reports whether properties conform to a schema. What does not is a fault; what names the resource or the event in it.
func (f *Faults) Conforms(s Schema, properties *tree.Node, at tree.Position, what string) bool {
	ok := true
	refuse := func(at tree.Position, format string, args ...any) {
		f.Add(at, format, args...)
		ok = false
	}
	for _, p := range Pairs(properties) {
		shape, known := s[p.Key]
		switch {
		case !known:
			refuse(p.At, "%s has no property %s: remove it", what, p.Key)
		case None(p.Value), len(shape.kinds) == 0, !shape.plain && OneKey(p.Value):
		case !slices.Contains(shape.kinds, p.Value.Kind), isFraction(p.Value) && shape.kinds[0] == tree.Number:
			refuse(p.Value.At, "%s of %s must be %s", p.Key, what, kindNames(shape.kinds))
		}
	}
	for _, key := range s.required() {
		if None(properties.Get(key)) {
			refuse(at, "%s has no %s: write it", what, key)
		}
	}
	return ok
}

// required returns the properties that must be there, sorted.
func (s Schema) required() []string {
	var keys []string
	for key, shape := range s {
		if shape.required {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func isFraction(n *tree.Node) bool { return n.Is(tree.Number) && strings.ContainsAny(n.Text, ".eE") }

func kindNames(kinds []tree.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, " or ")
}
