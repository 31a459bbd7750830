package statement

import (
	"strings"
	"unicode"

	"github.com/portcullis-authz/portcullis/pkg/arn"
)

// action is one entry of Action or NotAction, in lower case: actions are case-insensitive in both halves.
type action struct {
	any     bool // "*"
	service string
	name    []arn.Token
}

const actionCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_*?"

// CompileAction returns the action, or what is wrong with it and what to write instead.
func CompileAction(text string) (action, string) {
	if text == "*" {
		return action{any: true}, ""
	}
	service, name, found := strings.Cut(lower(text), ":")
	switch {
	case !isASCII(text):
		// The Kelvin sign has a "k" for its small letter.
		return action{}, "holds a character that no action has; write it as execute-api:Invoke"
	case !found || service == "" || name == "":
		return action{}, "is not of the form service:Name, such as execute-api:Invoke"
	case strings.ContainsAny(service, "*?"):
		return action{}, `has a wildcard in its service prefix; name the service, or write "*" for every action`
	case strings.Trim(service+name, actionCharacters) != "" || strings.Contains(name, ":"):
		return action{}, "holds a character that no action has; write it as execute-api:Invoke"
	}
	return action{service: service, name: arn.Tokens(name)}, ""
}

// Matches looks at a request's action in lower case, split at its colon.
func (a *action) Matches(service, name string) bool {
	return a.any || a.service == service && arn.Match(a.name, name)
}

// Concerns reports whether the statement applies to the request's action. No statement applies to what is not an action, not even
// one with NotAction.
func (s *Statement) Concerns(service, name string) bool {
	if service == "" || name == "" {
		return false
	}
	for i := range s.Actions {
		if s.Actions[i].Matches(service, name) {
			return !s.NotAction
		}
	}
	return s.NotAction
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII })
}

// lower is the text in lower case. The actions that API Gateway asks about cost no allocation.
func lower(text string) string {
	switch text {
	case "execute-api:Invoke":
		return "execute-api:invoke"
	case "execute-api:InvalidateCache":
		return "execute-api:invalidatecache"
	case "execute-api:ManageConnections":
		return "execute-api:manageconnections"
	}
	return strings.ToLower(text)
}
