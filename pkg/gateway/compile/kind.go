package compile

import (
	"maps"
	"regexp"
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

var stageShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// noUserPools is the fault of a user pool authorizer of an HTTP API.
const noUserPools = "an HTTP API does not support COGNITO_USER_POOLS; write a jwt authorizer with the pool's issuer, https://cognito-idp.<region>.amazonaws.com/<pool id>, and the app clients as audiences"

// checkKind refuses what APIs of another kind have ("Choose between REST APIs and HTTP APIs").
func (f *faults) checkKind(a *API, at *fault.Place) {
	if !a.HTTP {
		f.checkREST(a, at)
		return
	}
	if a.ResourcePolicy != nil {
		f.add(at.Field("resourcePolicy"), "an HTTP API cannot have a resource policy; remove it, or write kind: REST")
	}
	if a.Private {
		f.add(at.Field("endpoint"), "an HTTP API is always regional; remove endpoint, or write kind: REST")
	}
	if len(a.GatewayResponses) > 0 {
		f.add(at.Field("gatewayResponses"), "the answers of an HTTP API cannot be customized; remove gatewayResponses, or write kind: REST")
	}
	if a.LegacyMessages {
		f.add(at.Field("legacyMessages"), "the messages of an HTTP API have not changed; remove legacyMessages")
	}
	f.refuseAPIKeys(a, at)
	for _, name := range slices.Sorted(maps.Keys(a.Authorizers)) {
		if at := at.Field("authorizers").Key(name); a.Authorizers[name].Authorization == Cognito {
			f.add(at, noUserPools)
		} else if a.Authorizers[name].TokenType {
			f.add(at, "an HTTP API does not support Lambda authorizers of type TOKEN; write type: REQUEST")
		}
	}
	for i, r := range a.Routes {
		if r.Authorization == Cognito {
			f.add(a.routeAt(at, i).Field("authorization"), noUserPools)
		}
	}
}

// checkREST refuses what only HTTP APIs have.
func (f *faults) checkREST(a *API, at *fault.Place) {
	if a.CORS != nil {
		f.add(at.Field("cors"), "only an HTTP API can have cors; write kind: HTTP, or routes with the method OPTIONS")
	}
	for i, r := range a.Routes {
		if r.Method == DefaultRoute {
			f.add(a.routeAt(at, i).Field("route"), `only an HTTP API can have the route $default; write kind: HTTP, or "ANY /" and "ANY /{proxy+}"`)
		}
	}
}

// checkStageName refuses a name that a stage of such an API cannot have.
func (f *faults) checkStageName(a *model.API, name string, at *fault.Place) {
	switch {
	case name == DefaultStage && a.HTTP:
	case name == DefaultStage:
		f.add(at, "name: $default is not a stage name of a REST API; write kind: HTTP, or 1 to 128 letters, digits, hyphens and underscores")
	default:
		f.checkShape(name, stageShape, at, "a stage name", "write 1 to 128 letters, digits, hyphens and underscores, such as prod")
	}
}
