package routes

import (
	"slices"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Guard is the access control of a route.
type Guard struct {
	// Authorization is the authorization type. It is empty for a route that refuses every request.
	Authorization string `json:"authorization,omitempty"`
	Authorizer    string `json:"authorizer,omitempty"`
	// AuthorizerDigest identifies what the authorizer is configured with. It differs between two authorizers that differ.
	AuthorizerDigest string   `json:"authorizerDigest,omitempty"`
	Scopes           []string `json:"scopes,omitempty"`
	// APIKeyRequired says that callers need an API key.
	APIKeyRequired bool `json:"apiKeyRequired,omitempty"`
	// ResourcePolicy says that the API has a resource policy, which decides too. PolicyDigest identifies what it says.
	ResourcePolicy bool   `json:"resourcePolicy,omitempty"`
	PolicyDigest   string `json:"policyDigest,omitempty"`
	// Private says that the API is reached by VPC endpoints alone.
	Private bool `json:"private,omitempty"`
	// Unresolved says why a route refuses every request.
	Unresolved string `json:"unresolved,omitempty"`
}

// Open reports whether nothing but a resource policy stands before a route.
func (g Guard) Open() bool {
	return g.Authorization == string(gateway.None) && !g.APIKeyRequired && g.Unresolved == ""
}

// refuses reports whether a route refuses every request. A route without an authorization does.
func (g Guard) refuses() bool { return g.Unresolved != "" || g.Authorization == "" }

// GuardedBy is a guard in a few words.
func (g Guard) GuardedBy() string {
	if g.Unresolved != "" {
		return "refuses: " + g.Unresolved
	}
	text := g.Authorization
	if g.Authorizer != "" {
		text += " " + g.Authorizer
	}
	if len(g.Scopes) > 0 {
		text += " [" + strings.Join(g.Scopes, " ") + "]"
	}
	if g.APIKeyRequired {
		text += " + API key"
	}
	if g.ResourcePolicy {
		text += " + resource policy"
	}
	if g.Private {
		text += " + VPC endpoint"
	}
	return text
}

// The effects of a Change. Opens means that requests pass that did not; Closes that requests are refused that were not. Changes means
// that another guard decides, which may do either.
const (
	Opens   = "opens"
	Closes  = "closes"
	Changes = "changes"
)

// difference says what a change of a guard may do.
type difference struct {
	// opens reports whether a request may pass that did not, closes whether one may be refused that was not.
	opens, closes bool
	// why names what differs and cannot be seen in the guards' own words.
	why []string
}

// effect is the difference in a word of Change.
func (d difference) effect() string {
	switch {
	case d.opens && d.closes:
		return Changes
	case d.opens:
		return Opens
	case d.closes:
		return Closes
	default:
		return ""
	}
}

// compare compares two guards that do not refuse every request.
func compare(before, after Guard) difference {
	var d difference
	d.authorization(before, after)
	d.lost(before.APIKeyRequired, after.APIKeyRequired)
	d.lost(before.Private, after.Private)
	d.policy(before, after)
	if after.Open() && !before.Open() && after.ResourcePolicy == before.ResourcePolicy && after.PolicyDigest == before.PolicyDigest {
		d.closes = false // that the route is open is all that counts
	}
	return d
}

// lost notes a condition that each request must meet, before and after.
func (d *difference) lost(before, after bool) {
	d.opens = d.opens || before && !after
	d.closes = d.closes || after && !before
}

// authorization compares who may call. What another authorizer decides is not known.
func (d *difference) authorization(before, after Guard) {
	wasNone, isNone := before.Authorization == string(gateway.None), after.Authorization == string(gateway.None)
	switch {
	case wasNone && isNone:
	case wasNone || isNone:
		d.lost(!wasNone, !isNone)
	case before.Authorization != after.Authorization || before.Authorizer != after.Authorizer:
		d.opens, d.closes = true, true
	case before.AuthorizerDigest != after.AuthorizerDigest:
		d.opens, d.closes = true, true
		d.why = append(d.why, "the authorizer "+after.Authorizer+" is configured differently")
	default:
		d.scopes(before, after)
	}
}

// scopes compares scopes, of which a token needs one. Without any, a user pool authorizer wants another kind of token.
func (d *difference) scopes(before, after Guard) {
	had, has := len(before.Scopes) > 0, len(after.Scopes) > 0
	if had != has {
		d.lost(had, has)
		if after.Authorization == string(gateway.Cognito) {
			d.opens, d.closes = true, true
		}
		return
	}
	missing := func(from []string) func(string) bool {
		return func(scope string) bool { return !slices.Contains(from, scope) }
	}
	d.opens = d.opens || slices.ContainsFunc(after.Scopes, missing(before.Scopes))
	d.closes = d.closes || slices.ContainsFunc(before.Scopes, missing(after.Scopes))
}

// policy compares resource policies. On an open route a policy only takes away. On a guarded one it may grant, too.
func (d *difference) policy(before, after Guard) {
	none := string(gateway.None)
	switch {
	case before.ResourcePolicy != after.ResourcePolicy && before.Authorization == none && after.Authorization == none:
		d.lost(before.ResourcePolicy, after.ResourcePolicy)
	case before.ResourcePolicy != after.ResourcePolicy:
		d.opens, d.closes = true, true
	case before.PolicyDigest != after.PolicyDigest:
		d.opens, d.closes = true, true
		d.why = append(d.why, "the resource policy differs")
	case before.ResourcePolicy && before.Authorization != after.Authorization:
		d.opens, d.closes = true, true // the policy decides differently for another authorization
	}
}
