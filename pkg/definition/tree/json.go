package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// isJSON reports whether a file is JSON. It is then read as such: yaml/v3 does not know all of JSON's escapes, nor tabs between values.
func isJSON(data []byte) bool {
	text := bytes.TrimLeft(source.WithoutMark(data), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

// parseJSON reads a file that is JSON.
func parseJSON(file string, data []byte) (*Node, fault.List) {
	data = source.WithoutMark(data)
	if wrong := source.BadCharacter(data); wrong != nil {
		return nil, fault.List{wrong.In(file)}
	}
	p := jsonParser{file: file, places: strictjson.NewPlaces(data)}
	p.reader = strictjson.New(data, strictjson.Limits{Depth: maxDepth, Values: maxNodes})
	p.reader.Twice = func(string, int) error { p.again = true; return nil }
	n, err := p.value()
	if err == nil {
		err = p.reader.End()
	}
	if err == nil {
		return p.twice.result(n)
	}
	f := fault.Fault{File: file, Message: err.Error()}
	if e := (*strictjson.Error)(nil); errors.As(err, &e) {
		if e.Problem == strictjson.TooDeep {
			f.Message = fmt.Sprintf("values lie within each other more than %d deep", maxDepth)
		}
		f.Line, f.Column = p.places.At(e.Offset)
	}
	return nil, fault.List{f}
}

type jsonParser struct {
	file   string
	reader *strictjson.Reader[[]byte]
	places strictjson.Places[[]byte]
	twice  duplicates
	again  bool // the object has the key that is being read already
}

func (p *jsonParser) at(offset int) Position {
	line, column := p.places.At(offset)
	return Position{p.file, line, column}
}

func (p *jsonParser) value() (*Node, error) {
	kind := p.reader.Kind()
	n := &Node{At: p.at(p.reader.Offset())}
	switch kind {
	case strictjson.Object:
		n.Kind = Map
		return n, p.reader.Object(func(name string, at int) error {
			position, again := p.at(at), p.again
			p.again = false
			p.twice.enter(name)
			v, err := p.value()
			p.twice.put(n, Pair{name, position, v}, again)
			p.twice.leave()
			return err
		})
	case strictjson.Array:
		n.Kind = List
		return n, p.reader.Array(func() error {
			p.twice.enter("")
			v, err := p.value()
			p.twice.leave()
			n.Items = append(n.Items, v)
			return err
		})
	case strictjson.Text:
		var err error
		n.Kind = Text
		n.Text, err = p.reader.Text()
		return n, err
	case strictjson.Number:
		n.Kind = Number
	case strictjson.Boolean:
		n.Kind = Bool
	case strictjson.Null, strictjson.None:
		_, err := p.reader.Literal()
		return n, err
	}
	text, err := p.reader.Literal()
	n.Text = text
	return n, err
}
