package canon

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a request path in the one form that routing and ARNs use.
type Path struct {
	// Text begins with one slash. Each segment is percent-decoded once, but for %2F and %25, which stay.
	Text string
	// Plain says that the path came in its canonical form, and that servers read it in one way but for its case and a slash at its end.
	Plain bool
	// Doubled says that Text holds two slashes in a row before its last segment.
	Doubled bool
	// SlashInSegment, Semicolon, Delimiter and EncodedTwice are what StrictPaths refuses: an encoded slash, a semicolon in any
	// form, an encoded question mark or number sign, at which who decodes too early cuts the path off, and an escape that
	// appears only once the path is decoded.
	SlashInSegment, Semicolon, Delimiter, EncodedTwice bool
	// Pattern says that the path holds "*", "?" or "${" as it stands or after one or two decodings.
	Pattern bool
}

// The reasons why a path is refused.
var (
	errNoLeadingSlash = errors.New("the path does not begin with a slash")
	errFragment       = errors.New("the path holds a number sign")
	errEscape         = errors.New("the path holds a percent sign that begins no escape")
	errNotUTF8        = errors.New("the path is not UTF-8 once decoded")
	errBackslash      = errors.New("the path holds a backslash")
	errControl        = errors.New("the path holds a control character")
	errDotSegment     = errors.New("the path holds a dot segment")
)

// ParsePath makes the canonical form of a request target's path, and refuses what two parsers could read differently:
// each check is made on the path as it stands and on what one and two decodings make of it.
//
// 2026-11-23: a path has one canonical form for routing and ARNs. Each segment is decoded once, but for %2F and %25. What two
// parsers could read differently is refused with 400: dot segments, backslashes and control characters as they are and after
// one and two decodings, text that is not UTF-8 after one or two, a broken escape, a number sign. Three of these are stricter
// than API Gateway and than RFC 3986: "..;x" counts as a dot segment, since servers cut path parameters off before they
// resolve dots; escapes that decode twice to something that is not UTF-8 are refused, since overlong forms hide dots from
// this check and not from a lenient decoder; and a path with doubled slashes is refused if merging them would lead to another
// route. Where the path as it stands has no route at all, the answer is API Gateway's, merged or not.
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

// isPattern reports whether a policy would read a text, or a part of it, as a wildcard or as a policy variable.
func isPattern(text string) bool {
	return strings.ContainsAny(text, "*?") || strings.Contains(text, "${")
}

// isPlain reports whether a path is its own canonical form: only letters, digits and marks that mean nothing to any
// parser, no segment that is empty or begins or ends with a dot, except that one trailing slash is fine. Most paths are.
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

// unambiguous reports what makes a path, or a decoded form of it, mean different things to different parsers.
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
	for segment := range strings.SplitSeq(form, "/") {
		if IsDotSegment(segment) {
			return errDotSegment
		}
	}
	return nil
}

// IsDotSegment reports whether a segment is "." or "..", also with path parameters behind it: some servers cut those off
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

// Unescape decodes every escape once. A percent sign that begins none stays.
func Unescape(s string) string { return unescape(s, false) }

// unescape decodes every escape once; a percent sign that begins none stays. With keep, %2F and %25 stay as they are,
// spelled in upper case.
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

// hasEscapedSlash reports whether s holds %2F or %2f.
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

// CollapseLeading makes one slash of those that a path begins with, and "/" of an empty path.
func CollapseLeading(p string) string {
	if p == "" {
		return "/"
	}
	for len(p) > 1 && p[1] == '/' {
		p = p[1:]
	}
	return p
}

// TrimTrailing cuts the slashes off that a path ends in; the root becomes the empty string.
func TrimTrailing(p string) string { return strings.TrimRight(p, "/") }

// MergeSlashes makes one slash of every run of them.
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

// SegmentEnd returns where the segment ends that follows the slash at start.
func SegmentEnd(path string, start int) int {
	if i := strings.IndexByte(path[start+1:], '/'); i >= 0 {
		return start + 1 + i
	}
	return len(path)
}
