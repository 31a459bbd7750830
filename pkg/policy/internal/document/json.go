package document

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

// SyntaxError ends the reading; what follows it cannot be told.
type SyntaxError struct {
	At      Position
	Message string
}

func (e *SyntaxError) Error() string { return e.Message }

func JSON(text string, limits Limits, fault func(Position, string)) (*Node, error) {
	r := &jsonReader{
		json:   strictjson.New(text, strictjson.Limits{Depth: limits.Depth + 1}), // the budget is used up before
		places: strictjson.NewPlaces(text), budget: budget{limits: limits},
	}
	r.json.Twice = func(name string, at int) error {
		fault(r.position(at), fmt.Sprintf("the key %s stands twice in one object; keep one of them", Quote(name)))
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
		return nil, &SyntaxError{r.position(wrong.Offset), message}
	}
	return n, err
}

func (r *jsonReader) position(offset int) Position {
	line, column := r.places.At(offset)
	return Position{line, column}
}

func (r *jsonReader) value(depth int) (*Node, error) {
	kind := r.json.Kind()
	n := &Node{Start: r.position(r.json.Offset())}
	if message := r.budget.take(depth); message != "" {
		return nil, &SyntaxError{n.Start, message}
	}
	var err error
	switch kind {
	case strictjson.Object:
		n.Kind = Object
		err = r.json.Object(func(name string, at int) error {
			m := Member{Name: name, At: r.position(at)}
			value, err := r.value(depth + 1)
			m.Value = value
			n.Members = append(n.Members, m)
			return err
		})
	case strictjson.Array:
		n.Kind, n.List = List, []*Node{}
		err = r.json.Array(func() error {
			element, err := r.value(depth + 1)
			n.List = append(n.List, element)
			return err
		})
	case strictjson.Text:
		n.Kind = Text
		n.Text, err = r.json.Text()
	case strictjson.Number:
		n.Kind = Number
		n.Text, err = r.json.Literal()
	case strictjson.Boolean:
		n.Kind = Bool
		n.Text, err = r.json.Literal()
	case strictjson.Null, strictjson.None:
		n.Text, err = r.json.Literal()
	}
	n.End = r.position(r.json.Offset() - 1)
	return n, err
}
