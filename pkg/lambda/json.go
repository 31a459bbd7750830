package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// Bounds of an answer's JSON.
const (
	maxDepth  = 32
	maxValues = 100_000
)

// raw is a JSON value as it is written; nil stands for none.
type raw = []byte

// checkJSON says what is wrong with a JSON document. U+FFFD stands where somebody has replaced what was not Unicode: two such texts
// would be equal.
func checkJSON(data []byte) string {
	if !utf8.Valid(data) {
		return "it is not UTF-8"
	}
	r := strictjson.New(data, strictjson.Limits{Depth: maxDepth, Values: maxValues})
	replaced := false
	r.Each = func(text string) { replaced = replaced || strings.ContainsRune(text, utf8.RuneError) }
	_, _, err := r.Span()
	if err == nil {
		err = r.End()
	}
	wrong, ok := errors.AsType[*strictjson.Error](err)
	switch {
	case replaced || ok && wrong.Problem == strictjson.NotUnicode:
		return "it holds text that is not Unicode, or was not"
	case !ok:
		return ""
	case wrong.Problem == strictjson.Duplicate:
		return "a key stands twice in one object"
	case wrong.Problem == strictjson.TooMany:
		return "it has too many values"
	case wrong.Problem == strictjson.TooDeep:
		return "its lists and objects nest too deep"
	}
	return "it is not JSON"
}

// members are an object's, by their exact names; nil for anything else.
func members(data []byte) map[string]raw {
	m := map[string]raw{}
	r := strictjson.New(data, strictjson.Limits{})
	err := r.Object(func(name string, _ int) error {
		from, to, err := r.Span()
		m[name] = data[from:to]
		return err
	})
	if err != nil || r.End() != nil {
		return nil
	}
	return m
}

// elements are the elements of a list; anything else stands for a list of one, and nothing for an empty one.
func elements(value raw) []raw {
	if value == nil {
		return nil
	}
	list := []raw{}
	r := strictjson.New(value, strictjson.Limits{})
	err := r.Array(func() error {
		from, to, err := r.Span()
		list = append(list, value[from:to])
		return err
	})
	if err != nil {
		return []raw{value}
	}
	return list
}

// rendered is a value as text: text itself, anything else as its JSON.
func rendered(value raw) string {
	var s string
	if text(value, &s) {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return ""
	}
	return b.String()
}

func isNull(value raw) bool { return value == nil || string(value) == "null" }

// text reads text, and says whether the value is any.
func text(value raw, s *string) bool {
	if len(value) == 0 || value[0] != '"' {
		return false
	}
	said, err := strictjson.New(value, strictjson.Limits{}).Text()
	*s = said
	return err == nil
}
