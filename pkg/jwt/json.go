package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// kind is a kind of JSON value.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// value is a JSON value. text is what a string says, and of all others how they are written.
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

// maxDepth bounds how deep values may lie in each other.
const maxDepth = 32

var errJSON = errors.New("no JSON object, or one with a member twice")

// parseObject reads a JSON object (RFC 8259) that is the whole text, blanks around it aside. A name that is there twice is refused wherever it is,
// for two parsers may take different ones; so is a string that is no Unicode text.
func parseObject(s string) ([]member, error) {
	if !utf8.ValidString(s) {
		return nil, errJSON
	}
	r := reader{s: s}
	r.blanks()
	members, ok := r.object(0)
	r.blanks()
	if !ok || r.at != len(s) {
		return nil, errJSON
	}
	return members, nil
}

type reader struct {
	s  string
	at int
}

func (r *reader) blanks() {
	for r.at < len(r.s) {
		switch r.s[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// skip passes over one byte, if it is the next.
func (r *reader) skip(c byte) bool {
	if r.at < len(r.s) && r.s[r.at] == c {
		r.at++
		return true
	}
	return false
}

// object reads an object that begins here.
func (r *reader) object(depth int) (members []member, ok bool) {
	if depth > maxDepth || !r.skip('{') {
		return nil, false
	}
	r.blanks()
	if r.skip('}') {
		return nil, true
	}
	var names nameSet
	for {
		r.blanks()
		name, ok := r.string()
		if !ok || !names.add(name, members) {
			return nil, false
		}
		r.blanks()
		if !r.skip(':') {
			return nil, false
		}
		v, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		members = append(members, member{name, v})
		if !r.skip(',') {
			return members, r.skip('}')
		}
	}
}

// nameSet finds a name that was there before.
type nameSet map[string]struct{}

func (n *nameSet) add(name string, before []member) bool {
	if len(before) < 8 {
		for i := range before {
			if before[i].name == name {
				return false
			}
		}
		return true
	}
	if *n == nil {
		*n = make(nameSet, 2*len(before))
		for i := range before {
			(*n)[before[i].name] = struct{}{}
		}
	}
	_, twice := (*n)[name]
	(*n)[name] = struct{}{}
	return !twice
}

// value reads a value and the blanks around it.
func (r *reader) value(depth int) (v value, ok bool) {
	r.blanks()
	if r.at == len(r.s) {
		return v, false
	}
	begin := r.at
	switch c := r.s[r.at]; c {
	case '"':
		v.kind = text
		v.text, ok = r.string()
	case '{':
		v.kind = object
		_, ok = r.object(depth + 1)
	case '[':
		v.kind = array
		v.elements, ok = r.array(depth + 1)
	case 't', 'f', 'n':
		v.kind, ok = r.word()
	default:
		v.kind, ok = number, r.number()
	}
	if v.kind != text {
		v.text = r.s[begin:r.at]
	}
	r.blanks()
	return v, ok
}

func (r *reader) array(depth int) (elements []value, ok bool) {
	if depth > maxDepth || !r.skip('[') {
		return nil, false
	}
	r.blanks()
	if r.skip(']') {
		return nil, true
	}
	for {
		v, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		elements = append(elements, v)
		if !r.skip(',') {
			return elements, r.skip(']')
		}
	}
}

func (r *reader) word() (kind, bool) {
	for _, w := range words {
		if strings.HasPrefix(r.s[r.at:], w.text) {
			r.at += len(w.text)
			return w.kind, true
		}
	}
	return null, false
}

var words = []value{{kind: boolean, text: "true"}, {kind: boolean, text: "false"}, {kind: null, text: "null"}}

func (r *reader) digits() bool {
	begin := r.at
	for r.at < len(r.s) && '0' <= r.s[r.at] && r.s[r.at] <= '9' {
		r.at++
	}
	return r.at > begin
}

func (r *reader) number() bool {
	r.skip('-')
	if !r.skip('0') && !r.digits() {
		return false
	}
	if r.skip('.') && !r.digits() {
		return false
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		return r.digits()
	}
	return true
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
