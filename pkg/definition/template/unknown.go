package template

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// given returns the value that the inputs have for a key.
func (s *resolver) given(key string) (string, bool) {
	if s.in.Asked != nil {
		s.in.Asked[key] = true
	}
	text, ok := s.in.Values[key]
	return text, ok
}

// unknown returns what is not known under a key. Each key has one, so that it is reported once.
func (s *resolver) unknown(at *tree.Node, key, what string) *tree.Unknown {
	if key == "" {
		return &tree.Unknown{Message: what}
	}
	return s.asks(at, s.unknownOf(key, what+": give it by "+tree.Remedy(key)))
}

// unknownOf returns what is not known under a key.
func (s *resolver) unknownOf(key, message string) *tree.Unknown {
	if s.unknowns[key] == nil {
		s.unknowns[key] = &tree.Unknown{Key: key, Message: message}
	}
	return s.unknowns[key]
}

// asks notes that the template asks for what is not known.
func (s *resolver) asks(at *tree.Node, u *tree.Unknown) *tree.Unknown {
	if !s.reported[u.Key] {
		s.reported[u.Key] = true
		s.missing = append(s.missing, Missing{Unknown: *u, At: at.Position()})
	}
	return u
}

// notKnown returns a value that is not known.
func (s *resolver) notKnown(n *tree.Node, key, what string) *tree.Node {
	return &tree.Node{Kind: tree.Unresolved, At: n.At, Unknown: s.unknown(n, key, what)}
}

// unresolved returns the value of a function that something not known keeps from being computed.
func (s *resolver) unresolved(n *tree.Node, function string, u *tree.Unknown) *tree.Node {
	if u == nil {
		return s.broken(n)
	}
	return &tree.Node{Kind: tree.Unresolved, At: n.At, Intrinsic: function, Unknown: u}
}

// partial returns a text of which a part is not known. Text has the others, and the functions of those that are not.
func (s *resolver) partial(n *tree.Node, function, text string, u *tree.Unknown) *tree.Node {
	made := s.unresolved(n, function, u)
	made.Text = text
	return made
}

// whyUnknown returns what is not known of a value, nil if all of it is known.
func (s *resolver) whyUnknown(n *tree.Node) *tree.Unknown {
	for v := range n.All() {
		if s.left--; s.left < 0 {
			s.spend(n, 0)
			return &tree.Unknown{Message: "the template is too large"}
		}
		switch u := v.Reason(); {
		case u == nil:
		case v.Is(tree.Reference):
			return s.asks(v, u)
		default:
			return u
		}
	}
	return nil
}

// referred returns what is not known of a resource.
func (s *resolver) referred(resource, attribute string) *tree.Unknown {
	if attribute == "" {
		key := "Ref " + resource
		return s.unknownOf(key, "only CloudFormation knows the id of "+resource+": give it by "+tree.Remedy(key))
	}
	key := "Fn::GetAtt " + resource + "." + attribute
	return s.unknownOf(key, "only CloudFormation knows "+attribute+" of "+resource+": give it by "+tree.Remedy(key))
}

// textOf returns the text of a value, or what is not known of it. What cannot be a text is a fault.
func (s *resolver) textOf(n *tree.Node) (string, *tree.Unknown) {
	if text, ok := n.Scalar(); ok {
		return text, nil
	}
	switch {
	case n.Is(tree.Reference) && n.Text != "":
		return n.Text, nil
	case n.Is(tree.Unresolved), n.Is(tree.Reference):
		return "", s.whyUnknown(n)
	case n.Is(tree.List) && (n.Intrinsic == "Ref" || n.Intrinsic == "Fn::Sub"): // a parameter
		return s.commaList(n)
	}
	s.fault(n, "this must be a text, and is %s", kindOf(n))
	return "", s.broken(n).Unknown
}

// commaList returns the text of a parameter that is a list.
func (s *resolver) commaList(n *tree.Node) (string, *tree.Unknown) {
	var parts []string
	for _, item := range n.Items {
		part, u := s.textOf(item)
		if u != nil {
			return "", u
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), nil
}

func kindOf(n *tree.Node) tree.Kind {
	if n == nil {
		return tree.Null
	}
	return n.Kind
}

// partOf returns the text of a value that is a part of one; if it is not known, the function that names it.
func (s *resolver) partOf(n *tree.Node) (string, *tree.Unknown) {
	text, u := s.textOf(n)
	switch {
	case u == nil:
		return text, nil
	case n.Is(tree.Unresolved) && n.Text != "":
		return n.Text, u
	case strings.HasPrefix(u.Key, "Ref "):
		return "${" + strings.TrimPrefix(u.Key, "Ref ") + "}", u
	case strings.HasPrefix(u.Key, "Fn::GetAtt "):
		return "${" + strings.TrimPrefix(u.Key, "Fn::GetAtt ") + "}", u
	case strings.HasPrefix(u.Key, dynamicBegin):
		return u.Key, u
	}
	return "${" + u.Key + "}", u
}

// instead says what to write in place of a name that a section does not have.
func (s *resolver) instead(name string, section *tree.Node, otherwise string) string {
	const most = 1000 // names to compare
	var names []string
	for _, p := range pairsOf(section)[:min(len(pairsOf(section)), most)] {
		names = append(names, p.Key)
	}
	if meant := source.Suggest(name, names); meant != "" {
		return "did you mean " + meant + "?"
	}
	return otherwise
}

// pairsOf returns the pairs of a map, none of what is not one.
func pairsOf(n *tree.Node) []tree.Pair {
	if !n.Is(tree.Map) {
		return nil
	}
	return n.Pairs
}
