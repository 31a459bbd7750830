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

// maxPlaced is the largest file in which the column of a syntax error is looked for: that takes ten readings of it, its line
// three.
const maxPlaced = 1 << 20

// position is a place in a file; both count from 1, columns in characters.
type position struct{ line, column int }

var byteOrderMark = []byte("\ufeff")

// WithoutMark returns a text without the byte order mark that it may begin with.
func WithoutMark(data []byte) []byte { return bytes.TrimPrefix(data, byteOrderMark) }

// YAML reads the one document of a text into the nodes of yaml/v3; nil if there is none. The fault has no file name. Anchors, tags and
// keys that are given twice are the caller's concern.
func YAML(data []byte) (*yaml.Node, *fault.Fault) { return parse(data) }

// parse reads a file's one YAML document; nil if there is none, or it cannot be read. The fault has no file name.
func parse(data []byte) (*yaml.Node, *fault.Fault) {
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

// BadCharacter finds the first character that YAML does not take, for yaml/v3 says that there is one, but not where; or that
// readers take for something else than YAML does: what follows it must not look like the end of a comment and be a route.
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

// unfitCharacter says what is wrong with the character that a text begins with, empty if nothing is.
//
// A line ends with a line feed, or carriage return and line feed. YAML takes a lone carriage return, U+0085, U+2028 and U+2029 for the
// end of a line too, also of a comment, where editors and reviews show the comment going on: an open route could stand there unseen.
// They are refused, and so are the characters that change the direction of text. Within quotes both can be written as escapes.
func unfitCharacter(r rune, size int, text []byte) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "not UTF-8: save the file as UTF-8"
	case r == '\r' && !bytes.HasPrefix(text, []byte("\r\n")), r == 0x85, r == 0x2028, r == 0x2029:
		return fmt.Sprintf("%U ends a line for YAML, though editors do not show it so: write a line feed, or remove it", r)
	case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0, r == 0xfffe, r == 0xffff:
		return fmt.Sprintf("the control character %U is not allowed: remove it", r)
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return fmt.Sprintf("%U has editors show the line in another order than it is read in: remove it, or write it as \"\\u%04X\"", r, r)
	}
	return ""
}

// yamlLine is how yaml/v3 names a line, if it does: often that of what the error is in, not of the error.
var yamlLine = regexp.MustCompile(`^line \d+: `)

// syntaxFault says what yaml/v3 has against a text, where it really is.
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

// syntaxHint says what to write instead, for the mistakes that are made.
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

// placeError finds where a text goes wrong that yaml/v3 refuses. goccy/go-yaml, which tells, is not used: it refuses
// {aws:SourceIp: [192.0.2.0/24]}, which is how a condition is written; 1 MB of [a,[a,[a,… keeps it busy for more than 40 s, and its
// recursion has no limit. So the place is found with yaml/v3 alone: at the end of the shortest beginning of which it says the
// same. A beginning that ends within brackets would be refused for the lack of a comma, whether or not there is one; so it
// gets one.
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

// lineEnds returns where each line ends, with its newline.
func lineEnds(data []byte) []int {
	var ends []int
	end := 0
	for line := range bytes.Lines(data) {
		end += len(line)
		ends = append(ends, end)
	}
	return ends
}

// lookedAt returns how many bytes of a text yaml/v3 reads before it refuses it: hardly more than up to what is wrong.
func lookedAt(data []byte) int {
	r := bytes.NewReader(data)
	refused(byteReader{r})
	return len(data) - r.Len()
}

// byteReader reads a byte at a time, so that nothing is read ahead.
type byteReader struct{ *bytes.Reader }

func (r byteReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// refused returns what yaml/v3 has against a text, empty if nothing.
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
