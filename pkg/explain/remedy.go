package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// remedies says what to change: what is specific to the request, and then the remedy of the reason's code.
func remedies(d *authz.Decision, r *Report) (all []string) {
	general := d.Reason.Code.Meaning().Remedy
	if general == "" {
		return nil
	}
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch d.Reason.Code {
	case authz.CodeExplicitDeny:
		if d.Reason.Statement != "" {
			add("Statement %s of %s denies%s.", d.Reason.Statement, d.Reason.Policy, r.conditionText(" by its condition "))
		}
	case authz.CodeImplicitDeny:
		if d.Reason.ConditionKey != "" {
			add("%s would allow, but for its condition %s.", r.nearest(), r.conditionText(""))
		}
		if arn := r.resource(); arn != "" {
			add("Allow execute-api:Invoke on %s%s.", arn, r.lacking())
		}
	case authz.CodeMissingScope:
		add("The token has %s; the route needs one of: %s.", listed("the scopes", r.scopes()), strings.Join(d.NeededScopes, ", "))
	case authz.CodeUnauthorized:
		if c := r.Caller; c != nil && c.Issuer != "" {
			add("The token is of %s, %s, %s: compare these with the %s.", c.Issuer, listed("for the audience", c.Audience), clientID(c),
				strings.TrimSpace("authorizer "+d.Authorizer))
		}
	case authz.CodeUnknownHost:
		switch {
		case len(r.BasePaths) > 0:
			add("The host %s has the base paths %s, and the path begins with none of them.", d.Host, strings.Join(r.BasePaths, ", "))
		case d.Step == authz.StepStage:
			add("Add %s to the domains of a stage.", d.Host)
		}
	case authz.CodeNoRoute:
		for _, route := range r.Routes {
			add("The route %s is near: %s.", route.Route, route.Why)
		}
		add("Add a route for %s %s.", d.Method, d.Path)
	case authz.CodeAuthorizerFailed, authz.CodeAuthorizerAnswer:
		if d.Authorizer != "" {
			add("Look at the authorizer %s.", d.Authorizer)
		}
	case authz.CodeBadSignature:
		if r.Caller != nil && r.Caller.AccessKeyID != "" {
			add("The access key %s is known: compare its secret.", r.Caller.AccessKeyID)
		}
	default: // the detail and the general remedy say it
	}
	return append(all, general)
}

// remediesOfSTS says what to change where a call of STS is denied.
func (l *Logged) remediesOfSTS() []string {
	code := codeOf(l.Reason)
	if l.Role != "" && (code == authz.CodeExplicitDeny || code == authz.CodeImplicitDeny) {
		return []string{"Read the detail: change the trust policy of " + l.Role + ", or the policies of the caller, for " + l.Action + "."}
	}
	if general := code.Meaning().Remedy; general != "" {
		return []string{general}
	}
	return nil
}

// conditionText names the deciding condition and what the request has for its key.
func (r *Report) conditionText(before string) string {
	if r.Reason.ConditionKey == "" {
		return ""
	}
	text := before + r.Reason.Condition + " " + r.Reason.ConditionKey
	for _, e := range r.Policies {
		if value := e.Values[r.Reason.ConditionKey]; value != "" {
			return text + " (the request has: " + value + ")"
		}
	}
	return text
}

// nearest names the Allow that fails by the deciding condition.
func (r *Report) nearest() string {
	because := r.Reason.Condition + " " + r.Reason.ConditionKey
	for _, e := range r.Policies {
		for _, s := range e.Statements {
			if s.Effect == "Allow" && s.Because == because {
				return "Statement " + s.Statement + " of " + s.Policy
			}
		}
	}
	return "A statement"
}

// maxNamed is how many policies a remedy names.
const maxNamed = 4

// lacking names the policies of the kind that the detail says does not allow, as places for an Allow.
func (r *Report) lacking() string {
	var names []string
	for _, s := range r.Policies[len(r.Policies)-1].Statements {
		if strings.Contains(r.Reason.Detail, s.Kind) && !slices.Contains(names, s.Policy) && len(names) < maxNamed {
			names = append(names, s.Policy)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", for example in " + strings.Join(names, " or ")
}

func clientID(c *Caller) string {
	if c.ClientID == "" {
		return "without a client id"
	}
	return "for the client id " + c.ClientID
}

// resource returns the method ARN of the last evaluation; empty without one.
func (r *Report) resource() string {
	if len(r.Policies) == 0 {
		return ""
	}
	return r.Policies[len(r.Policies)-1].Resource
}

func (r *Report) scopes() []string {
	if r.Caller == nil {
		return nil
	}
	return r.Caller.Scopes
}

func listed(what string, items []string) string {
	if len(items) == 0 {
		return "no " + strings.TrimPrefix(strings.TrimPrefix(what, "the "), "for the ")
	}
	return what + " " + strings.Join(items, ", ")
}
