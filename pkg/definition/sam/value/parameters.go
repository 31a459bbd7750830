package value

import (
	"regexp"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// Parameters are the values of a template's parameters that are known, by name.
type Parameters struct {
	values map[string]*tree.Node
	faults *Faults
}

// NewParameters returns the given values, and the defaults of a template where none is given. A parameter whose value lies in AWS's
// parameter store is not known: what is given is where it lies. The value of a list is a text with commas, as CloudFormation takes it.
func NewParameters(root *tree.Node, given map[string]string, faults *Faults) Parameters {
	p := Parameters{map[string]*tree.Node{}, faults}
	for name, text := range given {
		p.values[name] = &tree.Node{Kind: tree.Text, Text: text, Intrinsic: "Ref"}
	}
	declared := root.Get("Parameters")
	if !declared.Is(tree.Map) {
		return p
	}
	for _, d := range declared.Pairs {
		kind := String(d.Value.Get("Type"))
		if strings.HasPrefix(kind, "AWS::SSM::Parameter::") {
			delete(p.values, d.Key)
			continue
		}
		v := p.values[d.Key]
		if v == nil && d.Value.Has("Default") {
			v = Copy(d.Value.Get("Default"))
			v.Intrinsic, v.Defaults = "Ref", []string{d.Key}
		}
		if v.Is(tree.Text) && (kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<")) {
			v = separated(v)
		}
		if v != nil {
			p.values[d.Key] = v
		}
	}
	return p
}

// separated returns the list that a text with commas stands for.
func separated(text *tree.Node) *tree.Node {
	list := &tree.Node{Kind: tree.List, At: text.At, Intrinsic: text.Intrinsic, Defaults: text.Defaults}
	for _, item := range strings.Split(text.Text, ",") {
		made := *text
		made.Text = strings.TrimSpace(item)
		list.Items = append(list.Items, &made)
	}
	return list
}

// Resolve returns a value with the parameters in place of the Refs and in the Fn::Subs that name them. It changes maps and lists in
// place, as the translator does.
func (p Parameters) Resolve(n *tree.Node) *tree.Node {
	n = p.one(n)
	if n == nil {
		return nil
	}
	for i := range n.Pairs {
		n.Pairs[i].Value = p.Resolve(n.Pairs[i].Value)
	}
	for i := range n.Items {
		n.Items[i] = p.Resolve(n.Items[i])
	}
	return n
}

func (p Parameters) one(n *tree.Node) *tree.Node {
	if !OneKey(n) {
		return n
	}
	switch argument := n.Pairs[0].Value; n.Pairs[0].Key {
	case "Ref":
		if v := p.values[String(argument)]; v != nil && argument.Is(tree.Text) {
			made := Copy(v)
			made.At = n.At
			return made
		}
	case "Fn::Sub":
		if argument.Is(tree.List) && len(argument.Items) > 0 {
			argument = argument.Items[0]
		}
		if argument.Is(tree.Text) {
			p.substitute(argument)
		}
	}
	return n
}

var reference = regexp.MustCompile(`\$\{([A-Za-z0-9.]+|AWS::[A-Z][A-Za-z]*)\}`)

// substitute puts parameters into the text of an Fn::Sub.
func (p Parameters) substitute(text *tree.Node) {
	text.Text = reference.ReplaceAllStringFunc(text.Text, func(found string) string {
		v := p.values[found[2:len(found)-1]]
		if v == nil {
			return found
		}
		if !v.Is(tree.Text) {
			p.faults.Add(text.At, "Fn::Sub names the parameter %s, whose value is %s: write it as text", found, v.Kind)
			return found
		}
		text.Defaults = append(text.Defaults, v.Defaults...)
		return v.Text
	})
}

// References are the resources that SAM generates, by the logical id and the property that a template names them with, as in
// Ref Api.Stage.
type References map[string]map[string]string

// Add notes that a name such as Api.Stage stands for a resource.
func (r References) Add(id, property, generated string) {
	if r[id] == nil {
		r[id] = map[string]string{}
	}
	r[id][property] = generated
}

// find returns the resource that the first two parts of a dotted name stand for, and the parts that follow.
func (r References) find(name string) (generated string, rest []string) {
	parts := strings.Split(name, ".")
	if len(parts) < 2 {
		return "", nil
	}
	return r[parts[0]][parts[1]], parts[2:]
}

// Resolve returns a copy of a value with generated resources in place of the names that stand for them.
func (r References) Resolve(n *tree.Node) *tree.Node {
	if n == nil {
		return nil
	}
	if OneKey(n) {
		n = r.one(n, n.Pairs[0])
	}
	made := *n
	made.Pairs, made.Items = make([]tree.Pair, len(n.Pairs)), make([]*tree.Node, len(n.Items))
	for i, p := range n.Pairs {
		made.Pairs[i] = tree.Pair{Key: p.Key, At: p.At, Value: r.Resolve(p.Value)}
	}
	for i, item := range n.Items {
		made.Items[i] = r.Resolve(item)
	}
	return &made
}

// one returns what stands for an intrinsic function, whose name and argument p is.
func (r References) one(n *tree.Node, p tree.Pair) *tree.Node {
	switch p.Key {
	case "Ref":
		if id, rest := r.find(String(p.Value)); id != "" && len(rest) == 0 {
			return Ref(id, n.At)
		}
	case "Fn::GetAtt":
		parts := make([]string, len(p.Value.Items))
		for i, item := range p.Value.Items {
			parts[i] = String(item)
		}
		if id, rest := r.find(strings.Join(parts, ".")); id != "" {
			return GetAtt(id, strings.Join(rest, "."), n.At)
		}
	case "Fn::Sub":
		return r.sub(n)
	}
	return n
}

func (r References) sub(n *tree.Node) *tree.Node {
	made := Copy(n)
	argument := made.Pairs[0].Value
	if argument.Is(tree.List) && len(argument.Items) > 0 {
		argument = argument.Items[0]
	}
	if argument.Is(tree.Text) {
		argument.Text = reference.ReplaceAllStringFunc(argument.Text, func(found string) string {
			id, rest := r.find(found[2 : len(found)-1])
			if id == "" {
				return found
			}
			return "${" + strings.Join(append([]string{id}, rest...), ".") + "}"
		})
	}
	return made
}
