package template

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// derive returns an attribute of a resource that follows from what is known of it; nil if none does.
func (s *resolver) derive(n *tree.Node, resource, attribute, function string, r *tree.Node) *tree.Node {
	kind, _ := r.Get("Type").Scalar()
	switch kind {
	case "AWS::Lambda::Function", "AWS::Serverless::Function":
		return s.lambda(n, resource, attribute, function)
	case "AWS::Lambda::Alias", "AWS::Lambda::Version":
		if attribute == "" || attribute == "AliasArn" || attribute == "FunctionArn" {
			return s.qualified(n, resource, function, r)
		}
	case "AWS::Cognito::UserPool":
		return s.pool(n, resource, attribute, function)
	case "AWS::ApiGatewayV2::Api":
		if attribute == "ApiEndpoint" && resource == s.in.API && s.in.APIID != "" && s.in.Region != "" {
			return s.text(n, function, "https://"+s.in.APIID+".execute-api."+s.in.Region+"."+s.suffix(), nil)
		}
	case "AWS::CloudFormation::Stack", "AWS::Serverless::Application":
		if output, ok := strings.CutPrefix(attribute, "Outputs."); ok {
			return s.output(n, resource, output, r)
		}
	}
	return nil
}

// functionName returns the name of a function, with the parameters whose defaults decided it. Where the template does not name it,
// CloudFormation makes up a name, and the logical id takes its place.
func (s *resolver) functionName(resource string) (string, []string, *tree.Unknown) {
	name := s.byID[resource].Way("Properties", "FunctionName")
	open := "FunctionName " + resource
	if text, given := s.given("Ref " + resource); given {
		return text, nil, nil
	}
	if name != nil && !s.open[open] {
		s.open[open] = true
		v := s.value(name, nil)
		delete(s.open, open)
		if !isAbsent(v) {
			text, u := s.textOf(v)
			return text, v.Defaults, u
		}
	} else if name != nil {
		s.fault(name, "the name of the function %s depends on itself: write it out", resource)
		return "", nil, s.broken(name).Unknown
	}
	s.derived[resource] = true
	return resource, nil, nil
}

// lambda returns the name or the ARN of a function of the template.
func (s *resolver) lambda(n *tree.Node, resource, attribute, function string) *tree.Node {
	if attribute != "" && attribute != "Arn" && attribute != "Alias" && attribute != "Version" {
		return nil
	}
	name, defaults, u := s.functionName(resource)
	switch {
	case u != nil:
		return s.unresolved(n, function, u)
	case attribute == "":
		return s.text(n, function, name, defaults)
	}
	return s.functionARN(n, function, name, defaults)
}

// functionARN returns the ARN of a function by its name; by its ARN, as it is.
func (s *resolver) functionARN(n *tree.Node, function, name string, defaults []string) *tree.Node {
	if strings.HasPrefix(name, "arn:") {
		return s.text(n, function, name, defaults)
	}
	for _, p := range []struct{ value, name string }{{s.in.Region, "AWS::Region"}, {s.in.Account, "AWS::AccountId"}} {
		if p.value == "" {
			return s.notKnown(n, "Ref "+p.name, p.name+" is not known")
		}
	}
	return s.text(n, function, "arn:"+s.partition()+":lambda:"+s.in.Region+":"+s.in.Account+":function:"+name, defaults)
}

// qualified returns the ARN of an alias or a version of a function. The number of a version is not known, and is left out.
func (s *resolver) qualified(n *tree.Node, resource, function string, r *tree.Node) *tree.Node {
	open := "qualified " + resource
	name := r.Way("Properties", "FunctionName")
	if name == nil || s.open[open] {
		s.fault(r, "%s must have a FunctionName that does not depend on itself", resource)
		return s.broken(n)
	}
	s.open[open] = true
	v := s.value(name, nil)
	text, u := s.textOf(v)
	delete(s.open, open)
	if u != nil {
		return s.unresolved(n, function, u)
	}
	if alias := r.Way("Properties", "Name"); alias != nil {
		a := s.value(alias, nil)
		qualifier, u := s.textOf(a)
		if u != nil {
			return s.unresolved(n, function, u)
		}
		text, v = text+":"+qualifier, with(v, a.Defaults)
	}
	return s.functionARN(n, function, text, v.Defaults)
}

// pool returns an attribute of a user pool whose id or ARN is given.
func (s *resolver) pool(n *tree.Node, resource, attribute, function string) *tree.Node {
	id, given := s.given("Ref " + resource)
	if arn, ok := s.given("Fn::GetAtt " + resource + ".Arn"); ok && !given {
		_, id, given = strings.Cut(arn, ":userpool/")
	}
	region, _, ok := strings.Cut(id, "_")
	if !given || !ok {
		return nil
	}
	provider := "cognito-idp." + region + "." + s.suffix() + "/" + id
	switch attribute {
	case "", "UserPoolId":
		return s.text(n, function, id, nil)
	case "Arn":
		return s.text(n, function, "arn:"+s.partition()+":cognito-idp:"+region+":"+s.in.Account+":userpool/"+id, nil)
	case "ProviderName":
		return s.text(n, function, provider, nil)
	case "ProviderURL":
		return s.text(n, function, "https://"+provider, nil)
	}
	return nil
}

// noteNames notes the authorizers whose functions have names that CloudFormation makes up.
func (s *resolver) noteNames(resources *tree.Node) {
	for _, p := range pairsOf(resources) {
		if kind, _ := p.Value.Get("Type").Scalar(); !strings.HasPrefix(kind, "AWS::ApiGateway") || len(s.derived) == 0 {
			continue
		}
		for n := range p.Value.All() {
			for _, pair := range n.Pairs {
				if strings.EqualFold(pair.Key, "authorizerUri") {
					s.noteName(pair.Value)
				}
			}
		}
	}
}

// noteName notes the name of an authorizer's function, if CloudFormation makes it up.
func (s *resolver) noteName(uri *tree.Node) {
	_, name, _ := strings.Cut(uri.Text, ":function:")
	if end := strings.IndexAny(name, ":/"); end >= 0 {
		name = name[:end]
	}
	if s.derived[name] {
		s.report.Approximate(uri.At, "function "+name, "CloudFormation makes up the function's name, and the logical id stands for it in ARNs: give it by "+tree.Remedy("Ref "+name))
	}
}
