package policy

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// compileResource returns the resource, or what is wrong with it and what to write instead; both where what is wrong is only
// warned of.
func (r *reader) compileResource(text string, s *statement.Statement) (*statement.Resource, string) {
	if text == "*" {
		return &statement.Resource{Any: true}, ""
	}
	if strings.HasPrefix(text, statement.Abbreviation) {
		if r.o.Kind != Resource || r.o.ExpandPrefix == "" {
			return nil, "is abbreviated, which only an API's resource policy may do; write the whole ARN, arn:aws:execute-api:region:account:api/stage/VERB/path"
		}
		text = r.o.ExpandPrefix + strings.TrimPrefix(text, statement.Abbreviation[:len(statement.Abbreviation)-1])
	}
	if r.o.Kind == Authorizer {
		text = filledUp(text)
	}
	parts, ok := arn.Split(text)
	idle := r.grantsNothing(parts, ok, s)
	if problem := r.resourceProblem(parts, ok, text); problem != "" && idle == "" {
		return nil, problem
	}
	res := &statement.Resource{}
	for i := range res.Head {
		res.Head[i], _ = condition.CompileTemplate(parts[i], false, true)
	}
	tail, problem := condition.CompileTemplate(parts[5], r.variables, true)
	if problem != "" {
		return nil, problem
	}
	res.Tail = tail
	return res, idle
}

// grantsNothing says why an ARN that is written otherwise than AWS documents it fits no resource, where that is no danger: in
// an Allow of a policy that AWS has taken. Anywhere else it is refused.
//
// Choice: two of AWS's own managed policies have such an ARN, AmazonDevOpsGuruOrganizationsAccess one that ends after its
// fifth colon, AmazonTimestreamInfluxDBServiceRolePolicy one with a variable for the account. What IAM makes of them is not
// documented; the one fits an ARN that ends there too, the other the variable's own text, so that neither fits more than for
// IAM.
func (r *reader) grantsNothing(parts arn.Parts, ok bool, s *statement.Statement) string {
	switch r.o.Kind {
	case Identity, Boundary, Session, SCP:
	default:
		return ""
	}
	head := strings.Join(parts[:5], ":")
	switch {
	case s.Effect != statement.Allow || s.NotResource || !ok || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(parts[2], "*?$"):
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
	case !ok && strings.HasPrefix(text, "execute-api:") && r.o.Kind == Resource:
		return "lacks the slash after execute-api:; write execute-api:/stage/VERB/path, or execute-api:/* for everything"
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
