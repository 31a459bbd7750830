package template

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// forEach is how the keys begin that repeat what they hold.
const forEach = "Fn::ForEach::"

// maxRepeated is how many keys all loops of a template may make.
const maxRepeated = 5000

// repeat returns what Fn::ForEach makes: the keys of a map, once for each value of a collection.
func (o *opener) repeat(p tree.Pair) *tree.Node {
	made := tree.NewMap(p.At)
	if !o.loops {
		o.faultAt(p.At, "Fn::ForEach needs Transform: AWS::LanguageExtensions: add it to the template")
		return made
	}
	if !p.Value.Is(tree.List) || len(p.Value.Items) != 3 || !p.Value.Items[0].Is(tree.Text) || !p.Value.Items[2].Is(tree.Map) {
		o.faultAt(p.At, "%s must have a list of an identifier, a collection and a map", p.Key)
		return made
	}
	seen := map[string]bool{}
	identifier, fragment := p.Value.Items[0].Text, p.Value.Items[2]
	items, defaults := o.collection(p.Value.Items[1])
	for _, item := range items {
		l := loop{o, identifier, item, defaults}
		turn := o.joined(l.mapping(fragment))
		if !turn.Is(tree.Map) {
			return turn
		}
		for _, pair := range turn.Pairs {
			if o.repeated++; o.repeated > maxRepeated {
				o.faultAt(p.At, "Fn::ForEach makes more than %d keys: CloudFormation takes 500 resources", maxRepeated)
				return made
			}
			if seen[pair.Key] {
				o.faultAt(p.At, "%s makes %s twice: put ${%s} into the key, and values into the collection that differ", p.Key, fault.Quoted(pair.Key), identifier)
				return made
			}
			seen[pair.Key] = true
			pair.Value = with(pair.Value, defaults)
			made.Pairs = append(made.Pairs, pair)
		}
		if o.ended || o.repeated > maxRepeated {
			break
		}
	}
	return made
}

// collection returns the values that Fn::ForEach goes through, with the parameters whose defaults decided them.
func (o *opener) collection(n *tree.Node) ([]string, []string) {
	v := o.value(n, nil)
	if u := o.whyUnknown(v); u != nil {
		o.fault(n, "the collection of Fn::ForEach is not known: %s", u.Message)
		return nil, nil
	}
	if !v.Is(tree.List) {
		o.fault(n, "the collection of Fn::ForEach must be a list, or a parameter that is one")
		return nil, nil
	}
	var items []string
	for _, item := range v.Items {
		if item.Is(tree.List) {
			for _, inner := range item.Items {
				text, _ := o.textOf(inner)
				items = append(items, text)
			}
			continue
		}
		text, _ := o.textOf(item)
		items = append(items, text)
	}
	return items, o.defaults(v)
}

// loop is one turn of Fn::ForEach.
type loop struct {
	*opener
	identifier, item string
	defaults         []string
}

// text returns a text with the value in place of the identifier: ${Name} as it is, &{Name} its letters and digits alone.
func (l loop) text(text string) string {
	text = strings.ReplaceAll(text, "${"+l.identifier+"}", l.item)
	return strings.ReplaceAll(text, "&{"+l.identifier+"}", strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, l.item))
}

func (l loop) value(n *tree.Node) *tree.Node {
	if n == nil || !l.spend(n, nodeCost) {
		return n
	}
	switch n.Kind {
	case tree.Map:
		if len(n.Pairs) == 1 && n.Pairs[0].Key == "Ref" && n.Pairs[0].Value.Is(tree.Text) && n.Pairs[0].Value.Text == l.identifier {
			return &tree.Node{Kind: tree.Text, Text: l.item, At: n.At, Intrinsic: "Ref", Defaults: l.defaults}
		}
		return l.mapping(n)
	case tree.List:
		made := *n
		made.Items = make([]*tree.Node, len(n.Items))
		for i, item := range n.Items {
			made.Items[i] = l.value(item)
		}
		return &made
	case tree.Text:
		text := l.text(n.Text)
		if text == n.Text || !l.spend(n, len(text)) {
			return n
		}
		made := *n
		made.Text, made.Defaults = text, union(n.Defaults, l.defaults)
		return &made
	case tree.Null, tree.Number, tree.Bool, tree.Reference, tree.Unresolved:
	}
	return n
}

func (l loop) mapping(n *tree.Node) *tree.Node {
	made := *n
	made.Pairs = make([]tree.Pair, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		key := p.Key
		if !strings.HasPrefix(key, forEach) || strings.Contains(key, "{") {
			key = l.text(key)
		}
		made.Pairs = append(made.Pairs, tree.Pair{Key: key, At: p.At, Value: l.value(p.Value)})
	}
	return &made
}
