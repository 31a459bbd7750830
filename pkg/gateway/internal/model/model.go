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

// Gateway is a compiled configuration. It is immutable and safe for concurrent use. Its zero value owns no host.
type Gateway struct {
	APIs     map[string]*API
	Hosts    map[string]*Host
	Mappings map[Domain]*Stage
	// Folded are the mappings whose base path holds a letter from A to Z, by the base path in lower case.
	Folded  map[Domain]*Stage
	Clients ClientAddresses
	// RequireAPI refuses requests of which Envoy's configuration does not say which API they are for.
	RequireAPI bool
	// Endpoints are the VPC endpoints by which private APIs are called.
	Endpoints VPCEndpoints
	// Mapped are the names of the headers that any API maps: no client may send them to any upstream.
	Mapped answer.HeaderNames
	// Verifies says that there is something that verifies signatures.
	Verifies bool
}

// API is one API.
type API struct {
	ID, Account, Region         string
	Private, Endpoint           bool
	StrictPaths, LegacyMessages bool
	Stages                      []*Stage
	Policy                      *policy.Policy
	Routes                      routing.Table[Route]
	// HTTP says that this is an HTTP API. CORS is its CORS configuration; nil where it has none.
	HTTP      bool
	CORS      *answer.CORS
	Responses map[authz.ResponseType]*answer.Custom
	// Verify verifies signatures.
	Verify Verify
	// Aliases are the canonical hosts of the aliases that clients may have signed.
	Aliases []string
}

// Stage is one stage of an API.
type Stage struct {
	API  *API
	Name string
	// ARN is a method ARN up to the verb, MaskedARN the same as clients are told it.
	ARN, MaskedARN string
	Variables      map[string]string
	// Whole says that a host leads to the stage without a base path, Below that one leads to it with a base path.
	Whole, Below bool
	// Hosts are those of the stage's domains.
	Hosts map[string]bool
}

// Route is one method of a resource.
type Route struct {
	routing.Key
	// Name is Key as a text.
	Name  string
	Guard Guard
	// Authorizer and Scopes are those of the guards that ask an authorizer.
	Authorizer *Authorizer
	Scopes     []string
	Upstream   []answer.MappedHeader
	// Verify takes the place of the API's where it is not nil, and Signatures are what it verifies by.
	Verify     Verify
	Signatures RouteSignatures
}

// DefaultStage is the name of an HTTP API's stage that its default endpoint serves without a stage name in the path.
const DefaultStage = "$default"

// Guard is what guards a route. The zero value is nothing that a configuration can ask for, and denies.
type Guard uint8

// The guards.
const (
	// Unguarded is a route without an authorization. It denies.
	Unguarded Guard = iota
	// Open is NONE: the resource policy, if there is one, decides alone.
	Open
	// ByIAM is AWS_IAM.
	ByIAM
	// ByFunction is CUSTOM, a Lambda authorizer.
	ByFunction
	// ByToken is COGNITO_USER_POOLS or JWT.
	ByToken
)

// Stage returns the stage of a name, nil if there is none.
func (a *API) Stage(name string) *Stage {
	for _, s := range a.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// StageInAnyCase returns the stage that has a name in a path, whatever the name's case; nil if there is none.
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
	// Challenge is the www-authenticate header of who shows nothing; empty for none.
	Challenge  string
	Sources    []IdentitySource
	Validation *regexp.Regexp
	Token      func(context.Context, string, []string) (Token, error)
	Function   func(context.Context, LambdaCall) (LambdaAnswer, error)
}

// IdentitySource is one thing that an authorizer wants to be shown.
type IdentitySource struct {
	// Written is the source in API Gateway's notation.
	Written string
	Value   answer.Variable
}

// SameGuard reports whether two routes are guarded alike.
func SameGuard(a, b *Route) bool {
	return a == b ||
		a.Guard == b.Guard && a.Authorizer == b.Authorizer && slices.Equal(a.Scopes, b.Scopes) && a.Signatures == b.Signatures
}

// IsOpen reports whether no authorization guards the route.
func (r *Route) IsOpen() bool { return r.Guard == Open }
