package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// value is a part of a JSON document: the one that the reader comes to next.
type value struct {
	document []byte
	json     *strictjson.Reader[[]byte]
	from     int
}

// fault is an error about a value. Its path, such as ContextEntries[1].ContextKeyType, grows on the way up.
type fault struct {
	document []byte
	at       int
	path     string
	message  string
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
	if bytes.IndexByte(bytes.TrimSpace(f.document), '\n') >= 0 {
		message = fmt.Sprintf("line %d: %s", 1+bytes.Count(f.document[:f.at], []byte("\n")), message)
	}
	return &Error{InvalidInput, message}
}

func (v value) fault(format string, args ...any) error {
	return &fault{document: v.document, at: v.from, message: fmt.Sprintf(format, args...)}
}

// parseJSON checks that the data is one JSON document. What is wrong with its syntax is said in encoding/json's words.
func parseJSON(data []byte) (value, error) {
	v := value{document: data, json: strictjson.New(data, strictjson.Limits{})}
	v.json.Twice = v.twice
	v = v.next()
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

// next is the value that the reader comes to next.
func (v value) next() value {
	v.json.Kind()
	v.from = v.json.Offset()
	return v
}

// unfit is an error about a value that cannot be read, though its syntax is good: it nests too deep, or is half of a pair.
func (v value) unfit(err error) error {
	if e, ok := errors.AsType[*strictjson.Error](err); ok {
		if e.Problem == strictjson.NotUnicode {
			return v.fault(halfOfAPair)
		}
		return v.fault("%s", e.Message)
	}
	return err
}

const halfOfAPair = "holds half of a surrogate pair or U+FFFD"

// isNull reports whether the value is null, and passes over it then.
func (v value) isNull() bool {
	if v.json.Kind() != strictjson.Null {
		return false
	}
	_, err := v.json.Literal()
	return err == nil
}

func (v value) describe() string {
	switch v.json.Kind() {
	case strictjson.Object:
		return "an object"
	case strictjson.Array:
		return "a list"
	case strictjson.Text:
		return "text"
	case strictjson.Boolean:
		return "true or false"
	case strictjson.Null:
		return "null"
	case strictjson.None, strictjson.Number:
	}
	return "a number"
}

// text is the value as text.
//
// U+FFFD is refused: it is what encoding/json makes of half a surrogate pair, and two such texts would be equal.
func (v value) text() (string, error) {
	if v.json.Kind() != strictjson.Text {
		return "", v.fault("is %s; write text in quotes", v.describe())
	}
	text, err := v.json.Text()
	if err != nil {
		return "", v.unfit(err)
	}
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", v.fault(halfOfAPair)
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

// asWritten is the value's JSON. A policy's names are read where the policy is.
func (v value) asWritten() (string, error) {
	v.json.Twice = func(string, int) error { return nil }
	from, to, err := v.json.Span()
	v.json.Twice = v.twice
	if err != nil {
		return "", v.unfit(err)
	}
	return string(v.document[from:to]), nil
}

func (v value) twice(name string, at int) error {
	v.from = at
	return v.fault("%s stands twice", quote(name))
}

// fields visits the fields of an object, none twice. visit reads the field.
func (v value) fields(visit func(name string, field value) error) error {
	if v.json.Kind() != strictjson.Object {
		return v.fault("is %s; write an object", v.describe())
	}
	err := v.json.Object(func(name string, _ int) error {
		if err := visit(name, v.next()); err != nil {
			return within(name, err)
		}
		return nil
	})
	return v.unfit(err)
}

// elements visits the elements of a list. visit reads the element.
func (v value) elements(visit func(element value) error) error {
	if v.json.Kind() != strictjson.Array {
		return v.fault("is %s; write a list", v.describe())
	}
	i := 0
	err := v.json.Array(func() error {
		if err := visit(v.next()); err != nil {
			return within(fmt.Sprintf("[%d]", i), err)
		}
		i++
		return nil
	})
	return v.unfit(err)
}
