package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// finish adds to an API what does not stand in OpenAPI: the endpoint type and the stages with their domains.
func (a *reader) finish(node *tree.Node) {
	a.basePath(node)
	if !a.http {
		a.endpointType(node)
	}
	if stages := a.stages(); len(stages.Items) > 0 {
		node.Set("stages", stages)
	}
}

// endpointType sets the endpoint type of a REST API.
func (a *reader) endpointType(node *tree.Node) {
	configuration := a.property("EndpointConfiguration")
	types := configuration.Get("Types")
	switch {
	case configuration == nil:
		types = a.importParameter("endpointConfigurationTypes")
	case !configuration.Is(tree.Map):
		types = configuration
	}
	if types == nil || types.Is(tree.List) && len(types.Items) == 0 {
		return
	}
	kind := types
	if types.Is(tree.List) {
		kind = types.Items[0]
	}
	text, ok := kind.Scalar()
	if !ok {
		a.report.Refuse(kind.At, "EndpointConfiguration", "whether the API is private is not known: "+giveIt(kind))
		refuseAll(node, kind.At, "the endpoint type is not known")
		return
	}
	node.Set("endpoint", tree.NewText(strings.ToUpper(text), kind.At))
}

// importParameter returns a parameter of the import of the Body, nil if it is not given. It is not known if the parameters are not.
func (a *reader) importParameter(name string) *tree.Node {
	parameters := a.property("Parameters")
	if parameters.Is(tree.Unresolved) {
		return parameters
	}
	if parameters == nil {
		return nil
	}
	for _, p := range parameters.Pairs {
		if strings.EqualFold(p.Key, name) {
			return p.Value
		}
	}
	return nil
}

// basePath refuses the routes of an API whose Body is imported with its base path, which then is a part of each path.
func (a *reader) basePath(node *tree.Node) {
	mode := a.property("BasePath")
	if !a.http {
		mode = a.importParameter("basepath")
	}
	if text, ok := mode.Scalar(); mode == nil || ok && strings.EqualFold(text, "ignore") {
		return
	}
	a.report.Refuse(mode.At, "basepath", "the base path of the Body may be a part of each path, unless this is ignore: write the base path in the paths, and ignore here")
	refuseAll(node, mode.At, "the paths are not known: the Body is not imported with basepath=ignore")
}

// refuseAll has every route of an API refuse.
func refuseAll(node *tree.Node, at tree.Position, why string) {
	routes := node.Get("routes")
	made := tree.NewList(routes.Position())
	if routes.Is(tree.List) {
		for _, route := range routes.Items {
			made.Items = append(made.Items, tree.NewMap(route.At).Set("route", route.Get("route")).Set("unresolved", tree.NewText(why, at)))
		}
	}
	node.Set("routes", made)
}

// stages returns the stages that the template has.
func (a *reader) stages() *tree.Node {
	stages := tree.NewList(a.api.At)
	add := func(p part, name, variables *tree.Node) {
		text, ok := name.Scalar()
		switch {
		case !ok:
			a.report.Approximate(p.at, "stage", "its name is not known: the stages are those that stand beside the definition")
			return
		case p.undecided != nil:
			a.report.Approximate(p.at, "stage "+text, "it is left out: "+p.undecided.Unknown.Message)
			return
		}
		for _, s := range stages.Items {
			if had, _ := s.Get("name").Scalar(); had == text {
				return
			}
		}
		stage := tree.NewMap(p.at).Set("name", tree.NewText(text, name.At))
		if variables.Is(tree.Map) && variables.Known() && len(variables.Pairs) > 0 {
			stage.Set("variables", variables)
		}
		if domains := a.domains(text); len(domains.Items) > 0 {
			stage.Set("domains", domains)
		}
		stages.Items = append(stages.Items, stage)
	}
	if a.http {
		for _, p := range a.parts("AWS::ApiGatewayV2::Stage", "ApiId") {
			add(p, p.properties.Get("StageName"), p.properties.Get("StageVariables"))
		}
		return stages
	}
	for _, p := range a.parts("AWS::ApiGateway::Stage", "RestApiId") {
		add(p, p.properties.Get("StageName"), p.properties.Get("Variables"))
	}
	for _, p := range a.parts("AWS::ApiGateway::Deployment", "RestApiId") {
		if name := p.properties.Get("StageName"); name != nil {
			add(p, name, p.properties.Way("StageDescription", "Variables"))
		}
	}
	return stages
}

