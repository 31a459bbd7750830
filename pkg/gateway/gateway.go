// Package gateway implements API Gateway's authorization. It finds the API, stage and route of a request, runs the route's guard, and
// answers with a gateway response or with the headers for the upstream.
//
// Start in authorize.go: the list order has every step of a decision, and each entry names the method that runs. A step denies unless it
// says otherwise, and only the last one allows. guard.go has what the authorization types do.
//
// New compiles a Config, which package compile documents. Package canon has the forms of paths and hosts, routing the look-up of routes,
// and answer what clients are told. A comment with a date, such as "2026-11-28:", is a decision where AWS is silent, or where portcullis is
// stricter. It stands at the function that implements it.
package gateway

import (
	"net/netip"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/compile"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// Gateway is a compiled Config. It is immutable and safe for concurrent use. Its zero value owns no host and denies.
type Gateway struct{ model *model.Gateway }

// noModel is the model of the zero Gateway.
var noModel model.Gateway

// New compiles a configuration. It returns all faults at once; the Gateway is nil if one of them is not a warning.
func New(c Config) (*Gateway, []fault.Fault) {
	m, faults := compile.New(c)
	if m == nil {
		return nil, faults
	}
	return &Gateway{m}, faults
}

// ClientAddress returns the address of a request's client, behind the trusted proxies. It is not valid for a request without a peer.
func (g *Gateway) ClientAddress(r *authz.Request) (netip.Addr, error) {
	return g.model.Clients.Of(r, false)
}

// The parts of a Config. Package compile documents them.
type (
	Config           = compile.Config
	API              = compile.API
	Stage            = compile.Stage
	Route            = compile.Route
	Authorization    = compile.Authorization
	Authorizer       = compile.Authorizer
	CORS             = compile.CORS
	UpstreamHeader   = compile.UpstreamHeader
	GatewayResponse  = compile.GatewayResponse
	VPCEndpoint      = compile.VPCEndpoint
	Upstream         = compile.Upstream
	APIKey           = compile.APIKey
	APIKeySource     = compile.APIKeySource
	APIKeyValue      = model.APIKeyValue
	SignatureOptions = compile.SignatureOptions
)

// What authenticators get and return. Package model documents them.
type (
	Token           = model.Token
	LambdaCall      = model.LambdaCall
	LambdaAnswer    = model.LambdaAnswer
	Signed          = model.Signed
	Verify          = model.Verify
	Identify        = model.Identify
	Unsigned        = model.Unsigned
	RouteSignatures = model.RouteSignatures
)

// HashAPIKey hashes an API key's value. The error does not repeat it.
func HashAPIKey(text string) (APIKeyValue, error) { return model.HashAPIKey(text) }

// The authorization types of methods, the sources of API keys, and the names of an HTTP API's default route and stage.
const (
	None    = compile.None
	IAM     = compile.IAM
	Custom  = compile.Custom
	Cognito = compile.Cognito
	JWT     = compile.JWT

	KeyInHeader       = compile.KeyInHeader
	KeyFromAuthorizer = compile.KeyFromAuthorizer

	DefaultRoute = compile.DefaultRoute
	DefaultStage = compile.DefaultStage
)
