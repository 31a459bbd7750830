package jwt

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string; one without escapes is a part of the text.
func (r *reader) string() (string, bool) {
	if !r.skip('"') {
		return "", false
	}
	begin := r.at
	for r.at < len(r.s) {
		switch c := r.s[r.at]; {
		case c == '"':
			r.at++
			return r.s[begin : r.at-1], true
		case c == '\\':
			return r.escaped(r.s[begin:r.at])
		case c < ' ':
			return "", false
		}
		r.at++
	}
	return "", false
}

// escaped reads the rest of a string from its first escape on.
func (r *reader) escaped(before string) (string, bool) {
	var b strings.Builder
	b.WriteString(before)
	for r.at < len(r.s) {
		c := r.s[r.at]
		r.at++
		switch {
		case c == '"':
			return b.String(), true
		case c < ' ':
			return "", false
		case c != '\\':
			b.WriteByte(c)
		default:
			decoded, ok := r.escape()
			if !ok {
				return "", false
			}
			b.WriteRune(decoded)
		}
	}
	return "", false
}

// escape reads what comes after a backslash. Half of a surrogate pair is refused.
func (r *reader) escape() (rune, bool) {
	if r.at == len(r.s) {
		return 0, false
	}
	c := r.s[r.at]
	r.at++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	if c != 'u' {
		return 0, false
	}
	first, ok := r.hex()
	if !ok || !utf16.IsSurrogate(first) {
		return first, ok
	}
	if !r.skip('\\') || !r.skip('u') {
		return 0, false
	}
	second, ok := r.hex()
	pair := utf16.DecodeRune(first, second)
	return pair, ok && pair != utf8.RuneError
}

func (r *reader) hex() (n rune, ok bool) {
	if len(r.s)-r.at < 4 {
		return 0, false
	}
	for range 4 {
		switch c := r.s[r.at]; {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
		r.at++
	}
	return n, true
}
