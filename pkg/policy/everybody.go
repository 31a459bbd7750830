package policy

import "slices"

// forEverybody warns of an Allow without conditions for everybody, where it concerns routes whose callers have policies of their
// own. It is how a policy is begun that only narrows down who calls; but on these routes either Allow is enough.
func (l *linter) forEverybody(p *Policy) {
	lambda, signed := l.target, l.target
	lambda.Routes, signed.Routes = l.target.LambdaRoutes, l.target.SignedRoutes
	for _, s := range p.statements {
		if s.effect != allow || len(s.conditions) > 0 || s.principals == nil || !s.principals.everyone || s.notPrincipal {
			continue
		}
		if l.concerns(s, lambda, len(p.statements)) {
			l.report(s, s.start, true, "where a Lambda authorizer's policy neither allows nor denies a request, this Allow lets it pass; "+
				"let the authorizer end in a Deny, or leave its routes out of this Resource, for the authorizer's own Allow is enough")
		}
		if l.concerns(s, signed, len(p.statements)) {
			l.report(s, s.start, true, "on routes with AWS_IAM this Allow lets everybody of the API's account pass, whatever their own policies leave out; "+
				"name principals, or leave these routes out of this Resource, for the callers' own Allow is enough")
		}
	}
}

// concerns reports whether a statement is about one of the routes of a target.
func (l *linter) concerns(s *statement, t Target, statements int) bool {
	if len(t.Routes) == 0 || !s.concerns("execute-api", "invoke") {
		return false
	}
	own := linter{target: t, paths: t.paths(statements)}
	if s.notResource {
		return !slices.ContainsFunc(s.resources, own.coversAll)
	}
	return slices.ContainsFunc(s.resources, func(r *resource) bool { return own.impossible(r) == "" })
}
