package policy

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
)

// resource is one entry of Resource or NotResource. An ARN is compared part by part, so that a wildcard in one of the first
// five never reaches over a colon; in the last part it spans everything, slashes and colons included.
type resource struct {
	any     bool // "*"
	head    [5]condition.Template
	tail    condition.Template
	written string
	at      Position
}

const abbreviation = "execute-api:/"

// compileResource returns the resource, or what is wrong with it and what to write instead; both where what is wrong is only
// warned of.
func (r *reader) compileResource(text string, s *statement) (*resource, string) {
	if text == "*" {
		return &resource{any: true}, ""
	}
	if strings.HasPrefix(text, abbreviation) {
		if r.o.Kind != Resource || r.o.ExpandPrefix == "" {
			return nil, "is abbreviated, which only an API's resource policy may do; write the whole ARN, arn:aws:execute-api:region:account:api/stage/VERB/path"
		}
		text = r.o.ExpandPrefix + strings.TrimPrefix(text, abbreviation[:len(abbreviation)-1])
	}
	if r.o.Kind == Authorizer {
		text = filledUp(text)
	}
	parts, ok := arn.Split(text)
	idle := r.grantsNothing(parts, ok, s)
	if problem := r.resourceProblem(parts, ok, text); problem != "" && idle == "" {
		return nil, problem
	}
	res := &resource{}
	for i := range res.head {
		res.head[i], _ = condition.CompileTemplate(parts[i], false, true)
	}
	tail, problem := condition.CompileTemplate(parts[5], r.variables, true)
	if problem != "" {
		return nil, problem
	}
	res.tail = tail
	return res, idle
}

// grantsNothing says why an ARN that is written otherwise than AWS documents it fits no resource, where that is no danger: in
// an Allow of a policy that AWS has taken. Anywhere else it is refused.
//
// Choice: two of AWS's own managed policies have such an ARN, AmazonDevOpsGuruOrganizationsAccess one that ends after its
// fifth colon, AmazonTimestreamInfluxDBServiceRolePolicy one with a variable for the account. What IAM makes of them is not
// documented; the one fits an ARN that ends there too, the other the variable's own text, so that neither fits more than for
// IAM.
func (r *reader) grantsNothing(parts arn.Parts, ok bool, s *statement) string {
	switch r.o.Kind {
	case Identity, Boundary, Session, SCP:
	default:
		return ""
	}
	head := strings.Join(parts[:5], ":")
	switch {
	case s.effect != allow || s.notResource || !ok || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(parts[2], "*?$"):
		return ""
	case r.variables && strings.Contains(head, "${"):
		return "has a policy variable before its fifth colon, where it has no value: it fits no resource"
	case parts[5] == "":
		return "ends after its fifth colon: it fits no resource"
	}
	return ""
}

// filledUp is an ARN of six parts for one that ends early, in a "*": arn:aws:execute-api:* for one. API Gateway was seen to take
// it from authorizers; "*" fits colons too, so that it stands for all parts that are left out.
func filledUp(text string) string {
	if strings.HasPrefix(text, "arn:") && strings.HasSuffix(text, "*") {
		return text + strings.Repeat(":*", max(0, 5-strings.Count(text, ":")))
	}
	return text
}

// resourceProblem says what is wrong with an ARN in Resource.
//
// Choice: an ARN with fewer than six parts is refused, but for an authorizer's; AWS's documents leave open what it would match.
func (r *reader) resourceProblem(parts arn.Parts, ok bool, text string) string {
	if r.variables && strings.Contains(strings.Join(parts[:5], ":"), "${") {
		return "has a policy variable before its fifth colon; variables may stand only in the last part of an ARN"
	}
	switch {
	case !ok && !strings.HasPrefix(text, "arn:"):
		return `is neither "*" nor an ARN; write arn:aws:execute-api:region:account:api/stage/VERB/path`
	case !ok:
		return `has fewer than the six parts of an ARN; fill up with "*", as in arn:aws:execute-api:*:*:*`
	case parts[0] != "arn":
		return "does not begin with arn: in lower case"
	case parts[1] == "" || parts[2] == "" || parts[5] == "":
		return "lacks its partition, service or last part; write arn:aws:execute-api:region:account:api/stage/VERB/path"
	case strings.ContainsAny(parts[2], "*?"):
		return `has a wildcard for its service; name it, as in arn:aws:execute-api:*:*:*, or write "*" for every resource`
	}
	return ""
}

// matches reports whether the resource is the request's.
func (res *resource) matches(ctx Context, parts *arn.Parts, isARN bool) bool {
	if res.any || !isARN {
		return res.any
	}
	for i := range res.head {
		if !res.head[i].Match(nil, parts[i]) {
			return false
		}
	}
	return res.tail.Match(ctx, parts[5])
}

// hasValue reports whether every variable of the resource has a value.
func (res *resource) hasValue(ctx Context) bool {
	for i := range res.tail.Variables {
		if _, ok := res.tail.Variables[i].Value(ctx); !ok {
			return false
		}
	}
	return true
}

// excludes reports whether a NotResource statement leaves the resource out.
//
// An entry whose variable has no value matches nothing. Choice, where no entry has a value: an Allow does not apply, a Deny
// does. AWS's documents leave it open, and both are the closed side.
func (s *statement) excludes(ctx Context, parts *arn.Parts, isARN bool) bool {
	some := false
	for _, res := range s.resources {
		if res.matches(ctx, parts, isARN) {
			return true
		}
		some = some || s.effect == allow && res.hasValue(ctx)
	}
	return s.effect == allow && !some
}

// excludesSpelling reports whether the NotResource of an Allow leaves out another spelling of the resource: what it keeps from
// /admin it keeps from /admin/ too.
func (s *statement) excludesSpelling(q *query) bool {
	for _, spelling := range q.request.Spellings {
		parts, isARN := arn.Split(spelling)
		if s.excludes(q.request.Context, &parts, isARN) {
			return true
		}
	}
	return false
}

// takesReadings reports whether the resource, which is the request's, is that of each of its readings too, or spells the path out.
func (res *resource) takesReadings(q *query) bool {
	return res.any || res.spellsOut(q.parts[5]) || !slices.ContainsFunc(q.request.Readings, func(reading string) bool {
		parts, isARN := arn.Split(reading)
		return !res.matches(q.request.Context, &parts, isARN)
	})
}

// reachesReading reports whether the NotResource of a Deny, which spares the resource, does not spare a reading of it.
func (s *statement) reachesReading(q *query) bool {
	if slices.ContainsFunc(s.resources, func(res *resource) bool {
		return res.spellsOut(q.parts[5]) && res.matches(q.request.Context, &q.parts, q.isARN)
	}) {
		return false
	}
	return slices.ContainsFunc(q.request.Readings, func(reading string) bool {
		parts, isARN := arn.Split(reading)
		return !s.excludes(q.request.Context, &parts, isARN)
	})
}

// spellsOut reports whether the resource has no wildcard and no variable in the path of a method ARN's last part, api/stage/VERB/path.
func (res *resource) spellsOut(last string) bool {
	if res.any || res.tail.IsLiteral() {
		return !res.any
	}
	path := last
	for range 3 {
		_, path, _ = strings.Cut(path, "/")
	}
	end := res.tail.Tokens[len(res.tail.Tokens)-1]
	return end.Kind == arn.Literal && len(end.Text) > len(path)
}
