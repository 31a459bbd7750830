package sam

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// restDomain makes the custom domain of a REST API with its base path mappings. A private one is of another type.
func (a *api) restDomain() {
	if value.None(a.domain) {
		return
	}
	name, certificate, ok := a.domainName()
	if !ok {
		return
	}
	endpoint := a.domain.Get("EndpointConfiguration")
	if value.None(endpoint) {
		endpoint = tree.NewText("REGIONAL", a.domain.At)
	}
	if !slices.Contains([]string{"EDGE", "REGIONAL", "PRIVATE"}, value.String(endpoint)) {
		a.refuse(endpoint.At, "EndpointConfiguration of Domain must be EDGE, REGIONAL or PRIVATE")
		return
	}
	if value.String(endpoint) == "PRIVATE" {
		a.privateDomain(name, certificate, endpoint)
		return
	}
	id := "ApiGatewayDomainName" + value.HashOf(name)
	key := "RegionalCertificateArn"
	if value.String(endpoint) == "EDGE" {
		key = "CertificateArn"
	}
	made := value.Object(a.domain.At, "DomainName", name, key, certificate,
		"EndpointConfiguration", a.domainEndpoint(endpoint),
		"MutualTlsAuthentication", a.mutualTLS())
	a.addDomainOptions(made, "SecurityPolicy", "EndpointAccessMode", "OwnershipVerificationCertificateArn")
	if policy := a.domain.Get("Policy"); value.Truthy(policy) {
		a.refuse(policy.At, "Policy of Domain is only for private domains: remove it, or write EndpointConfiguration PRIVATE")
	}
	a.emit(a.from, id, "AWS::ApiGateway::DomainName", made)
	a.references.Add(a.from.Key, "DomainName", id)
	a.mapPaths("AWS::ApiGateway::BasePathMapping", "DomainName", id)
}

// privateDomain makes a custom domain that only VPC endpoints reach.
func (a *api) privateDomain(name, certificate, endpoint *tree.Node) {
	id := "ApiGatewayDomainNameV2" + value.HashOf(name)
	made := value.Object(a.domain.At, "DomainName", name, "CertificateArn", certificate,
		"EndpointConfiguration", a.domainEndpoint(endpoint))
	a.addDomainOptions(made, "SecurityPolicy", "EndpointAccessMode", "Policy")
	if n := a.domain.Get("OwnershipVerificationCertificateArn"); value.Truthy(n) {
		a.refuse(n.At, "OwnershipVerificationCertificateArn is not for private domains: remove it")
	}
	if n := a.domain.Get("AccessAssociation"); !value.None(n) && !n.Is(tree.Map) {
		a.refuse(n.At, "AccessAssociation of Domain must be a map")
	}
	a.emit(a.from, id, "AWS::ApiGateway::DomainNameV2", made)
	a.references.Add(a.from.Key, "DomainNameV2", id)
	a.mapPaths("AWS::ApiGateway::BasePathMappingV2", "DomainNameArn", id)
}

// domainName returns the name and the certificate of Domain. It is not ok, with a fault, if one is missing.
func (a *api) domainName() (name, certificate *tree.Node, ok bool) {
	if !a.domain.Is(tree.Map) {
		a.refuse(a.domain.At, "Domain must be a map")
		return nil, nil, false
	}
	name, certificate = a.domain.Get("DomainName"), a.domain.Get("CertificateArn")
	if value.None(name) || value.None(certificate) {
		a.refuse(a.domain.At, "Domain must have DomainName and CertificateArn")
		return nil, nil, false
	}
	if dns := a.domain.Get("Route53"); !value.None(dns) {
		if !dns.Is(tree.Map) || value.None(dns.Get("HostedZoneId")) && value.None(dns.Get("HostedZoneName")) {
			a.refuse(dns.At, "Route53 of Domain must be a map with HostedZoneId or HostedZoneName")
		}
		if n := dns.Get("SeparateRecordSetGroup"); value.Truthy(n) && !n.Is(tree.Bool) {
			a.refuse(n.At, "SeparateRecordSetGroup of Domain must be true or false")
		}
	}
	return name, certificate, true
}

func (a *api) domainEndpoint(endpoint *tree.Node) *tree.Node {
	made := value.Object(endpoint.At, "Types", tree.NewList(endpoint.At, endpoint))
	if addresses := a.domain.Get("IpAddressType"); value.Truthy(addresses) {
		value.Put(made, "IpAddressType", addresses.At, addresses)
	}
	return made
}

func (a *api) addDomainOptions(made *tree.Node, keys ...string) {
	for _, key := range keys {
		if n := a.domain.Get(key); value.Truthy(n) {
			value.Put(made, key, n.At, n)
		}
	}
}

