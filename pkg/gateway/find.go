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

// readMethod refuses a method with other characters than letters and hyphens. X-HTTP-Method-Override is never honoured.
func (in *invocation) readMethod(context.Context) outcome {
	if !authz.IsMethod(in.request.Method) {
		return deny(answer.Bad(authz.CodeBadRequest, "the method contains characters other than letters and hyphens"))
	}
	return goOn()
}

// readPath sets the canonical form of the path.
func (in *invocation) readPath(context.Context) outcome {
	p, err := canon.ParsePath(in.request.Target)
	if err != nil {
		return deny(answer.Bad(authz.CodeBadPath, err.Error()))
	}
	in.full = p
	return goOn()
}

// readHost sets the canonical form of the host.
//
// 2026-11-25: a host that is not a valid host and port is refused, whatever Envoy's configuration names. It does not count as an unknown
// host, because Envoy may read it as a known one: if it ignores ports it reads "api.example.com:+80" as api.example.com, and likewise "-0",
// "0x50" and "_80". As an unknown host it would have no base path, and the steps would judge another path than the upstream gets.
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

// refuseLoosePath refuses the paths that strictPaths forbids.
func (in *invocation) refuseLoosePath(context.Context) outcome {
	p := &in.full
	if in.stage.API.StrictPaths && (p.SlashInSegment || p.Semicolon || p.Delimiter || p.EncodedTwice) {
		return deny(answer.Bad(authz.CodeBadPath, "strictPaths: the path contains an encoded slash, question mark or number sign, a semicolon, or text that is encoded twice"))
	}
	return goOn()
}

// findRoute looks up the route. It goes on without a route, because a preflight does not need one.
func (in *invocation) findRoute(context.Context) outcome {
	in.route = in.stage.API.Routes.Find(in.path, in.request.Method)
	return goOn()
}

// answerPreflight ends in the answer to a preflight if the API has CORS, and the request's route, if there is one, is open.
//
// 2026-11-25: API Gateway documents that a $default route with an authorizer catches preflights ("Configure CORS for HTTP APIs"), and users
// report the same of ANY. So it is here, with AWS_IAM too. With an open route, the preflight does not reach the upstream.
func (in *invocation) answerPreflight(context.Context) outcome {
	if in.stage.API.CORS != nil && answer.IsPreflight(in.request) && (in.route == nil || in.route.IsOpen()) {
		return outcome{verdict: answers}
	}
	return goOn()
}

// requireRoute refuses a request without a route. A REST API answers it as if it had to be signed, with what is wrong about the
// signature.
//
// 2026-11-23, where AWS is silent: if the signature is right, or cannot be verified for an internal error, the answer is Missing
// Authentication Token.
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
	reason := authz.Reason{Code: authz.CodeNoRoute, Detail: "the API has no route for the path and the method"}
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

// refusePattern refuses a path that would be a pattern in a function's policy.
//
// 2026-11-28: text of a client never becomes a pattern. A function gets path, method and host, and returns a policy whose Resource
// it copies or builds from them; the answer may be kept and used for other requests. So a route with a Lambda authorizer refuses a path
// that contains "*", "?" or "${", as received and after one and two decodings, whether or not its answers are kept. Methods contain
// letters and hyphens, hosts letters, digits, dots, hyphens and underscores, on every route. On other routes "*" in a path is text.
func (in *invocation) refusePattern(context.Context) outcome {
	if in.full.Pattern && in.route.Guard == model.ByFunction {
		return deny(answer.Bad(authz.CodeBadPath, "the route has a Lambda authorizer, and the path contains *, ? or ${, which would be a pattern in the policy that its function returns"))
	}
	return goOn()
}

