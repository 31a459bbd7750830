package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON (RFC 8259) into nodes. encoding/json knows neither positions nor duplicate keys, and takes invalid
// UTF-8 for U+FFFD.
type jsonReader struct {
	text   string
	off    int
	at     Position // of off
	last   Position // of the character before off
	budget budget
	fault  func(Position, string)
}

// syntaxError ends the reading; what follows it cannot be told.
type syntaxError struct {
	at      Position
	message string
}

func (e *syntaxError) Error() string { return e.message }

func readJSON(text string, limits Limits, fault func(Position, string)) (*node, error) {
	r := &jsonReader{text: text, at: Position{1, 1}, budget: budget{limits: limits}, fault: fault}
	r.space()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.off < len(r.text) {
		return nil, r.errorf("text after the end of the document; a policy is one JSON object")
	}
	return n, nil
}

func (r *jsonReader) errorf(format string, args ...any) error {
	return &syntaxError{r.at, fmt.Sprintf(format, args...)}
}

// advance passes over n bytes of the line.
func (r *jsonReader) advance(n int) {
	passed := r.text[r.off : r.off+n]
	r.off += n
	r.at.Column += utf8.RuneCountInString(passed)
	r.last = Position{r.at.Line, r.at.Column - 1}
}

func (r *jsonReader) space() {
	for r.off < len(r.text) {
		switch r.text[r.off] {
		case '\n':
			r.off++
			r.at = Position{r.at.Line + 1, 1}
		case ' ', '\t', '\r':
			r.off++
			r.at.Column++
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.off < len(r.text) {
		return r.text[r.off]
	}
	return 0
}

// next passes over c if it comes next.
func (r *jsonReader) next(c byte) bool {
	if r.off >= len(r.text) || r.text[r.off] != c {
		return false
	}
	r.advance(1)
	return true
}

func (r *jsonReader) found() string {
	if r.off >= len(r.text) {
		return "the end of the document"
	}
	c, size := utf8.DecodeRuneInString(r.text[r.off:])
	if c == utf8.RuneError && size == 1 {
		return "a byte that is not UTF-8"
	}
	return strconv.QuoteRune(c)
}

func (r *jsonReader) value(depth int) (*node, error) {
	if message := r.budget.take(depth); message != "" {
		return nil, &syntaxError{r.at, message}
	}
	n := &node{start: r.at}
	var err error
	switch c := r.peek(); {
	case c == '{':
		n.kind = objectNode
		n.members, err = r.object(depth)
	case c == '[':
		n.kind = listNode
		n.list, err = r.array(depth)
	case c == '"':
		n.kind = textNode
		n.text, err = r.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = numberNode
		n.text, err = r.number()
	default:
		n.kind, n.text, err = r.word()
	}
	n.end = r.last
	return n, err
}

func (r *jsonReader) object(depth int) ([]member, error) {
	var members []member
	seen := map[string]bool{}
	r.advance(1)
	r.space()
	if r.next('}') {
		return nil, nil
	}
	for {
		m := member{at: r.at}
		if r.peek() != '"' {
			return nil, r.errorf("found %s where a key in double quotes should stand", r.found())
		}
		var err error
		if m.name, err = r.str(); err != nil {
			return nil, err
		}
		if seen[m.name] {
			r.fault(m.at, fmt.Sprintf("the key %s stands twice in one object; keep one of them", quote(m.name)))
		}
		seen[m.name] = true
		if r.space(); !r.next(':') {
			return nil, r.errorf("found %s where a colon should stand after the key %s", r.found(), quote(m.name))
		}
		r.space()
		if m.value, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		members = append(members, m)
		r.space()
		if r.next('}') {
			return members, nil
		}
		if !r.next(',') {
			return nil, r.errorf("found %s where a comma or a closing brace should stand", r.found())
		}
		r.space()
	}
}

func (r *jsonReader) array(depth int) ([]*node, error) {
	list := []*node{}
	r.advance(1)
	r.space()
	if r.next(']') {
		return list, nil
	}
	for {
		n, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		r.space()
		if r.next(']') {
			return list, nil
		}
		if !r.next(',') {
			return nil, r.errorf("found %s where a comma or a closing bracket should stand", r.found())
		}
		r.space()
	}
}

// str reads a string, which is free of escapes in most cases.
func (r *jsonReader) str() (string, error) {
	r.advance(1)
	var b strings.Builder
	for {
		n := strings.IndexFunc(r.text[r.off:], func(c rune) bool { return c == '"' || c == '\\' || c < ' ' || c == utf8.RuneError })
		if n < 0 {
			r.advance(len(r.text) - r.off)
			return "", r.errorf("the text has no closing quote")
		}
		b.WriteString(r.text[r.off : r.off+n])
		r.advance(n)
		switch c := r.text[r.off]; {
		case c == '"':
			r.advance(1)
			return b.String(), nil
		case c == '\\':
			if err := r.escape(&b); err != nil {
				return "", err
			}
		case c < ' ':
			return "", r.errorf("a control character stands in the text; write it as an escape such as \\n")
		case strings.HasPrefix(r.text[r.off:], "\uFFFD"):
			b.WriteString("\uFFFD")
			r.advance(len("\uFFFD"))
		default:
			return "", r.errorf("the text is not UTF-8")
		}
	}
}

func (r *jsonReader) escape(b *strings.Builder) error {
	const short = "\"\"\\\\//b\bf\fn\nr\rt\t" // escape and meaning, in pairs
	rest := r.text[r.off:]
	if len(rest) < 2 {
		return r.errorf("the text has no closing quote")
	}
	if rest[1] == 'u' {
		return r.unicodeEscape(b)
	}
	for i := 0; i < len(short); i += 2 {
		if short[i] == rest[1] {
			b.WriteByte(short[i+1])
			r.advance(2)
			return nil
		}
	}
	return r.errorf("JSON has no such escape; write a backslash as \\\\")
}

func (r *jsonReader) unicodeEscape(b *strings.Builder) error {
	c, ok := hexRune(r.text[r.off:])
	if !ok {
		return r.errorf("\\u needs four hexadecimal digits")
	}
	size := 6
	if utf16.IsSurrogate(c) {
		low, _ := hexRune(r.text[r.off+6:])
		if c = utf16.DecodeRune(c, low); c == utf8.RuneError {
			return r.errorf("half of a surrogate pair stands alone")
		}
		size = 12
	}
	b.WriteRune(c)
	r.advance(size)
	return nil
}

// hexRune reads \uXXXX.
func hexRune(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// number reads a number and keeps its text.
func (r *jsonReader) number() (string, error) {
	rest := r.text[r.off:]
	n := len(rest) - len(strings.TrimLeft(rest, "+-.0123456789eE"))
	if !isJSONNumber(rest[:n]) {
		return "", r.errorf("%s is not a JSON number; put it in double quotes if it is text", quote(rest[:n]))
	}
	r.advance(n)
	return rest[:n], nil
}

func isJSONNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if strings.HasPrefix(s, ".") {
		n := digits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		return s != "" && digits(s) == len(s)
	}
	return s == ""
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

func (r *jsonReader) word() (nodeKind, string, error) {
	for word, kind := range map[string]nodeKind{"true": boolNode, "false": boolNode, "null": nullNode} {
		if strings.HasPrefix(r.text[r.off:], word) {
			r.advance(len(word))
			return kind, word, nil
		}
	}
	return nullNode, "", r.errorf("found %s where a value should stand", r.found())
}
