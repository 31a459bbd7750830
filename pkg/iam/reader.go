package iam

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// reader reads a JSON document field by field and knows its position.
type reader struct {
	data   []byte
	json   *strictjson.Reader[[]byte]
	places strictjson.Places[[]byte]
	faults []fault.Fault
	// what names the object being read, at the offset of its last field.
	what string
	at   int
}

// misfit is JSON of an unexpected kind. It ends the reading.
type misfit struct {
	offset  int
	message string
}

func (m *misfit) Error() string { return m.message }

func newReader(data []byte) *reader {
	r := &reader{data: data, json: strictjson.New(data, strictjson.Limits{}), places: strictjson.NewPlaces(data)}
	r.json.Twice = r.twice
	return r
}

func (r *reader) twice(name string, at int) error {
	return &misfit{at, fmt.Sprintf("%s has %q twice: keep one", r.what, name)}
}

// read reads the one value of the document and reports the error that ends it.
func (r *reader) read(value func() error) {
	if !utf8.Valid(r.data) {
		r.fault(0, "the file is not UTF-8: save it as the AWS CLI prints it")
		return
	}
	err := value()
	if err == nil {
		err = r.json.End()
	}
	if wrong, ok := errors.AsType[*misfit](err); ok {
		r.fault(wrong.offset, "%s", wrong.message)
		return
	}
	wrong, ok := errors.AsType[*strictjson.Error](err)
	switch {
	case !ok:
	case wrong.Problem == strictjson.Trailing:
		r.fault(wrong.Offset, "text after the end of the export: keep one export in a file")
	case wrong.Problem == strictjson.Truncated:
		r.fault(len(bytes.TrimRight(r.data, " \t\r\n")), "not JSON as the AWS CLI prints it: EOF")
	default:
		r.fault(wrong.Offset, "not JSON as the AWS CLI prints it: %s", wrong.Message)
	}
}

// next returns the offset of the next value.
func (r *reader) next() int {
	r.json.Kind()
	return r.json.Offset()
}

// null skips null, if it comes next.
func (r *reader) null() (bool, error) {
	if r.json.Kind() != strictjson.Null {
		return false, nil
	}
	return true, r.pass()
}

func (r *reader) pass() error {
	_, _, err := r.json.Span()
	return err
}

// unfit returns an error if the next value has another kind.
func (r *reader) unfit(kind strictjson.Kind, format string, args ...any) error {
	if found := r.json.Kind(); found == kind || found == strictjson.None {
		return nil
	}
	return &misfit{r.json.Offset(), fmt.Sprintf(format, args...)}
}

const notPrinted = "%s is not what the AWS CLI prints: it must begin with %s"

// object reads an object, or null as an empty one. The function reads the value of the given field.
func (r *reader) object(what string, field func(name string) error) error {
	if null, err := r.null(); null {
		return err
	}
	if err := r.unfit(strictjson.Object, notPrinted, what, "{"); err != nil {
		return err
	}
	outer := r.what
	r.what = what
	err := r.json.Object(func(name string, at int) error {
		r.at = at
		return field(name)
	})
	r.what = outer
	return err
}

// list reads a list, or null as an empty one.
func (r *reader) list(what string, item func() error) error {
	if null, err := r.null(); null {
		return err
	}
	if err := r.unfit(strictjson.Array, notPrinted, what, "["); err != nil {
		return err
	}
	return r.json.Array(item)
}

// text reads a string, or null as "".
func (r *reader) text(into *string) error {
	if null, err := r.null(); null {
		*into = ""
		return err
	}
	err := r.unfit(strictjson.Text, "the value must be text in quotation marks")
	if err == nil {
		*into, err = r.json.Text()
	}
	return err
}

// boolean reads true or false, or null as false.
func (r *reader) boolean(into *bool) error {
	if null, err := r.null(); null {
		*into = false
		return err
	}
	if err := r.unfit(strictjson.Boolean, "the value must be true or false"); err != nil {
		return err
	}
	literal, err := r.json.Literal()
	*into = literal == "true"
	return err
}

// skip skips the value of a known field that does not affect permissions. It refuses any other field.
func (r *reader) skip(what, name string, known ...string) error {
	if !slices.Contains(known, name) {
		return &misfit{r.at, fmt.Sprintf("unknown field %q of %s: this version does not know what it means for permissions", name, what)}
	}
	return r.pass()
}

// document is a policy document in an export: its bytes, or the decoded text.
type document struct {
	at   int
	data []byte
	text bool
}

// maxFaults limits the faults of one export. It exceeds what is ever shown, so a reader sees that there are more.
const maxFaults = 2000

func (r *reader) fault(offset int, format string, args ...any) {
	line, column := r.places.At(offset)
	r.add(fault.Fault{Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) add(f fault.Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// policyFault reports a fault in a policy document at its position, or, if the document is a text, at that text.
func (r *reader) policyFault(d document, name string, f fault.Fault) {
	line, column := r.places.At(d.at)
	message := f.Message
	if f.Statement != "" {
		message = f.Statement + ": " + message
	}
	message = name + ": " + message
	switch {
	case d.text:
		message += fmt.Sprintf(" (line %d of the policy, column %d)", f.Line, f.Column)
	case f.Line == 1:
		column += f.Column - 1
	default:
		line, column = line+f.Line-1, f.Column
	}
	r.add(fault.Fault{Line: line, Column: column, Message: message, Warning: f.Warning})
}
