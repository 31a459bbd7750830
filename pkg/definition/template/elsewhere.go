package template

import (
	"path"
	"strings"

	"fmt"
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
	root, why := s.files.Parse("", name)
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

// body puts the definition of an API in the place of the name of its file, or of the place in S3 where it lies.
func (s *resolver) body(id string, properties *tree.Node) *tree.Node {
	location := properties.Get("BodyS3Location")
	if location == nil {
		return properties
	}
	name, named := s.bodyFile(id, location)
	body, why := s.files.Parse("", name)
	switch {
	case !named:
		if body = s.uploaded(location); body == nil {
			return properties
		}
	case body == nil:
		body = &tree.Node{Kind: tree.Unresolved, At: location.At, Unknown: &tree.Unknown{Message: why}}
	}
	made := *properties
	made.Pairs = nil
	for _, p := range properties.Pairs {
		if p.Key != "BodyS3Location" {
			made.Pairs = append(made.Pairs, p)
		}
	}
	return made.Set("Body", body)
}

// BodyKey returns the key of the value that names the file with the definition of an API.
func BodyKey(id string) string { return "BodyS3Location " + id }

// bodyFile returns the name of the file with the definition of an API, as the template or a value gives it.
func (s *resolver) bodyFile(id string, location *tree.Node) (string, bool) {
	if name, ok := location.Scalar(); ok && !strings.Contains(name, "://") {
		return name, true
	}
	if bucket, key, known := stored(location); known {
		if name, given := s.given("s3://" + bucket + "/" + key); given {
			return name, true
		}
	}
	return s.given(BodyKey(id))
}

// stored returns the bucket and the key of a place in S3, if they are known.
func stored(location *tree.Node) (bucket, key string, known bool) {
	bucket, isText := location.Get("Bucket").Scalar()
	key, known = location.Get("Key").Scalar()
	return bucket, key, isText && known
}

// uploaded returns the file that a tool has uploaded to a place in S3, if it lies beside the template: under the key or the last parts of
// it, or under the name that the AWS CDK gives what it uploads.
func (s *resolver) uploaded(location *tree.Node) *tree.Node {
	_, key, known := stored(location)
	if !known {
		return nil
	}
	names := append(withLastParts(key), "asset."+path.Base(key))
	for _, name := range names {
		body, why := s.files.Parse("", name)
		switch {
		case body != nil:
			s.report.Approximate(location.At, "BodyS3Location", fmt.Sprintf("read from the file %s, which lies beside the template", body.At.File))
			return body
		case s.files.Broken(name):
			return &tree.Node{Kind: tree.Unresolved, At: location.At, Unknown: &tree.Unknown{Message: why}}
		}
	}
	return nil
}

// withLastParts returns a path and its last parts, the longest first.
func withLastParts(name string) []string {
	var names []string
	for name != "" {
		names = append(names, name)
		_, name, _ = strings.Cut(name, "/")
	}
	return names
}
