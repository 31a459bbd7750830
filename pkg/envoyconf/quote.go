package envoyconf

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// plainShape holds scalars that are text to every YAML reader, but for the words below.
var plainShape = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// otherWords are those that some version of YAML takes for something else than text.
var otherWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

// quote is a text as a YAML scalar, in quotes where it needs some. Go's escapes are YAML's.
func quote(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is4() {
		return text
	}
	if plainShape.MatchString(text) && !slices.Contains(otherWords, strings.ToLower(text)) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// comment is a text within a line of comment.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
