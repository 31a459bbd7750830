package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// value is a part of a JSON document. encoding/json hides duplicate and misspelt fields and invalid UTF-8, and knows no lines; so
// it checks the syntax only, and the document is taken apart here.
type value struct {
	document []byte
	from, to int
}

// fault is what is wrong with a value. Its path, such as ContextEntries[1].ContextKeyType, grows on the way up.
type fault struct {
	at      value
	path    string
	message string
}

func (f *fault) Error() string { return f.message }

// within puts a step of the path before the fault's path.
func within(step string, err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	if f.path != "" && f.path[0] != '[' {
		step += "."
	}
	f.path = step + f.path
	return f
}

// described tells where a fault is, with the line in a document that has several.
func described(err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	message := f.message
	if f.path != "" {
		message = f.path + ": " + message
	}
	if bytes.IndexByte(bytes.TrimSpace(f.at.document), '\n') >= 0 {
		message = fmt.Sprintf("line %d: %s", 1+bytes.Count(f.at.document[:f.at.from], []byte("\n")), message)
	}
	return &Error{InvalidInput, message}
}

func (v value) fault(format string, args ...any) error {
	return &fault{at: v, message: fmt.Sprintf(format, args...)}
}

// parseJSON checks that the data is one JSON document.
func parseJSON(data []byte) (value, error) {
	v := value{document: data, from: skipSpace(data, 0), to: len(data)}
	if !utf8.Valid(data) {
		return v, v.fault("the request is not UTF-8")
	}
	if v.from == len(data) {
		return v, v.fault("the request is empty; write a JSON object")
	}
	if json.Valid(data) {
		return v, nil
	}
	var syntax *json.SyntaxError
	err := json.Unmarshal(data, new(json.RawMessage))
	if errors.As(err, &syntax) {
		v.from = min(int(syntax.Offset), len(data))
	}
	return v, v.fault("%v; a request is one JSON object", err)
}

// first is the value's first character, which says what it is.
func (v value) first() byte { return v.document[v.from] }

func (v value) describe() string {
	switch v.first() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// text is the value as text.
//
// U+FFFD is refused: it is what encoding/json makes of half a surrogate pair, and two such texts would be equal.
func (v value) text() (string, error) {
	if v.first() != '"' {
		return "", v.fault("is %s; write text in quotes", v.describe())
	}
	text := unquote(v.document[v.from:v.to])
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", v.fault("holds half of a surrogate pair or U+FFFD")
	}
	return text, nil
}

// filled is the value as text that is not empty.
func (v value) filled() (string, error) {
	text, err := v.text()
	if err == nil && text == "" {
		err = v.fault("is empty; leave the field out")
	}
	return text, err
}

// fields visits the fields of an object, none twice.
func (v value) fields(visit func(name string, field value) error) error {
	if v.first() != '{' {
		return v.fault("is %s; write an object", v.describe())
	}
	var seen []string // visit refuses unknown names, so that these are few
	return v.inside(func(at value) (int, error) {
		at.to = skipValue(at.document, at.from)
		name := unquote(at.document[at.from:at.to])
		if slices.Contains(seen, name) {
			return 0, at.fault("%s stands twice", quote(name))
		}
		seen = append(seen, name)
		field := value{document: v.document, from: skipSpace(v.document, skipSpace(v.document, at.to)+1)}
		field.to = skipValue(v.document, field.from)
		err := visit(name, field)
		if err != nil {
			err = within(name, err)
		}
		return field.to, err
	})
}

// elements visits the elements of a list.
func (v value) elements(visit func(element value) error) error {
	if v.first() != '[' {
		return v.fault("is %s; write a list", v.describe())
	}
	i := 0
	return v.inside(func(element value) (int, error) {
		element.to = skipValue(element.document, element.from)
		err := visit(element)
		if err != nil {
			err = within(fmt.Sprintf("[%d]", i), err)
		}
		i++
		return element.to, err
	})
}

// inside calls visit where each member of an object or list begins; visit returns where it ends.
func (v value) inside(visit func(at value) (end int, err error)) error {
	at := skipSpace(v.document, v.from+1)
	for c := v.document[at]; c != '}' && c != ']'; c = v.document[at] {
		end, err := visit(value{document: v.document, from: at})
		if err != nil {
			return err
		}
		if at = skipSpace(v.document, end); v.document[at] == ',' {
			at = skipSpace(v.document, at+1)
		}
	}
	return nil
}

func skipSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\r' || data[at] == '\n') {
		at++
	}
	return at
}

// skipValue passes over a value of a document whose syntax was checked.
func skipValue(data []byte, at int) int {
	depth := 0
	for ; at < len(data); at++ {
		switch data[at] {
		case '"':
			if at = skipText(data, at); depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
			if depth < 0 {
				return at
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// skipText returns where the text's closing quote is.
func skipText(data []byte, at int) int {
	for at++; data[at] != '"'; at++ {
		if data[at] == '\\' {
			at++
		}
	}
	return at
}

// unquote reads a JSON text whose syntax was checked. Policies as text are full of escaped quotes and line breaks; the rest is
// encoding/json's.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	next := bytes.IndexByte(inner, '\\')
	if next < 0 {
		return string(inner)
	}
	var b strings.Builder
	b.Grow(len(inner))
	for ; next >= 0; next = bytes.IndexByte(inner, '\\') {
		at := strings.IndexByte(`"\/nrt`, inner[next+1])
		if at < 0 {
			return unquoteAny(quoted)
		}
		b.Write(inner[:next])
		b.WriteByte("\"\\/\n\r\t"[at])
		inner = inner[next+2:]
	}
	b.Write(inner)
	return b.String()
}

func unquoteAny(quoted []byte) string {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return string(utf8.RuneError)
	}
	return text
}
