package template

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// ssmValue is the type of a parameter that names a parameter of SSM and has its value.
const ssmValue = "AWS::SSM::Parameter::Value<"

// declare gives each parameter of the template its value, and checks it.
func (s *resolver) declare() {
	if declared := s.root.Get("Parameters"); len(pairsOf(declared)) > maxParameters {
		s.fault(declared, "the template has %d parameters: CloudFormation takes at most %d", len(declared.Pairs), maxParameters)
		return
	}
	for name, declared := range s.pairs("Parameters") {
		if s.parameters[name] == nil {
			s.parameters[name] = s.parameter(name, declared)
		}
	}
	for _, name := range sortedKeys(s.in.Parameters) {
		if s.parameters[name] == nil {
			s.faults = append(s.faults, fault.Fault{File: s.root.Position().File, Message: "the parameter " + fault.Quoted(name) +
				" is given, and the template has none of that name: " + s.instead(name, s.root.Get("Parameters"), "remove it")})
		}
	}
}

// passed gives a parameter the value that the stack around this one passes.
func (s *resolver) passed(p tree.Pair, v *tree.Node) {
	if !s.root.Way("Parameters").Has(p.Key) {
		s.faultAt(p.At, "the template of the nested stack has no parameter %s: %s", fault.Quoted(p.Key), s.instead(p.Key, s.root.Get("Parameters"), "remove it"))
		return
	}
	if text, ok := v.Scalar(); ok {
		s.in.Parameters[p.Key], s.inherited[p.Key] = text, v.Defaults
		return
	}
	u := s.whyUnknown(v)
	if u == nil {
		u = &tree.Unknown{Message: "the stack around this one passes a value that is not a text"}
	}
	s.parameters[p.Key] = &tree.Node{Kind: tree.Unresolved, At: p.At, Unknown: u}
}

// parameter returns the value of a parameter.
func (s *resolver) parameter(name string, declared *tree.Node) *tree.Node {
	kind, ok := declared.Get("Type").Scalar()
	if !ok {
		s.fault(declared, "the parameter %s must have a Type", fault.Quoted(name))
		return s.broken(declared)
	}
	if text, given := s.given("Ref " + name); given {
		return s.typed(declared, kind, text, nil)
	}
	text, given := s.in.Parameters[name]
	defaults := s.inherited[name]
	if !given {
		value := declared.Get("Default")
		if text, ok = s.defaultText(value); !ok {
			return s.notGiven(declared, name, "the parameter "+name+" has no default: give it by --parameter "+name+"=…, or in parameters: of the definition")
		}
		defaults = []string{s.prefix + name}
	}
	if strings.HasPrefix(kind, ssmValue) {
		return s.stored(name, declared, kind, text, defaults)
	}
	s.check(name, declared, kind, text)
	return s.typed(declared, kind, text, defaults)
}

// defaultText returns the text of a parameter's default; of a list, as CloudFormation takes it, with commas.
func (s *resolver) defaultText(n *tree.Node) (string, bool) {
	if n.Is(tree.List) {
		text, u := s.commaList(n)
		return text, u == nil
	}
	if n != nil && n.Is(tree.Null) {
		return "", true
	}
	return n.Scalar()
}

// stored returns the value of a parameter that has the value of SSM's parameter with a name.
func (s *resolver) stored(name string, declared *tree.Node, kind, ssm string, defaults []string) *tree.Node {
	if text, given := s.given(dynamicBegin + "ssm:" + ssm + dynamicEnd); given {
		return s.typed(declared, kind, text, defaults)
	}
	return s.notGiven(declared, name, "the parameter "+name+" has the value of SSM's parameter "+ssm+": give it by "+tree.Remedy("Ref "+name))
}

// notGiven returns the value of a parameter that is not given.
func (s *resolver) notGiven(declared *tree.Node, name, message string) *tree.Node {
	return &tree.Node{Kind: tree.Unresolved, At: declared.At, Unknown: s.asks(declared, s.unknownOf("Ref "+name, message))}
}

// typed returns the value that Ref has of a parameter: a list if the parameter's type is one.
func (s *resolver) typed(declared *tree.Node, kind, text string, defaults []string) *tree.Node {
	at := declared.At
	if isList(kind) {
		list := &tree.Node{Kind: tree.List, At: at, Intrinsic: "Ref", Defaults: defaults}
		for _, item := range splitList(text) {
			if !s.spend(declared, nodeCost+len(item)) {
				break
			}
			list.Items = append(list.Items, &tree.Node{Kind: tree.Text, Text: item, At: at, Intrinsic: "Ref", Defaults: defaults})
		}
		return list
	}
	v := &tree.Node{Kind: tree.Text, Text: text, At: at, Intrinsic: "Ref", Defaults: defaults}
	if kind == "Number" {
		v.Kind = tree.Number
	}
	return s.dynamic(v)
}

func isList(kind string) bool {
	kind = strings.TrimPrefix(kind, ssmValue)
	return strings.HasPrefix(kind, "CommaDelimitedList") || strings.HasPrefix(kind, "List<")
}

// splitList splits the value of a list at its commas.
func splitList(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// check reports a value that a parameter does not take. It never shows the value, which may be a secret.
func (s *resolver) check(name string, declared *tree.Node, kind, text string) {
	items := []string{text}
	if isList(kind) {
		items = splitList(text)
	}
	allowed := declared.Get("AllowedValues")
	for _, item := range items {
		switch {
		case (kind == "Number" || kind == "List<Number>") && !isNumber(item):
			s.fault(declared, "the value of the parameter %s must be a number", name)
		case allowed.Is(tree.List) && !has(allowed, item):
			s.fault(allowed, "the value of the parameter %s is not one of its AllowedValues: give one of them", name)
		}
	}
	s.checkPattern(name, declared.Get("AllowedPattern"), text)
	s.checkRange(name, declared, kind, text)
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

func has(list *tree.Node, text string) bool {
	for _, item := range list.Items {
		if v, ok := item.Scalar(); ok && v == text {
			return true
		}
	}
	return false
}

// checkPattern reports a value that does not match AllowedPattern. A pattern that Go does not compile is not checked: it is Java's,
// and CloudFormation has checked it.
func (s *resolver) checkPattern(name string, pattern *tree.Node, text string) {
	source, ok := pattern.Scalar()
	if !ok {
		return
	}
	re, err := regexp.Compile(`\A(?:` + source + `)\z`)
	if err == nil && !re.MatchString(text) {
		s.fault(pattern, "the value of the parameter %s does not match its AllowedPattern: give one that does", name)
	}
}

// checkRange reports a value that is too short, too long, too small or too large.
func (s *resolver) checkRange(name string, declared *tree.Node, kind, text string) {
	size := float64(len([]rune(text)))
	limits := [2]string{"MinLength", "MaxLength"}
	if kind == "Number" {
		size, _ = strconv.ParseFloat(text, 64)
		limits = [2]string{"MinValue", "MaxValue"}
	} else if kind != "String" {
		return
	}
	for i, limit := range limits {
		n := declared.Get(limit)
		bound, ok := n.Scalar()
		value, err := strconv.ParseFloat(bound, 64)
		if ok && err == nil && (i == 0 && size < value || i == 1 && size > value) {
			s.fault(n, "the value of the parameter %s does not keep its %s: give one that does", name, limit)
		}
	}
}
