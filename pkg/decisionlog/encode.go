package decisionlog

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is a line that is being written.
type line struct {
	buf   []byte
	chose *Fields
}

// appendLine appends the line for an Entry, with its end of line, to buf.
func appendLine(buf []byte, e *Entry, chose *Fields) []byte {
	l := line{buf: append(buf, '{'), chose: chose}
	var cut [maxFields]bool
	some := false
	for i := range fields {
		if l.field(&fields[i], e) {
			cut[i], some = true, true
		}
	}
	if some {
		l.cut(&cut)
	}
	return append(l.buf, '}', '\n')
}

// field writes one field and reports whether it is shortened.
func (l *line) field(f *field, e *Entry) bool {
	switch {
	case f.write != nil:
		return f.write(l, e)
	case f.number != nil:
		if n := f.number(e); n != 0 {
			l.open(f.name)
			l.buf = strconv.AppendInt(l.buf, n, 10)
		}
		return false
	case f.list != nil:
		return l.list(f, f.list(e))
	default:
		s := f.text(e)
		if s == "" {
			return false
		}
		l.open(f.name)
		return l.text(s, f.max)
	}
}

// open writes the name of a field.
func (l *line) open(name string) {
	if l.buf[len(l.buf)-1] != '{' {
		l.buf = append(l.buf, ',')
	}
	l.buf = append(l.buf, '"')
	l.buf = append(l.buf, name...)
	l.buf = append(l.buf, '"', ':')
}

// text writes a text of at most so many bytes and reports whether it is shortened.
func (l *line) text(s string, most int) (cut bool) {
	l.buf = append(l.buf, '"')
	s, cut = shorten(s, most)
	l.buf = appendEscaped(l.buf, s)
	l.buf = append(l.buf, '"')
	return cut
}

func (l *line) list(f *field, items []string) (cut bool) {
	if len(items) == 0 {
		return false
	}
	if len(items) > maxItems {
		items, cut = items[:maxItems], true
	}
	l.open(f.name)
	l.buf = append(l.buf, '[')
	for i, s := range items {
		if i > 0 {
			l.buf = append(l.buf, ',')
		}
		cut = l.text(s, f.max) || cut
	}
	l.buf = append(l.buf, ']')
	return cut
}

func (l *line) cut(cut *[maxFields]bool) {
	l.open("cut")
	l.buf = append(l.buf, '[')
	for i := range fields {
		if !cut[i] {
			continue
		}
		if l.buf[len(l.buf)-1] != '[' {
			l.buf = append(l.buf, ',')
		}
		l.buf = append(l.buf, '"')
		l.buf = append(l.buf, fields[i].name...)
		l.buf = append(l.buf, '"')
	}
	l.buf = append(l.buf, ']')
}

func (l *line) headers(e *Entry) (cut bool) {
	if e.Request == nil {
		return false
	}
	o := object{line: l, name: "headers"}
	for _, name := range l.chose.Headers {
		for value := range e.Request.HeaderValues(name) {
			o.add(name, value)
		}
	}
	return o.end()
}

func (l *line) query(e *Entry) (cut bool) {
	if e.Request == nil {
		return false
	}
	o := object{line: l, name: "query"}
	for _, name := range l.chose.Query {
		for value := range e.Request.QueryValues(name) {
			o.add(name, value)
		}
	}
	return o.end()
}

func (l *line) claims(e *Entry) (cut bool) {
	if e.Claims == nil {
		return false
	}
	o := object{line: l, name: "claims"}
	for _, name := range l.chose.Claims {
		if value, ok := e.Claims.Claim(name); ok {
			o.add(name, value)
		}
	}
	return o.end()
}

// object is an object of chosen values. Only the first value of a name is written.
type object struct {
	*line
	name, last string
	cut        bool
}

func (o *object) add(name, value string) {
	switch o.last {
	case name:
		o.cut = true
		return
	case "":
		o.open(o.name)
		o.buf = append(o.buf, '{')
	default:
		o.buf = append(o.buf, ',')
	}
	o.last = name
	o.buf = append(o.buf, '"')
	o.buf = appendEscaped(o.buf, name)
	o.buf = append(o.buf, '"', ':')
	if isCredential(value) {
		value = "[redacted]"
	}
	o.cut = o.text(value, maxChosen) || o.cut
}

func (o *object) end() (cut bool) {
	if o.last != "" {
		o.buf = append(o.buf, '}')
	}
	return o.cut
}

// isCredential recognizes credentials in a header or parameter that should not have any.
func isCredential(value string) bool {
	value = strings.TrimLeft(value, " \t\"")
	if i := strings.Index(value, "eyJ"); i >= 0 && strings.IndexByte(value[i:], '.') > 0 { // a JSON Web Token
		return true
	}
	for _, scheme := range [...]string{"bearer ", "basic ", "digest ", "negotiate ", "dpop ", "aws4-"} {
		if len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// shorten returns the first bytes of a text, without half a character at the end.
func shorten(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	end := most
	for end > 0 && end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end], true
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends a text as part of a JSON string. Bytes that are not UTF-8 become U+FFFD. What is not printable is escaped, and so
// are characters that HTML interprets.
func appendEscaped(buf []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		buf = append(buf, s[from:i]...)
		buf = appendEscape(buf, r)
		i += size
		from = i
	}
	return append(buf, s[from:]...)
}

// plain has the bytes that stand for themselves in a line.
var plain = func() (is [256]bool) {
	for b := ' '; b < 0x7f; b++ {
		is[b] = !strings.ContainsRune(`"\<>&`, b)
	}
	return is
}()

func appendEscape(buf []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(buf, '\\', byte(r))
	case r == '\n':
		return append(buf, '\\', 'n')
	case r > 0xffff:
		r -= 0x10000
		return appendUnit(appendUnit(buf, 0xd800+r>>10), 0xdc00+r&0x3ff)
	default:
		return appendUnit(buf, r)
	}
}

func appendUnit(buf []byte, r rune) []byte {
	return append(buf, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
