package template

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// ref resolves Ref.
func (s *resolver) ref(n *tree.Node, f *tree.Pair) *tree.Node {
	name, ok := f.Value.Scalar()
	if !ok {
		argument := s.value(f.Value, nil) // AWS::LanguageExtensions takes functions here
		if argument.Is(tree.Unresolved) || argument.Is(tree.Reference) {
			return s.unresolved(n, f.Key, s.whyUnknown(argument))
		}
		if name, ok = argument.Scalar(); !ok {
			return s.misused(n, f, "the name of a parameter or of a resource")
		}
	}
	return s.named(n, f.Value, name, f.Key)
}

// named returns the value of a parameter, pseudo parameter or resource.
func (s *resolver) named(n, at *tree.Node, name, function string) *tree.Node {
	if strings.HasPrefix(name, "AWS::") {
		return s.pseudo(n, at, name, function)
	}
	if parameter := s.parameters[name]; parameter != nil {
		return s.placed(parameter, n.At, function)
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 && s.byID[name[:dot]] != nil {
		return s.attribute(n, at, name[:dot], name[dot+1:], function)
	}
	return s.attribute(n, at, name, "", function)
}

// placed returns a parameter's value at the place that asks for it.
func (s *resolver) placed(n *tree.Node, at tree.Position, function string) *tree.Node {
	v := *n
	v.At, v.Intrinsic = at, function
	for i, item := range v.Items {
		if i == 0 {
			v.Items = make([]*tree.Node, len(n.Items))
		}
		v.Items[i] = s.placed(item, at, function)
	}
	if !s.spend(n, nodeCost+len(v.Text)) {
		return s.broken(n)
	}
	return &v
}

// pseudo returns a pseudo parameter's value.
func (s *resolver) pseudo(n, at *tree.Node, name, function string) *tree.Node {
	text := ""
	switch name {
	case noValue:
		return &tree.Node{Kind: tree.Null, At: n.At, Intrinsic: noValue}
	case "AWS::AccountId":
		text = s.in.Account
	case "AWS::Region":
		text = s.in.Region
	case "AWS::Partition":
		text = s.partition()
	case "AWS::URLSuffix":
		text = s.suffix()
	case "AWS::StackName", "AWS::StackId", "AWS::NotificationARNs":
	default:
		s.fault(at, "there is no pseudo parameter %s: see the list of CloudFormation's", fault.Quoted(name))
		return s.broken(n)
	}
	if given, ok := s.given("Ref " + name); ok && text == "" {
		text = given
	}
	if text == "" {
		return s.notKnown(n, "Ref "+name, name+" is not known")
	}
	return s.text(n, function, text, nil)
}

// partition is the partition of the stack, or else the one that its region lies in.
func (s *resolver) partition() string {
	if s.in.Partition != "" || s.in.Region == "" {
		return s.in.Partition
	}
	return arn.PartitionOf(s.in.Region)
}

func (s *resolver) suffix() string {
	switch s.partition() {
	case "aws-cn":
		return "amazonaws.com.cn"
	case "aws", "aws-us-gov":
		return "amazonaws.com"
	}
	return ""
}

// getAtt resolves Fn::GetAtt.
func (s *resolver) getAtt(n *tree.Node, f *tree.Pair) *tree.Node {
	const want = "a list of a resource and an attribute, or Resource.Attribute"
	name, ok := f.Value.Scalar()
	if !ok {
		items, not := s.arguments(n, f, s.value(f.Value, nil), 2, 8, want)
		if not != nil {
			return not
		}
		var parts []string
		for _, item := range items {
			part, u := s.textOf(item)
			if u != nil {
				return s.unresolved(n, f.Key, u)
			}
			parts = append(parts, part)
		}
		name = strings.Join(parts, ".")
	}
	resource, attribute, _ := strings.Cut(name, ".")
	if attribute == "" {
		return s.misused(n, f, want)
	}
	return s.attribute(n, f.Value, resource, attribute, f.Key)
}

// attribute returns an attribute of a resource; its id if the attribute is empty.
func (s *resolver) attribute(n, at *tree.Node, resource, attribute, function string) *tree.Node {
	key := "Ref " + resource
	if attribute != "" {
		key = "Fn::GetAtt " + resource + "." + attribute
	}
	text, given := s.given(key)
	r := s.byID[resource]
	kind, _ := r.Get("Type").Scalar()
	api := strings.HasPrefix(kind, "AWS::ApiGateway")
	switch {
	case given && !api:
		return s.text(n, function, text, nil)
	case r == nil:
		return s.elsewhere(n, at, key, resource)
	}
	s.depend(resource, at)
	if !given {
		if made := s.derive(n, resource, attribute, function, r); made != nil {
			return made
		}
		if resource == s.in.API && (attribute == "" || attribute == "RestApiId" || attribute == "ApiId") {
			text = s.in.APIID
		}
	}
	return &tree.Node{
		Kind: tree.Reference, Resource: resource, Attribute: attribute, Text: text, At: n.At, Intrinsic: function,
		Unknown: s.referred(resource, attribute),
	}
}

// elsewhere returns the value of a name that the template does not define.
func (s *resolver) elsewhere(n, at *tree.Node, key, name string) *tree.Node {
	if s.in.Fragment || s.generated(name) {
		return s.notKnown(n, key, "the template does not define "+name)
	}
	if len(s.faults) >= fault.MaxFaults {
		return s.broken(n)
	}
	names := tree.NewMap(n.At)
	names.Pairs = append(append(names.Pairs, pairsOf(s.resources)...), pairsOf(s.root.Get("Parameters"))...)
	s.fault(at, "%s is neither a parameter nor a resource of the template: %s", fault.Quoted(name), s.instead(name, names, "define it, correct the name, or give it by "+tree.Remedy(key)))
	return s.broken(n)
}

// generated reports whether a name looks like that of a resource which SAM makes of another one: MyFunctionRole, ServerlessRestApi.
func (s *resolver) generated(name string) bool {
	if strings.HasPrefix(name, "ServerlessRestApi") || strings.HasPrefix(name, "ServerlessHttpApi") || strings.HasPrefix(name, "ServerlessDeployment") || name == "CodeDeployServiceRole" {
		return true
	}
	for _, p := range pairsOf(s.resources) {
		if rest, ok := strings.CutPrefix(name, p.Key); ok && rest != "" && (rest[0] >= 'A' && rest[0] <= 'Z' || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}

// importValue resolves Fn::ImportValue. A name that is known in part only can be given as it is written.
func (s *resolver) importValue(n *tree.Node, f *tree.Pair) *tree.Node {
	name, _ := s.partOf(s.value(f.Value, nil))
	key := f.Key + " " + name
	if text, given := s.given(key); given {
		return s.text(n, f.Key, text, nil)
	}
	made := s.notKnown(n, key, "what another stack exports is not known")
	made.Intrinsic = f.Key
	return made
}

// depend notes that the resource which is being resolved depends on another one.
func (s *resolver) depend(on string, at *tree.Node) {
	if s.current == "" || s.current == on {
		return
	}
	if s.edges[s.current] == nil {
		s.edges[s.current] = map[string]tree.Position{}
	}
	if _, known := s.edges[s.current][on]; !known {
		s.edges[s.current][on] = at.Position()
	}
}

// dependsOn notes the resources that a DependsOn names.
func (s *resolver) dependsOn(id string, n *tree.Node) {
	names := []*tree.Node{n}
	if n.Is(tree.List) {
		names = n.Items
	}
	for _, item := range names {
		if name, ok := item.Scalar(); ok && s.byID[name] != nil && name != id {
			s.depend(name, item)
		}
	}
}

// checkCycles reports resources that depend on themselves by others. SAM makes several resources of one, which may depend on each other
// both ways as long as they are one.
func (s *resolver) checkCycles() {
	for _, p := range pairsOf(s.resources) {
		if kind, _ := p.Value.Get("Type").Scalar(); strings.HasPrefix(kind, "AWS::Serverless::") {
			return
		}
	}
	done := map[string]bool{}
	var visit func(id string, way []string)
	visit = func(id string, way []string) {
		if done[id] {
			return
		}
		for i, before := range way {
			if before == id {
				done[id] = true
				s.faultAt(s.edges[way[len(way)-1]][id], "the resources depend on each other in a circle, %s: take one of the references out", strings.Join(append(way[i:], id), " → "))
				return
			}
		}
		for _, next := range sortedKeys(s.edges[id]) {
			visit(next, append(way, id))
		}
		done[id] = true
	}
	for _, id := range sortedKeys(s.edges) {
		visit(id, nil)
	}
}
