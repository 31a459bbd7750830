package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// kind is a kind of JSON value.
type kind = strictjson.Kind

const (
	null    = strictjson.Null
	boolean = strictjson.Boolean
	number  = strictjson.Number
	text    = strictjson.Text
	array   = strictjson.Array
	object  = strictjson.Object
)

// value is a JSON value. text is the decoded text of a string, and the source text of any other value.
type value struct {
	kind     kind
	text     string
	elements []value // of an array
}

// member is a member of a JSON object.
type member struct {
	name  string
	value value
}

// maxDepth bounds how deep values may lie in the object.
const maxDepth = 32

var errJSON = errors.New("not a JSON object, or one with a member twice")

// parseObject reads a JSON object that is the whole text, blanks around it aside. A name that is there twice is refused wherever
// it is, for two parsers may take different ones; so is a string that is not Unicode text.
func parseObject(s string) ([]member, error) {
	r := strictjson.New(s, strictjson.Limits{Depth: maxDepth + 1})
	var members []member
	err := r.Object(func(name string, _ int) error {
		v, err := readValue(r, s)
		members = append(members, member{name, v})
		return err
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, errJSON
	}
	return members, nil
}

func readValue(r *strictjson.Reader[string], s string) (v value, err error) {
	v.kind = r.Kind()
	from := r.Offset()
	switch v.kind {
	case text:
		v.text, err = r.Text()
		return v, err
	case array:
		err = r.Array(func() error {
			e, err := readValue(r, s)
			v.elements = append(v.elements, e)
			return err
		})
	case object, number, boolean, null, strictjson.None:
		_, _, err = r.Span()
	}
	v.text = s[from:r.Offset()]
	return v, err
}

// compact is JSON text without blanks.
func compact(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(s)) != nil {
		return s
	}
	return b.String()
}
