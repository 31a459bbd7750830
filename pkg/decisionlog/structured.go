package decisionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// Attribute is one field of a line: a string, an int64, a []string or a []Attribute.
type Attribute struct {
	Name  string
	Value any
}

// Attributes reads a line that a Log has written. It returns nil for anything else.
func Attributes(line []byte) []Attribute {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	return attributes(d)
}

// attributes reads the rest of an object.
func attributes(d *json.Decoder) (all []Attribute) {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		value, err := d.Token()
		if err != nil {
			return nil
		}
		a := Attribute{Name: name.(string), Value: value}
		switch v := value.(type) {
		case json.Number:
			n, _ := v.Int64() // the schema has whole numbers only
			a.Value = n
		case json.Delim:
			if v == '[' {
				a.Value = texts(d)
			} else {
				a.Value = attributes(d)
			}
		}
		all = append(all, a)
	}
	_, _ = d.Token() // the end of the object
	return all
}

func texts(d *json.Decoder) (all []string) {
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil
		}
		s, _ := t.(string)
		all = append(all, s)
	}
	_, _ = d.Token()
	return all
}

// structured gives lines to a slog.Handler that does not write JSON.
type structured struct{ handler slog.Handler }

// Write implements Sink.
func (s *structured) Write(lines [][]byte) (int, error) {
	for i, l := range lines {
		if err := s.handler.Handle(context.Background(), record(Attributes(l))); err != nil {
			return i, err
		}
	}
	return len(lines), nil
}

func record(attributes []Attribute) slog.Record {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, message, 0)
	for _, a := range attributes {
		switch a.Name {
		case "time":
			r.Time, _ = time.Parse(timeFormat, a.Value.(string))
		case "level":
			_ = r.Level.UnmarshalText([]byte(a.Value.(string)))
		case "msg":
		default:
			r.AddAttrs(attr(a))
		}
	}
	return r
}

func attr(a Attribute) slog.Attr {
	parts, ok := a.Value.([]Attribute)
	if !ok {
		return slog.Any(a.Name, a.Value)
	}
	var group []slog.Attr
	for _, p := range parts {
		group = append(group, attr(p))
	}
	return slog.GroupAttrs(a.Name, group...)
}

// Reopen implements Sink.
func (*structured) Reopen() {}

// Close implements Sink.
func (*structured) Close() error { return nil }
