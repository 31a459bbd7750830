package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// place is what a request is for: a stage of an API, and the path within it.
type place struct {
	stage *model.Stage
	path  string
	// shared is the host if base paths or stage names share it out, or else nil.
	shared *model.Host
}

// readMethod refuses a method that is not one of HTTP's form. Nothing else of it counts: X-HTTP-Method-Override is never honoured.
func (in *invocation) readMethod(context.Context) outcome {
	if !authz.IsMethod(in.request.Method) {
		return deny(answer.Bad(authz.CodeBadRequest, "the method holds other characters than letters and hyphens"))
	}
	return goOn()
}

// readPath makes the canonical form of the path.
func (in *invocation) readPath(context.Context) outcome {
	p, err := canon.ParsePath(in.request.Target)
	if err != nil {
		return deny(answer.Bad(authz.CodeBadPath, err.Error()))
	}
	in.full = p
	return goOn()
}

// readHost makes the canonical form of the host.
//
// 2026-11-25: a host that is no authority is refused whatever Envoy's configuration names. It is not one that nobody owns: where Envoy
// ignores ports it reads "api.example.com:+80" as api.example.com, with "-0", "0x50" and "_80" alike, and served whole, with the base path
// for a part of the API's path, the request would be judged as another one than the upstream gets.
func (in *invocation) readHost(context.Context) outcome {
	in.host = canon.Host(in.request.Host)
	if in.host == "" && in.request.Host != "" {
		return deny(answer.Forbid(authz.CodeUnknownHost, "the Host header is not a name of letters, digits, dots, hyphens and underscores, or an address, with a port of digits"))
	}
	return goOn()
}

// findStage finds the stage, and the path within it.
func (in *invocation) findStage(context.Context) outcome {
	var err error
	in.place, err = findPlace(in.gateway, in.request, in.host, in.full.Text)
	return unless(err)
}

// refuseLoosePath refuses what strictPaths does.
func (in *invocation) refuseLoosePath(context.Context) outcome {
	p := &in.full
	if in.stage.API.StrictPaths && (p.SlashInSegment || p.Semicolon || p.Delimiter || p.EncodedTwice) {
		return deny(answer.Bad(authz.CodeBadPath, "strictPaths: the path holds an encoded slash, question mark or number sign, a semicolon, or something that is encoded twice"))
	}
	return goOn()
}

// findRoute looks the route up. There may be none: a preflight needs no route.
func (in *invocation) findRoute(context.Context) outcome {
	in.route = in.stage.API.Routes.Find(in.path, in.request.Method)
	return goOn()
}

// answerPreflight answers a preflight in place of a route: CORS is configured, and the route that the request leads to, if there is one,
// is open.
//
// 2026-11-25: API Gateway documents that a $default with an authorizer catches preflights ("Configure CORS for HTTP APIs"), and users
// report the same of ANY. So it does here, with AWS_IAM too. With an open route the upstream is not asked.
func (in *invocation) answerPreflight(context.Context) outcome {
	if in.stage.API.CORS != nil && answer.IsPreflight(in.request) && (in.route == nil || in.route.IsOpen()) {
		return outcome{verdict: answers}
	}
	return goOn()
}

// requireRoute refuses a request for which there is no route. A REST API takes such a request for one that should have been
// signed, and complains about the signature.
//
// 2026-11-23, where AWS says nothing: a request whose signature is right, and one whose signature we are to blame for not
// verifying, have no route and nothing else.
//
// 2026-11-23: an unmatched path is answered as AWS_IAM answers, down to a signature that does not match; one that does is
// told Missing Authentication Token, as API Gateway does. A signature is looked at on a route with AWS_IAM, without a route,
// and where a VPC endpoint policy asks who calls; wherever one was verified, it is taken out of the upstream's request.
func (in *invocation) requireRoute(context.Context) outcome {
	switch {
	case in.route != nil:
		return goOn()
	case in.stage.API.HTTP:
		return deny(answer.Missing("the API has no route for the path and the method"))
	}
	reason := authz.Reason{Code: authz.CodeNoRoute, Detail: "the API has no such resource and method"}
	if in.gateway.Verifies {
		_, err := in.verify()
		if complaint, ok := errors.AsType[*authz.Refusal](err); ok && !answer.IsInternal(complaint.ResponseType) {
			said := *complaint // the authenticator's own stays as it is
			said.Reason = reason
			return deny(&said)
		}
	}
	return deny(&authz.Refusal{ResponseType: authz.ResponseMissingAuthenticationToken, Reason: reason})
}

// refusePattern refuses a path that a function's policy could read as a pattern.
//
// 2026-11-28: nothing that a client names becomes a pattern. A function gets path, method and host, and returns a policy whose Resource
// it copies or builds from them; the answer may be kept and judged for other requests. So a route with a Lambda authorizer refuses a path
// that holds "*", "?" or "${" as it stands and after one and two decodings, whether or not its answers are kept. A method consists of
// letters and hyphens, a host of letters, digits, dots, hyphens and underscores, on every route. On other routes a path's "*" is text.
func (in *invocation) refusePattern(context.Context) outcome {
	if in.full.Pattern && in.route.Guard == model.ByFunction {
		return deny(answer.Bad(authz.CodeBadPath, "the route has a Lambda authorizer, and the path holds *, ? or ${, which would be a pattern in the policy that its function returns"))
	}
	return goOn()
}

