package gateway

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

const (
	// maxReadings is how many readings a path may have, the canonical path among them.
	maxReadings = 64
	// maxReadingBytes is how long the other readings of a path may be together.
	maxReadingBytes = 64 << 10
)

// inAnotherWay is how a server may read a path.
const inAnotherWay = "cuts path parameters off, decodes slashes, question marks or number signs, decodes twice, writes characters in their plain form, trims blanks and dots, merges slashes, cuts one off at the end or not, or ignores case"

var (
	errReadings  = errors.New("the path can be read in more ways than are looked at")
	errOtherway  = errors.New("the path leads to a route that is guarded otherwise if a server " + inAnotherWay)
	errNeighbour = errors.New("the path leads to another stage on the host if a server " + inAnotherWay)
	errDoubled   = errors.New("the path leads to another route once its doubled slashes are merged")
)

// rereadings are what servers do to a path beyond its canonical form, each in its own way. Most make it shorter.
var rereadings = [...]func(string) string{
	decodeSlashes, decodeAgain, decodeAndNormalize, cutParameters, cutQuery, cutFragment,
	trimBegins, trimEnds, trimEnd, trimWideBegins, trimWideEnds, trimWideEnd, trimDots, mergeSlashes,
}

// readings returns what servers may make of a path: its canonical form first, and then whatever the rereadings lead to, alone and one
// after the other, in any order.
func (p path) readings(raw string) ([]string, error) {
	all, size := []string{p.text}, 0
	add := func(next string) error {
		next = collapseLeading(next)
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
	if err := add(normalize(p.text)); err != nil {
		return nil, err
	}
	if p.semicolon { // a server that cuts parameters off before it decodes keeps an encoded semicolon
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
		if !strings.HasPrefix(p[i:], "%25") || !isEscape(p, i+2) {
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

// foldCase makes one text of those that differ in case alone.
func foldCase(s string) string { return lower(foldWide(s)) }

// foldWide is foldCase for a text that is not ASCII, which it may be in another case: the Kelvin sign is a k. Any other text stays.
func foldWide(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
		}
	}
	return s
}

// hasUpper reports whether a text holds a letter from A to Z.
func hasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// sameInEveryReading refuses a path that some server could read as one that is guarded otherwise, or as another stage's: what is judged
// must be what is served. API Gateway has no such rule, for it reads a path once, and hands on what it has read.
func (in *invocation) sameInEveryReading(p path) error {
	if p.plain {
		return in.sameIfPlain()
	}
	all, err := p.readings(in.request.Path())
	if err != nil {
		return badRequest(authz.CodeBadPath, err.Error())
	}
	for _, reading := range all {
		l := in.gateway.locate(in.host, reading)
		if !l.known {
			l.stage, l.path = in.stage, reading
		}
		if err := in.sameAt(l); err != nil {
			return err
		}
		if err := in.sameInAnotherCase(reading); err != nil {
			return err
		}
		if p.doubled && reading == mergeSlashes(p.text) {
			if err := in.sameWhenMerged(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameIfPlain is sameInEveryReading for a plain path: a slash at its end and its case are all there is to read otherwise.
func (in *invocation) sameIfPlain() error {
	api := in.stage.api
	slash := api.http && strings.HasSuffix(in.path, "/")
	cased := api.strictPaths && (api.upper || hasUpper(in.path))
	if (slash || cased) && !in.guardedAlike(in.path) {
		return badRequest(authz.CodeBadPath, errOtherway.Error())
	}
	return in.sameInAnotherCase(in.fullPath)
}

// sameInAnotherCase is sameAt where a path leads if case does not count in base paths and stage names.
func (in *invocation) sameInAnotherCase(path string) error {
	if in.shared == nil {
		return nil
	}
	l := in.gateway.locateFolded(in.host, in.shared, path)
	if l.stage == in.stage && l.path == in.path {
		return nil
	}
	return in.sameAt(l)
}

// sameAt refuses a reading of the path that leads to another stage, or to a route that is guarded otherwise, and keeps it for policies
// to be asked about. One that leads nowhere does no harm.
func (in *invocation) sameAt(l location) error {
	switch {
	case l.stage == nil:
		return nil
	case l.stage != in.stage:
		return badRequest(authz.CodeBadPath, errNeighbour.Error())
	case !in.guardedAlike(l.path):
		return badRequest(authz.CodeBadPath, errOtherway.Error())
	}
	if l.path != in.path {
		in.readings = append(in.readings, l.path)
	}
	return nil
}

// sameWhenMerged refuses a path that would lead to another route if the slashes in it were merged, as many upstreams do, guarded alike
// or not: what a path parameter holds would be another thing to route and upstream.
func (in *invocation) sameWhenMerged(l location) error {
	if l.stage == nil || in.stage.api.find(l.path, in.request.Method) != in.route {
		return badRequest(authz.CodeBadPath, errDoubled.Error())
	}
	return nil
}

// guardedAlike reports whether all routes that a path may lead to are guarded as the request's route is.
func (in *invocation) guardedAlike(path string) bool {
	api, method := in.stage.api, in.request.Method
	r, other := api.findIn(&api.router, path, method)
	alike := in.harmless(r) && in.harmless(other)
	if alike && api.strictPaths {
		r, other = api.findIn(&api.folded, foldWide(path), method)
		alike = in.harmless(r) && in.harmless(other)
	}
	return alike
}

func (in *invocation) harmless(r *route) bool { return r == nil || sameGuard(r, in.route) }
