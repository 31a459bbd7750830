package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
	"github.com/portcullis-authz/portcullis/pkg/jwt"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// compiler makes a gateway's configuration of a message of config.proto and the nodes that it was read from.
type compiler struct {
	file   string
	root   *yaml.Node
	files  *fileSet
	report *report
	// keyFiles are the access key files by name.
	keyFiles map[string]*keyFile
	// accounts are the exports that were read.
	accounts map[string]bool
	// signs says that there are access keys.
	signs bool

	// runtime is where what outlives the configuration comes from.
	runtime *Runtime
	// sources are where the keys of issuers are, by issuer, and used those issuers that authorizers ask for.
	sources map[string]jwt.Source
	used    map[string]bool
	// functions are where functions run, by ARN, and called those that authorizers have.
	functions map[string]*functionSpec
	called    map[string]bool
	// answers is the memory for what functions answer, and flushable whose answers it holds.
	answers   *heldAnswers
	flushable []flushable
	// asked are the functions that authorizers ask.
	asked []string
	// deeper are the paths of authorizers' fields here by those that the gateway has.
	deeper map[string]string
	// resources are what has to be started and closed.
	resources []resource
}

// fault reports what is wrong at a path.
func (c *compiler) fault(at *path, format string, args ...any) {
	c.report.mark(at.String())
	c.report.add(faultAt(c.file, find(c.root, at.String()), c.report.withoutSecrets(at, fmt.Sprintf(format, args...))))
}

// warn reports what may be wrong at a path.
func (c *compiler) warn(at *path, message string) {
	f := faultAt(c.file, find(c.root, at.String()), message)
	f.Warning = true
	c.report.add(f)
}

// compile goes on after a fault, so that all of them are reported. The gateway is nil if there is one.
func (c *compiler) compile(m *configv1.Config) (*gateway.Gateway, gateway.Config) {
	var at *path
	config := gateway.Config{
		APIs:           make([]gateway.API, len(m.GetApis())),
		TrustedProxies: c.networks(m.GetClientAddress().GetTrustedProxies(), at.field("clientAddress").field("trustedProxies")),
	}
	c.signs = len(m.GetIam().GetAccessKeys()) > 0 || c.report.follows("iam.accessKeys")
	endpoints := child(c.root, "vpcEndpoints")
	for i, e := range m.GetVpcEndpoints() {
		config.VPCEndpoints = append(config.VPCEndpoints, c.vpcEndpoint(e, item(endpoints, i), at.field("vpcEndpoints").item(i)))
	}
	c.issuers(m.GetIssuers(), at.field("issuers"))
	c.functionSpecs(m.GetFunctions(), at.field("functions"))
	c.memory(m.GetCache(), at.field("cache"))
	apis := child(c.root, "apis")
	for i, api := range m.GetApis() {
		n, at := item(apis, i), at.field("apis").item(i)
		config.APIs[i] = c.api(api, at)
		if api.GetKind() == configv1.Kind_HTTP {
			c.httpAPI(api, n, at)
			continue
		}
		config.APIs[i].ResourcePolicy = c.resourcePolicy(&config, i, child(n, "resourcePolicy"), at.field("resourcePolicy"))
	}
	c.unusedIssuers(at.field("issuers"))
	c.unusedFunctions(at.field("functions"))
	config.Signatures = c.signatures(m.GetIam())
	g, faults := gateway.New(config)
	for _, f := range faults {
		if at := c.here(f.Path); !c.report.follows(at) {
			fault := faultAt(c.file, find(c.root, at), f.Message)
			fault.Warning = f.Warning
			c.report.add(fault)
		}
	}
	return g, config
}

// here is a path of the gateway's as it is in the file.
func (c *compiler) here(path string) string {
	if end := strings.LastIndex(path, `"].`); end >= 0 {
		if at, ok := c.deeper[path[:end+3]]; ok {
			return at + path[end+3:]
		}
	}
	return path
}

func (c *compiler) networks(texts []string, at *path) []netip.Prefix {
	networks := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		network, err := netip.ParsePrefix(text)
		switch {
		case c.report.follows(at.item(i).String()):
		case err != nil:
			c.fault(at.item(i), "%s is not a network: write it in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32", quoted(text))
		case network != network.Masked():
			c.fault(at.item(i), "%s names one address of a network: write %s, or %s for the address alone",
				network, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
		}
		networks[i] = network
	}
	return networks
}

func (c *compiler) vpcEndpoint(m *configv1.VpcEndpoint, n *yaml.Node, at *path) gateway.VPCEndpoint {
	e := gateway.VPCEndpoint{
		ID: m.GetId(), VPC: m.GetVpc(), Listeners: m.GetListeners(), Principals: m.GetPrincipals(),
		Networks: c.networks(m.GetNetworks(), at.field("networks")),
	}
	e.Policy = c.endpointPolicy(&e, child(n, "policy"), at.field("policy"))
	return e
}

