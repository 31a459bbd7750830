package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/arn"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/policy/condition"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// Target is the API or the VPC endpoint that a resource-based policy is attached to.
type Target struct {
	// ARNPrefix is the API's ARN: arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5.
	ARNPrefix string
	// Stages are the names of the API's stages; none stands for any.
	Stages []string
	// Routes are the API's routes; none stands for any.
	Routes []TargetRoute
	// KeyPossible reports whether a condition key can ever be present for one of the routes; nil stands for always.
	KeyPossible func(key *condition.Key) bool
	// AWSPrincipals says that some route is AWS_IAM.
	AWSPrincipals bool
	// LambdaRoutes and SignedRoutes are those with a Lambda authorizer, and with AWS_IAM: beside the caller's policy this one counts.
	LambdaRoutes, SignedRoutes []TargetRoute
}

// TargetRoute is a route: Method is a verb or ANY, Resource a path such as /pets/{petId} or /{proxy+}.
type TargetRoute struct{ Method, Resource string }

// Check reports what is legal in the statements of a resource-based policy and surely wrong where it is attached.
func Check(all []*statement.Statement, t Target) []fault.Fault {
	l := linter{target: t, paths: t.paths(len(all))}
	for _, s := range all {
		l.statement(s)
	}
	l.forEverybody(all)
	l.conditional(all)
	return l.faults
}

type linter struct {
	target Target
	// paths are the last parts of the ARNs that the API's methods can have.
	paths  [][]element
	faults []fault.Fault
}

func (l *linter) report(s *statement.Statement, at document.Position, warning bool, format string, args ...any) {
	l.faults = append(l.faults, fault.Fault{Line: at.Line, Column: at.Column, Statement: s.Label, Warning: warning, Message: fmt.Sprintf(format, args...)})
}

// never reports a statement that cannot apply.
func (l *linter) never(s *statement.Statement, at document.Position, format string, args ...any) {
	word := "Allow"
	if s.Effect == statement.Deny {
		word = "Deny"
	}
	l.report(s, at, s.Effect == statement.Allow, "this %s can never apply: "+format, append([]any{word}, args...)...)
}

func (l *linter) statement(s *statement.Statement) {
	l.action(s)
	l.principal(s)
	l.resource(s)
	for _, c := range s.Conditions {
		l.condition(s, c)
		l.everyAddress(s, c)
	}
}

// action looks for execute-api:Invoke. A policy may be attached to an API elsewhere, too, so API Gateway's other actions are
// no faults.
func (l *linter) action(s *statement.Statement) {
	switch {
	case s.Concerns("execute-api", "invoke"):
	case s.Concerns("execute-api", "invalidatecache"), s.Concerns("execute-api", "manageconnections"):
		l.report(s, s.Start, true, "portcullis asks for execute-api:Invoke only, which this statement does not concern")
	default:
		l.never(s, s.Start, "its actions do not include execute-api:Invoke; add it or remove the statement")
	}
}

func (l *linter) principal(s *statement.Statement) {
	p := s.Principals
	switch {
	case p == nil:
	case s.NotPrincipal && p.Everyone:
		l.never(s, s.Start, `its NotPrincipal leaves out everyone ("*"); name those whom it should spare`)
	case s.NotPrincipal, p.Everyone:
	case len(p.Names) == 0:
		l.never(s, s.Start, `its Principal names nobody who can call an API; write "*" or {"AWS": …}`)
	case !l.target.AWSPrincipals:
		l.never(s, s.Start, `it names AWS principals, which only routes with authorization AWS_IAM know; write "Principal": "*" or give a route AWS_IAM`)
	}
}

func (l *linter) resource(s *statement.Statement) {
	if s.NotResource {
		if i := slices.IndexFunc(s.Resources, l.coversAll); i >= 0 {
			l.never(s, s.Resources[i].At, "its NotResource %s leaves out the whole API; name the methods that it should spare", document.Quote(s.Resources[i].Written))
		}
		return
	}
	var dead []fault.Fault // position and what is wrong
	for _, res := range s.Resources {
		if problem := l.impossible(res); problem != "" {
			dead = append(dead, fault.Fault{Line: res.At.Line, Column: res.At.Column, Message: problem})
		}
	}
	for _, f := range dead {
		at := document.Position{Line: f.Line, Column: f.Column}
		if len(dead) == len(s.Resources) {
			l.never(s, at, "its resource %s", f.Message)
		} else {
			l.report(s, at, true, "the resource %s", f.Message)
		}
	}
}

