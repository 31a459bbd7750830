package lint

import (
	"slices"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/statement"
)

// forEverybody warns of an Allow without conditions for everybody, where it concerns routes whose callers have policies of their
// own. It is how a policy is begun that only narrows down who calls; but on these routes either Allow is enough.
func (l *linter) forEverybody(all []*statement.Statement) {
	lambda, signed := l.target, l.target
	lambda.Routes, signed.Routes = l.target.LambdaRoutes, l.target.SignedRoutes
	for _, s := range all {
		if s.Effect != statement.Allow || len(s.Conditions) > 0 || s.Principals == nil || !s.Principals.Everyone || s.NotPrincipal {
			continue
		}
		if l.concerns(s, lambda, len(all)) {
			l.report(s, s.Start, true, "where a Lambda authorizer's policy neither allows nor denies a request, this Allow lets it pass; "+
				"let the authorizer end in a Deny, or leave its routes out of this Resource, for the authorizer's own Allow is enough")
		}
		if l.concerns(s, signed, len(all)) {
			l.report(s, s.Start, true, "on routes with AWS_IAM this Allow lets everybody of the API's account pass, whatever their own policies leave out; "+
				"name principals, or leave these routes out of this Resource, for the callers' own Allow is enough")
		}
	}
}

// concerns reports whether a statement is about one of the routes of a target.
func (l *linter) concerns(s *statement.Statement, t Target, statements int) bool {
	if len(t.Routes) == 0 || !s.Concerns("execute-api", "invoke") {
		return false
	}
	own := linter{target: t, paths: t.paths(statements)}
	if s.NotResource {
		return !slices.ContainsFunc(s.Resources, own.coversAll)
	}
	return slices.ContainsFunc(s.Resources, func(r *statement.Resource) bool { return own.impossible(r) == "" })
}

// conditional warns of an Allow for everybody with conditions on routes with a Lambda authorizer: it does not keep anybody else
// out, for the authorizer's Allow is enough (Table A of "How API Gateway resource policies affect authorization workflow"). A Deny
// on the same key does, and ends the warning.
func (l *linter) conditional(all []*statement.Statement) {
	for _, s := range all {
		if s.Effect != statement.Allow || len(s.Conditions) == 0 || s.Principals == nil || !s.Principals.Everyone || s.NotPrincipal {
			continue
		}
		route, found := l.firstConcerned(s, len(all))
		c := s.Conditions[0]
		if !found || slices.ContainsFunc(all, func(other *statement.Statement) bool { return denies(other, s.Conditions) }) {
			continue
		}
		l.report(s, c.At, true, "this condition does not keep others from %s %s, whose Lambda authorizer's own Allow is enough; "+
			"write a statement with Effect Deny and the opposite condition, %s on %s", route.Method, route.Resource, c.Opposite(), c.Key)
	}
}

// firstConcerned is the first route with a Lambda authorizer that a statement is about.
func (l *linter) firstConcerned(s *statement.Statement, statements int) (TargetRoute, bool) {
	lambda := l.target
	if lambda.Routes = lambda.LambdaRoutes; !l.concerns(s, lambda, statements) {
		return TargetRoute{}, false
	}
	for _, route := range l.target.LambdaRoutes {
		if lambda.Routes = []TargetRoute{route}; l.concerns(s, lambda, statements) {
			return route, true
		}
	}
	return l.target.LambdaRoutes[0], true
}

// denies reports whether a statement is a Deny with a condition on a key of some conditions.
func denies(s *statement.Statement, conditions []statement.Clause) bool {
	return s.Effect == statement.Deny && slices.ContainsFunc(s.Conditions, func(d statement.Clause) bool {
		return slices.ContainsFunc(conditions, func(c statement.Clause) bool { return c.Key.String() == d.Key.String() })
	})
}

// everyAddress warns of a network that is every address, with which a condition says nothing.
func (l *linter) everyAddress(s *statement.Statement, c statement.Clause) {
	if network := c.EveryAddress(); network != "" {
		l.report(s, c.At, true, "%s is every address of its kind, so that %s on %s tells nobody apart; name the networks, or remove the condition", network, c.Written, c.Key)
	}
}
