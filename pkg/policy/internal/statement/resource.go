package statement

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// Resource is one entry of Resource or NotResource. An ARN is compared part by part, so that a wildcard in one of the first
// five never reaches over a colon; in the last part it spans everything, slashes and colons included.
type Resource struct {
	Any     bool // "*"
	Head    [5]condition.Template
	Tail    condition.Template
	Written string
	At      document.Position
}

const Abbreviation = "execute-api:/"

// Matches reports whether the resource is the request's.
func (res *Resource) Matches(ctx condition.Context, parts *arn.Parts, isARN bool) bool {
	if res.Any || !isARN {
		return res.Any
	}
	for i := range res.Head {
		if !res.Head[i].Match(nil, parts[i]) {
			return false
		}
	}
	return res.Tail.Match(ctx, parts[5])
}

// hasValue reports whether every variable of the resource has a value.
func (res *Resource) hasValue(ctx condition.Context) bool {
	for i := range res.Tail.Variables {
		if _, ok := res.Tail.Variables[i].Value(ctx); !ok {
			return false
		}
	}
	return true
}

// excludes reports whether a NotResource statement leaves the resource out.
//
// An entry whose variable has no value matches nothing. Choice, where no entry has a value: an Allow does not apply, a Deny
// does. AWS's documents leave it open, and both are the closed side.
func (s *Statement) excludes(ctx condition.Context, parts *arn.Parts, isARN bool) bool {
	some := false
	for _, res := range s.Resources {
		if res.Matches(ctx, parts, isARN) {
			return true
		}
		some = some || s.Effect == Allow && res.hasValue(ctx)
	}
	return s.Effect == Allow && !some
}

// excludesSpelling reports whether the NotResource of an Allow leaves out another spelling of the resource: what it keeps from
// /admin it keeps from /admin/ too.
func (s *Statement) excludesSpelling(q *Query) bool {
	for _, spelling := range q.Request.Spellings {
		parts, isARN := arn.Split(spelling)
		if s.excludes(q.Request.Context, &parts, isARN) {
			return true
		}
	}
	return false
}

// takesReadings reports whether the resource, which is the request's, is that of each of its readings too, or spells the path out.
func (res *Resource) takesReadings(q *Query) bool {
	return res.Any || res.spellsOut(q.parts[5]) || !slices.ContainsFunc(q.Request.Readings, func(reading string) bool {
		parts, isARN := arn.Split(reading)
		return !res.Matches(q.Request.Context, &parts, isARN)
	})
}

// reachesReading reports whether the NotResource of a Deny, which spares the resource, does not spare a reading of it.
func (s *Statement) reachesReading(q *Query) bool {
	if slices.ContainsFunc(s.Resources, func(res *Resource) bool {
		return res.spellsOut(q.parts[5]) && res.Matches(q.Request.Context, &q.parts, q.isARN)
	}) {
		return false
	}
	return slices.ContainsFunc(q.Request.Readings, func(reading string) bool {
		parts, isARN := arn.Split(reading)
		return !s.excludes(q.Request.Context, &parts, isARN)
	})
}

// spellsOut reports whether the resource has no wildcard and no variable in the path of a method ARN's last part, api/stage/VERB/path.
func (res *Resource) spellsOut(last string) bool {
	if res.Any || res.Tail.IsLiteral() {
		return !res.Any
	}
	path := last
	for range 3 {
		_, path, _ = strings.Cut(path, "/")
	}
	end := res.Tail.Tokens[len(res.Tail.Tokens)-1]
	return end.Kind == arn.Literal && len(end.Text) > len(path)
}