// commonVariables returns the variables that have the same value in all stages, or in all of those that are served, if these are known.
func commonVariables(stages *tree.Node, served []string) map[string]string {
	var common map[string]string
	for _, stage := range stages.Items {
		if name, _ := stage.Get("name").Scalar(); len(served) > 0 && !slices.Contains(served, name) {
			continue
		}
		variables := stage.Get("variables")
		if variables == nil {
			return nil
		}
		own := map[string]string{}
		for _, p := range variables.Pairs {
			if text, ok := p.Value.Scalar(); ok && (common == nil || common[p.Key] == text) {
				own[p.Key] = text
			}
		}
		common = own
	}
	return common
}

// mappings are the resources that lead a domain's base path to a stage, with the names of their properties.
var mappings = []struct{ kind, api, stage, path string }{
	{"AWS::ApiGateway::BasePathMapping", "RestApiId", "Stage", "BasePath"},
	{"AWS::ApiGateway::BasePathMappingV2", "RestApiId", "Stage", "BasePath"},
	{"AWS::ApiGatewayV2::ApiMapping", "ApiId", "Stage", "ApiMappingKey"},
}

// domains returns the domains of a stage, with their base paths.
func (a *reader) domains(stage string) *tree.Node {
	domains := tree.NewList(a.api.At)
	for _, m := range mappings {
		for _, p := range a.parts(m.kind, m.api) {
			if name := a.stageName(p.properties.Get(m.stage)); name != stage {
				continue
			}
			domain := a.domain(p)
			a.noteCertificates(p)
			if a.domainResource(p).Way("Properties", "Policy") != nil {
				a.report.Approximate(p.at, p.id, fmt.Sprintf("the domain has a Policy of its own, which is not evaluated here, so requests for it are not answered: write what it says in the API's policy, and give domains to the stage %s beside the definition", stage))
				continue
			}
			path, ok := p.properties.Get(m.path).Scalar()
			if domain == "" || p.undecided != nil || !ok && p.properties.Has(m.path) {
				a.report.Approximate(p.at, p.id, fmt.Sprintf("the domain is not known: give domains to the stage %s beside the definition", stage))
				continue
			}
			if path != "" && path != "(none)" {
				domain += "/" + strings.Trim(path, "/")
			}
			domains.Items = append(domains.Items, tree.NewText(domain, p.at))
		}
	}
	return domains
}

// stageName returns the name of a stage that a value is or refers to, empty if it is not known.
func (a *reader) stageName(n *tree.Node) string {
	if text, ok := n.Scalar(); ok {
		return text
	}
	for _, kind := range []string{"AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"} {
		if p := a.resource(n, kind); p != nil {
			text, _ := p.Value.Way("Properties", "StageName").Scalar()
			return text
		}
	}
	return ""
}

// noteCertificates notes a domain whose callers need a certificate.
func (a *reader) noteCertificates(p part) {
	if named := a.domainResource(p); named.Way("Properties", "MutualTlsAuthentication") != nil {
		a.report.Approximate(p.at, p.id, "callers of the domain need a certificate (MutualTlsAuthentication), which Envoy checks: give the listener require_client_certificate and the truststore, and turn the execute-api endpoint off")
	}
}

// domainResource returns the domain of a mapping, nil if it is not in the template.
func (a *reader) domainResource(p part) *tree.Node {
	n := p.properties.Get("DomainName")
	if n == nil {
		n = p.properties.Get("DomainNameArn")
	}
	for _, kind := range []string{"AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::DomainName", "AWS::ApiGateway::DomainNameV2"} {
		if named := a.resource(n, kind); named != nil {
			return named.Value
		}
	}
	return nil
}

// domain returns the domain name of a mapping, empty if it is not known.
func (a *reader) domain(p part) string {
	n := p.properties.Get("DomainName")
	if named := a.domainResource(p); named != nil {
		n = named.Way("Properties", "DomainName")
	} else if n == nil {
		n = p.properties.Get("DomainNameArn")
	}
	text, _ := n.Scalar()
	return strings.ToLower(text)
}
