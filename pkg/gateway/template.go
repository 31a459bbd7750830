package gateway

import (
	"fmt"
	"html"
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

// compileTemplate compiles a body template of a content type.
func compileTemplate(text, contentType string, s scope) (template, error) {
	if d := directive.FindString(text); d != "" {
		return nil, fmt.Errorf("%q is VTL: a gateway response's template can only hold variables such as $context.error.messageString", d)
	}
	escape := escapeFor(contentType)
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
		p := piece{value: value, escape: escape}
		if name == "context.error.messageString" {
			p.escape = escapeMessageString(contentType)
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

// escapeFor is how a value is escaped in a body.
func escapeFor(contentType string) func(string) string {
	switch media := mediaType(contentType); {
	case isJSON(media):
		return escapeJSON
	case media == "text/plain":
		return func(s string) string { return s }
	default:
		return html.EscapeString
	}
}

// escapeMessageString leaves the outer quotation marks alone: the message is a JSON value already.
func escapeMessageString(contentType string) func(string) string {
	escape := escapeFor(contentType)
	if isJSON(mediaType(contentType)) {
		escape = func(s string) string { return s }
	}
	return func(s string) string {
		if inner, ok := strings.CutPrefix(s, `"`); ok {
			return `"` + escape(strings.TrimSuffix(inner, `"`)) + `"`
		}
		return escape(s)
	}
}

// mediaType is a content type without parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return lower(strings.TrimSpace(media))
}

// isJSON reports whether a content type is one of JSON: application/json, application/problem+json, application/x-amz-json-1.1.
func isJSON(media string) bool {
	return strings.Contains(media, "json")
}
