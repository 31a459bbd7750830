package compile

import (
	"maps"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
	"github.com/portcullis-authz/portcullis/pkg/gateway/routing"
)

const (
	// DefaultRoute is the route key of an HTTP API's route for whatever no other route matches.
	DefaultRoute = routing.Default
	// DefaultStage is the name of an HTTP API's stage that its default endpoint serves without a stage name in the path.
	DefaultStage = model.DefaultStage
)

// noUserPools says what stands in for a user pool authorizer.
const noUserPools = "an HTTP API has no COGNITO_USER_POOLS: write a jwt authorizer with the pool's issuer, https://cognito-idp.<region>.amazonaws.com/<pool id>, and the app clients as audiences"

// checkKind refuses what an API of its kind has not got ("Choose between REST APIs and HTTP APIs").
func (f *faults) checkKind(a *API, at *fault.Place) {
	if !a.HTTP {
		f.checkREST(a, at)
		return
	}
	if a.ResourcePolicy != nil {
		f.add(at.Field("resourcePolicy"), "an HTTP API has no resource policy: remove it, or write kind: REST")
	}
	if a.Private {
		f.add(at.Field("endpoint"), "an HTTP API is regional: remove endpoint, or write kind: REST")
	}
	if len(a.GatewayResponses) > 0 {
		f.add(at.Field("gatewayResponses"), "the answers of an HTTP API cannot be customized: remove gatewayResponses, or write kind: REST")
	}
	if a.LegacyMessages {
		f.add(at.Field("legacyMessages"), "an HTTP API says Forbidden and no more, then as now: remove legacyMessages")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Authorizers)) {
		if at := at.Field("authorizers").Key(name); a.Authorizers[name].Authorization == Cognito {
			f.add(at, noUserPools)
		} else if a.Authorizers[name].TokenType {
			f.add(at, "an HTTP API has no Lambda authorizers of type TOKEN: write type: REQUEST")
		}
	}
	for i, r := range a.Routes {
		if r.Authorization == Cognito {
			f.add(a.routeAt(at, i).Field("authorization"), noUserPools)
		}
	}
}

// checkREST refuses what HTTP APIs alone have.
func (f *faults) checkREST(a *API, at *fault.Place) {
	if a.CORS != nil {
		f.add(at.Field("cors"), "only an HTTP API has cors: write kind: HTTP, or routes with the method OPTIONS")
	}
	for i, r := range a.Routes {
		if r.Method == DefaultRoute {
			f.add(a.routeAt(at, i).Field("route"), `only an HTTP API has the route $default: write kind: HTTP, or "ANY /" and "ANY /{proxy+}"`)
		}
	}
}

// checkStageName refuses a name that no stage of such an API can have.
func (f *faults) checkStageName(a *model.API, name string, at *fault.Place) {
	switch {
	case name == DefaultStage && a.HTTP:
	case name == DefaultStage:
		f.add(at, "name: $default is not a stage name of a REST API; write kind: HTTP, or 1 to 128 letters, digits, hyphens and underscores")
	default:
		f.checkShape(name, stageShape, at, "a stage name", "write 1 to 128 letters, digits, hyphens and underscores, such as prod")
	}
}

// key names the route.
func (c *Route) key() routing.Key { return routing.Key{Method: c.Method, Resource: c.Resource} }
