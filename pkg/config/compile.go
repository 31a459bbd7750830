package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/authorizer"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/identity"
	"github.com/portcullis-authz/portcullis/pkg/config/internal/issuer"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// compile continues after a fault, so that all faults are reported. It returns a nil gateway if there is a fault.
func (c *compiler) compile(m *configv1.Config) (*gateway.Gateway, gateway.Config) {
	at := c.Doc.Root()
	config := gateway.Config{
		At:             at,
		APIs:           make([]gateway.API, len(m.GetApis())),
		TrustedProxies: c.networks(m.GetClientAddress().GetTrustedProxies(), at.Field("clientAddress").Field("trustedProxies")),
		RequireAPI:     m.GetEnvoy().GetRequireApi(),
		Meter:          c.lease.Meter(),
	}
	for name, u := range m.GetUpstreams() {
		if config.Upstreams == nil {
			config.Upstreams = map[string]gateway.Upstream{}
		}
		config.Upstreams[name] = gateway.Upstream{Address: u.GetAddress(), TLSCA: u.GetTlsCa(), PathPrefix: u.GetPathPrefix()}
	}
	c.signs = c.Standalone || identity.Signable(c.Reader, m.GetIam())
	for i, e := range m.GetVpcEndpoints() {
		config.VPCEndpoints = append(config.VPCEndpoints, c.vpcEndpoint(e, at.Field("vpcEndpoints").Item(i)))
	}
	c.issuers = issuer.Read(c.Reader, m.GetIssuers(), c.pool.KeySets())
	c.authorizers = authorizer.New(authorizer.Config{
		Reader: c.Reader, Pool: c.pool, Lease: c.lease, Issuers: c.issuers, Digests: c.Places,
	}, m.GetFunctions())
	c.memory(m.GetCache(), at.Field("cache"))
	c.log = c.decisionLog(m, at.Field("decisionLog"))
	for i, api := range m.GetApis() {
		at := at.Field("apis").Item(i)
		config.APIs[i] = c.api(api, at)
		if api.GetKind() == configv1.Kind_HTTP {
			c.httpAPI(api, at)
			continue
		}
		config.APIs[i].ResourcePolicy = c.resourcePolicy(&config, i, api.GetImported(), at)
	}
	c.identities = identity.Compile(identity.Config{
		Reader: c.Reader, Pool: c.pool, Lease: c.lease, Issuers: c.issuers, KeyFiles: c.keyFiles,
	}, m)
	config.Signatures, config.Identify = c.identities.Signatures, c.identities.Identify
	c.issuers.WarnUnused()
	c.authorizers.WarnUnused()
	g, faults := gateway.New(config)
	for _, f := range faults {
		if !c.Follows(f.At) {
			c.Add(f)
		}
	}
	if !c.Places {
		config.ForgetPlaces() // the Snapshot has them
	}
	return g, config
}

func (c *compiler) networks(texts []string, at *fault.Place) []netip.Prefix {
	networks := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		network, err := netip.ParsePrefix(text)
		switch {
		case c.Follows(at.Item(i)):
		case err != nil:
			c.Fault(at.Item(i), "%s is not a network: write it in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32", fault.Quoted(text))
		case network != network.Masked():
			c.Fault(at.Item(i), "%s names one address of a network: write %s, or %s for the address alone",
				network, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
		}
		networks[i] = network
	}
	return networks
}

func (c *compiler) vpcEndpoint(m *configv1.VpcEndpoint, at *fault.Place) gateway.VPCEndpoint {
	e := gateway.VPCEndpoint{
		At: at, ID: m.GetId(), VPC: m.GetVpc(), Listeners: m.GetListeners(), Principals: m.GetPrincipals(),
		Networks: c.networks(m.GetNetworks(), at.Field("networks")),
	}
	e.Policy = c.endpointPolicy(&e, at)
	return e
}

func (c *compiler) api(m *configv1.API, at *fault.Place) gateway.API {
	api := gateway.API{
		At: at, ID: m.GetId(), Account: m.GetAccount(), Region: m.GetRegion(), Partition: m.GetPartition(),
		HTTP:               m.GetKind() == configv1.Kind_HTTP,
		CORS:               cors(m.GetCors()),
		Private:            m.GetEndpoint() == configv1.Endpoint_PRIVATE,
		ExecuteAPIEndpoint: m.GetExecuteApiEndpoint(),
		Imported:           m.GetDefinition() != nil || m.GetImported(),
		StrictPaths:        m.GetStrictPaths(),
		LegacyMessages:     m.GetLegacyMessages(),
		UpstreamHeaders:    upstreamHeaders(m.GetUpstreamHeaders()),
		Upstream:           m.GetUpstream(),
	}
	if m.GetDefinition() != nil && m.GetImported() {
		c.Fault(at.Field("imported"), "imported is for an API without a definition: remove it")
	}
	for i, s := range m.GetStages() {
		at := at.Field("stages").Item(i)
		api.Stages = append(api.Stages, gateway.Stage{At: at, Name: s.GetName(), Domains: s.GetDomains(), Variables: s.GetVariables()})
	}
	c.authorizers.Authorizers(m, &api, at)
	for i, r := range m.GetRoutes() {
		api.Routes = append(api.Routes, c.route(r, m, at.Field("routes").Item(i), at))
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetAuthorizers())) {
		c.authorizers.WarnRemembered(m.GetAuthorizers()[name].GetLambda(), name, &api, at.Field("authorizers").Key(name).Field("lambda"))
	}
	api.GatewayResponses = gatewayResponses(m.GetGatewayResponses())
	api.Signatures = c.signatureOptions(m.GetSignatures(), at.Field("signatures"))
	c.apiKeys(m, &api, at)
	return api
}

