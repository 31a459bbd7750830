package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// reader goes through a JSON document, field by field, and knows where it is.
type reader struct {
	data      []byte
	json      *json.Decoder
	positions positions
	faults    []fault.Fault
}

// misfit is JSON that is not what should stand there. It ends the reading.
type misfit struct {
	offset  int64
	message string
}

func (m *misfit) Error() string { return m.message }

func newReader(data []byte) *reader {
	return &reader{data: data, json: json.NewDecoder(bytes.NewReader(data)), positions: positions{data: data}}
}

// read reads the one value of the document and reports what ends it early.
func (r *reader) read(value func() error) {
	if !utf8.Valid(r.data) {
		r.fault(0, "the file is not UTF-8: save it as the AWS CLI prints it")
		return
	}
	err := value()
	if err == nil {
		if _, err = r.json.Token(); errors.Is(err, io.EOF) {
			return
		}
		err = &misfit{r.json.InputOffset(), "something follows the end of the export: keep one export in a file"}
	}
	if wrong, ok := errors.AsType[*misfit](err); ok {
		r.fault(wrong.offset, "%s", wrong.message)
		return
	}
	offset := r.json.InputOffset()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = max(offset, syntax.Offset-1)
	}
	r.fault(offset, "not JSON as the AWS CLI prints it: %v", err)
}

// next is where the next value begins.
func (r *reader) next() int64 {
	offset := r.json.InputOffset()
	for offset < int64(len(r.data)) && bytes.IndexByte([]byte(" \t\r\n:,"), r.data[offset]) >= 0 {
		offset++
	}
	return offset
}

// open reads the beginning of an object or a list; false stands for null.
func (r *reader) open(delimiter json.Delim, what string) (bool, error) {
	at := r.next()
	token, err := r.json.Token()
	switch {
	case err != nil:
		return false, err
	case token == nil:
		return false, nil
	case token != delimiter:
		return false, &misfit{at, fmt.Sprintf("%s is not what the AWS CLI prints: it should begin with %v", what, delimiter)}
	}
	return true, nil
}

// object reads an object. The function reads the value of the field that it is given.
func (r *reader) object(what string, field func(name string) error) error {
	if there, err := r.open('{', what); !there {
		return err
	}
	var seen []string
	for r.json.More() {
		at := r.next()
		token, err := r.json.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if slices.Contains(seen, name) {
			return &misfit{at, fmt.Sprintf("%s has %q twice: keep one", what, name)}
		}
		seen = append(seen, name)
		if err := field(name); err != nil {
			return err
		}
	}
	_, err := r.json.Token()
	return err
}

func (r *reader) list(what string, item func() error) error {
	if there, err := r.open('[', what); !there {
		return err
	}
	for r.json.More() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := r.json.Token()
	return err
}

// text reads a string; null leaves it empty.
func (r *reader) text(into *string) error {
	at := r.next()
	token, err := r.json.Token()
	if err != nil {
		return err
	}
	text, ok := token.(string)
	if !ok && token != nil {
		return &misfit{at, "text should stand here, in quotation marks"}
	}
	*into = text
	return nil
}

func (r *reader) boolean(into *bool) error {
	at := r.next()
	token, err := r.json.Token()
	if err != nil {
		return err
	}
	value, ok := token.(bool)
	if !ok && token != nil {
		return &misfit{at, "true or false should stand here"}
	}
	*into = value
	return nil
}

// skip passes over a value of a field that says nothing about permissions; any other field is refused.
func (r *reader) skip(what, name string, known ...string) error {
	if !slices.Contains(known, name) {
		return &misfit{r.json.InputOffset() - int64(len(name)) - 2,
			fmt.Sprintf("unknown field %q of %s: this version does not know what it means for permissions", name, what)}
	}
	var value json.RawMessage
	return r.json.Decode(&value)
}

// document is a policy document as it stands in an export: its bytes, or as text what the text decodes to.
type document struct {
	at   int64
	data []byte
	text bool
}