// coversAll reports whether a resource fits every method of the API, for the forms in which people write that.
func (l *linter) coversAll(res *statement.Resource) bool {
	api, ok := arn.Split(l.target.ARNPrefix)
	if res.Any || !ok {
		return res.Any
	}
	api[5] += "/"
	fits := res.Matches(nil, &api, true)
	tokens := res.Tail.Tokens
	return fits && len(res.Tail.Variables) == 0 && len(tokens) > 0 && tokens[len(tokens)-1].Kind == arn.AnyRun
}

// impossible says why a resource fits no method of the API.
func (l *linter) impossible(res *statement.Resource) string {
	api, ok := arn.Split(l.target.ARNPrefix)
	if res.Any || !ok {
		return ""
	}
	for _, v := range res.Tail.Variables {
		if !v.HasDefault && !l.keyPossible(v.Key) {
			return fmt.Sprintf("%s matches nothing: %s is never present in a request to this API; give the variable a default or remove it", document.Quote(res.Written), v.Key)
		}
	}
	fits := true
	for i := range res.Head {
		fits = fits && res.Head[i].Match(nil, api[i])
	}
	pattern := elements(&res.Tail)
	if fits && slices.ContainsFunc(l.paths, func(path []element) bool { return overlap(pattern, path) }) {
		return ""
	}
	if fits {
		if missing := l.missing(res.Written); missing != "" {
			return document.Quote(res.Written) + " is not a method of this API: " + missing
		}
	}
	return document.Quote(res.Written) + " is not a method of this API; " + l.instead(res)
}

// missing says which stage or route a resource names that the API has not; nothing if it does not name a route.
func (l *linter) missing(written string) string {
	_, tail, ok := strings.Cut(strings.TrimPrefix(written, strings.TrimSuffix(statement.Abbreviation, "/")), "/")
	parts := strings.SplitN(tail, "/", 3)
	if !ok || len(parts) < 3 || strings.Contains(written, "${") || parts[0] == "" || parts[1] == "" || strings.HasPrefix(parts[2], "/") {
		return ""
	}
	stage, route := parts[0], parts[1]+" /"+parts[2]
	switch {
	case strings.ContainsAny(stage, "*?") || len(l.target.Stages) == 0:
		return "there is no route " + route
	case !slices.Contains(l.target.Stages, stage):
		return "there is no stage " + stage + "; there is " + strings.Join(l.target.Stages, ", ")
	default:
		return "there is no route " + route + " in stage " + stage
	}
}

func (l *linter) keyPossible(k *condition.Key) bool {
	return l.target.KeyPossible == nil || l.target.KeyPossible(k)
}

// instead says what to write in place of a resource that fits no method.
func (l *linter) instead(res *statement.Resource) string {
	api, _ := arn.Split(l.target.ARNPrefix)
	if strings.TrimSuffix(res.Tail.Literal, "/") == api[5] {
		return "write " + l.target.ARNPrefix + "/* for the whole API"
	}
	return "its methods are " + l.target.ARNPrefix + "/stage/VERB/path, with the path of the request and no leading slash"
}

// condition looks at conditions on keys that no route's requests ever have.
func (l *linter) condition(s *statement.Statement, c statement.Clause) {
	if l.keyPossible(c.Key) {
		return
	}
	if !c.HoldsWithoutKey(s.Effect == statement.Deny) {
		l.never(s, c.At, "%s is never present in a request to this API, and %s needs it; remove the condition or change the routes' authorization", c.Key, c.Written)
		return
	}
	l.report(s, c.At, true, "%s is never present in a request to this API, so %s on it always holds; remove the condition or change the routes' authorization", c.Key, c.Written)
}
