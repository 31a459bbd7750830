package canon

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxReadings is how many readings a path may have, the canonical path among them.
	maxReadings = 64
	// maxReadingBytes is how long the other readings of a path may be together.
	maxReadingBytes = 64 << 10
)

// errReadings is the refusal of a path with too many readings.
var errReadings = errors.New("the path can be read in more ways than are looked at")

// rereadings are what servers do to a path beyond its canonical form, each in its own way. Most make it shorter.
var rereadings = [...]func(string) string{
	decodeSlashes, decodeAgain, decodeAndNormalize, cutParameters, cutQuery, cutFragment,
	trimBegins, trimEnds, trimEnd, trimWideBegins, trimWideEnds, trimWideEnd, trimDots, MergeSlashes,
}

// Readings returns what servers may make of a path: its canonical form first, and then whatever the rereadings lead to, alone and one
// after the other, in any order.
//
// 2026-11-28: servers behind Envoy cut path parameters off; decode %2F, %3F and %23, the last two as the path's end; decode twice; write
// characters in their plain form (Unicode's NFKC: a fullwidth slash is a slash); trim blanks, and as Windows does it dots at a segment's
// end; merge slashes. A reading with a dot segment is refused. So is a path with more
// than 64 readings, for the time that they take is the sender's choice.
func (p Path) Readings(raw string) ([]string, error) {
	all, size := []string{p.Text}, 0
	add := func(next string) error {
		next = CollapseLeading(next)
		if slices.Contains(all, next) {
			return nil
		}
		if err := unambiguous(next); err != nil {
			return err
		}
		if size += len(next); size > maxReadingBytes || len(all) == maxReadings {
			return errReadings
		}
		all = append(all, next)
		return nil
	}
	if err := add(normalize(p.Text)); err != nil {
		return nil, err
	}
	if p.Semicolon { // a server that cuts parameters off before it decodes keeps an encoded semicolon
		cut := unescape(cutParameters(raw), true)
		if err := errors.Join(add(cut), add(normalize(cut))); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(all); i++ {
		for _, reread := range rereadings {
			if err := add(reread(all[i])); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// decodeSlashes decodes the slashes of a canonical path.
func decodeSlashes(p string) string { return strings.ReplaceAll(p, "%2F", "/") }

// decodeAgain decodes the escapes that were encoded twice; a canonical path becomes the canonical path of what one decoding makes of it.
func decodeAgain(p string) string {
	var out []byte
	start := 0
	for i := strings.Index(p, "%25"); i >= 0 && i < len(p); i++ {
		if !strings.HasPrefix(p[i:], "%25") || !IsEscape(p, i+2) {
			continue
		}
		out = append(append(out, p[start:i]...), unescape("%"+p[i+3:i+5], true)...)
		start = i + len("%25xx")
		i = start - 1
	}
	if start == 0 {
		return p
	}
	return string(append(out, p[start:]...))
}

// normalize writes characters in their plain form, as Unicode's NFKC does: a fullwidth letter, slash or dot becomes the one of ASCII. So do
// Windows' conversions to a code page, which also make a slash of two that NFKC leaves alone. A percent sign begins no escape.
func normalize(p string) string {
	for i := range len(p) {
		if p[i] >= utf8.RuneSelf {
			return norm.NFKC.String(plainMarks.Replace(p))
		}
	}
	return p
}

// decodeAndNormalize normalizes what decodeAgain makes of a path. Anything else needs no more than the path as a whole, normalized once:
// it takes long, and what is cut off or trimmed before or after it is the same.
func decodeAndNormalize(p string) string {
	if next := decodeAgain(p); next != p {
		return normalize(next)
	}
	return p
}

var plainMarks = strings.NewReplacer("\uff05", "%25", "\ufe6a", "%25", "\u2044", "/", "\u2215", "/")

// cutParameters cuts each segment off at its first semicolon.
func cutParameters(p string) string { return eachSegment(p, isSemicolon, cutParameter) }

func isSemicolon(r rune) bool { return r == ';' }

func cutParameter(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return s
}

// cutQuery cuts a path off at a question mark, as a server does that decodes before it splits.
func cutQuery(p string) string {
	p, _, _ = strings.Cut(p, "?")
	return p
}

// cutFragment cuts a path off at a number sign.
func cutFragment(p string) string {
	p, _, _ = strings.Cut(p, "#")
	return p
}

// trimBegins and trimEnds cut the spaces off at one end of each segment, trimEnd those at the end of the path.
func trimBegins(p string) string { return eachSegment(p, isSpace, trimBegin) }
func trimEnds(p string) string   { return eachSegment(p, isSpace, trimEnd) }

func trimBegin(s string) string { return strings.TrimLeft(s, " ") }
func trimEnd(s string) string   { return strings.TrimRight(s, " ") }

func isSpace(r rune) bool { return r == ' ' }

// trimWideBegins, trimWideEnds and trimWideEnd are the same of all that is white space by Unicode.
func trimWideBegins(p string) string { return eachSegment(p, isWideSpace, trimWideBegin) }
func trimWideEnds(p string) string   { return eachSegment(p, isWideSpace, trimWideEnd) }

func trimWideBegin(s string) string { return strings.TrimLeftFunc(s, isWideSpace) }
func trimWideEnd(s string) string   { return strings.TrimRightFunc(s, isWideSpace) }

// isWideSpace reports whether some language's trim takes a character for white space. Control characters never come here. Java 8 and PHP
// trim U+180E, JavaScript U+FEFF, and older versions of .NET all three.
func isWideSpace(r rune) bool {
	return unicode.IsSpace(r) || r == '\u180e' || r == '\u200b' || r == '\ufeff'
}

// trimDots cuts spaces and dots off at the end of each segment, as Windows does to names of files.
func trimDots(p string) string { return eachSegment(p, isDot, trimDot) }

func trimDot(s string) string { return strings.TrimRight(s, ". ") }

func isDot(r rune) bool { return r == '.' }

// eachSegment changes the segments of a path that holds a mark.
func eachSegment(p string, mark func(rune) bool, change func(string) string) string {
	if !strings.ContainsFunc(p, mark) {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = change(s)
	}
	return strings.Join(segments, "/")
}
