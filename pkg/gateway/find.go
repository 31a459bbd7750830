package gateway

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// place is what a request is for: a stage of an API, and the path within it.
type place struct {
	stage *stage
	path  string
	// shared is the host if base paths or stage names share it out, or else nil.
	shared *host
}

// find fills in API, stage, path and route.
func (in *invocation) find() error {
	if !authz.IsMethod(in.request.Method) {
		return badRequest(authz.CodeBadRequest, "the method holds other characters than letters and hyphens")
	}
	p, err := canonicalPath(in.request.Target)
	if err != nil {
		return badRequest(authz.CodeBadPath, err.Error())
	}
	in.host, in.fullPath = canonicalHost(in.request.Host), p.text
	if in.host == "" && in.request.Host != "" {
		return forbidden(authz.CodeUnknownHost, "the Host header is not a name of letters, digits, dots, hyphens and underscores, or an address, with a port of digits")
	}
	if in.place, err = in.gateway.place(in.request, in.host, p.text); err != nil {
		return err
	}
	if err := in.arrive(); err != nil {
		return err
	}
	if in.stage.api.strictPaths && (p.slashInSegment || p.semicolon || p.delimiter || p.encodedTwice) {
		return badRequest(authz.CodeBadPath, "strictPaths: the path holds an encoded slash, question mark or number sign, a semicolon, or something that is encoded twice")
	}
	in.route = in.stage.api.find(in.path, in.request.Method)
	if in.stage.api.http {
		if err := in.enterHTTPAPI(); err != nil {
			return err
		}
	}
	if in.route == nil {
		return in.noRoute()
	}
	if p.pattern && in.route.guard == guards[Custom] {
		return badRequest(authz.CodeBadPath, "the route has a Lambda authorizer, and the path holds *, ? or ${, which would be a pattern in the policy that its function returns")
	}
	return in.sameInEveryReading(p)
}

// place finds the stage for a canonical host and path: by the host, or by the name that Envoy's configuration gives. If that names a base
// path too, it is the one that is taken off here: Envoy takes its own off on the way to the upstream.
func (g *Gateway) place(r *authz.Request, host, path string) (place, error) {
	l := g.locate(host, path)
	if !strings.HasPrefix(r.Target, l.base) {
		return place{stage: l.stage}, badRequest(authz.CodeBadPath, "the base path or the stage's name is spelled otherwise than the configuration does: Envoy's routes, which read the path as it came, do not know it")
	}
	found, err := g.placeOf(r, l, path)
	if err == nil && r.BasePath != "" && r.BasePath != cmp.Or(l.base, "/") {
		return found, envoyConfig(fmt.Sprintf("context_extensions portcullis.basePath is %q, and portcullis.yaml has the base path %q here: print Envoy's configuration again and load both",
			r.BasePath, cmp.Or(l.base, "/")))
	}
	return found, err
}

// placeOf returns the stage of a location, or the one that Envoy's configuration names.
func (g *Gateway) placeOf(r *authz.Request, l location, path string) (place, error) {
	switch {
	case r.API != "" || r.Stage != "":
		return g.namedPlace(r, l, path)
	case l.stage == nil:
		return place{}, l.nothing("no API owns the host and base path")
	case g.requireAPI:
		return place{}, envoyConfig("context_extensions portcullis.api is missing, and portcullis.yaml says envoy: {requireApi: true}")
	}
	return place{l.stage, l.path, l.shared}, nil
}

// namedPlace takes API and stage from the name that Envoy's configuration gives. A host that nobody owns is fine then, unless each
// host of the stage has a base path: the base path would count as a part of the API's path. A host that another API or stage owns is
// refused, for Envoy's routes and ours disagree about it.
func (g *Gateway) namedPlace(r *authz.Request, l location, path string) (place, error) {
	a := g.apis[r.API]
	if a == nil {
		return place{}, envoyConfig("context_extensions portcullis.api is missing or names no API of the configuration")
	}
	named, err := a.namedStage(r.Stage)
	if err != nil {
		return place{}, err
	}
	if !l.known {
		if named == nil {
			return place{}, envoyConfig("context_extensions portcullis.stage is missing, and the API has several stages")
		}
		if named.onlyBelow() {
			return place{stage: named}, forbidden(authz.CodeUnknownHost, "the host is unknown, and the stage is reached below a base path on each of its hosts: list the host under domains")
		}
		return place{stage: named, path: path}, nil
	}
	if l.owner != nil && l.owner != a || l.stage != nil && l.stage.api != a {
		return place{stage: named}, forbidden(authz.CodeHostMismatch, "the host belongs to another API than context_extensions portcullis.api names")
	}
	if l.stage == nil {
		return place{stage: named}, l.nothing("no stage owns the host and base path")
	}
	if r.Stage != "" && l.stage != named {
		return place{stage: named}, forbidden(authz.CodeHostMismatch, "the host belongs to another stage than context_extensions portcullis.stage names")
	}
	return place{l.stage, l.path, l.shared}, nil
}

// namedStage returns the stage of a name, the only one where the name is empty, and nil where there are several.
func (a *api) namedStage(name string) (*stage, error) {
	if name == "" {
		if len(a.stages) == 1 {
			return a.stages[0], nil
		}
		return nil, nil
	}
	s := a.stage(name)
	if s == nil {
		return nil, envoyConfig("context_extensions portcullis.stage names no stage of the API")
	}
	return s, nil
}
