package gateway

import (
	"fmt"
	"regexp"
	"strings"
)

// template is the body of a customized gateway response, compiled. Gateway responses know no VTL but substitution.
type template []piece

// piece is a literal text, or a variable where that is not nil.
type piece struct {
	literal string
	value   variable
	// escape makes a value fit for its place, so that what a client sent cannot end the string it stands in.
	escape func(string) string
}

var (
	// reference is how a variable is written: a dot at the end of a sentence is no part of the name.
	reference = regexp.MustCompile(`\$(\{?)(!?)([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?:\['[^'\]]*'\])?)`)
	// directive is what VTL would act upon.
	directive = regexp.MustCompile(`#(?:#|\*|\{?(?:set|if|else|elseif|end|foreach|include|parse|stop|break|macro|define|evaluate)\b)`)
)

// compileTemplate compiles a body template whose values are escaped for a format.
func compileTemplate(text string, escape format, s scope) (template, error) {
	if d := directive.FindString(text); d != "" {
		return nil, fmt.Errorf("%q is VTL: a gateway response's template can only hold variables such as $context.error.messageString", d)
	}
	var t template
	for {
		m := reference.FindStringSubmatchIndex(text)
		if m == nil {
			return append(t, piece{literal: text}), nil
		}
		if m[2] != m[3] || m[4] != m[5] {
			return nil, fmt.Errorf("%q: write a variable without braces and exclamation mark", text[m[0]:m[1]])
		}
		name := text[m[6]:m[7]]
		value, err := s.lookup(name)
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

// expand writes the template for an invocation. A variable without a value is the empty text.
func (t template) expand(in *invocation) string {
	var b strings.Builder
	for _, p := range t {
		if p.value == nil {
			b.WriteString(p.literal)
		} else if value, ok := p.value(in); ok {
			b.WriteString(p.escape(value))
		}
	}
	return b.String()
}
