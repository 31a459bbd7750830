package answer

import (
	"fmt"
	"regexp"
	"strings"
)

// Template is the body of a customized gateway response, compiled. Gateway responses know no VTL but substitution.
type Template []piece

// piece is a literal text, or a variable where that is of any kind.
type piece struct {
	literal string
	value   Variable
	// escape makes a value fit for its place, so that what a client sent cannot end the string it stands in.
	escape func(string) string
}

var (
	// reference is how a variable is written: a dot at the end of a sentence is no part of the name.
	reference = regexp.MustCompile(`\$(\{?)(!?)([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?:\['[^'\]]*'\])?)`)
	// directive is what VTL would act upon.
	directive = regexp.MustCompile(`#(?:#|\*|\{?(?:set|if|else|elseif|end|foreach|include|parse|stop|break|macro|define|evaluate)\b)`)
)

// ParseTemplate compiles a body template whose values are escaped for a format. lookup finds a variable by its name, without the dollar
// sign. The error says what the template holds that a gateway response does not know.
func ParseTemplate(text string, escape Format, lookup func(name string) (Variable, error)) (Template, error) {
	if d := directive.FindString(text); d != "" {
		return nil, fmt.Errorf("%q is VTL: a gateway response's template can only hold variables such as $context.error.messageString", d)
	}
	var t Template
	for {
		m := reference.FindStringSubmatchIndex(text)
		if m == nil {
			return append(t, piece{literal: text}), nil
		}
		if m[2] != m[3] || m[4] != m[5] {
			return nil, fmt.Errorf("%q: write a variable without braces and exclamation mark", text[m[0]:m[1]])
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

// Expand writes the template with the values of a request. A variable without a value is the empty text.
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
