package runner

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// canonicalText is a text without its escapes, so that two ways to write one text are equal. at says where in the text each byte
// comes from, and has one entry more, for the end.
type canonicalText struct {
	text []byte
	at   []int
}

// mostEscapes is how often a text is read as escaped: JSON in JSON in a URL, and once more.
const mostEscapes = 4

// canonical reads the escapes of JSON, of the strings of JavaScript, Python, Go and C, of URLs and of HTML, one in the other too.
// Backslashes and control characters are left out, a plus sign and a hyphen are a space and an underscore is a slash, as the
// alphabets of URLs and base64 have them, and what is not UTF-8 is read as Latin-1.
func canonical(s string) canonicalText {
	c := asWritten(s)
	for range mostEscapes {
		if !bytes.ContainsAny(c.text, `\%&`) {
			break
		}
		c = c.rewrite(unescapeAt)
	}
	return c.rewrite(foldAt)
}

// asWritten is a text with its escapes.
func asWritten(s string) canonicalText {
	c := canonicalText{text: []byte(s), at: make([]int, len(s)+1)}
	for i := range c.at {
		c.at[i] = i
	}
	return c
}

// rewrite replaces, from left to right, what the function reads: it returns the length of that and what to write.
func (c canonicalText) rewrite(read func(text []byte) (length int, written string)) canonicalText {
	next := canonicalText{text: make([]byte, 0, len(c.text)), at: make([]int, 0, len(c.text)+1)}
	for i := 0; i < len(c.text); {
		n, written := read(c.text[i:])
		for j := range len(written) {
			next.text, next.at = append(next.text, written[j]), append(next.at, c.at[i])
		}
		i += n
	}
	next.at = append(next.at, c.at[len(c.text)])
	return next
}

// unescapeAt reads one character, or one escape, at the beginning of a text.
func unescapeAt(text []byte) (int, string) {
	switch text[0] {
	case '\\':
		return unescapeBackslash(text)
	case '%':
		if len(text) > 1 && text[1] == 'u' {
			if r, n := hexRune(text[2:], 4); n > 0 {
				return 2 + n, string(r)
			}
		}
		if r, n := hexRune(text[1:], 2); n > 0 {
			return 1 + n, string([]byte{byte(r)}) //nolint:gosec // two digits
		}
	case '&':
		const longestEntity = 10
		head := string(text[:min(len(text), longestEntity)])
		if end := strings.IndexByte(head, ';'); end > 0 {
			if said := html.UnescapeString(head[:end+1]); said != head[:end+1] {
				return end + 1, said
			}
		}
	}
	return 1, string(text[:1])
}

// unescapeBackslash reads backslashes, of which an escape in an escape has several, and what they escape.
func unescapeBackslash(text []byte) (int, string) {
	n := 0
	for n < len(text) && text[n] == '\\' {
		n++
	}
	rest := text[n:]
	if len(rest) == 0 {
		return n, ""
	}
	size := map[byte]int{'u': 4, 'U': 8, 'x': 2}[rest[0]]
	switch {
	case size == 4 && len(rest) > 1 && rest[1] == '{':
		if end := strings.IndexByte(string(rest[:min(len(rest), 10)]), '}'); end > 2 {
			if r, digits := hexRune(rest[2:], end-2); digits > 0 {
				return n + end + 1, string(r)
			}
		}
	case size > 0:
		r, digits := hexRune(rest[1:], size)
		switch {
		case digits == 0:
		case size == 2:
			return n + 1 + digits, string([]byte{byte(r)}) //nolint:gosec // two digits
		case utf16.IsSurrogate(r):
			return unescapeSurrogates(text, n, r)
		default:
			return n + 1 + digits, string(r)
		}
	case len(rest) >= 3 && '0' <= rest[0] && rest[0] <= '3':
		if v, err := strconv.ParseUint(string(rest[:3]), 8, 8); err == nil {
			return n + 3, string([]byte{byte(v)})
		}
	}
	if i := strings.IndexByte("abfnrtv0", rest[0]); i >= 0 {
		return n + 1, "\a\b\f\n\r\t\v\x00"[i : i+1]
	}
	return n, ""
}

// unescapeSurrogates reads the second half of a pair, whose first half stands behind n backslashes.
func unescapeSurrogates(text []byte, n int, first rune) (int, string) {
	const half = len("uXXXX")
	m := n + half
	for m < len(text) && text[m] == '\\' {
		m++
	}
	if m < len(text) && text[m] == 'u' {
		if second, digits := hexRune(text[m+1:], 4); digits > 0 {
			return m + half, string(utf16.DecodeRune(first, second))
		}
	}
	return n + half, string(utf8.RuneError)
}

// hexRune reads so many hexadecimal digits; the length is 0 if there are fewer.
func hexRune(text []byte, digits int) (r rune, length int) {
	if digits < 1 || digits > 8 || len(text) < digits {
		return 0, 0
	}
	v, err := strconv.ParseUint(string(text[:digits]), 16, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, 0
	}
	return rune(v), digits
}

// foldAt reads one character as the one that stands for it and its like.
func foldAt(text []byte) (int, string) {
	r, size := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && size == 1:
		return 1, string(rune(text[0]))
	case r < ' ' || r == 0x7f:
		return size, ""
	case r == '+' || r == '-':
		return size, " "
	case r == '_':
		return size, "/"
	}
	return size, string(r)
}
