package envoyconf

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// plainShape matches scalars that every YAML reader takes as text, except otherWords.
var plainShape = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// otherWords are words that some version of YAML does not take as text.
var otherWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

// quote returns a text as a YAML scalar, quoted if necessary. Go's escapes are also YAML's.
func quote(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is4() {
		return text
	}
	if plainShape.MatchString(text) && !slices.Contains(otherWords, strings.ToLower(text)) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// comment returns a text for use inside a comment line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
