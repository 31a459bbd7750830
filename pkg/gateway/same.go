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

// inAnotherWay is how a server may read a path.
const inAnotherWay = "cuts path parameters off, decodes slashes, question marks or number signs, decodes twice, writes characters in their plain form, trims blanks and dots, merges slashes, cuts one off at the end or not, or ignores case"

var (
	errOtherway  = errors.New("the path leads to a route that is guarded otherwise if a server " + inAnotherWay)
	errNeighbour = errors.New("the path leads to another stage on the host if a server " + inAnotherWay)
	errDoubled   = errors.New("the path leads to another route once its doubled slashes are merged")
)

// sameInEveryReading refuses a path that some server could read as one that is guarded otherwise, or as another stage's: what is judged
// must be what is served. API Gateway has no such rule, for it reads a path once, and hands on what it has read.
//
// 2026-11-28: a server behind Envoy may read a path in other ways than its canonical form. canon.Path has them: path parameters cut off;
// %2F, %3F and %23 decoded, the last two as the path's end; what is encoded twice decoded again; characters in their plain form (Unicode's
// NFKC: a fullwidth slash is a slash); blanks trimmed, and as Windows does it dots
// at a segment's end; slashes merged. All of them are taken, in any order. The answer is 400 where one leads to a route that is guarded
// otherwise, or to another stage on the same host. A reading that leads to no route does no harm, one with a dot segment is refused. So is a
// path with more than 64 readings, for the time that they take is the sender's choice. Under strictPaths routes are looked up as if case
// did not count too; base paths, and stage names in a path, always are, for which stage answers is not a server's to choose. Two
// that differ in case alone are a fault, as are two such resources under strictPaths.
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

// sameIfPlain is sameInEveryReading for a plain path: a slash at its end and its case are all there is to read otherwise.
//
// 2026-11-25: of an HTTP API's path that ends in a slash, reports about API Gateway differ: some see the route of the path
// without it, some 404, some a {proxy+} that is empty. The route is that of the path without the slash if that is a full match, or
// else the one that takes the slash for an empty segment. Whichever is taken, the other one must be guarded in the same way, or
// the answer is 400: a slash is no way around a guarded "GET /admin" beside an open $default. Routes are guarded
// in the same way if type, authorizer, scopes and the options of signatures are the same.
func (in *invocation) sameIfPlain() error {
	api := in.stage.API
	slash := api.HTTP && strings.HasSuffix(in.path, "/")
	cased := api.StrictPaths && api.Routes.CaseCounts(in.path)
	if (slash || cased) && !in.guardedAlike(in.path) {
		return answer.Bad(authz.CodeBadPath, errOtherway.Error())
	}
	return in.sameInAnotherCase(in.full.Text)
}

// sameInAnotherCase is sameAt where a path leads if case does not count in base paths and stage names.
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

// sameAt refuses a reading of the path that leads to another stage, or to a route that is guarded otherwise, and keeps it for policies
// to be asked about. One that leads nowhere does no harm.
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

// sameWhenMerged refuses a path that would lead to another route if the slashes in it were merged, as many upstreams do, guarded alike
// or not: what a path parameter holds would be another thing to route and upstream.
func (in *invocation) sameWhenMerged(l model.Location) error {
	if l.Stage == nil || in.stage.API.Routes.Find(l.Path, in.request.Method) != in.route {
		return answer.Bad(authz.CodeBadPath, errDoubled.Error())
	}
	return nil
}

// guardedAlike reports whether all routes that a path may lead to are guarded as the request's route is.
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
