package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of an answer's JSON.
const (
	maxDepth  = 32
	maxValues = 100_000
)

// checkJSON says what is wrong with a JSON document, beyond what encoding/json refuses: a key that stands twice, of which it
// would take the last, and text that is not Unicode, which it would change.
func checkJSON(data []byte) string {
	switch {
	case !utf8.Valid(data):
		return "it is not UTF-8"
	case !json.Valid(data):
		return "it is not JSON"
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	w := &jsonWalk{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return "it is not JSON"
		}
		if problem := w.take(token); problem != "" {
			return problem
		}
	}
}

// jsonWalk follows the tokens of a document.
type jsonWalk struct {
	open   []jsonOpen
	values int
}

// jsonOpen is an object or a list that is not closed yet. An object has keys.
type jsonOpen struct {
	keys map[string]bool
	// value says that a key was read and its value comes next.
	value bool
}

func (w *jsonWalk) take(token json.Token) string {
	if s, ok := token.(string); ok {
		if strings.ContainsRune(s, utf8.RuneError) {
			return "it holds text that is not Unicode, or was not"
		}
		if key, twice := w.key(s); twice {
			return "a key stands twice in one object"
		} else if key {
			return ""
		}
	}
	switch token {
	case json.Delim('}'), json.Delim(']'):
		w.open = w.open[:len(w.open)-1]
		return ""
	}
	if w.values++; w.values > maxValues {
		return "it has too many values"
	}
	if len(w.open) > 0 {
		w.open[len(w.open)-1].value = false
	}
	switch token {
	case json.Delim('{'):
		w.open = append(w.open, jsonOpen{keys: map[string]bool{}})
	case json.Delim('['):
		w.open = append(w.open, jsonOpen{})
	}
	if len(w.open) > maxDepth {
		return "its lists and objects nest too deep"
	}
	return ""
}

// key says whether a text is an object's key, and whether it was one already.
func (w *jsonWalk) key(s string) (is, twice bool) {
	if len(w.open) == 0 {
		return false, false
	}
	top := &w.open[len(w.open)-1]
	if top.keys == nil || top.value {
		return false, false
	}
	twice = top.keys[s]
	top.keys[s], top.value = true, true
	return true, twice
}
