package document

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/strictjson"
)

// maxEscaped is how often a document may be escaped: twice as API Gateway and the AWS CLI's JSON do it.
const maxEscaped = 2

// PrintedJSON reads JSON, which may stand as the AWS CLI prints it: API Gateway keeps a policy with its quotes and slashes escaped
// (aws apigateway get-rest-api --query policy --output text), and --output json makes a JSON text of that. Positions are those of
// the text as it stands.
func PrintedJSON(text string, limits Limits, fault func(Position, string)) (*Node, error) {
	e := &escapedText{original: text, text: text}
	for range maxEscaped {
		if err := e.unescape(); err != nil {
			return nil, err
		}
	}
	if e.places == nil {
		return JSON(text, limits, fault)
	}
	move := e.mover()
	n, err := JSON(e.text, limits, func(at Position, message string) { fault(move(at), message) })
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		return nil, &SyntaxError{move(syntax.At), syntax.Message}
	}
	n.move(move)
	return n, err
}

// move moves the positions of a node and of what it holds.
func (n *Node) move(to func(Position) Position) {
	if n == nil {
		return
	}
	n.Start, n.End = to(n.Start), to(n.End)
	for _, e := range n.List {
		e.move(to)
	}
	for i := range n.Members {
		n.Members[i].At = to(n.Members[i].At)
		n.Members[i].Value.move(to)
	}
}

// escapedText is a document from which escapes are taken. places are the offsets in the original of the bytes of text and of its
// end; nil where nothing was escaped.
type escapedText struct {
	original, text string
	places         []int
}

// unescape takes one level of escapes away: of an object in quotes, or of one that begins with a brace and a backslash, as no
// JSON document does.
func (e *escapedText) unescape() error {
	start := len(e.text) - len(strings.TrimLeft(e.text, " \t\r\n"))
	body := e.text[start:]
	quoted := strings.HasPrefix(body, `"{`)
	if !quoted && !strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(body, "{"), " \t\r\n"), `\`) {
		return nil
	}
	at := start
	if quoted {
		at++
	}
	var out strings.Builder
	var places []int
	for at < len(e.text) && (!quoted || e.text[at] != '"') {
		before, length := at, out.Len()
		if e.text[at] != '\\' {
			out.WriteByte(e.text[at])
			at++
		} else if c, end, ok := strictjson.Escape(e.text, at); ok {
			out.WriteRune(c)
			at = end
		} else {
			return &SyntaxError{positionOf(e.original, e.place(before)), "the policy stands with its quotes escaped, as the AWS CLI prints it, and JSON has no such escape; write the policy as JSON"}
		}
		for range out.Len() - length {
			places = append(places, e.place(before))
		}
	}
	if quoted && (at == len(e.text) || strings.TrimSpace(e.text[at+1:]) != "") {
		return &SyntaxError{positionOf(e.original, e.place(at)), "the policy stands in quotes, as the AWS CLI prints it, and does not end with a quote; write the policy as JSON"}
	}
	places = append(places, e.place(at))
	e.text, e.places = out.String(), places
	return nil
}

func (e *escapedText) place(offset int) int {
	if e.places == nil {
		return offset
	}
	return e.places[offset]
}

// mover turns positions of the text into positions of the original.
func (e *escapedText) mover() func(Position) Position {
	starts := []int{0} // of the text's lines
	for i := range len(e.text) {
		if e.text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return func(at Position) Position {
		offset := starts[min(at.Line, len(starts))-1]
		for column := 1; column < at.Column && offset < len(e.text); column++ {
			_, size := utf8.DecodeRuneInString(e.text[offset:])
			offset += size
		}
		return positionOf(e.original, e.places[offset])
	}
}

// positionOf is the position of an offset in a text.
func positionOf(text string, offset int) Position {
	before := text[:offset]
	line := strings.Count(before, "\n")
	return Position{line + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
}
