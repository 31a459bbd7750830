package answer

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/gateway/canon"
)

// Format is how values are escaped in a body. Text of a client must not end the string or the text around it.
//
// 2026-11-23: a variable in a body is escaped for the body's content type. A value that a header cannot carry is omitted from
// an answer. In a header for the upstream it is percent-encoded, because omitting it could mean "no value".
type Format uint8

const (
	// Markup is HTML, XML and every unknown type.
	Markup Format = iota
	Plain
	JSON
	Script
	StyleSheet
	FormFields
)

// FormatOf returns the format of a template that has one content type and is sent with another. An empty content type is unknown. JSON that
// is sent as another type is escaped as a Script, which is also valid in JSON.
func FormatOf(template, sent string) Format {
	of, as := formatOfType(template), formatOfType(sent)
	switch {
	case of == as, as == Plain:
		return of
	case of == JSON:
		return Script
	case of == Plain:
		return as
	}
	return of
}

func formatOfType(contentType string) Format {
	switch media := mediaType(contentType); {
	case isScript(media):
		return Script
	case isJSON(media):
		return JSON
	case media == "text/css":
		return StyleSheet
	case media == "text/plain":
		return Plain
	case media == "application/x-www-form-urlencoded":
		return FormFields
	}
	return Markup
}

// value escapes a value.
func (f Format) value(s string) string {
	switch f {
	case Plain:
		return s
	case JSON:
		return escapeJSON(s)
	case Script:
		return escapeScript(s)
	case StyleSheet:
		return escapeStyle(s)
	case FormFields:
		return url.QueryEscape(s)
	case Markup:
	}
	return escapeMarkup(s)
}

// messageString escapes $context.error.messageString. It is already a JSON value, whose quotation marks stay.
func (f Format) messageString(s string) string {
	inner, ok := strings.CutPrefix(s, `"`)
	switch {
	case f == JSON || !ok:
		return s
	case f == Script || f == StyleSheet:
		var message string
		if json.Unmarshal([]byte(s), &message) != nil {
			return `""`
		}
		return `"` + f.value(message) + `"`
	}
	return `"` + f.value(strings.TrimSuffix(inner, `"`)) + `"`
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return canon.Lower(strings.TrimSpace(media))
}

// isJSON reports whether a content type is JSON, such as application/json, application/problem+json or application/x-amz-json-1.1.
func isJSON(media string) bool {
	return strings.Contains(media, "json")
}

// isScript reports whether browsers execute a content type ("JavaScript MIME type", WHATWG MIME Sniffing; jsonp is widespread).
func isScript(media string) bool {
	for _, name := range []string{"javascript", "ecmascript", "jscript", "livescript", "jsonp"} {
		if strings.Contains(media, name) {
			return true
		}
	}
	return false
}

// escapeJSON escapes a text for the inside of a JSON string.
func escapeJSON(s string) string {
	out := make([]byte, 0, len(s)+8)
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', byte(c))
		case c < 0x20 || c == 0x7f || c == '\u2028' || c == '\u2029':
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = utf8.AppendRune(out, c)
		}
	}
	return string(out)
}

// isInert reports whether a character has no special meaning in a string of a script or a style sheet, and is harmless outside of one
// (OWASP, "Cross Site Scripting Prevention").
func isInert(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(" _-.,:/", c)
}

// escapeScript escapes a text for the inside of a JavaScript string of any of the three kinds, and of a JSON string. The result does not
// contain angle brackets, so the script may be inside a page.
func escapeScript(s string) string {
	var b strings.Builder
	for _, c := range s {
		if isInert(c) {
			b.WriteRune(c)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, c) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// escapeStyle escapes a text for a string or a name of CSS ("CSS Syntax Module Level 3", 4.3.7). An escape of six digits needs no
// delimiter.
func escapeStyle(s string) string {
	var b strings.Builder
	for _, c := range s {
		if isInert(c) && !strings.ContainsRune(":/", c) {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\%06x`, c)
		}
	}
	return b.String()
}

// escapeMarkup escapes a text for HTML and XML: in text, in attributes with and without quotation marks, and in a string of a script
// in HTML, which does not read character references, so that an escaped backslash has no effect either.
func escapeMarkup(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case strings.ContainsRune("\"'`\\=$\t\n\r\u2028\u2029", c):
			fmt.Fprintf(&b, "&#%d;", c)
		case c < ' ' || c == 0x7f || c == 0xfffe || c == 0xffff: // XML has none of them
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
