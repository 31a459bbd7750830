package answer

import (
	"fmt"
	"regexp"
	"strings"
)

// Template is the compiled body of a customized gateway response. Of VTL, gateway responses support only substitution.
type Template []piece

// piece is a literal text, or a variable if escape is set.
type piece struct {
	literal string
	value   Variable
	// escape escapes a value for its place, so that text of a client cannot end the string around it.
	escape func(string) string
}

var (
	// reference matches a variable. A dot at the end of a sentence is not a part of its name.
	reference = regexp.MustCompile(`\$(\{?)(!?)([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?:\['[^'\]]*'\])?)`)
	// directive matches what VTL would execute.
	directive = regexp.MustCompile(`#(?:#|\*|\{?(?:set|if|else|elseif|end|foreach|include|parse|stop|break|macro|define|evaluate)\b)`)
)

// ParseTemplate compiles a body template whose values are escaped for a format. lookup returns a variable by its name, without the dollar
// sign. ParseTemplate returns an error if the template contains what gateway responses do not support.
func ParseTemplate(text string, escape Format, lookup func(name string) (Variable, error)) (Template, error) {
	if d := directive.FindString(text); d != "" {
		return nil, fmt.Errorf("%q is VTL, which gateway responses do not support; write only text and variables such as $context.error.messageString", d)
	}
	var t Template
	for {
		m := reference.FindStringSubmatchIndex(text)
		if m == nil {
			return append(t, piece{literal: text}), nil
		}
		if m[2] != m[3] || m[4] != m[5] {
			return nil, fmt.Errorf("%q is not a variable; write it without braces and exclamation mark", text[m[0]:m[1]])
		}
		name := text[m[6]:m[7]]
		value, err := lookup(name)
		if err != nil {
			return nil, err
		}
		p := piece{value: value, escape: escape.value}
		if name == "context.error.messageString" {
			p.escape = escape.messageString
		}
		t = append(t, piece{literal: text[:m[0]]}, p)
		text = text[m[1]:]
	}
}

// Expand returns the body with the values of a request. A variable without a value is empty.
func (t Template) Expand(values Values) string {
	var b strings.Builder
	for _, p := range t {
		if p.value.Kind == Absent && p.escape == nil {
			b.WriteString(p.literal)
		} else if value, ok := values.Value(p.value); ok {
			b.WriteString(p.escape(value))
		}
	}
	return b.String()
}