// mutualTLS returns what says which client certificates a domain takes, nil if it takes none.
func (a *api) mutualTLS() *tree.Node {
	n := a.domain.Get("MutualTlsAuthentication")
	if !value.Truthy(n) {
		return nil
	}
	if !n.Is(tree.Map) {
		a.refuse(n.At, "MutualTlsAuthentication must be a map")
		return nil
	}
	made := tree.NewMap(n.At)
	for _, p := range n.Pairs {
		if p.Key != "TruststoreUri" && p.Key != "TruststoreVersion" {
			a.refuse(n.At, "MutualTlsAuthentication has no key %s: it must be TruststoreUri or TruststoreVersion", p.Key)
		}
		if value.Truthy(p.Value) {
			value.Put(made, p.Key, p.At, p.Value)
		}
	}
	return made
}

// basePaths returns the base paths of Domain: a text or a list, or nil for the root.
func (a *api) basePaths() []*tree.Node {
	n := a.domain.Get("BasePath")
	switch {
	case !value.Truthy(n):
		return nil
	case n.Is(tree.Text):
		return []*tree.Node{n}
	default:
		return value.Items(n)
	}
}

// mapPaths maps the base paths of a domain of a REST API to its stage. What is neither a letter nor a digit is taken out of them,
// unless NormalizeBasePath is false.
func (a *api) mapPaths(kind, key, domain string) {
	r := a.from
	mapping := func(id string, path *tree.Node) {
		a.emit(r, id, kind, value.Object(a.domain.At, key, value.Ref(domain, a.domain.At), "RestApiId", value.Ref(r.Key, a.domain.At),
			"Stage", value.Ref(r.Key+".Stage", a.domain.At), "BasePath", path))
	}
	paths := a.basePaths()
	if paths == nil {
		mapping(r.Key+"BasePathMapping", nil)
	}
	for _, path := range paths {
		if !path.Is(tree.Text) {
			a.refuse(path.At, "BasePath of Domain must be a text or a list of texts")
			continue
		}
		plain := strings.Map(func(c rune) rune {
			if unicode.IsLetter(c) || unicode.IsNumber(c) {
				return c
			}
			return -1
		}, path.Text)
		if normalize := a.domain.Get("NormalizeBasePath"); !a.domain.Has("NormalizeBasePath") || value.Truthy(normalize) {
			path = tree.NewText(plain, path.At)
		}
		mapping(r.Key+plain+"BasePathMapping", path)
	}
}

var (
	notInMapping = regexp.MustCompile(`[^0-9a-zA-Z/\-_]`)
	notInID      = regexp.MustCompile(`[\-_/]+`)
)

// httpDomain makes the custom domain of an HTTP API with its mappings.
func (a *api) httpDomain() {
	if value.None(a.domain) {
		return
	}
	name, certificate, ok := a.domainName()
	if !ok {
		return
	}
	endpoint := a.domain.Get("EndpointConfiguration")
	if !value.None(endpoint) && !value.Says(endpoint, "REGIONAL") {
		a.refuse(endpoint.At, "EndpointConfiguration of the Domain of an HTTP API must be REGIONAL")
	}
	id := "ApiGatewayDomainNameV2" + value.HashOf(name)
	configuration := value.Object(a.domain.At, "CertificateArn", certificate, "EndpointType", "REGIONAL")
	a.addDomainOptions(configuration, "OwnershipVerificationCertificateArn", "SecurityPolicy")
	a.emit(a.from, id, "AWS::ApiGatewayV2::DomainName", value.Object(a.domain.At, "DomainName", name,
		"DomainNameConfigurations", tree.NewList(a.domain.At, configuration), "MutualTlsAuthentication", a.mutualTLS()))
	a.references.Add(a.from.Key, "DomainName", id)
	a.mapHTTPPaths(id)
}

func (a *api) mapHTTPPaths(domain string) {
	r := a.from
	mapping := func(id string, key *tree.Node) {
		a.emit(r, id, "AWS::ApiGatewayV2::ApiMapping", value.Object(a.domain.At, "DomainName", value.Ref(domain, a.domain.At),
			"ApiId", value.Ref(r.Key, a.domain.At), "Stage", value.Ref(r.Key+".Stage", a.domain.At), "ApiMappingKey", key))
	}
	paths := a.basePaths()
	if paths == nil {
		mapping(r.Key+"ApiMapping", nil)
	}
	for _, path := range paths {
		if !path.Is(tree.Text) || notInMapping.MatchString(path.Text) {
			a.refuse(path.At, "BasePath of Domain must be a text, or a list of texts, of letters, digits, /, - and _")
			continue
		}
		mapping(r.Key+notInID.ReplaceAllString(path.Text, "")+"ApiMapping", tree.NewText(strings.Trim(path.Text, "/"), path.At))
	}
}
