package answer

import (
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// HeaderNames is a set of header names that treats every character but letters and digits as a hyphen.
type HeaderNames struct {
	names map[string]struct{}
	// lengths has the bit of each name's length, of those from 63 on the last: most names are told by it.
	lengths uint64
}

func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

// Add adds a name.
func (n *HeaderNames) Add(name string) {
	if n.names == nil {
		n.names = map[string]struct{}{}
	}
	n.names[Hyphenated(name)] = struct{}{}
	n.lengths |= lengthBit(name)
}

// Has reports whether the set has a name.
func (n *HeaderNames) Has(name string) bool {
	if n.lengths&lengthBit(name) == 0 {
		return false
	}
	_, ok := n.names[Hyphenated(name)]
	return ok
}

// Hyphenated is a header name in lower case with a hyphen for every character that is no letter and no digit.
func Hyphenated(name string) string {
	i := 0
	for i < len(name) && (name[i] == '-' || canon.IsLowerAlphanumeric(name[i])) {
		i++
	}
	if i == len(name) {
		return name
	}
	out := []byte(canon.Lower(name))
	for ; i < len(out); i++ {
		if !canon.IsLowerAlphanumeric(out[i]) {
			out[i] = '-'
		}
	}
	return string(out)
}

// EncodeHeaderValue percent-encodes what a header cannot carry: control characters, what is not ASCII, and white space at
// either end.
func EncodeHeaderValue(s string) string {
	if IsHeaderValue(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && (i == 0 || i == len(s)-1) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// EscapePercent encodes the percent signs that begin an escape, so that a text that looks like an encoded one is not taken for
// what it would be decoded to: two users' names must not become one.
//
// 2026-11-25: of what an authorizer says ($context.authorizer), a percent sign that begins an escape is encoded too, as %25: the
// user "Zo%C3%AB" must not get the header of "Zoë". Decoding a value once gives what the authorizer said.
func EscapePercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '%' && canon.IsEscape(s, i) {
			b.WriteString("25")
		}
	}
	return b.String()
}

// IsHeaderValue reports whether a header carries a text unchanged: visible ASCII, with spaces only in between.
func IsHeaderValue(s string) bool {
	visible := func(c rune) bool { return ' ' <= c && c <= '~' }
	return strings.TrimFunc(s, visible) == "" && strings.Trim(s, " ") == s
}
