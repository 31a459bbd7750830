package model

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// Gateway is a compiled configuration. It is immutable and safe for concurrent use. Its zero value has no host.
type Gateway struct {
	APIs     map[string]*API
	Hosts    map[string]*Host
	Mappings map[Domain]*Stage
	// Folded has the mappings whose base path contains a letter from A to Z, by the base path in lower case.
	Folded  map[Domain]*Stage
	Clients ClientAddresses
	// RequireAPI refuses requests for which Envoy's configuration does not name the API.
	RequireAPI bool
	// Endpoints are the VPC endpoints by which private APIs are called.
	Endpoints VPCEndpoints
	// Mapped has the names of the headers that any API maps. They are removed from every upstream's request.
	Mapped answer.HeaderNames
	// Identify finds callers who do not sign; nil finds none.
	Identify Identify
	// Verifies reports whether APIs have verifiers of signatures.
	Verifies bool
}

// Host is the part of a configuration about one host name.
type Host struct {
	// Owner is the API whose default endpoint the host is (<id>.execute-api.<region>.amazonaws.com), nil for a custom
	// domain. If the endpoint is off, the host belongs to the API but serves nothing.
	Owner *API
	// Depth is the number of segments of the longest base path on the host. Longer prefixes of a path are not looked up.
	Depth int
	// Upper reports whether a base path contains a letter from A to Z.
	Upper bool
}

// Domain is a custom domain name with a base path: "" or "/v1/pets".
type Domain struct{ Host, BasePath string }

// API is one API.
type API struct {
	ID, Account, Region         string
	Private, Endpoint           bool
	StrictPaths, LegacyMessages bool
	Stages                      []*Stage
	Policy                      *policy.Policy
	Routes                      routing.Table[Route]
	// HTTP reports whether this is an HTTP API. CORS is its CORS configuration, nil if it has none.
	HTTP      bool
	CORS      *answer.CORS
	Responses map[authz.ResponseType]*answer.Custom
	// Verify verifies signatures.
	Verify Verify
	// Aliases has the canonical hosts that clients may sign besides those of the stages.
	Aliases []string
	APIKeys APIKeys
}

// Stage is one stage of an API.
type Stage struct {
	API  *API
	Name string
	// ARN is a method ARN up to the method, MaskedARN the same with a masked account.
	ARN, MaskedARN string
	Variables      map[string]string
	// Whole reports whether a host leads to the stage without a base path, Below whether one leads to it with a base path.
	Whole, Below bool
	// Hosts has the hosts of the stage's domains.
	Hosts map[string]bool
	// Meter counts the decisions without a route, and Meters those of the API's routes, by Route.Index. They are nil if nothing counts.
	Meter  authz.Meter
	Meters []authz.Meter
}

// MeterOf returns what counts the decisions of a route, nil if nothing does. The route may be nil.
func (s *Stage) MeterOf(r *Route) authz.Meter {
	if r == nil || s.Meters == nil {
		return s.Meter
	}
	return s.Meters[r.Index]
}

// Route is one method of a resource.
type Route struct {
	routing.Key
	// Name is Key as a text. Index is the route's position in its API.
	Name  string
	Index int
	Guard Guard
	// Authorizer and Scopes are set for ByFunction and ByToken.
	Authorizer *Authorizer
	Scopes     []string
	// APIKeyRequired asks for an API key beside what the guard asks for.
	APIKeyRequired bool
	// Unresolved says why the guard is not known, for a route with the guard Unresolved.
	Unresolved string
	Upstream   []answer.MappedHeader
	// UpstreamAnswer tells Envoy the route's upstream, "" if Envoy's configuration alone says which it is.
	UpstreamAnswer string
	// Verify replaces the API's unless it is nil. Signatures has the options that apply to the route.
	Verify     Verify
	Signatures RouteSignatures
}

// DefaultStage is the name of an HTTP API's stage that its default endpoint serves without a stage name in the path.
const DefaultStage = "$default"

// Guard is the kind of authorization of a route. Configurations cannot ask for the zero value, which denies.
type Guard uint8

// The guards.
const (
	// Unguarded stands for a route without an authorization. It denies.
	Unguarded Guard = iota
	// Open is NONE: the resource policy decides alone, if there is one.
	Open
	// ByIAM is AWS_IAM.
	ByIAM
	// ByFunction is CUSTOM, a Lambda authorizer.
	ByFunction
	// ByToken is COGNITO_USER_POOLS or JWT.
	ByToken
	// Unresolved is a guard that is not known. It denies.
	Unresolved
)

// Stage returns the stage with a name, nil if there is none.
func (a *API) Stage(name string) *Stage {
	for _, s := range a.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// StageInAnyCase returns the stage with a name that can be in a path, without regard to case; nil if there is none.
func (a *API) StageInAnyCase(name string) *Stage {
	for _, s := range a.Stages {
		if s.Name != DefaultStage && strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return nil
}

// Authorizer is a compiled Authorizer.
type Authorizer struct {
	Name string
	// Challenge is the www-authenticate header for callers without an identity; empty for none.
	Challenge  string
	Sources    []IdentitySource
	Validation *regexp.Regexp
	Token      func(context.Context, string, []string) (Token, error)
	Function   func(context.Context, LambdaCall) (LambdaAnswer, error)
}

// IdentitySource is one value that identifies a caller to an authorizer.
type IdentitySource struct {
	// Written is the source in API Gateway's notation.
	Written string
	Value   answer.Variable
}

// SameGuard reports whether two routes are guarded alike: by the same type, authorizer, scopes and options of signatures.
func SameGuard(a, b *Route) bool {
	return a == b ||
		a.Guard == b.Guard && a.Authorizer == b.Authorizer && slices.Equal(a.Scopes, b.Scopes) && a.Signatures == b.Signatures &&
			a.APIKeyRequired == b.APIKeyRequired
}

// IsOpen reports whether the route has the authorization NONE and does not require an API key.
func (r *Route) IsOpen() bool { return r.Guard == Open && !r.APIKeyRequired }
