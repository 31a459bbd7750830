package compile

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Config is everything a Gateway is made of. New takes it over: the caller does not change it afterwards.
type Config struct {
	// At is where the configuration stands. APIs, stages, routes, authorizers and VPC endpoints have an At too, from which New makes
	// the Places of its faults. A nil At stands for the part's place in what holds it, such as apis[3].stages[0].
	At *fault.Place
	// APIs are the APIs that are served; at least one.
	APIs []API
	// TrustedProxies are the networks whose X-Forwarded-For entries are believed (clientAddress.trustedProxies). Without
	// any, the TCP peer is the client.
	TrustedProxies []netip.Prefix
	// RequireAPI refuses requests of which Envoy's configuration does not say which API they are for (envoy.requireApi).
	RequireAPI bool
	// VPCEndpoints are the interface VPC endpoints by which private APIs are called.
	VPCEndpoints []VPCEndpoint
	// Signatures makes what verifies by a set of options; New calls it once for each distinct set. Routes with authorization
	// AWS_IAM need it; a request without a route is answered by what it makes.
	Signatures func(SignatureOptions) (model.Verify, error)
}

// NeedsBodies reports whether any request's body is looked at: a signature is over it, and a VPC endpoint policy asks who has signed,
// whatever the route's authorization.
func (c *Config) NeedsBodies() bool {
	signed := func(r Route) bool { return r.Authorization == IAM }
	policies := slices.ContainsFunc(c.VPCEndpoints, func(e VPCEndpoint) bool { return e.Policy != nil })
	return slices.ContainsFunc(c.APIs, func(a API) bool { return a.Private && policies || slices.ContainsFunc(a.Routes, signed) })
}

// ForgetPlaces sets every At to nil. What holds the Config would otherwise hold the documents that it was read from.
func (c *Config) ForgetPlaces() {
	c.At = nil
	for i := range c.VPCEndpoints {
		c.VPCEndpoints[i].At = nil
	}
	for i := range c.APIs {
		c.APIs[i].forgetPlaces()
	}
}

func (a *API) forgetPlaces() {
	a.At = nil
	for i := range a.Stages {
		a.Stages[i].At = nil
	}
	for i := range a.Routes {
		a.Routes[i].At = nil
	}
	for i := range a.APIKeys {
		a.APIKeys[i].At = nil
	}
	for name, authorizer := range a.Authorizers {
		authorizer.At = nil
		a.Authorizers[name] = authorizer
	}
}

// apiAt returns where an API stands.
func (c *Config) apiAt(i int) *fault.Place { return cmp.Or(c.APIs[i].At, c.At.Field("apis").Item(i)) }

// stageAt returns where a stage of the API at a place stands.
func (a *API) stageAt(at *fault.Place, i int) *fault.Place {
	return cmp.Or(a.Stages[i].At, at.Field("stages").Item(i))
}

// routeAt returns where a route of the API at a place stands.
func (a *API) routeAt(at *fault.Place, i int) *fault.Place {
	return cmp.Or(a.Routes[i].At, at.Field("routes").Item(i))
}

// VPCEndpoint is an interface VPC endpoint for execute-api, and how a request shows that it came by it. It names an
// endpoint, a VPC or both.
type VPCEndpoint struct {
	// At is where the entry stands.
	At *fault.Place
	// ID is the endpoint's id (aws:SourceVpce). A load balancer that sends it in the PROXY protocol's header leads here.
	ID string
	// VPC is the id of the VPC that the endpoint lies in (aws:SourceVpc).
	VPC string
	// Networks are the networks of clients that come by the endpoint. Of several that hold a client's address, the
	// smallest counts.
	Networks []netip.Prefix
	// Listeners are Envoy's listeners whose requests all come by the endpoint, by the names that Envoy's configuration
	// gives them.
	Listeners []string
	// Principals are the SPIFFE ids of workloads that come by the endpoint, as a mesh's mutual TLS attests them. One that ends in
	// "/*" is for all below it. Of several that hold a workload's id, the longest counts.
	Principals []string
	// Policy is the VPC endpoint policy; nil stands for full access.
	Policy *policy.Policy
}

