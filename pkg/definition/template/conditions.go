package template

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// truth is the value of a condition. The zero truth is unknown.
type truth uint8

const (
	unknown truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// not returns the value of a condition's negation.
func (t truth) not() truth { return [...]truth{unknown: unknown, no: yes, yes: no}[t] }

// outcome is the value of a condition.
type outcome struct {
	truth    truth
	defaults []string
	// unknown names the value that is not known, if the truth is unknown.
	unknown *tree.Unknown
}

// condition returns what a condition comes to that is named at a place.
func (s *resolver) condition(name string, at *tree.Node) *outcome {
	if o := s.conditions[name]; o != nil {
		return o
	}
	expression := s.root.Way("Conditions", name)
	open := "Condition " + name
	switch {
	case expression == nil:
		return s.noCondition(name, at)
	case s.open[open]:
		s.fault(at, "the condition %s depends on itself: remove it from one of the conditions on the way", fault.Quoted(name))
		return &outcome{}
	}
	if o := s.givenCondition(name, at); o != nil {
		s.conditions[name] = o
		return o
	}
	s.open[open] = true
	o := s.expression(expression)
	delete(s.open, open)
	s.conditions[name] = o
	return o
}

// noCondition returns what a condition comes to that the template does not have.
func (s *resolver) noCondition(name string, at *tree.Node) *outcome {
	if o := s.givenCondition(name, at); o != nil {
		return o
	}
	if s.in.Fragment {
		return &outcome{unknown: s.unknown(at, "Condition "+name, "the condition "+name+" is defined elsewhere")}
	}
	s.fault(at, "there is no condition %s: %s", fault.Quoted(name), s.instead(name, s.root.Get("Conditions"), "define it in Conditions, or give it by "+tree.Remedy("Condition "+name)))
	o := &outcome{}
	s.conditions[name] = o
	return o
}

// givenCondition returns what a condition comes to whose value is given, nil if it is not.
func (s *resolver) givenCondition(name string, at *tree.Node) *outcome {
	text, given := s.given("Condition " + name)
	switch {
	case !given:
		return nil
	case text != "true" && text != "false":
		s.fault(at, "the value of the condition %s must be true or false: correct it in --value 'Condition %s=…', or in values: of the definition", fault.Quoted(name), name)
		return &outcome{}
	}
	return &outcome{truth: truthOf(text == "true")}
}

// expression returns what a condition function comes to.
func (s *resolver) expression(n *tree.Node) *outcome {
	if !n.Is(tree.Map) || len(n.Pairs) != 1 {
		s.fault(n, "a condition must be one of Fn::And, Fn::Or, Fn::Not, Fn::Equals and Condition")
		return &outcome{}
	}
	argument := n.Pairs[0].Value
	switch n.Pairs[0].Key {
	case "Condition":
		if name, ok := argument.Scalar(); ok {
			return s.condition(name, argument)
		}
		s.fault(argument, "Condition must be the name of a condition")
	case "Fn::Equals":
		return s.equals(argument)
	case "Fn::Not":
		if operands := s.operands(n.Pairs[0], 1, 1); operands != nil {
			o := *operands[0]
			o.truth = o.truth.not()
			return &o
		}
	case "Fn::And":
		return decide(s.operands(n.Pairs[0], 1, 10), no)
	case "Fn::Or":
		return decide(s.operands(n.Pairs[0], 1, 10), yes)
	default:
		s.fault(n, "a condition must be one of Fn::And, Fn::Or, Fn::Not, Fn::Equals and Condition")
	}
	return &outcome{}
}

// operands returns what the operands of a condition function come to; nil if it has too few or too many of them.
func (s *resolver) operands(p tree.Pair, least, most int) []*outcome {
	if !p.Value.Is(tree.List) || len(p.Value.Items) < least || len(p.Value.Items) > most {
		s.faultAt(p.At, "%s must have a list of %d to %d conditions", p.Key, least, most)
		return nil
	}
	var all []*outcome
	for _, item := range p.Value.Items {
		all = append(all, s.expression(item))
	}
	return all
}

// decide returns what conditions come to together: one that has the deciding value decides, and without one all must be known.
func decide(operands []*outcome, deciding truth) *outcome {
	if len(operands) == 0 {
		return &outcome{}
	}
	all := &outcome{truth: deciding.not()}
	for _, o := range operands {
		switch o.truth {
		case deciding:
			return o
		case unknown:
			if all.truth != unknown {
				all = &outcome{unknown: o.unknown}
			}
		default:
			all.defaults = union(all.defaults, o.defaults)
		}
	}
	return all
}

func (s *resolver) equals(argument *tree.Node) *outcome {
	if !argument.Is(tree.List) || len(argument.Items) != 2 {
		s.fault(argument, "Fn::Equals must have a list of two values")
		return &outcome{}
	}
	a, b := s.value(argument.Items[0], nil), s.value(argument.Items[1], nil)
	for _, v := range []*tree.Node{a, b} {
		if u := s.whyUnknown(v); u != nil {
			return &outcome{unknown: u}
		}
	}
	return &outcome{truth: truthOf(s.same(a, b)), defaults: union(s.defaults(a), s.defaults(b))}
}

// same reports whether two values are equal, as Fn::Equals compares them: by their text.
func (s *resolver) same(a, b *tree.Node) bool {
	if a == b || a == nil || b == nil {
		return a == b
	}
	if !s.spend(a, 1+len(a.Pairs)*len(b.Pairs)/8) {
		return false
	}
	x, ok := a.Scalar()
	y, also := b.Scalar()
	if ok || also {
		return ok && also && x == y
	}
	if a.Kind != b.Kind || len(a.Pairs) != len(b.Pairs) || len(a.Items) != len(b.Items) {
		return false
	}
	for i := range a.Items {
		if !s.same(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, p := range a.Pairs {
		if !b.Has(p.Key) || !s.same(p.Value, b.Get(p.Key)) {
			return false
		}
	}
	return a.Kind != tree.Reference || a.Resource == b.Resource && a.Attribute == b.Attribute
}

// choose resolves Fn::If.
func (s *resolver) choose(n *tree.Node, f *tree.Pair, b *branch) *tree.Node {
	if !f.Value.Is(tree.List) || len(f.Value.Items) != 3 {
		s.faultAt(f.At, "Fn::If must have a list of a condition's name and two values")
		return s.broken(n)
	}
	condition := f.Value.Items[0]
	var o *outcome
	name, named := condition.Scalar()
	if named {
		o = s.condition(name, condition)
	} else {
		name, o = "of "+f.Key, s.expression(condition)
	}
	in := s.branch(b, o.defaults)
	switch o.truth {
	case yes:
		return made(s.value(f.Value.Items[1], in), f.Key)
	case no:
		return made(s.value(f.Value.Items[2], in), f.Key)
	case unknown:
	}
	return s.either(n, f, name, o, in)
}

// either returns the value of an Fn::If whose condition is not known: that of its branches, if they are equal.
func (s *resolver) either(n *tree.Node, f *tree.Pair, name string, o *outcome, in *branch) *tree.Node {
	current := s.current
	s.current = "" // what only may be depended on makes no circle
	first, second := s.value(f.Value.Items[1], in), s.value(f.Value.Items[2], in)
	s.current = current
	if s.whyUnknown(first) == nil && s.whyUnknown(second) == nil && isAbsent(first) == isAbsent(second) && s.same(first, second) {
		return made(first, f.Key)
	}
	u := o.unknown
	if u == nil {
		return s.broken(n)
	}
	return &tree.Node{Kind: tree.Unresolved, At: n.At, Intrinsic: f.Key, Unknown: &tree.Unknown{
		Key: u.Key, Message: "the condition " + name + " is not decided, because " + u.Message,
	}}
}

// made returns a value that a function chose.
func made(n *tree.Node, function string) *tree.Node {
	if n == nil || isAbsent(n) || n.Intrinsic == function {
		return n
	}
	chosen := *n
	chosen.Intrinsic = function
	return &chosen
}
