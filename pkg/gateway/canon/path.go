package canon

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a request path in its canonical form.
type Path struct {
	// Text begins with one slash. Each segment is percent-decoded once, except for %2F and %25.
	Text string
	// Plain reports whether the path was received in its canonical form, and servers differ only about its case and a slash at its end.
	Plain bool
	// Doubled reports whether Text contains two slashes in a row before its last segment.
	Doubled bool
	// SlashInSegment, Semicolon, Delimiter and EncodedTwice report what strictPaths refuses: an encoded slash; a semicolon in any
	// form; an encoded question mark or number sign, at which a server that decodes too early cuts off the path; an escape that
	// appears when the path is decoded.
	SlashInSegment, Semicolon, Delimiter, EncodedTwice bool
	// Pattern reports whether the path contains "*", "?" or "${", as received or after one or two decodings.
	Pattern bool
}

// The errors of ParsePath and Readings.
var (
	errNoLeadingSlash = errors.New("the path does not begin with a slash")
	errFragment       = errors.New("the path contains a number sign")
	errEscape         = errors.New("the path contains a percent sign that does not begin an escape")
	errNotUTF8        = errors.New("the decoded path is not UTF-8")
	errBackslash      = errors.New("the path contains a backslash")
	errControl        = errors.New("the path contains a control character")
	errDotSegment     = errors.New("the path contains a dot segment")
)

// ParsePath returns the canonical form of a request target's path. It returns an error for a path that two parsers could read
// differently, as received or after one or two decodings.
//
// 2026-11-23: these are refused with 400:
//   - dot segments, backslashes and control characters, as received and after one and two decodings;
//   - text that is not UTF-8 after one or two decodings;
//   - a broken escape, and a number sign.
//
// Three rules are stricter than API Gateway and RFC 3986. "..;x" counts as a dot segment, because servers cut off path parameters before
// they resolve dots. Escapes that decode twice to something that is not UTF-8 are refused, because overlong forms hide dots from
// this check but not from a lenient decoder. A path with doubled slashes is refused if merging them would lead to another
// route; if the path has no route at all, the answer is that of API Gateway.
func ParsePath(target string) (Path, error) {
	raw, _, _ := strings.Cut(target, "?")
	if raw == "" || raw[0] != '/' {
		return Path{}, errNoLeadingSlash
	}
	if isPlain(raw) {
		return Path{Text: raw, Plain: true}, nil
	}
	if strings.Contains(raw, "#") {
		return Path{}, errFragment
	}
	if !wellEscaped(raw) {
		return Path{}, errEscape
	}
	once := unescape(raw, false)
	twice := unescape(once, false)
	for _, form := range [...]string{raw, once, twice} {
		if err := unambiguous(form); err != nil {
			return Path{}, err
		}
	}
	text := CollapseLeading(unescape(raw, true))
	return Path{
		Text:           text,
		Doubled:        strings.Contains(TrimTrailing(text), "//"),
		SlashInSegment: hasEscapedSlash(raw),
		Semicolon:      strings.Contains(twice, ";"),
		Delimiter:      strings.ContainsAny(twice, "?#"),
		EncodedTwice:   twice != once,
		Pattern:        isPattern(raw) || isPattern(once) || isPattern(twice),
	}, nil
}

// isPattern reports whether a text contains a wildcard or a policy variable.
func isPattern(text string) bool {
	return strings.ContainsAny(text, "*?") || strings.Contains(text, "${")
}

// isPlain reports whether a path is its own canonical form: it has only letters, digits and marks without a meaning to any
// parser, and no segment is empty or begins or ends with a dot. One trailing slash is allowed. Most paths are plain.
func isPlain(p string) bool {
	for i := 0; i < len(p); i++ {
		if !plain[p[i]] {
			return false
		}
		if p[i] == '/' && i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.') {
			return false
		}
		if p[i] == '.' && (i+1 == len(p) || p[i+1] == '/') {
			return false
		}
	}
	return true
}

// plain holds RFC 3986's pchar without the percent sign, the semicolon and the asterisk, and the slash.
var plain = func() (set [256]bool) {
	for c := range set {
		b := byte(c)
		set[c] = 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~!$&'()+,=:@/", b) >= 0
	}
	return set
}()

// unambiguous returns an error if parsers could read a path, or a decoded form of it, differently.
func unambiguous(form string) error {
	if !utf8.ValidString(form) {
		return errNotUTF8
	}
	if strings.IndexByte(form, '\\') >= 0 {
		return errBackslash
	}
	if strings.IndexFunc(form, unicode.IsControl) >= 0 {
		return errControl
	}
	if HasDotSegment(form) {
		return errDotSegment
	}
	return nil
}

// HasDotSegment reports whether a path has a segment that IsDotSegment reports.
func HasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if IsDotSegment(segment) {
			return true
		}
	}
	return false
}

// IsDotSegment reports whether a segment is "." or "..", with or without path parameters. Some servers cut those off
// before they resolve dots ("/open/..;x/admin").
func IsDotSegment(segment string) bool {
	name, _, _ := strings.Cut(segment, ";")
	return name == "." || name == ".."
}

// wellEscaped reports whether each percent sign is followed by two hexadecimal digits.
func wellEscaped(s string) bool {
	for i := strings.IndexByte(s, '%'); i >= 0 && i < len(s); i++ {
		if s[i] == '%' && !IsEscape(s, i) {
			return false
		}
	}
	return true
}

// Unescape decodes every escape once. Other percent signs stay.
func Unescape(s string) string { return unescape(s, false) }

// unescape decodes every escape once. Other percent signs stay. With keep, %2F and %25 stay too, in upper case.
func unescape(s string, keep bool) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || !IsEscape(s, i) {
			out = append(out, s[i])
			continue
		}
		c := unhex(s[i+1])<<4 | unhex(s[i+2])
		switch {
		case keep && c == '/':
			out = append(out, "%2F"...)
		case keep && c == '%':
			out = append(out, "%25"...)
		default:
			out = append(out, c)
		}
		i += 2
	}
	return string(out)
}

// hasEscapedSlash reports whether s contains %2F or %2f.
func hasEscapedSlash(s string) bool {
	return strings.Contains(s, "%2F") || strings.Contains(s, "%2f")
}

// IsEscape reports whether an escape stands at i.
func IsEscape(s string, i int) bool { return i+2 < len(s) && IsHex(s[i+1]) && IsHex(s[i+2]) }

// IsHex reports whether c is a hexadecimal digit.
func IsHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// CollapseLeading replaces the slashes at the beginning of a path by one. It returns "/" for an empty path.
func CollapseLeading(p string) string {
	if p == "" {
		return "/"
	}
	for len(p) > 1 && p[1] == '/' {
		p = p[1:]
	}
	return p
}

// TrimTrailing removes the slashes at the end of a path. It returns "" for the root.
func TrimTrailing(p string) string { return strings.TrimRight(p, "/") }

// MergeSlashes replaces every run of slashes by one.
func MergeSlashes(p string) string {
	if !strings.Contains(p, "//") {
		return p
	}
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			out = append(out, p[i])
		}
	}
	return string(out)
}

// SegmentEnd returns the end of the segment after the slash at start.
func SegmentEnd(path string, start int) int {
	if i := strings.IndexByte(path[start+1:], '/'); i >= 0 {
		return start + 1 + i
	}
	return len(path)
}