func (c *compiler) route(m *configv1.Route, api *configv1.API, at, apiAt *fault.Place) gateway.Route {
	method, resource, ok := strings.Cut(m.GetRoute(), " ")
	if (!ok || strings.Contains(resource, " ")) && m.GetRoute() != gateway.DefaultRoute {
		c.IfNew(at.Field("route"),
			`route must be a method and a resource with one space between, such as "GET /pets" or "ANY /{proxy+}"`)
	}
	authorization, authorizer := c.guard(m, api, at, apiAt)
	if authorizer != "" && c.Follows(apiAt.Field("authorizers").Key(authorizer)) {
		c.Mark(at.Field("authorization")) // which kind of authorizer it is, is not known
	}
	if authorization == configv1.Authorization_AWS_IAM && !c.signs {
		c.IfNew(at.Field("authorization"), "authorization AWS_IAM needs keys that callers sign with: write iam: with accounts, and accessKeys or sessions")
	}
	r := gateway.Route{
		At: at, Method: method, Resource: resource,
		Authorizer: authorizer, Scopes: m.GetScopes(), Unresolved: m.GetUnresolved(), APIKeyRequired: m.GetApiKeyRequired(),
		UpstreamHeaders: upstreamHeaders(m.GetUpstreamHeaders()),
		Upstream:        m.GetUpstream(),
		Signatures:      c.routeSignatures(m.GetSignatures(), at.Field("signatures")),
	}
	if authorization != configv1.Authorization_AUTHORIZATION_UNSPECIFIED {
		r.Authorization = gateway.Authorization(authorization.String())
	}
	return r
}

// guard returns a route's authorization and authorizer, which default to those of its API. An authorizer implies its
// authorization. A route whose guard is not known inherits nothing.
func (c *compiler) guard(m *configv1.Route, api *configv1.API, at, apiAt *fault.Place) (configv1.Authorization, string) {
	authorization, authorizer := m.GetAuthorization(), m.GetAuthorizer()
	unsaid := authorization == configv1.Authorization_AUTHORIZATION_UNSPECIFIED
	if m.Unresolved != nil || c.Follows(at.Field("unresolved")) {
		if m.GetUnresolved() == "" { // a fault already
			c.Mark(at.Field("authorization"))
		}
		return authorization, authorizer
	}
	if unsaid && authorizer == "" {
		authorization, authorizer = api.GetDefaultAuthorization(), api.GetDefaultAuthorizer()
		unsaid = authorization == configv1.Authorization_AUTHORIZATION_UNSPECIFIED
	}
	switch {
	case unsaid && authorizer != "":
		return authorizationOf(api.GetAuthorizers()[authorizer]), authorizer
	case !unsaid:
	case c.Follows(apiAt.Field("defaultAuthorization")), c.Follows(apiAt.Field("defaultAuthorizer")):
		c.Mark(at.Field("authorization"))
	default:
		c.IfNew(at.Field("authorization"), "the route has no authorization: write authorization: NONE if it is open, name an authorizer, "+
			"or give its API a defaultAuthorization or a defaultAuthorizer")
	}
	return authorization, authorizer
}

// authorizationOf returns the authorization that an authorizer implies. It returns JWT for one that is missing or at
// fault.
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

// upstreamHeaders returns the headers in the order of their names.
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

// httpAPI refuses fields that an HTTP API cannot have and that gateway.API does not represent.
func (c *compiler) httpAPI(m *configv1.API, at *fault.Place) {
	if c.Doc.Node(at.Field("resourcePolicy")) != nil {
		c.IfNew(at.Field("resourcePolicy"), "an HTTP API cannot have a resource policy; remove it, or write kind: REST")
	}
	if m.GetEndpoint() == configv1.Endpoint_EDGE {
		c.IfNew(at.Field("endpoint"), "an HTTP API is always regional; remove endpoint, or write kind: REST")
	}
}

func cors(m *configv1.Cors) *gateway.CORS {
	if m == nil {
		return nil
	}
	return &gateway.CORS{
		AllowOrigins: m.GetAllowOrigins(), AllowMethods: m.GetAllowMethods(), AllowHeaders: m.GetAllowHeaders(),
		ExposeHeaders: m.GetExposeHeaders(), MaxAge: int(m.GetMaxAge()), AllowCredentials: m.GetAllowCredentials(),
	}
}

func (c *compiler) signatureOptions(m *configv1.Signatures, at *fault.Place) gateway.SignatureOptions {
	o := gateway.SignatureOptions{
		MaxExpires: c.seconds(m.GetMaxExpires(), at.Field("maxExpires")), PlusLiteral: m.GetLiteralPlus(), HostAliases: m.GetHostAliases(),
		DisableSigV4A: m.GetDisableSigv4A(),
	}
	if c.Follows(at.Field("hostAliases")) {
		o.HostAliases = nil
	}
	return o
}

func (c *compiler) routeSignatures(m *configv1.RouteSignatures, at *fault.Place) gateway.RouteSignatures {
	return gateway.RouteSignatures{MaxExpires: c.seconds(m.GetMaxExpires(), at.Field("maxExpires")), UnsignedPayload: m.GetUnsignedPayload()}
}

// seconds returns a number of seconds, zero for one that is at fault already: a verifier would refuse it again.
func (c *compiler) seconds(n int32, at *fault.Place) time.Duration {
	if c.Follows(at) {
		return 0
	}
	return time.Duration(n) * time.Second
}