// API is one REST API, or one HTTP API.
type API struct {
	// At is where the API stands.
	At *fault.Place
	// ID, Account, Region and Partition are parts of the method ARN. Partition is aws, aws-cn or aws-us-gov; it follows from
	// the region, so that it may be left out.
	ID, Account, Region, Partition string
	// HTTP makes the API an HTTP API.
	HTTP bool
	// CORS is how an HTTP API answers browsers; nil where it leaves that to its upstreams.
	CORS *CORS
	// Private makes the API a private one: it is called by a VPC endpoint and in no other way.
	Private bool
	// ExecuteAPIEndpoint makes the API answer on <id>.execute-api.<region>.amazonaws.com/<stage>/… too; a private one also on
	// <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com/<stage>/….
	ExecuteAPIEndpoint bool
	// StrictPaths refuses paths with an encoded slash, question mark or number sign, a semicolon, or anything that is encoded twice, and
	// paths that lead to a route that is guarded otherwise if case does not count.
	StrictPaths bool
	// LegacyMessages answers denials with the texts that API Gateway used until 2025.
	LegacyMessages bool
	// Stages are the API's stages; at least one.
	Stages []Stage
	// ResourcePolicy guards every route; nil where there is none.
	ResourcePolicy *policy.Policy
	// Authorizers are the API's authorizers by name.
	Authorizers map[string]Authorizer
	// Routes are the API's methods; at least one.
	Routes []Route
	// UpstreamHeaders are set on every allowed request, unless the route maps the same name.
	UpstreamHeaders []UpstreamHeader
	// GatewayResponses are the customized gateway responses by response type, such as ACCESS_DENIED or DEFAULT_4XX.
	GatewayResponses map[string]GatewayResponse
	// Signatures say how the API's signatures are verified.
	Signatures SignatureOptions
	// APIKeySource is where a request's API key comes from; empty for HEADER.
	APIKeySource APIKeySource
	// APIKeys are the keys of which routes with APIKeyRequired want one. Only a REST API has them.
	APIKeys []APIKey
}

// Stage is one stage of an API.
type Stage struct {
	// At is where the stage stands. It is not part of the stage's JSON: a remembered answer depends on that.
	At *fault.Place `json:"-"`
	// Name is the stage's name as it stands in the method ARN. An HTTP API may have a DefaultStage.
	Name string
	// Domains are the custom domain names that are mapped to the stage: "host" or "host/base/path".
	Domains []string
	// Variables are the stage variables.
	Variables map[string]string
}

// Authorization is a method's authorizationType.
type Authorization string

// None is open access: no identity is established, and the resource policy, if there is one, decides alone.
const None Authorization = "NONE"

// Route is one method of a resource.
type Route struct {
	// At is where the route stands.
	At *fault.Place
	// Method is DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY; or DefaultRoute, with no Resource.
	Method string
	// Resource is the resource path: "/", "/pets/{petId}", "/{proxy+}".
	Resource string
	// Authorization is how the method is guarded; it must be said, except with Unresolved.
	Authorization Authorization
	// Unresolved says why nobody knows how the method is guarded: one line, which logs repeat. Every request for it is refused. Empty
	// for a method whose guard is known.
	Unresolved string
	// APIKeyRequired makes callers show an API key.
	APIKeyRequired bool
	// Authorizer is the name of the authorizer of a method with authorization CUSTOM, COGNITO_USER_POOLS or JWT.
	Authorizer string
	// Scopes are the method's authorizationScopes, of which a token needs one.
	Scopes []string
	// UpstreamHeaders are set on requests of this route, and override those of the API by name.
	UpstreamHeaders []UpstreamHeader
	// Signatures say in what the route's signatures are verified differently than the API's.
	Signatures model.RouteSignatures
}

// UpstreamHeader is one header of the upstream's request.
type UpstreamHeader struct {
	// Name is the header's name.
	Name string
	// Value is a $context variable, a $stageVariables variable, or a literal.
	Value string
}

// GatewayResponse is one customized gateway response.
type GatewayResponse struct {
	// StatusCode replaces the default status, unless it is zero.
	StatusCode int
	// ResponseParameters maps gatewayresponse.header.<Name> to a quoted literal, context.<variable>,
	// stageVariables.<name>, or method.request.{header,querystring,path}.<name>.
	ResponseParameters map[string]string
	// ResponseTemplates maps a content type to a body template.
	ResponseTemplates map[string]string
}
