package tree

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

const (
	// maxDepth is how deep values may lie within others.
	maxDepth = 200
	// maxNodes is how many values a file may have once its aliases are followed. CloudFormation has templates of at most 1 MB, and
	// API Gateway definitions of at most 6 MB.
	maxNodes = 2_000_000
)

// Parse reads a file's one YAML or JSON document. It returns nil, with faults, if the file cannot be read.
//
// CloudFormation's short tags become the long form: !Ref X is {Ref: X}, !GetAtt A.B is {"Fn::GetAtt": [A, B]}. An alias is the
// value that its anchor names, and is never copied. Merge keys (<<) are merged. A key that is given twice is a fault: the tools that
// read such a file take one or the other. It is a warning, and the last value counts, where it says nothing of an API. A file that is
// larger than AWS takes is refused before it is read.
func Parse(file string, data []byte) (*Node, fault.List) {
	if faults := tooLarge(file, data); len(faults) > 0 {
		return nil, faults
	}
	if isJSON(data) {
		return parseJSON(file, data)
	}
	if faults := tooMany(file, data); len(faults) > 0 {
		return nil, faults
	}
	root, wrong := source.YAML(data)
	if wrong != nil {
		return nil, fault.List{wrong.In(file)}
	}
	if root == nil {
		return nil, fault.List{{File: file, Line: 1, Column: 1, Message: "the file is empty"}}
	}
	p := parser{file: file, made: map[*yaml.Node]*Node{}, sizes: map[*Node]int{}, open: map[*yaml.Node]bool{}}
	n := p.node(root, 0)
	if p.sizes[n] > maxNodes {
		p.fault(root, "the file has more than %d values once its aliases are followed: write fewer aliases", maxNodes)
	}
	if len(p.faults) > 0 {
		return nil, append(p.faults, p.twice.faults(n)...)
	}
	return p.twice.result(n)
}

// parser makes Nodes of yaml.v3's. Each is made once, so that aliases share theirs.
type parser struct {
	file   string
	made   map[*yaml.Node]*Node
	open   map[*yaml.Node]bool
	sizes  map[*Node]int // with all that is in it, aliases followed
	merged int           // pairs that merge keys have copied
	faults fault.List
	twice  duplicates
}

func (p *parser) fault(n *yaml.Node, format string, args ...any) {
	if len(p.faults) < fault.MaxFaults {
		p.faults = append(p.faults, fault.Fault{File: p.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
	}
}

func (p *parser) node(n *yaml.Node, depth int) *Node {
	if made := p.made[n]; made != nil {
		return made
	}
	switch {
	case p.open[n]:
		p.fault(n, "the value holds itself by an alias: remove the alias")
		return &Node{At: p.at(n)}
	case depth > maxDepth:
		p.fault(n, "values lie within each other more than %d deep", maxDepth)
		return &Node{At: p.at(n)}
	}
	p.open[n] = true
	p.twice.share(n.Anchor != "", 1)
	made := p.tagged(n, depth)
	p.twice.share(n.Anchor != "", -1)
	delete(p.open, n)
	p.made[n] = made
	p.measure(made)
	return made
}

// measure counts the values of a Node whose children are counted. The sum stops rising where the file is refused anyway.
func (p *parser) measure(n *Node) {
	size := 1
	for _, pair := range n.Pairs {
		size += p.sizes[pair.Value]
	}
	for _, item := range n.Items {
		size += p.sizes[item]
	}
	p.sizes[n] = min(size, maxNodes+1)
}

func (p *parser) at(n *yaml.Node) Position { return Position{p.file, n.Line, n.Column} }

// tagged returns a value, with CloudFormation's short tag in its long form.
func (p *parser) tagged(n *yaml.Node, depth int) *Node {
	if n.Kind == yaml.AliasNode {
		return p.node(n.Alias, depth+1)
	}
	function := ""
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		if function = p.function(n); function == "" {
			return &Node{At: p.at(n)}
		}
	}
	value := p.plain(n, depth)
	if function == "" {
		return value
	}
	if function == "Fn::GetAtt" && value.Kind == Text {
		resource, attribute, _ := strings.Cut(value.Text, ".")
		value = NewList(value.At, NewText(resource, value.At), NewText(attribute, value.At))
		p.sizes[value] = 3
	}
	if p.sizes[value] == 0 {
		p.measure(value)
	}
	return NewMap(p.at(n)).Set(function, value)
}

// function returns the intrinsic function that a short tag stands for.
func (p *parser) function(n *yaml.Node) string {
	name := n.Tag[1:]
	switch name {
	case "Ref", "Condition":
		return name
	case "GetAtt", "Sub", "Join", "If", "FindInMap", "Select", "Split", "ImportValue", "GetAZs", "Base64", "Cidr", "ToJsonString",
		"Length", "And", "Or", "Not", "Equals", "Transform":
		return "Fn::" + name
	}
	p.fault(n, "the tag %s is not one of CloudFormation's: remove it, or write the function in its long form, such as Fn::Sub", fault.Quoted(n.Tag))
	return ""
}

func (p *parser) plain(n *yaml.Node, depth int) *Node {
	switch n.Kind {
	case yaml.MappingNode:
		return p.mapping(n, depth)
	case yaml.SequenceNode:
		list := NewList(p.at(n))
		p.twice.enter("")
		for _, item := range n.Content {
			list.Items = append(list.Items, p.node(item, depth+1))
		}
		p.twice.leave()
		return list
	default:
		return p.scalar(n)
	}
}

func (p *parser) scalar(n *yaml.Node) *Node {
	made := &Node{Kind: Text, Text: n.Value, At: p.at(n)}
	switch n.Tag {
	case "!!null":
		made.Kind, made.Text = Null, ""
	case "!!bool":
		made.Kind, made.Text = Bool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		made.Kind = Number
	case "!!str":
		if truth := oldTruth[strings.ToLower(n.Value)]; truth != "" && n.Style == 0 {
			made.Kind, made.Text = Bool, truth
		}
	}
	return made
}

// oldTruth are the truth values of YAML 1.1, which AWS's readers know and yaml/v3 takes for text.
var oldTruth = map[string]string{"yes": "true", "on": "true", "no": "false", "off": "false"}

func (p *parser) mapping(n *yaml.Node, depth int) *Node {
	made := NewMap(p.at(n))
	var merged []*Node
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			p.fault(key, "a key must be text")
		case key.Tag == "!!merge":
			merged = append(merged, p.mergedMaps(value, depth)...)
		default:
			p.twice.enter(key.Value)
			p.twice.put(made, Pair{key.Value, p.at(n.Content[i]), p.node(value, depth+1)}, lines[key.Value] > 0)
			p.twice.leave()
			lines[key.Value] = n.Content[i].Line
		}
	}
	for _, m := range merged {
		if p.merged += len(m.Pairs); p.merged > maxNodes {
			p.fault(n, "the merge keys << copy more than %d values: write fewer", maxNodes)
			break
		}
		for _, pair := range m.Pairs {
			if _, given := lines[pair.Key]; !given {
				lines[pair.Key] = pair.At.Line
				made.Pairs = append(made.Pairs, pair)
			}
		}
	}
	return made
}

// mergedMaps returns the maps that a merge key names, the first of which wins.
func (p *parser) mergedMaps(value *yaml.Node, depth int) []*Node {
	n := p.node(value, depth+1)
	maps := []*Node{n}
	if n.Kind == List {
		maps = n.Items
	}
	for _, m := range maps {
		if m.Kind != Map {
			p.fault(value, "the merge key << must name a map, or a list of maps")
			return nil
		}
	}
	return maps
}
