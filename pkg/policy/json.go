package policy

import (
	"errors"
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// jsonReader reads JSON into nodes.
type jsonReader struct {
	json   *strictjson.Reader[string]
	places strictjson.Places[string]
	budget budget
}

// syntaxError ends the reading; what follows it cannot be told.
type syntaxError struct {
	at      Position
	message string
}

func (e *syntaxError) Error() string { return e.message }

func readJSON(text string, limits Limits, fault func(Position, string)) (*node, error) {
	r := &jsonReader{
		json:   strictjson.New(text, strictjson.Limits{Depth: limits.Depth + 1}), // the budget is used up before
		places: strictjson.NewPlaces(text), budget: budget{limits: limits},
	}
	r.json.Twice = func(name string, at int) error {
		fault(r.position(at), fmt.Sprintf("the key %s stands twice in one object; keep one of them", quote(name)))
		return nil
	}
	n, err := r.value(0)
	if err == nil {
		err = r.json.End()
	}
	if wrong, ok := errors.AsType[*strictjson.Error](err); ok {
		message := wrong.Message
		if wrong.Problem == strictjson.Trailing {
			message += "; a policy is one JSON object"
		}
		return nil, &syntaxError{r.position(wrong.Offset), message}
	}
	return n, err
}

func (r *jsonReader) position(offset int) Position {
	line, column := r.places.At(offset)
	return Position{line, column}
}

func (r *jsonReader) value(depth int) (*node, error) {
	kind := r.json.Kind()
	n := &node{start: r.position(r.json.Offset())}
	if message := r.budget.take(depth); message != "" {
		return nil, &syntaxError{n.start, message}
	}
	var err error
	switch kind {
	case strictjson.Object:
		n.kind = objectNode
		err = r.json.Object(func(name string, at int) error {
			m := member{name: name, at: r.position(at)}
			value, err := r.value(depth + 1)
			m.value = value
			n.members = append(n.members, m)
			return err
		})
	case strictjson.Array:
		n.kind, n.list = listNode, []*node{}
		err = r.json.Array(func() error {
			element, err := r.value(depth + 1)
			n.list = append(n.list, element)
			return err
		})
	case strictjson.Text:
		n.kind = textNode
		n.text, err = r.json.Text()
	case strictjson.Number:
		n.kind = numberNode
		n.text, err = r.json.Literal()
	case strictjson.Boolean:
		n.kind = boolNode
		n.text, err = r.json.Literal()
	case strictjson.Null, strictjson.None:
		n.text, err = r.json.Literal()
	}
	n.end = r.position(r.json.Offset() - 1)
	return n, err
}
