package compile

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Config is everything that a Gateway is made of. The caller must not change it after calling New.
type Config struct {
	// At is the place of the configuration. APIs, stages, routes, authorizers and VPC endpoints have an At too, from which New derives
	// the places of its faults. A nil At stands for the part's place in its parent, such as apis[3].stages[0].
	At *fault.Place
	// APIs are the APIs that are served; at least one.
	APIs []API
	// TrustedProxies are the networks of proxies whose X-Forwarded-For entries count (clientAddress.trustedProxies). Without
	// them, the TCP peer is the client.
	TrustedProxies []netip.Prefix
	// RequireAPI refuses requests for which Envoy's configuration does not name the API (envoy.requireApi).
	RequireAPI bool
	// VPCEndpoints are the interface VPC endpoints by which private APIs are called.
	VPCEndpoints []VPCEndpoint
	// Upstreams are the servers that routes name, by name. An empty map leaves it to Envoy which server gets a request.
	Upstreams map[string]Upstream
	// Signatures returns a verifier for a set of options, or says what is wrong with them. New calls it once for each distinct set. Routes
	// with authorization AWS_IAM need it. A request without a route is answered by the API's verifier.
	Signatures func(SignatureOptions) (model.Verify, error)
	// Identify finds the callers of routes with authorization AWS_IAM who do not sign; nil finds none (iam.principals).
	Identify model.Identify
	// Meter returns what counts the decisions of a route, or of a stage if the key has no route; nil counts nothing. New calls it for each
	// stage, and for each route of a stage, unless it finds a fault.
	Meter func(authz.MeterKey) authz.Meter
}

// NeedsBodies reports whether a request's body can affect a decision. Signatures cover the body, and a VPC endpoint policy is asked about
// the signer, whatever the route's authorization.
func (c *Config) NeedsBodies() bool {
	signed := func(r Route) bool { return r.Authorization == IAM }
	policies := slices.ContainsFunc(c.VPCEndpoints, func(e VPCEndpoint) bool { return e.Policy != nil })
	return slices.ContainsFunc(c.APIs, func(a API) bool { return a.Private && policies || slices.ContainsFunc(a.Routes, signed) })
}

// ForgetPlaces sets every At to nil. Otherwise the Config would keep the documents in memory that it was read from.
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

// apiAt returns the place of an API.
func (c *Config) apiAt(i int) *fault.Place { return cmp.Or(c.APIs[i].At, c.At.Field("apis").Item(i)) }

// stageAt returns the place of a stage of the API at a place.
func (a *API) stageAt(at *fault.Place, i int) *fault.Place {
	return cmp.Or(a.Stages[i].At, at.Field("stages").Item(i))
}

// routeAt returns the place of a route of the API at a place.
func (a *API) routeAt(at *fault.Place, i int) *fault.Place {
	return cmp.Or(a.Routes[i].At, at.Field("routes").Item(i))
}

// Upstream is a server behind Envoy.
type Upstream struct {
	// Address is host:port.
	Address string
	// TLSCA is the PEM file, on Envoy's machine, of the authorities to trust for the server. Empty for a connection that is not
	// encrypted.
	TLSCA string
	// PathPrefix stands before the path in the requests of the upstream, such as /v1.
	PathPrefix string
}

// VPCEndpoint is an interface VPC endpoint for execute-api, and what shows that a request came by it. It names an endpoint, a VPC or
// both.
type VPCEndpoint struct {
	// At is the place of the entry.
	At *fault.Place
	// ID is the endpoint's id (aws:SourceVpce), which a load balancer sends in the PROXY protocol's header.
	ID string
	// VPC is the id of the VPC that the endpoint lies in (aws:SourceVpc).
	VPC string
	// Networks are the networks of clients that come by the endpoint. Of several that contain a client's address, the
	// smallest counts.
	Networks []netip.Prefix
	// Listeners are the names, in Envoy's configuration, of the listeners whose requests all come by the endpoint.
	Listeners []string
	// Principals are the SPIFFE ids of workloads that come by the endpoint, as a mesh's mutual TLS attests them. One that ends in
	// "/*" matches all ids below it. Of several that match a workload's id, the longest counts.
	Principals []string
	// Policy is the VPC endpoint policy; nil stands for full access.
	Policy *policy.Policy
}

