package compile

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxUnresolved is how many characters may say why a route's guard is not known: logs repeat them with each request.
const maxUnresolved = 1000

// checkUnresolved checks a route whose guard is not known, and warns of it.
func (f *faults) checkUnresolved(c *Route, at *fault.Place) {
	at = at.Field("unresolved")
	if c.Authorization != "" || c.Authorizer != "" || len(c.Scopes) > 0 {
		f.add(at, "a route with unresolved has no authorization, authorizer or scopes: remove them, or unresolved")
	}
	if utf8.RuneCountInString(c.Unresolved) > maxUnresolved || !isLine(c.Unresolved) {
		f.add(at, "unresolved must be one line of at most %d printable characters", maxUnresolved)
		return
	}
	f.warn(at, "every request for the route is refused with a configuration error: %s", c.Unresolved)
}

// isLine reports whether a log shows a text as it is, on one line.
func isLine(text string) bool {
	return utf8.ValidString(text) && strings.TrimFunc(text, unicode.IsSpace) != "" && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