func (c *compiler) api(m *configv1.API, at *path) gateway.API {
	api := gateway.API{
		ID: m.GetId(), Account: m.GetAccount(), Region: m.GetRegion(), Partition: m.GetPartition(),
		HTTP:               m.GetKind() == configv1.Kind_HTTP,
		CORS:               cors(m.GetCors()),
		Private:            m.GetEndpoint() == configv1.Endpoint_PRIVATE,
		ExecuteAPIEndpoint: m.GetExecuteApiEndpoint(),
		StrictPaths:        m.GetStrictPaths(),
		LegacyMessages:     m.GetLegacyMessages(),
		UpstreamHeaders:    upstreamHeaders(m.GetUpstreamHeaders()),
	}
	for _, s := range m.GetStages() {
		api.Stages = append(api.Stages, gateway.Stage{Name: s.GetName(), Domains: s.GetDomains(), Variables: s.GetVariables()})
	}
	c.authorizers(m, &api, at)
	for i, r := range m.GetRoutes() {
		api.Routes = append(api.Routes, c.route(r, m, at.field("routes").item(i), at))
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetAuthorizers())) {
		c.warnRemembered(m.GetAuthorizers()[name].GetLambda(), name, &api, at.field("authorizers").key(name).field("lambda"))
	}
	api.GatewayResponses = gatewayResponses(m.GetGatewayResponses())
	api.Signatures = signatureOptions(m.GetSignatures())
	return api
}

func (c *compiler) route(m *configv1.Route, api *configv1.API, at, apiAt *path) gateway.Route {
	method, resource, ok := strings.Cut(m.GetRoute(), " ")
	if (!ok || strings.Contains(resource, " ")) && m.GetRoute() != gateway.DefaultRoute {
		c.ifNew(at.field("route"),
			`route must be a method and a resource with one space between, such as "GET /pets" or "ANY /{proxy+}"`)
	}
	authorization, authorizer := c.guard(m, api, at, apiAt)
	if authorization == configv1.Authorization_AWS_IAM && !c.signs {
		c.ifNew(at.field("authorization"), "authorization AWS_IAM needs keys that callers sign with: write iam: with accounts and accessKeys")
	}
	return gateway.Route{
		Method: method, Resource: resource,
		Authorization: gateway.Authorization(authorization.String()), Authorizer: authorizer, Scopes: m.GetScopes(),
		UpstreamHeaders: upstreamHeaders(m.GetUpstreamHeaders()),
		Signatures:      routeSignatures(m.GetSignatures()),
	}
}

// guard is a route's authorization and authorizer: what it says, or else what its API says. Naming an authorizer says the
// authorization too.
func (c *compiler) guard(m *configv1.Route, api *configv1.API, at, apiAt *path) (configv1.Authorization, string) {
	authorization, authorizer := m.GetAuthorization(), m.GetAuthorizer()
	unsaid := authorization == configv1.Authorization_AUTHORIZATION_UNSPECIFIED
	if unsaid && authorizer == "" {
		authorization, authorizer = api.GetDefaultAuthorization(), api.GetDefaultAuthorizer()
		unsaid = authorization == configv1.Authorization_AUTHORIZATION_UNSPECIFIED
	}
	switch {
	case unsaid && authorizer != "":
		return authorizationOf(api.GetAuthorizers()[authorizer]), authorizer
	case !unsaid:
	case c.report.follows(apiAt.field("defaultAuthorization").String()), c.report.follows(apiAt.field("defaultAuthorizer").String()):
		c.report.mark(at.field("authorization").String())
	default:
		c.ifNew(at.field("authorization"), "the route does not say its authorization: write authorization: NONE if it is open, name an authorizer, "+
			"or give its API a defaultAuthorization or a defaultAuthorizer")
	}
	return authorization, authorizer
}

// authorizationOf is what naming an authorizer says. Of one that does not exist, or is at fault, JWT stands for any.
func authorizationOf(m *configv1.Authorizer) configv1.Authorization {
	switch {
	case m.GetLambda() != nil:
		return configv1.Authorization_CUSTOM
	case m.GetCognito() != nil:
		return configv1.Authorization_COGNITO_USER_POOLS
	default:
		return configv1.Authorization_JWT
	}
}

// ifNew reports a fault at a path unless there is one already.
func (c *compiler) ifNew(at *path, message string) {
	if !c.report.follows(at.String()) {
		c.fault(at, "%s", message)
	}
}

// upstreamHeaders are in the order of their names.
func upstreamHeaders(m map[string]string) []gateway.UpstreamHeader {
	var headers []gateway.UpstreamHeader
	for _, name := range slices.Sorted(maps.Keys(m)) {
		headers = append(headers, gateway.UpstreamHeader{Name: name, Value: m[name]})
	}
	return headers
}

func gatewayResponses(m map[string]*configv1.GatewayResponse) map[string]gateway.GatewayResponse {
	if len(m) == 0 {
		return nil
	}
	responses := make(map[string]gateway.GatewayResponse, len(m))
	for name, r := range m {
		responses[name] = gateway.GatewayResponse{
			StatusCode:         int(r.GetStatusCode()),
			ResponseParameters: r.GetResponseParameters(),
			ResponseTemplates:  r.GetResponseTemplates(),
		}
	}
	return responses
}