// API is one REST API, or one HTTP API.
type API struct {
	// At is the place of the API.
	At *fault.Place
	// ID, Account, Region and Partition are parts of the method ARN. Partition is aws, aws-cn or aws-us-gov; if it is empty, it follows
	// from the region.
	ID, Account, Region, Partition string
	// HTTP makes the API an HTTP API.
	HTTP bool
	// CORS is how an HTTP API answers browsers; nil leaves that to its upstreams.
	CORS *CORS
	// Private makes the API a private one, which can only be called by a VPC endpoint.
	Private bool
	// ExecuteAPIEndpoint makes the API answer on <id>.execute-api.<region>.amazonaws.com/<stage>/… too, and a private API also on
	// <id>-<VPC endpoint id>.execute-api.<region>.amazonaws.com/<stage>/….
	ExecuteAPIEndpoint bool
	// Imported says that API Gateway takes the API as it is: a variable that it does not have is empty, and no fault.
	Imported bool
	// StrictPaths refuses paths with an encoded slash, question mark or number sign, a semicolon, or text that is encoded twice, and
	// paths that lead to a route that is guarded differently without regard to case.
	StrictPaths bool
	// LegacyMessages answers denials with the texts that API Gateway used until 2025.
	LegacyMessages bool
	// Stages are the API's stages; at least one.
	Stages []Stage
	// ResourcePolicy guards every route; nil if there is none.
	ResourcePolicy *policy.Policy
	// Authorizers are the API's authorizers by name.
	Authorizers map[string]Authorizer
	// Routes are the API's methods; at least one.
	Routes []Route
	// UpstreamHeaders are set on every allowed request, unless the route maps the same name.
	UpstreamHeaders []UpstreamHeader
	// Upstream is the name of the upstream of routes that do not name one.
	Upstream string
	// GatewayResponses are the customized gateway responses by response type, such as ACCESS_DENIED or DEFAULT_4XX.
	GatewayResponses map[string]GatewayResponse
	// Signatures are the options by which the API's signatures are verified.
	Signatures SignatureOptions
	// APIKeySource is where a request's API key comes from; empty for HEADER.
	APIKeySource APIKeySource
	// APIKeys are the keys of which routes with APIKeyRequired want one. Only a REST API has them.
	APIKeys []APIKey
}

