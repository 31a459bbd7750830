package answer

import (
	"fmt"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// HeaderNames is a set of header names that treats every character but letters and digits as a hyphen.
type HeaderNames struct {
	names map[string]struct{}
	// marks has the mark of each name, one bit of 512. They exclude nearly all names that are not in the set.
	marks [8]uint64
}

// NewHeaderNames returns a set of names.
func NewHeaderNames(names ...string) (n HeaderNames) {
	for _, name := range names {
		n.Add(name)
	}
	return n
}

// Mark is a number below 512 for a header name's length and three of its characters. It is the same for all spellings of a name.
type Mark uint

// MarkOf returns the mark of a name.
func MarkOf(name string) Mark {
	n := uint(len(name))
	if n == 0 {
		return 0
	}
	return Mark(n*5+uint(spelled[name[n/4]])*37+uint(spelled[name[n/2]])*67+uint(spelled[name[n-1]])*131) % 512
}

// spelled has each character of a header name as Hyphenated writes it.
var spelled = func() (to [256]byte) {
	for c := range to {
		to[c] = Hyphenated(string([]byte{byte(c)}))[0]
	}
	return to
}()

// Add adds a name.
func (n *HeaderNames) Add(name string) {
	if n.names == nil {
		n.names = map[string]struct{}{}
	}
	n.names[Hyphenated(name)] = struct{}{}
	m := MarkOf(name)
	n.marks[m/64] |= 1 << (m % 64)
}

// Has reports whether the set contains a name.
func (n *HeaderNames) Has(name string) bool {
	if !n.MayHave(MarkOf(name)) {
		return false
	}
	_, ok := n.names[Hyphenated(name)]
	return ok
}

// MayHave reports whether the set may contain a name with a mark. It reports true for every name in the set, and for few others.
func (n *HeaderNames) MayHave(m Mark) bool { return n.marks[m/64%8]&(1<<(m%64)) != 0 }

// Hyphenated returns a header name in lower case, with a hyphen for every character other than a letter or a digit.
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

// EncodeHeaderValue percent-encodes what a header cannot carry: control characters, characters outside ASCII, and spaces at both ends.
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

// EscapePercent encodes the percent signs that begin an escape.
//
// 2026-11-25: in values of an authorizer ($context.authorizer), a percent sign that begins an escape is encoded as %25. Otherwise the
// user "Zo%C3%AB" would get the header of "Zoë". Decoding a header once returns the authorizer's value.
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

// IsHeaderValue reports whether a header can carry a text unchanged: visible ASCII, with spaces only inside.
func IsHeaderValue(s string) bool {
	visible := func(c rune) bool { return ' ' <= c && c <= '~' }
	return strings.TrimFunc(s, visible) == "" && strings.Trim(s, " ") == s
}
