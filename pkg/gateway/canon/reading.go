package canon

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxReadings is how many readings a path may have, the canonical path among them.
	maxReadings = 64
	// maxReadingBytes is how long the other readings of a path may be together.
	maxReadingBytes = 64 << 10
)

// errReadings is the refusal of a path with too many readings.
var errReadings = errors.New("the path can be read in more ways than are looked at")

// rereadings are what servers do to a path beyond its canonical form, each in its own way. All make it shorter, or leave it alone.
var rereadings = [...]func(string) string{
	decodeSlashes, decodeAgain, cutParameters, cutQuery, cutFragment,
	trimBegins, trimEnds, trimEnd, trimWideBegins, trimWideEnds, trimWideEnd, trimDots, MergeSlashes,
}

// Readings returns what servers may make of a path: its canonical form first, and then whatever the rereadings lead to, alone and one
// after the other, in any order.
//
// 2026-11-28: servers behind Envoy cut path parameters off; decode %2F, %3F and %23, the last two as the path's end; decode twice; trim
// blanks, and as Windows does it dots at a segment's end; merge slashes. A reading with a dot segment is refused. So is a path with more
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
	if p.Semicolon { // a server that cuts parameters off before it decodes keeps an encoded semicolon
		if err := add(unescape(cutParameters(raw), true)); err != nil {
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

// isWideSpace reports whether some language's trim takes a character for white space. Control characters never come here.
func isWideSpace(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

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