// Stage is one stage of an API.
type Stage struct {
	// At is the place of the stage. It is not part of the stage's JSON, on which the keys of cached answers depend.
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

// None is open access: the caller is anonymous, and the resource policy, if there is one, decides alone.
const None Authorization = "NONE"

// Route is one method of a resource.
type Route struct {
	// At is the place of the route.
	At *fault.Place
	// Method is DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY; or DefaultRoute, with no Resource.
	Method string
	// Resource is the resource path: "/", "/pets/{petId}", "/{proxy+}".
	Resource string
	// Authorization is how the method is guarded. It is required, except with Unresolved.
	Authorization Authorization
	// Unresolved says why it is not known how the method is guarded: one line, which logs repeat. Every request for it is refused. Empty
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
	// Upstream is the name of the route's upstream; empty for the API's.
	Upstream string
	// Signatures are the options of the route that differ from the API's.
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

// The authorizations that ask an authorizer.
const (
	// Custom is the authorization by a Lambda authorizer.
	Custom Authorization = "CUSTOM"
	// Cognito is the authorization of callers with a token of a Cognito user pool.
	Cognito Authorization = "COGNITO_USER_POOLS"
	// JWT is the authorization of callers with a JSON Web Token of an issuer.
	JWT Authorization = "JWT"
)

// IAM is the authorization of callers who sign their requests.
const IAM Authorization = "AWS_IAM"

// Authorizer is one authorizer of an API.
type Authorizer struct {
	// At is the place that has the authorizer's fields, such as identitySource. Nil stands for its entry in the API's authorizers. Faults
	// of the authorizer as a whole are at its entry.
	At *fault.Place
	// Authorization is the authorization of the methods that the authorizer guards: CUSTOM, COGNITO_USER_POOLS or JWT.
	Authorization Authorization
	// IdentitySource names the values that identify the caller, in API Gateway's notation: method.request.header.Authorization on a REST
	// API, $request.header.Authorization on an HTTP API. A token has one source, the Authorization header by default. A function may have
	// several.
	IdentitySource []string
	// IdentityValidationExpression must match each of these values as a whole before the function is called; empty for no check. It is
	// for TOKEN authorizers. The expression of a user pool authorizer is about the token's audience, and Token checks it.
	IdentityValidationExpression string
	// Token verifies a token (COGNITO_USER_POOLS, JWT). An error denies; an *authz.Refusal says how.
	Token func(ctx context.Context, shown string, scopes []string) (model.Token, error)
	// Function asks the authorizer's function (CUSTOM). An error denies; an *authz.Refusal says how.
	Function func(context.Context, model.LambdaCall) (model.LambdaAnswer, error)
	// TokenType makes a function's authorizer one of type TOKEN. It has a single identity source, the Authorization header by default.
	TokenType bool
	// Timeout is how long the function may take; zero if the configuration does not say. Function enforces it, and Envoy must wait longer.
	Timeout time.Duration
	// Digest identifies what the authorizer is configured with, for those who compare configurations. New does not read it.
	Digest string
}

// CORS is the CORS configuration of an HTTP API ("Configure CORS for HTTP APIs in API Gateway").
type CORS struct {
	// AllowOrigins are origins such as https://www.example.com, or https://*, http://* or *.
	AllowOrigins []string
	// AllowMethods are methods, or *.
	AllowMethods []string
	// AllowHeaders and ExposeHeaders are names of headers, or *.
	AllowHeaders, ExposeHeaders []string
	// MaxAge is for how many seconds a browser keeps the answer to a preflight: -1 for not at all, zero for the browser's default.
	MaxAge int
	// AllowCredentials lets browsers send cookies and the like.
	AllowCredentials bool
}

// SignatureOptions are the options by which the signatures of an API's requests are verified. API Gateway does not have them.
type SignatureOptions struct {
	// Region is the API's region, which New fills in.
	Region string
	// MaxExpires is how long a presigned request is valid at most, whatever its X-Amz-Expires; zero stands for 300 seconds.
	MaxExpires time.Duration
	// PlusLiteral reads a "+" in a query as itself and not as a space.
	PlusLiteral bool
	// HostAliases are hosts that clients may sign besides those of the stage. They must not be hosts of other APIs. A host of a stage
	// counts for that stage alone.
	HostAliases []string
	// DisableSigV4A refuses Signature Version 4A.
	DisableSigV4A bool
	// UnsignedPayload accepts UNSIGNED-PAYLOAD. Routes set it; New ignores it in the options of an API.
	UnsignedPayload bool
}

// given reports whether an option differs from its default.
func (o *SignatureOptions) given() bool {
	return o.MaxExpires != 0 || o.PlusLiteral || len(o.HostAliases) > 0 || o.DisableSigV4A
}

// UpstreamOf returns the name of a route's upstream, "" for none.
func (a *API) UpstreamOf(r *Route) string { return cmp.Or(r.Upstream, a.Upstream) }

// HasUpstreams reports whether the API's routes name upstreams. New accepts an API only if all of its routes do, or none. A route that
// refuses every request may lack one.
func (a *API) HasUpstreams() bool {
	return slices.ContainsFunc(a.Routes, func(r Route) bool { return a.UpstreamOf(&r) != "" })
}

// key names the route.
func (c *Route) key() routing.Key { return routing.Key{Method: c.Method, Resource: c.Resource} }

// ARNPrefix returns the prefix of the API's method ARNs, up to and including the API id. An abbreviated resource of its
// resource policy ("execute-api:/prod/GET/pets") is expanded with it.
func (a *API) ARNPrefix() string {
	return a.arnPrefix(a.Account)
}

func (a *API) arnPrefix(account string) string {
	return "arn:" + arn.PartitionOf(a.Region) + ":execute-api:" + a.Region + ":" + account + ":" + a.ID
}

// ExecuteAPIHost returns the host name of the API's default endpoint.
func (a *API) ExecuteAPIHost() string {
	host := a.ID + ".execute-api." + a.Region + ".amazonaws.com"
	if arn.PartitionOf(a.Region) == "aws-cn" {
		host += ".cn"
	}
	return host
}

func (a *API) hasStageVariable(name string) bool {
	return slices.ContainsFunc(a.Stages, func(s Stage) bool { _, ok := s.Variables[name]; return ok })
}

const (
	// DefaultRoute is the route key of an HTTP API's route for requests that no other route matches.
	DefaultRoute = routing.Default
	// DefaultStage is the name of an HTTP API's stage that its default endpoint serves without a stage name in the path.
	DefaultStage = model.DefaultStage
)
