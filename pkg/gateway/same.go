package gateway

import (
	"context"
	"errors"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/gateway/answer"
	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
	"github.com/portcullis-authz/portcullis/pkg/gateway/internal/model"
)

// inAnotherWay says how a server may read a path.
const inAnotherWay = "cuts off path parameters, decodes slashes, question marks or number signs, decodes twice, replaces characters by their plain form, trims blanks and dots, merges slashes, keeps or cuts off a slash at the end, or ignores case"

var (
	errOtherway  = errors.New("the path leads to a route that is guarded differently if a server " + inAnotherWay)
	errNeighbour = errors.New("the path leads to another stage on the host if a server " + inAnotherWay)
	errDoubled   = errors.New("the path leads to another route if a server merges its doubled slashes")
)

// sameInEveryReading refuses a path that some server could read as one that is guarded differently, or as another stage's. The upstream
// must serve the path that was judged. API Gateway does not need such a rule, because it reads a path once and passes on the result.
//
// 2026-11-28: a server behind Envoy may read a path in other ways than its canonical form:
//   - it cuts off path parameters;
//   - it decodes %2F, %3F and %23, the last two as the end of the path;
//   - it decodes again what is encoded twice;
//   - it replaces characters by their plain form (Unicode's NFKC: a fullwidth slash becomes a slash);
//   - it trims blanks from a segment, and, as Windows does, dots from its end;
//   - it merges slashes.
//
// All combinations of these are tried. The answer is 400 if one leads to a route that is guarded differently, or to another stage on the
// same host. A reading without a route is harmless, and one with a dot segment is refused. A path with more than 64 readings is refused,
// because its sender would choose how long the check takes. Under strictPaths routes are also looked up without regard to case. Base
// paths, and stage names in a path, always are. Two that differ only in case are a fault, as are two such resources under
// strictPaths.
func (in *invocation) sameInEveryReading(context.Context) outcome {
	if in.full.Plain {
		return unless(in.sameIfPlain())
	}
	return unless(in.sameInOtherReadings())
}

func (in *invocation) sameInOtherReadings() error {
	p := &in.full
	all, err := p.Readings(in.request.Path())
	if err != nil {
		return answer.Bad(authz.CodeBadPath, err.Error())
	}
	for _, reading := range all {
		l := in.gateway.Locate(in.host, reading)
		if !l.Known {
			l.Stage, l.Path = in.stage, reading
		}
		if err := in.sameAt(l); err != nil {
			return err
		}
		if err := in.sameInAnotherCase(reading); err != nil {
			return err
		}
		if p.Doubled && reading == canon.MergeSlashes(p.Text) {
			if err := in.sameWhenMerged(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameIfPlain is sameInEveryReading for a plain path, of which servers can read only a slash at the end and the case differently.
//
// 2026-11-25: reports about API Gateway differ on an HTTP API's path that ends in a slash: some see the route of the path
// without it, some 404, some an empty {proxy+}. Here the route is that of the path without the slash if that is a full match, and
// otherwise the one that reads the slash as an empty segment. If the two are guarded differently, the answer is 400: a slash must not
// lead around a guarded "GET /admin" to an open $default. Routes are guarded alike if type, authorizer, scopes and the options of
// signatures are the same.
func (in *invocation) sameIfPlain() error {
	api := in.stage.API
	slash := api.HTTP && strings.HasSuffix(in.path, "/")
	cased := api.StrictPaths && api.Routes.CaseCounts(in.path)
	if (slash || cased) && !in.guardedAlike(in.path) {
		return answer.Bad(authz.CodeBadPath, errOtherway.Error())
	}
	return in.sameInAnotherCase(in.full.Text)
}

// sameInAnotherCase is sameAt for the location that a path leads to without regard to case in base paths and stage names.
func (in *invocation) sameInAnotherCase(path string) error {
	if in.shared == nil {
		return nil
	}
	l := in.gateway.LocateFolded(in.host, in.shared, path)
	if l.Stage == in.stage && l.Path == in.path {
		return nil
	}
	return in.sameAt(l)
}

// sameAt refuses a reading of the path that leads to another stage, or to a route that is guarded differently. It keeps other readings for
// the policies, which are asked about them too.
func (in *invocation) sameAt(l model.Location) error {
	switch {
	case l.Stage == nil:
		return nil
	case l.Stage != in.stage:
		return answer.Bad(authz.CodeBadPath, errNeighbour.Error())
	case !in.guardedAlike(l.Path):
		return answer.Bad(authz.CodeBadPath, errOtherway.Error())
	}
	if l.Path != in.path {
		in.readings = append(in.readings, l.Path)
	}
	return nil
}

// sameWhenMerged refuses a path that would lead to another route if its slashes were merged, as many upstreams do. It does so even if the
// routes are guarded alike, because a path parameter would have different values for the route and the upstream.
func (in *invocation) sameWhenMerged(l model.Location) error {
	if l.Stage == nil || in.stage.API.Routes.Find(l.Path, in.request.Method) != in.route {
		return answer.Bad(authz.CodeBadPath, errDoubled.Error())
	}
	return nil
}

// guardedAlike reports whether all routes that a path may lead to are guarded like the request's route.
func (in *invocation) guardedAlike(path string) bool {
	api, method := in.stage.API, in.request.Method
	r, other := api.Routes.FindBoth(path, method)
	alike := in.harmless(r) && in.harmless(other)
	if alike && api.StrictPaths {
		r, other = api.Routes.FindFolded(path, method)
		alike = in.harmless(r) && in.harmless(other)
	}
	return alike
}

func (in *invocation) harmless(r *model.Route) bool { return r == nil || model.SameGuard(r, in.route) }
