package template

import (
	"path"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// output returns an output of a nested stack whose template is a local file; nil if there is no such file.
func (s *resolver) output(n *tree.Node, stack, name string, r *tree.Node) *tree.Node {
	outputs, read := s.nested[stack]
	if !read {
		s.nested[stack] = nil // against a circle of parameters and outputs
		outputs = s.stack(stack, r)
		s.nested[stack] = outputs
	}
	v := outputs[name]
	if v == nil {
		return nil
	}
	if u := s.whyUnknown(v); u != nil {
		return s.notKnown(n, "Fn::GetAtt "+stack+".Outputs."+name, "the output "+name+" of the nested stack "+stack+" is not known")
	}
	return s.placed(v, n.At, "Fn::GetAtt")
}

// stack returns the outputs of a nested stack, nil if its template is not a local file.
func (s *resolver) stack(id string, r *tree.Node) map[string]*tree.Node {
	location := r.Way("Properties", "TemplateURL")
	if location == nil {
		location = r.Way("Properties", "Location")
	}
	name, ok := location.Scalar()
	if !ok || strings.Contains(name, "://") || s.depth >= maxNested {
		return nil
	}
	root, why := s.files.parse("", name)
	if root == nil {
		s.report.Pass(location.At, "nested stack "+id, why)
		return nil
	}
	in := s.in
	in.API, in.APIID, in.Parameters, in.Values = "", "", map[string]string{}, map[string]string{}
	for key, value := range s.in.Values {
		if strings.HasPrefix(key, "Fn::ImportValue ") || strings.HasPrefix(key, dynamicBegin) || strings.HasPrefix(key, "Ref AWS::") {
			in.Values[key] = value
		}
	}
	in.Read = func(file string) ([]byte, error) { return s.in.Read(path.Join(path.Dir(name), file)) }
	return s.inner(id, root, in, r)
}

// inner returns the outputs of a nested template.
func (s *resolver) inner(id string, root *tree.Node, in Inputs, r *tree.Node) map[string]*tree.Node {
	root, faults := Open(root, in, s.report)
	if root == nil {
		s.faults = append(s.faults, faults...)
		return nil
	}
	n := newResolver(root, in, s.report)
	n.depth, n.left, n.prefix = s.depth+1, s.left, s.prefix+id+"."
	for _, p := range pairsOf(r.Way("Properties", "Parameters")) {
		v := s.value(p.Value, nil)
		if list := v; list.Is(tree.List) {
			if text, u := s.commaList(list); u == nil {
				v = &tree.Node{Kind: tree.Text, Text: text, At: list.At, Defaults: list.Defaults}
			}
		}
		n.passed(p, v)
	}
	n.declare()
	t := n.template()
	s.left = n.left
	s.faults = append(s.faults, n.faults...)
	return t.Outputs
}