// findPlace finds the stage for a canonical host and path: by the host, or by the name that Envoy's configuration gives. If that names a
// base path too, it is the one that is taken off here: Envoy takes its own off on the way to the upstream.
//
// 2026-11-28: a base path, or a stage's name in a path, counts where it stands in the path as it came. Envoy compares bytes: "/%70ets" and
// "//pets" are no paths of the base path "pets" to its routes, and would go to whichever upstream the rest of the host has. The answer is
// 400, and so it is where Envoy's own normalisation leaves such a path.
func findPlace(g *model.Gateway, r *authz.Request, host, path string) (place, error) {
	l := g.Locate(host, path)
	if !strings.HasPrefix(r.Target, l.Base) {
		return place{stage: l.Stage}, answer.Bad(authz.CodeBadPath, "the base path or the stage's name is spelled otherwise than the configuration does: Envoy's routes, which read the path as it came, do not know it")
	}
	found, err := placeOf(g, r, l, path)
	if err == nil && r.BasePath != "" && r.BasePath != cmp.Or(l.Base, "/") {
		return found, answer.Misconfigured(fmt.Sprintf("context_extensions portcullis.basePath is %q, and portcullis.yaml has the base path %q here: print Envoy's configuration again and load both",
			r.BasePath, cmp.Or(l.Base, "/")))
	}
	return found, err
}

// placeOf returns the stage of a location, or the one that Envoy's configuration names.
func placeOf(g *model.Gateway, r *authz.Request, l model.Location, path string) (place, error) {
	switch {
	case r.API != "" || r.Stage != "":
		return namedPlace(g, r, l, path)
	case l.Stage == nil:
		return place{}, servesNothing(&l, "no API owns the host and base path")
	case g.RequireAPI:
		return place{}, answer.Misconfigured("context_extensions portcullis.api is missing, and portcullis.yaml says envoy: {requireApi: true}")
	}
	return place{l.Stage, l.Path, l.Shared}, nil
}

// namedPlace takes API and stage from the name that Envoy's configuration gives. A host that nobody owns is fine then, unless each
// host of the stage has a base path: the base path would count as a part of the API's path. A host that another API or stage owns is
// refused, for Envoy's routes and ours disagree about it.
//
// 2026-11-23: a host that is known but does not serve the path (no such base path, no such stage, execute-api endpoint off)
// is refused even where Envoy's configuration names the API: only a host that nobody owns is served whole.
//
// 2026-11-28: a host that nobody owns is refused where each host of the stage that Envoy's configuration names has a base path, or the
// stage's name in the path. Served whole, "/v1/admin" would be another path of the API than the same one on the stage's own host, and
// the upstream gets one path. Where a host of the stage has no base path, an unknown host is read as that one is.
func namedPlace(g *model.Gateway, r *authz.Request, l model.Location, path string) (place, error) {
	a := g.APIs[r.API]
	if a == nil {
		return place{}, answer.Misconfigured("context_extensions portcullis.api is missing or names no API of the configuration")
	}
	named, err := namedStage(a, r.Stage)
	if err != nil {
		return place{}, err
	}
	if !l.Known {
		if named == nil {
			return place{}, answer.Misconfigured("context_extensions portcullis.stage is missing, and the API has several stages")
		}
		if named.OnlyBelow() {
			return place{stage: named}, answer.Forbid(authz.CodeUnknownHost, "the host is unknown, and the stage is reached below a base path on each of its hosts: list the host under domains")
		}
		return place{stage: named, path: path}, nil
	}
	if l.Owner != nil && l.Owner != a || l.Stage != nil && l.Stage.API != a {
		return place{stage: named}, answer.Forbid(authz.CodeHostMismatch, "the host belongs to another API than context_extensions portcullis.api names")
	}
	if l.Stage == nil {
		return place{stage: named}, servesNothing(&l, "no stage owns the host and base path")
	}
	if r.Stage != "" && l.Stage != named {
		return place{stage: named}, answer.Forbid(authz.CodeHostMismatch, "the host belongs to another stage than context_extensions portcullis.stage names")
	}
	return place{l.Stage, l.Path, l.Shared}, nil
}

// namedStage returns the stage of a name, the only one where the name is empty, and nil where there are several.
func namedStage(a *model.API, name string) (*model.Stage, error) {
	if name == "" {
		if len(a.Stages) == 1 {
			return a.Stages[0], nil
		}
		return nil, nil
	}
	s := a.Stage(name)
	if s == nil {
		return nil, answer.Misconfigured("context_extensions portcullis.stage names no stage of the API")
	}
	return s, nil
}

// servesNothing is the answer where a host serves no stage for a path.
func servesNothing(l *model.Location, detail string) error {
	if l.Owner != nil && l.Owner.HTTP && l.Owner.Endpoint {
		return answer.Missing("the API has no stage for the path, and no $default")
	}
	return answer.Forbid(authz.CodeUnknownHost, detail)
}
