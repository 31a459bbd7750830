package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxPlaced is the size of the largest file for which the column of a syntax error is searched. The column takes ten
// readings of the file, the line three.
const maxPlaced = 1 << 20

// position is a position in a file. Lines and columns start at 1; columns count characters.
type position struct{ line, column int }

var byteOrderMark = []byte("\ufeff")

// WithoutMark removes a leading byte order mark.
func WithoutMark(data []byte) []byte { return bytes.TrimPrefix(data, byteOrderMark) }

// YAML parses the one document of a text. It returns nil if the document is empty or unreadable. The fault has no file
// name. The caller checks anchors, tags and duplicate keys.
func YAML(data []byte) (*yaml.Node, *fault.Fault) {
	data = WithoutMark(data)
	if bad := BadCharacter(data); bad != nil {
		return nil, bad
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, syntaxFault(data, err)
	case err != nil, isNull(document.Content[0]):
		return nil, nil
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
		return document.Content[0], nil
	case err != nil:
		return nil, syntaxFault(data, err)
	}
	return document.Content[0], &fault.Fault{
		Line: second.Line, Column: second.Column,
		Message: "a second YAML document begins here: remove it, or the --- before it",
	}
}

// BadCharacter finds the first character that YAML does not allow, or that readers mistake: text after it must not look
// like part of a comment and be a route. yaml/v3 reports that there is such a character, but not where.
func BadCharacter(data []byte) *fault.Fault {
	for i, line, start := 0, 1, 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if message := unfitCharacter(r, size, data[i:]); message != "" {
			return &fault.Fault{Line: line, Column: utf8.RuneCount(data[start:i]) + 1, Message: message}
		}
		if r == '\n' {
			line, start = line+1, i+1
		}
		i += size
	}
	return nil
}

// unfitCharacter returns what is wrong with the first character of a text, or "".
//
// A line ends with a line feed, optionally after a carriage return. YAML also ends lines, and comments, at a lone
// carriage return, U+0085, U+2028 and U+2029. Editors and reviews show the comment going on, so it could hide an open
// route. These characters are refused, and so are characters that change the direction of text. Within quotes, write
// them as escapes.
func unfitCharacter(r rune, size int, text []byte) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "not UTF-8: save the file as UTF-8"
	case r == '\r' && !bytes.HasPrefix(text, []byte("\r\n")), r == 0x85, r == 0x2028, r == 0x2029:
		return fmt.Sprintf("%U ends a line in YAML, but editors do not show a line end: write a line feed, or remove it", r)
	case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0, r == 0xfffe, r == 0xffff:
		return fmt.Sprintf("the control character %U is not allowed: remove it", r)
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return fmt.Sprintf("%U makes editors show the line in another order than it is read: remove it, or write it as \"\\u%04X\"", r, r)
	}
	return ""
}

// yamlLine matches the line in a yaml/v3 error. It is often the line where the faulty construct begins.
var yamlLine = regexp.MustCompile(`^line \d+: `)

// syntaxFault returns the fault for a yaml/v3 error at its real position.
func syntaxFault(data []byte, err error) *fault.Fault {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	message = message[len(yamlLine.FindString(message)):]
	at := placeError(data, err)
	if strings.HasPrefix(message, "unknown anchor") {
		message = noAliases
	} else {
		message = "not YAML: " + message + syntaxHint(message)
	}
	return &fault.Fault{Line: at.line, Column: at.column, Message: message}
}

// syntaxHint returns what to write instead, for common mistakes.
func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "',' or '}'"):
		return `; a text with { } [ ] or , in it needs quotes here, as in {route: "GET /pets/{petId}"}`
	case strings.Contains(message, "',' or ']'"):
		return "; close the list, or put a text with { } [ ] or , in it in quotes"
	case strings.Contains(message, "mapping values are not allowed"):
		return "; check the indentation, and put a text with a colon and a space in it in quotes"
	case strings.Contains(message, "cannot start any token"):
		return "; indent with spaces, and put a text that begins with a special character in quotes"
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "expected '-' indicator"):
		return "; check the indentation of this line against the lines above"
	case strings.Contains(message, "unexpected end of stream"):
		return "; close the quote that begins here"
	case strings.Contains(message, "expected node content"):
		return "; a value is missing here, or a bracket is not closed"
	case strings.Contains(message, "incompatible YAML document"):
		return "; remove the %YAML line"
	case strings.Contains(message, "could not find expected ':'"):
		return "; write a field as name: value"
	}
	return ""
}

// placeError finds where a text that yaml/v3 refuses goes wrong. The error is at the end of the shortest prefix for
// which yaml/v3 reports the same error. A prefix that ends within brackets gets a comma, because yaml/v3 would
// otherwise report the missing comma. goccy/go-yaml reports positions but is not used: it refuses {aws:SourceIp:
// [192.0.2.0/24]}, which is how a condition is written, 1 MB of [a,[a,[a,… takes it more than 40 s, and its recursion
// has no limit.
func placeError(data []byte, err error) position {
	var comma string
	if strings.Contains(err.Error(), "expected ',' or") {
		comma = ","
	}
	wrong := func(n int) bool {
		return refused(io.MultiReader(bytes.NewReader(data[:n]), strings.NewReader(comma))) == err.Error()
	}
	ends := lineEnds(data)
	last := sort.SearchInts(ends, lookedAt(data))
	step := 1
	for ; step <= last && wrong(ends[last-step]); step *= 2 {
		last -= step
	}
	first := max(last-step+1, 0)
	line := first + sort.Search(last-first, func(i int) bool { return wrong(ends[first+i]) })
	start := 0
	if line > 0 {
		start = ends[line-1]
	}
	text := []rune(strings.TrimRight(string(data[start:ends[line]]), "\r\n"))
	if len(data) > maxPlaced {
		return position{line + 1, 1}
	}
	column := sort.Search(len(text), func(i int) bool { return wrong(start + len(string(text[:i+1]))) })
	return position{line + 1, column + 1}
}

// lineEnds returns the end of each line, including its newline.
func lineEnds(data []byte) []int {
	var ends []int
	end := 0
	for line := range bytes.Lines(data) {
		end += len(line)
		ends = append(ends, end)
	}
	return ends
}

// lookedAt returns how many bytes of a text yaml/v3 reads before it refuses it, which is little more than up to the
// error.
func lookedAt(data []byte) int {
	r := bytes.NewReader(data)
	refused(byteReader{r})
	return len(data) - r.Len()
}

// byteReader returns one byte at a time, to prevent reading ahead.
type byteReader struct{ *bytes.Reader }

func (r byteReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// refused returns the yaml/v3 error for a text, or "".
func refused(text io.Reader) string {
	decoder := yaml.NewDecoder(text)
	for {
		var n yaml.Node
		switch err := decoder.Decode(&n); {
		case errors.Is(err, io.EOF):
			return ""
		case err != nil:
			return err.Error()
		}
	}
}
