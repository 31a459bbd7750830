package doctor

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// node is a JSON object.
type node = map[string]any

// get follows names, in snake case, through objects. A name may be in camel case in the JSON. It returns nil if there is
// nothing.
func get(v any, path ...string) any {
	for _, name := range path {
		n, ok := v.(node)
		if !ok {
			return nil
		}
		if v, ok = n[name]; !ok {
			v = n[camel(name)]
		}
	}
	return v
}

// camel returns a name in protobuf's JSON form.
func camel(name string) string {
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

func objectAt(v any, path ...string) node {
	n, _ := get(v, path...).(node)
	return n
}

func listAt(v any, path ...string) []any {
	l, _ := get(v, path...).([]any)
	return l
}

func textAt(v any, path ...string) string {
	s, _ := get(v, path...).(string)
	return s
}

func isTrue(v any, path ...string) bool {
	b, _ := get(v, path...).(bool)
	return b
}

// numberAt returns a number, which protobuf's JSON writes as text if it has 64 bits.
func numberAt(v any, path ...string) (float64, bool) {
	switch n := get(v, path...).(type) {
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

// durationAt returns a google.protobuf.Duration, such as "1.5s".
func durationAt(v any, path ...string) (time.Duration, bool) {
	d, err := time.ParseDuration(textAt(v, path...))
	return d, err == nil
}

// typeOf returns the name of an Any's type, without its address.
func typeOf(v any) string {
	name := textAt(v, "@type")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// isType reports whether an Any has a type, by the end of its name.
func isType(v any, name string) bool { return strings.HasSuffix(typeOf(v), name) }

// find calls f for each object below v whose type ends in the name. It stops at depth.
func find(v any, name string, depth int, f func(node)) {
	if depth == 0 {
		return
	}
	switch v := v.(type) {
	case node:
		if isType(v, name) {
			f(v)
			return
		}
		for _, inner := range v {
			find(inner, name, depth-1, f)
		}
	case []any:
		for _, inner := range v {
			find(inner, name, depth-1, f)
		}
	}
}
