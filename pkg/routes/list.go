package routes

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Route is a route of a stage.
type Route struct {
	API   string `json:"api"`
	Kind  string `json:"kind"`
	Stage string `json:"stage"`
	// Method and Path are those of the route. An HTTP API's default route has the method $default and no path.
	Method string `json:"method"`
	Path   string `json:"path,omitempty"`
	Guard
	// Upstream is the name of the route's upstream, and UpstreamAddress its address. Both are empty if Envoy's configuration says it.
	Upstream        string `json:"upstream,omitempty"`
	UpstreamAddress string `json:"upstreamAddress,omitempty"`
	// DefinedAt is the file and line where the route is defined.
	DefinedAt string `json:"definedAt,omitempty"`
}

// Key is the method and path of a route, as a route key is written.
func (r Route) Key() string { return strings.TrimSpace(r.Method + " " + r.Path) }

// List returns the routes of every stage, in the order of APIs and stages, and by path and method.
func List(c gateway.Config) []Route {
	var all []Route
	for i := range c.APIs {
		api := &c.APIs[i]
		for _, stage := range api.Stages {
			from := len(all)
			for j := range api.Routes {
				r := route(api, stage.Name, &api.Routes[j])
				r.UpstreamAddress = c.Upstreams[r.Upstream].Address
				all = append(all, r)
			}
			slices.SortStableFunc(all[from:], func(a, b Route) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
		}
	}
	return all
}

func route(api *gateway.API, stage string, r *gateway.Route) Route {
	kind := "REST"
	if api.HTTP {
		kind = "HTTP"
	}
	return Route{
		API: api.ID, Kind: kind, Stage: stage, Method: r.Method, Path: r.Resource,
		Guard: Guard{
			Authorization: string(r.Authorization), Authorizer: r.Authorizer, AuthorizerDigest: api.Authorizers[r.Authorizer].Digest,
			Scopes: r.Scopes, APIKeyRequired: r.APIKeyRequired, Unresolved: r.Unresolved,
			ResourcePolicy: api.ResourcePolicy != nil, PolicyDigest: api.ResourcePolicy.Digest(), Private: api.Private,
		},
		Upstream:  api.UpstreamOf(r),
		DefinedAt: definedAt(r.At),
	}
}

// definedAt is the file and line of a Place, without the folder of the file.
func definedAt(at *fault.Place) string {
	d := at.Document()
	if d == nil {
		return ""
	}
	file, line, _ := d.Position(at)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}
