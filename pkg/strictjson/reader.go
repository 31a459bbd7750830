package strictjson

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Kind is a kind of value.
type Kind uint8

// The kinds of values. None means that no value begins here.
const (
	None Kind = iota
	Null
	Boolean
	Number
	Text
	Array
	Object
)

// Problem is a kind of error.
type Problem uint8

// The problems. Syntax is the zero value.
const (
	Syntax Problem = iota
	Truncated
	NotUTF8
	NotUnicode // half of a surrogate pair
	Duplicate
	TooDeep
	TooMany
	Trailing // text after the end
)

// Error is an error in a text and its offset.
type Error struct {
	Problem Problem
	Offset  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Limits limits a text. Zero means 1,000 levels, and any number of values.
type Limits struct {
	// Depth is the maximum nesting of objects and lists.
	Depth int
	// Values is the maximum number of values.
	Values int
}

const defaultDepth = 1000

// Reader reads a text. Its results share the memory of a string, but not of bytes.
type Reader[T string | []byte] struct {
	text   T
	at     int
	limits Limits
	depth  int
	values int
	names  []string // of the open objects
	// Twice is called with a duplicate name and its offset. Its error ends the reading. If Twice is nil, a duplicate
	// name is an Error.
	Twice func(name string, at int) error
	// Each is called with every text and name.
	Each func(text string)
}

// New returns a Reader.
func New[T string | []byte](text T, limits Limits) *Reader[T] {
	if limits.Depth == 0 {
		limits.Depth = defaultDepth
	}
	return &Reader[T]{text: text, limits: limits}
}

// Offset returns how many bytes were read.
func (r *Reader[T]) Offset() int { return r.at }

// Kind skips white space and returns the kind of the next value.
func (r *Reader[T]) Kind() Kind {
	r.blanks()
	switch c := r.peek(); {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return Text
	case c == '-' || c >= '0' && c <= '9':
		return Number
	case c == 't' || c == 'f':
		return Boolean
	case c == 'n':
		return Null
	}
	return None
}

// End skips white space up to the end of the text.
func (r *Reader[T]) End() error {
	if r.blanks(); r.at < len(r.text) {
		return r.fail(Trailing, "text after the end of the document")
	}
	return nil
}

// Object reads an object. It calls member with the name and offset of each value, and member reads the value.
func (r *Reader[T]) Object(member func(name string, at int) error) error {
	if err := r.open('{', "an object"); err != nil {
		return err
	}
	if r.names == nil {
		r.names = make([]string, 0, fewNames)
	}
	first := len(r.names)
	var seen map[string]struct{}
	for more := !r.ends('}'); more; {
		at := r.at
		name, err := r.name()
		if err != nil {
			return err
		}
		if r.given(name, first, &seen) {
			if err := r.twice(name, at); err != nil {
				return err
			}
		}
		if err := member(name, at); err != nil {
			return err
		}
		if more, err = r.more('}', "brace"); err != nil {
			return err
		}
	}
	r.names = r.names[:first]
	r.depth--
	return nil
}

// Array reads a list. It calls element to read each element.
func (r *Reader[T]) Array(element func() error) error {
	if err := r.open('[', "a list"); err != nil {
		return err
	}
	for more := !r.ends(']'); more; {
		err := element()
		if err != nil {
			return err
		}
		if more, err = r.more(']', "bracket"); err != nil {
			return err
		}
	}
	r.depth--
	return nil
}

// Text reads a string and returns its decoded value.
func (r *Reader[T]) Text() (string, error) {
	if err := r.begin(); err != nil {
		return "", err
	}
	if r.peek() != '"' {
		return "", r.misplaced("text in double quotes")
	}
	return r.str()
}

// Literal reads a number, true, false or null and returns it as written.
func (r *Reader[T]) Literal() (string, error) {
	if err := r.begin(); err != nil {
		return "", err
	}
	from := r.at
	switch c := r.peek(); {
	case c == '-' || c >= '0' && c <= '9':
		if !r.number() {
			return "", r.notANumber(from)
		}
	default:
		if !r.word("true") && !r.word("false") && !r.word("null") {
			return "", r.misplaced("a value")
		}
	}
	return string(r.text[from:r.at]), nil
}

// Span reads any value and returns its start and end.
func (r *Reader[T]) Span() (from, to int, err error) {
	kind := r.Kind()
	from = r.at
	switch kind {
	case Object:
		err = r.Object(func(string, int) error { return r.skip() })
	case Array:
		err = r.Array(r.skip)
	case Text:
		_, err = r.Text()
	case None, Null, Boolean, Number:
		_, err = r.Literal()
	}
	return from, r.at, err
}

func (r *Reader[T]) skip() error {
	_, _, err := r.Span()
	return err
}

// begin skips white space and counts the next value.
func (r *Reader[T]) begin() error {
	r.blanks()
	if r.values++; r.limits.Values > 0 && r.values > r.limits.Values {
		return r.fail(TooMany, "the document has more than %d values", r.limits.Values)
	}
	return nil
}

func (r *Reader[T]) open(c byte, what string) error {
	if err := r.begin(); err != nil {
		return err
	}
	if r.peek() != c {
		return r.misplaced("%s", what)
	}
	if r.depth++; r.depth > r.limits.Depth {
		return r.fail(TooDeep, "objects and lists nest deeper than %d levels", r.limits.Depth)
	}
	r.at++
	return nil
}

// ends skips the end of an object or a list if it comes next.
func (r *Reader[T]) ends(c byte) bool {
	r.blanks()
	return r.next(c)
}

// more skips a comma, or the end, after a member or an element.
func (r *Reader[T]) more(end byte, name string) (bool, error) {
	r.blanks()
	switch {
	case r.next(','):
		r.blanks()
		return true, nil
	case r.next(end):
		return false, nil
	}
	return false, r.misplaced("a comma or a closing %s", name)
}

// name reads a member's name and the colon after it.
func (r *Reader[T]) name() (string, error) {
	if r.peek() != '"' {
		return "", r.misplaced("a key in double quotes")
	}
	name, err := r.str()
	if err != nil {
		return "", err
	}
	if r.blanks(); !r.next(':') {
		return "", r.fail(Syntax, "found %s instead of a colon after the key %s", r.found(), quote(name))
	}
	r.blanks()
	return name, nil
}

// fewNames is the largest number of names that are compared one by one.
const fewNames = 12

// given reports whether the object already has a name, and records it.
func (r *Reader[T]) given(name string, first int, seen *map[string]struct{}) bool {
	r.names = append(r.names, name)
	before := r.names[first : len(r.names)-1]
	if len(before) < fewNames {
		for _, other := range before {
			if other == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*fewNames)
		for _, other := range before {
			(*seen)[other] = struct{}{}
		}
	}
	count := len(*seen)
	(*seen)[name] = struct{}{}
	return len(*seen) == count
}

func (r *Reader[T]) twice(name string, at int) error {
	if r.Twice != nil {
		return r.Twice(name, at)
	}
	return &Error{Duplicate, at, "the key " + quote(name) + " occurs twice in one object"}
}

func (r *Reader[T]) blanks() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

func (r *Reader[T]) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// next skips c if it comes next.
func (r *Reader[T]) next(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *Reader[T]) word(w string) bool {
	if len(r.text)-r.at < len(w) || string(r.text[r.at:r.at+len(w)]) != w {
		return false
	}
	r.at += len(w)
	return true
}

func (r *Reader[T]) number() bool {
	r.next('-')
	if !r.next('0') && !r.digits() {
		return false
	}
	if r.next('.') && !r.digits() {
		return false
	}
	if r.next('e') || r.next('E') {
		if !r.next('+') {
			r.next('-')
		}
		if !r.digits() {
			return false
		}
	}
	return !r.inNumber()
}

func (r *Reader[T]) digits() bool {
	from := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > from
}

// inNumber reports whether the next character could only continue a number, as in 01 and 1.2.3.
func (r *Reader[T]) inNumber() bool {
	switch c := r.peek(); c {
	case '+', '-', '.', 'e', 'E':
		return true
	default:
		return '0' <= c && c <= '9'
	}
}

func (r *Reader[T]) notANumber(from int) error {
	for r.at = from; r.inNumber(); {
		r.at++
	}
	return &Error{Syntax, from, quote(string(r.text[from:r.at])) + " is not a JSON number; put it in double quotes if it is text"}
}

func (r *Reader[T]) fail(p Problem, format string, args ...any) error {
	if p == Syntax && r.at >= len(r.text) {
		p = Truncated
	}
	return &Error{p, r.at, fmt.Sprintf(format, args...)}
}

// misplaced returns an error about what comes next.
func (r *Reader[T]) misplaced(format string, args ...any) error {
	return r.fail(Syntax, "found %s instead of %s", r.found(), fmt.Sprintf(format, args...))
}

// found describes what comes next.
func (r *Reader[T]) found() string {
	if r.at >= len(r.text) {
		return "the end of the document"
	}
	c, size := r.rune()
	if c == utf8.RuneError && size == 1 {
		return "a byte that is not UTF-8"
	}
	return strconv.QuoteRune(c)
}

// quote returns a text as messages quote it.
func quote(text string) string {
	const longest = 120
	if runes := []rune(text); len(runes) > longest {
		return strconv.Quote(string(runes[:longest])) + "…"
	}
	return strconv.Quote(text)
}
