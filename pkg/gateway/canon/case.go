package canon

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// AppendLower appends a text, with its letters from A to Z in lower case.
func AppendLower(to []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// Lower returns a text with its letters from A to Z in lower case. It does not change others: by Unicode's rules the Kelvin sign would
// become a k.
func Lower(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || 'Z' < s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := []byte(s)
	for ; i < len(out); i++ {
		if 'A' <= out[i] && out[i] <= 'Z' {
			out[i] += 'a' - 'A'
		}
	}
	return string(out)
}

// FoldCase returns the same text for texts that differ only in case.
func FoldCase(s string) string { return Lower(FoldWide(s)) }

// FoldWide is FoldCase for a text that is not ASCII: it may be ASCII in another case, as the Kelvin sign is a k. It returns ASCII text
// unchanged.
func FoldWide(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
		}
	}
	return s
}

// HasUpper reports whether a text contains a letter from A to Z.
func HasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// IsLowerAlphanumeric reports whether c is a letter from a to z or a digit.
func IsLowerAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