// findPlace finds the stage for a canonical host and path, by the host or by the API that Envoy's configuration names. A base path that
// Envoy's configuration names must be the one found here, because Envoy removes its own on the way to the upstream.
//
// 2026-11-28: a base path, or a stage's name in a path, counts only if the received path begins with its bytes. Envoy's routes compare
// bytes: to them "/%70ets" and "//pets" are not below the base path "pets", and would go to another upstream of the host. The answer is
// 400.
func findPlace(g *model.Gateway, r *authz.Request, host, path string) (place, error) {
	l := g.Locate(host, path)
	if !strings.HasPrefix(r.Target, l.Base) {
		return place{stage: l.Stage}, answer.Bad(authz.CodeBadPath, "the path spells the base path or the stage's name differently than the configuration does, and Envoy's routes compare bytes")
	}
	found, err := placeOf(g, r, l, path)
	if err == nil && r.BasePath != "" && r.BasePath != cmp.Or(l.Base, "/") {
		return found, answer.Misconfigured(fmt.Sprintf("context_extensions portcullis.basePath is %q, but portcullis.yaml has the base path %q here; print Envoy's configuration again and load both",
			r.BasePath, cmp.Or(l.Base, "/")))
	}
	return found, err
}

// placeOf returns the place of a location, or the one that Envoy's configuration names.
func placeOf(g *model.Gateway, r *authz.Request, l model.Location, path string) (place, error) {
	switch {
	case r.API != "" || r.Stage != "":
		return namedPlace(g, r, l, path)
	case l.Stage == nil:
		return place{}, servesNothing(&l, "no API has the host and base path")
	case g.RequireAPI:
		return place{}, answer.Misconfigured("context_extensions portcullis.api is missing, and portcullis.yaml requires it by envoy: {requireApi: true}")
	}
	return place{l.Stage, l.Path, l.Shared}, nil
}

// namedPlace returns the place in the API and stage that Envoy's configuration names. An unknown host is accepted then, unless each host of
// the stage has a base path. A host of another API or stage is refused.
//
// 2026-11-23: a host that is known but does not serve the path (no such base path, no such stage, execute-api endpoint off)
// is refused even if Envoy's configuration names the API. Only an unknown host serves all paths.
//
// 2026-11-28: an unknown host is refused if each host of the stage that Envoy's configuration names has a base path, or the stage's name
// in the path. On such a host "/v1/admin" would be another path of the API than on the stage's own host, while the upstream gets the
// same path. If a host of the stage has no base path, an unknown host is treated like it.
func namedPlace(g *model.Gateway, r *authz.Request, l model.Location, path string) (place, error) {
	a := g.APIs[r.API]
	if a == nil {
		return place{}, answer.Misconfigured("context_extensions portcullis.api is missing, or the configuration does not have the API that it names")
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
			return place{stage: named}, answer.Forbid(authz.CodeUnknownHost, "the host is unknown, and each host of the stage has a base path; list the host under domains")
		}
		return place{stage: named, path: path}, nil
	}
	if l.Owner != nil && l.Owner != a || l.Stage != nil && l.Stage.API != a {
		return place{stage: named}, answer.Forbid(authz.CodeHostMismatch, "the host belongs to another API than context_extensions portcullis.api names")
	}
	if l.Stage == nil {
		return place{stage: named}, servesNothing(&l, "no stage has the host and base path")
	}
	if r.Stage != "" && l.Stage != named {
		return place{stage: named}, answer.Forbid(authz.CodeHostMismatch, "the host belongs to another stage than context_extensions portcullis.stage names")
	}
	return place{l.Stage, l.Path, l.Shared}, nil
}

// namedStage returns the stage with a name. Without a name it returns the only stage, or nil if there are several.
func namedStage(a *model.API, name string) (*model.Stage, error) {
	if name == "" {
		if len(a.Stages) == 1 {
			return a.Stages[0], nil
		}
		return nil, nil
	}
	s := a.Stage(name)
	if s == nil {
		return nil, answer.Misconfigured("the API does not have the stage that context_extensions portcullis.stage names")
	}
	return s, nil
}

// servesNothing returns the refusal of a path for which a host does not serve a stage.
func servesNothing(l *model.Location, detail string) error {
	if l.Owner != nil && l.Owner.HTTP && l.Owner.Endpoint {
		return answer.Missing("the API has neither a stage for the path nor the stage $default")
	}
	return answer.Forbid(authz.CodeUnknownHost, detail)
}
