// Package tree looks up names in the JSON of Envoy's configuration, in snake case as Envoy writes them and in camel case
// as istioctl does. What is missing or has another type is the zero value.
package tree

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Object is a JSON object.
type Object = map[string]any

// Get follows names, in snake case, through objects. A name may be in camel case in the JSON. It returns nil if there is
// nothing.
func Get(v any, path ...string) any {
	for _, name := range path {
		n, ok := v.(Object)
		if !ok {
			return nil
		}
		if v, ok = n[name]; !ok {
			v = n[Camel(name)]
		}
	}
	return v
}

// Camel returns a name in protobuf's JSON form.
func Camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	for i, part := range strings.Split(name, "_") {
		if i > 0 && part != "" {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// ObjectAt returns the object at a path.
func ObjectAt(v any, path ...string) Object {
	n, _ := Get(v, path...).(Object)
	return n
}

// ListAt returns the list at a path.
func ListAt(v any, path ...string) []any {
	l, _ := Get(v, path...).([]any)
	return l
}

// TextAt returns the text at a path.
func TextAt(v any, path ...string) string {
	s, _ := Get(v, path...).(string)
	return s
}

// IsTrue reports whether true is at a path.
func IsTrue(v any, path ...string) bool {
	b, _ := Get(v, path...).(bool)
	return b
}

// NumberAt returns a number, which protobuf's JSON writes as text if it has 64 bits.
func NumberAt(v any, path ...string) (float64, bool) {
	switch n := Get(v, path...).(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case float64:
		return n, true
	case string:
		f, err := strconv.ParseFloat(n, 64)
		return f, err == nil
	}
	return 0, false
}

// DurationAt returns a google.protobuf.Duration, such as "1.5s".
func DurationAt(v any, path ...string) (time.Duration, bool) {
	d, err := time.ParseDuration(TextAt(v, path...))
	return d, err == nil
}

// TypeOf returns the name of an Any's type, without its address.
func TypeOf(v any) string {
	name := TextAt(v, "@type")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// IsType reports whether an Any has a type, by the end of its name.
func IsType(v any, name string) bool { return strings.HasSuffix(TypeOf(v), name) }

// Untyped replaces each TypedStruct, which describes a message by the name of its type, by the message itself. It changes v.
func Untyped(v any) any {
	switch n := v.(type) {
	case Object:
		if IsType(n, ".TypedStruct") {
			message := Object{"@type": TextAt(n, "type_url")}
			for name, inner := range ObjectAt(n, "value") {
				message[name] = Untyped(inner)
			}
			return message
		}
		for name, inner := range n {
			n[name] = Untyped(inner)
		}
	case []any:
		for i, inner := range n {
			n[i] = Untyped(inner)
		}
	}
	return v
}

// Find calls f for each object below v whose type ends in the name. It stops at depth.
func Find(v any, name string, depth int, f func(Object)) {
	if depth == 0 {
		return
	}
	switch v := v.(type) {
	case Object:
		if IsType(v, name) {
			f(v)
			return
		}
		for _, inner := range v {
			Find(inner, name, depth-1, f)
		}
	case []any:
		for _, inner := range v {
			Find(inner, name, depth-1, f)
		}
	}
}

// Compact returns a value as JSON, with names in snake case.
func Compact(v any) string {
	text, err := json.Marshal(snake(v))
	if err != nil {
		return ""
	}
	return string(text)
}

// snake returns a value with its names in snake case.
func snake(v any) any {
	switch v := v.(type) {
	case Object:
		n := Object{}
		for name, inner := range v {
			var b strings.Builder
			for _, r := range name {
				if r >= 'A' && r <= 'Z' {
					b.WriteByte('_')
					r += 'a' - 'A'
				}
				b.WriteRune(r)
			}
			n[b.String()] = snake(inner)
		}
		return n
	case []any:
		l := make([]any, len(v))
		for i, inner := range v {
			l[i] = snake(inner)
		}
		return l
	}
	return v
}
