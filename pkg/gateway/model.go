package gateway

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
	"github.com/portcullis-authz/portcullis/pkg/policy"
)

// gatewayModel is a compiled configuration. It is immutable and safe for concurrent use. Its zero value owns no host.
type gatewayModel struct {
	apis     map[string]*api
	hosts    map[string]*host
	mappings map[domain]*stage
	// folded are the mappings whose base path holds a letter from A to Z, by the base path in lower case.
	folded  map[domain]*stage
	clients clientAddresses
	// endpoints are the VPC endpoints by which private APIs are called.
	endpoints vpcEndpoints
	// mapped are the names of the headers that any API maps: no client may send them to any upstream.
	mapped answer.HeaderNames
	// verifies says that there is something that verifies signatures.
	verifies bool
}

// api is one API.
type api struct {
	id, account, region         string
	private, endpoint           bool
	strictPaths, legacyMessages bool
	stages                      []*stage
	policy                      *policy.Policy
	routes                      routing.Table[route]
	// http says that this is an HTTP API. cors is its CORS configuration; nil where it has none.
	http      bool
	cors      *answer.CORS
	responses map[answer.Type]*answer.Custom
	// verify verifies signatures.
	verify Verify
	// aliases are the canonical hosts of the aliases that clients may have signed.
	aliases []string
}

// stage is one stage of an API.
type stage struct {
	api  *api
	name string
	// arn is a method ARN up to the verb, maskedARN the same as clients are told it.
	arn, maskedARN string
	variables      map[string]string
	// whole says that a host leads to the stage without a base path, below that one leads to it with a base path.
	whole, below bool
}

// route is one method of a resource.
type route struct {
	routing.Key
	// name is Key as a text.
	name  string
	guard guardKind
	// authorizer and scopes are those of the guards that ask an authorizer.
	authorizer *authorizer
	scopes     []string
	upstream   []answer.MappedHeader
	// verify takes the place of the API's where it is not nil, and signatures are what it verifies by.
	verify     Verify
	signatures RouteSignatures
}

// defaultStage is the name of an HTTP API's stage that its default endpoint serves without a stage name in the path.
const defaultStage = "$default"

// guardKind is what guards a route. The zero value is nothing that a configuration can ask for, and denies.
type guardKind uint8

const (
	unguarded guardKind = iota
	open
	byIAM
	byFunction
	byToken
)

// stage returns the stage of a name, nil if there is none.
func (a *api) stage(name string) *stage {
	for _, s := range a.stages {
		if s.name == name {
			return s
		}
	}
	return nil
}

// stageInAnyCase returns the stage that has a name in a path, whatever the name's case; nil if there is none.
func (a *api) stageInAnyCase(name string) *stage {
	for _, s := range a.stages {
		if s.name != defaultStage && strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

// authorizer is a compiled Authorizer.
type authorizer struct {
	name string
	// challenge is the www-authenticate header of who shows nothing; empty for none.
	challenge  string
	sources    []identitySource
	validation *regexp.Regexp
	token      func(context.Context, string, []string) (Token, error)
	function   func(context.Context, LambdaCall) (LambdaAnswer, error)
}

// identitySource is one thing that an authorizer wants to be shown.
type identitySource struct {
	// written is the source in API Gateway's notation.
	written string
	value   answer.Variable
}

// sameGuard reports whether two routes are guarded alike.
func sameGuard(a, b *route) bool {
	return a == b ||
		a.guard == b.guard && a.authorizer == b.authorizer && slices.Equal(a.scopes, b.scopes) && a.signatures == b.signatures
}

// isOpen reports whether no authorization guards the route.
func (r *route) isOpen() bool { return r.guard == open }
