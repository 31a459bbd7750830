// Package parameters reads files with the values of a template's parameters, in the forms that AWS's tools take.
package parameters

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// parameterFile reads a file of parameters.
type parameterFile struct {
	file   string
	values map[string]string
	faults fault.List
}

// Read reads a file of parameters, in any of these forms:
//
//   - a list of {ParameterKey, ParameterValue}, as the AWS CLI takes it, or of texts NAME=VALUE
//   - {"Parameters": {NAME: VALUE}}, as CodePipeline takes it
//   - a map of names and values
//   - samconfig.toml and samconfig.yaml, of which the default environment is read
func Read(file string, data []byte) (map[string]string, fault.List) {
	read := tree.Parse
	if strings.HasSuffix(file, ".toml") {
		read = parseTOML
	}
	root, faults := read(file, data)
	if root == nil {
		return nil, faults
	}
	p := parameterFile{file: file, values: map[string]string{}}
	p.read(root)
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return p.values, nil
}

// maxTOML bounds a file in TOML, and so how deep its values lie within each other.
const maxTOML = 1 << 18

// parseTOML reads a file in TOML. Its values have no positions.
func parseTOML(file string, data []byte) (*tree.Node, fault.List) {
	if len(data) > maxTOML {
		return nil, fault.List{{File: file, Message: fmt.Sprintf("the file has %d bytes, and at most %d are read: leave out what are not parameters", len(data), maxTOML)}}
	}
	var content map[string]any
	if err := toml.Unmarshal(data, &content); err != nil {
		f := fault.Fault{File: file, Message: "not TOML: correct what stands before this place"} // its own message may show a value
		if e := (toml.ParseError{}); errors.As(err, &e) {
			f.Line, f.Column = e.Position.Line, max(e.Position.Col, 1)
		}
		return nil, fault.List{f}
	}
	return fromTOML(content, tree.Position{File: file}), nil
}

func fromTOML(v any, at tree.Position) *tree.Node {
	switch v := v.(type) {
	case map[string]any:
		n := tree.NewMap(at)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.Set(key, fromTOML(v[key], at))
		}
		return n
	case []map[string]any:
		n := tree.NewList(at)
		for _, item := range v {
			n.Items = append(n.Items, fromTOML(item, at))
		}
		return n
	case []any:
		n := tree.NewList(at)
		for _, item := range v {
			n.Items = append(n.Items, fromTOML(item, at))
		}
		return n
	}
	return tree.NewText(fmt.Sprint(v), at)
}

func (p *parameterFile) fault(at tree.Position, format string, args ...any) {
	p.faults = append(p.faults, fault.Fault{File: p.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

func (p *parameterFile) read(n *tree.Node) {
	switch {
	case n.Is(tree.List):
		for _, item := range n.Items {
			p.item(item)
		}
	case n.Is(tree.Text):
		p.overrides(n)
	case !n.Is(tree.Map):
		p.fault(n.At, "the file must have a map of parameters, or a list of them")
	case n.Get("Parameters").Is(tree.Map), n.Get("Parameters").Is(tree.List):
		p.read(n.Get("Parameters"))
	case n.Has("version") && n.Get("default").Is(tree.Map):
		p.samConfig(n.Get("default"))
	default:
		for _, pair := range n.Pairs {
			p.set(pair.Key, pair.At, pair.Value)
		}
	}
}

// item reads an item of a list.
func (p *parameterFile) item(n *tree.Node) {
	if n.Is(tree.Text) {
		p.overrides(n)
		return
	}
	name, ok := n.Get("ParameterKey").Scalar()
	if !ok {
		p.fault(n.At, "an item must have a ParameterKey and a ParameterValue, or be a text NAME=VALUE")
		return
	}
	value := n.Get("ParameterValue")
	if value == nil {
		p.fault(n.At, "the parameter %s has no ParameterValue: its previous value is not known here, so write it", fault.Quoted(name))
		return
	}
	p.set(name, n.At, value)
}

// samConfig reads an environment of a samconfig.
func (p *parameterFile) samConfig(n *tree.Node) {
	for _, command := range []string{"deploy", "global"} {
		overrides := n.Way(command, "parameters", "parameter_overrides")
		if overrides == nil {
			continue
		}
		p.read(overrides)
		return
	}
	p.fault(n.At, "the default environment has no parameter_overrides: add them to deploy.parameters")
}

// overrides reads a text of parameter overrides.
func (p *parameterFile) overrides(n *tree.Node) {
	values, err := Overrides(n.Text)
	if err != nil {
		p.fault(n.At, "%v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p.set(name, n.At, &tree.Node{Kind: tree.Text, Text: values[name], At: n.At})
	}
}

func (p *parameterFile) set(name string, at tree.Position, value *tree.Node) {
	text, ok := value.Scalar()
	if value.Is(tree.List) {
		text, ok = joined(value)
	}
	switch _, had := p.values[name]; {
	case !ok:
		p.fault(at, "the value of the parameter %s must be a text, a number, true or false, or a list of those", fault.Quoted(name))
	case had:
		p.fault(at, "the parameter %s is given twice: keep one", fault.Quoted(name))
	default:
		p.values[name] = text
	}
}

// joined returns the items of a list with commas between them, as CloudFormation takes lists.
func joined(n *tree.Node) (string, bool) {
	var items []string
	for _, item := range n.Items {
		text, ok := item.Scalar()
		if !ok {
			return "", false
		}
		items = append(items, text)
	}
	return strings.Join(items, ","), true
}

// Overrides reads parameters as `sam deploy --parameter-overrides` takes them: Stage=prod Name="a b", or
// ParameterKey=Stage,ParameterValue=prod.
func Overrides(text string) (map[string]string, error) {
	values := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		text = strings.TrimPrefix(text, "ParameterKey=")
		end := strings.IndexAny(text, "=,")
		if end <= 0 || strings.ContainsAny(text[:end], " \t\n\"'") {
			return values, fmt.Errorf("parameters must be written as NAME=VALUE, with blanks between them")
		}
		name := text[:end]
		text = strings.TrimPrefix(strings.TrimPrefix(text[end:], ",ParameterValue"), "=")
		value, rest, ok := word(text)
		if !ok {
			return values, fmt.Errorf("the value of the parameter %s has no closing quote", fault.Quoted(name))
		}
		if _, had := values[name]; had {
			return values, fmt.Errorf("the parameter %s is given twice: keep one", fault.Quoted(name))
		}
		values[name], text = value, rest
	}
	return values, nil
}

// word cuts the first word off a text, in which quotes hold blanks and a backslash the character after it.
func word(text string) (value, rest string, ok bool) {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && quote != '\'':
			i++
			out.WriteByte(text[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return out.String(), text[i:], true
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", quote == 0
}
