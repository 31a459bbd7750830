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
	// maxReadings is the greatest number of readings of a path, including the canonical path.
	maxReadings = 64
	// maxReadingBytes is the greatest total length of the other readings of a path.
	maxReadingBytes = 64 << 10
)

// errReadings is returned for a path with too many readings.
var errReadings = errors.New("the path can be read in too many ways")

// rereadings lists what servers do to a path beyond its canonical form. Most of these make it shorter.
var rereadings = [...]func(string) string{
	decodeSlashes, decodeAgain, decodeAndNormalize, cutParameters, cutQuery, cutFragment,
	trimBegins, trimEnds, trimEnd, trimWideBegins, trimWideEnds, trimWideEnd, trimDots, MergeSlashes,
}

// Readings returns the paths that servers may read: the canonical form first, and then the results of the rereadings, alone and combined
// in any order. raw is the path as received. Readings returns an error if a reading has a dot segment, or there are more than 64 readings.
//
// 2026-11-28: servers behind Envoy cut off path parameters; decode %2F, %3F and %23, the last two as the end of the path; decode twice;
// replace characters by their plain form (Unicode's NFKC: a fullwidth slash becomes a slash); trim blanks, and, as Windows does, dots from
// the end of a segment; merge slashes. The number of readings is bounded, because the sender of the path chooses it.
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
	if p.Semicolon { // a server that cuts off parameters before it decodes keeps an encoded semicolon
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

// decodeAgain decodes the escapes that were encoded twice. The result for a canonical path is canonical.
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

// normalize replaces characters by their plain form, as Unicode's NFKC does: a fullwidth letter, slash or dot becomes the one of ASCII.
// Windows' conversions to a code page do so too, and turn two more characters into slashes. A new percent sign does not begin an escape.
func normalize(p string) string {
	for i := range len(p) {
		if p[i] >= utf8.RuneSelf {
			return norm.NFKC.String(plainMarks.Replace(p))
		}
	}
	return p
}

// decodeAndNormalize normalizes the result of decodeAgain. For the other rereadings it is enough that the whole path was normalized once,
// which takes long.
func decodeAndNormalize(p string) string {
	if next := decodeAgain(p); next != p {
		return normalize(next)
	}
	return p
}

var plainMarks = strings.NewReplacer("\uff05", "%25", "\ufe6a", "%25", "\u2044", "/", "\u2215", "/")

// cutParameters cuts off each segment at its first semicolon.
func cutParameters(p string) string { return eachSegment(p, isSemicolon, cutParameter) }

func isSemicolon(r rune) bool { return r == ';' }

func cutParameter(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return s
}

// cutQuery cuts off a path at a question mark, like a server that decodes a target before it splits it.
func cutQuery(p string) string {
	p, _, _ = strings.Cut(p, "?")
	return p
}

// cutFragment cuts off a path at a number sign.
func cutFragment(p string) string {
	p, _, _ = strings.Cut(p, "#")
	return p
}

// trimBegins and trimEnds remove the spaces at one end of each segment, trimEnd those at the end of the path.
func trimBegins(p string) string { return eachSegment(p, isSpace, trimBegin) }
func trimEnds(p string) string   { return eachSegment(p, isSpace, trimEnd) }

func trimBegin(s string) string { return strings.TrimLeft(s, " ") }
func trimEnd(s string) string   { return strings.TrimRight(s, " ") }

func isSpace(r rune) bool { return r == ' ' }

// trimWideBegins, trimWideEnds and trimWideEnd do the same with all white space of Unicode.
func trimWideBegins(p string) string { return eachSegment(p, isWideSpace, trimWideBegin) }
func trimWideEnds(p string) string   { return eachSegment(p, isWideSpace, trimWideEnd) }

func trimWideBegin(s string) string { return strings.TrimLeftFunc(s, isWideSpace) }
func trimWideEnd(s string) string   { return strings.TrimRightFunc(s, isWideSpace) }

// isWideSpace reports whether the trim function of some language removes a character. Paths with control characters are refused before.
// Java 8 and PHP trim U+180E, JavaScript U+FEFF, and older versions of .NET all three.
func isWideSpace(r rune) bool {
	return unicode.IsSpace(r) || r == '\u180e' || r == '\u200b' || r == '\ufeff'
}

// trimDots removes spaces and dots at the end of each segment, as Windows does with names of files.
func trimDots(p string) string { return eachSegment(p, isDot, trimDot) }

func trimDot(s string) string { return strings.TrimRight(s, ". ") }

func isDot(r rune) bool { return r == '.' }

// eachSegment applies change to the segments of a path that contains a mark.
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
