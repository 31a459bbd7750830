package authz

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// NewRequestID returns a random UUID, the form of API Gateway's request ids.
func NewRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, []byte{c})
	}
	return string(text)
}

// IsToken reports whether s is a token, the form of field names (RFC 9110, section 5.6.2).
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

// IsMethod reports whether s consists of letters and hyphens, like every registered method. A method is a part of the method ARN. A
// function may return that ARN as a pattern, in which "*" would match every method.
func IsMethod(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] != '-' && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return s != ""
}

// tokens has the characters of a token.
var tokens = func() (set [256]bool) {
	for c := range 128 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		set[c] = letter || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return set
}()
