package fault

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with a configuration, or with a document that it names: where it is, what is wrong
// and what to write instead. It quotes only names, because a value may be a secret. If a name may be a secret, a Report
// removes it.
type Fault struct {
	// At is the value in question. A Report uses it to find the file, line and column, if they are not set, and to
	// decide whether the message may quote a secret. It is nil for a fault without a Place.
	At *Place `json:"-"`
	// File is the name of the file. It is empty if the document does not come from a file, or its reader does not know
	// the file.
	File string `json:"file"`
	// Line and Column start at 1; columns count characters. They are 0 if the fault concerns the whole file.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Statement is the policy statement in question: its Sid or, without one, its position ("Statement[2]").
	Statement string `json:"-"`
	Message   string `json:"message"`
	// Warning marks a setting that is allowed and probably not intended. A configuration with only warnings can be
	// used.
	Warning bool `json:"warning,omitempty"`
}

// String returns the fault in one line: file:line:column: statement: message.
func (f Fault) String() string {
	mark := ""
	if f.Warning {
		mark = "warning: "
	}
	return Line(f.where() + mark + f.message())
}

// Line returns a text in one line, for terminals, logs and comments. Spaces replace what is not printed as itself: line breaks, those of
// Unicode too, escape sequences and marks of the writing direction.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// Text is String without the mark of a warning, and with names unchanged.
func (f Fault) Text() string { return f.where() + f.message() }

func (f Fault) where() string {
	where := ""
	if f.File != "" {
		where = f.File + ":"
	}
	if f.Line > 0 {
		where += fmt.Sprintf("%d:%d:", f.Line, f.Column)
	}
	if where != "" {
		where += " "
	}
	return where
}

func (f Fault) message() string {
	if f.Statement == "" {
		return f.Message
	}
	return f.Statement + ": " + f.Message
}

// placed returns the fault with file, line and column instead of the Place, and without texts that may be secrets.
func (f Fault) placed() Fault {
	if document := f.At.Document(); document != nil {
		if f.Line == 0 {
			f.File, f.Line, f.Column = document.Position(f.At)
		}
		if document.Secret(f.At) {
			f.Message = withoutQuotes(f.Message)
		}
	}
	f.At = nil
	return f
}

// notShown replaces a text that may be a secret.
const notShown = `"…"`

// quotedText matches a quoted text in a message.
var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutQuotes removes quoted texts from a message. A name may be a secret in the wrong place: a header or variable
// written as A=secret, or a password as a field of its own. So a fault quotes nothing from where a secret may be
// (2026-11-28). ARNs stay, because they identify the entry.
func withoutQuotes(message string) string {
	return quotedText.ReplaceAllStringFunc(message, func(text string) string {
		if strings.HasPrefix(text, `"arn:`) && !strings.Contains(text, "=") {
			return text
		}
		return notShown
	})
}

// In returns the fault with a file, and with the statement in its message.
func (f Fault) In(file string) Fault {
	f.File, f.Message, f.Statement = file, f.message(), ""
	return f
}

// Quoted returns a name as messages quote it, shortened if it is long. It omits a name that may be a secret: A=secret,
// or a URL with a password.
func Quoted(name string) string {
	const most = 80
	if strings.Contains(name, "=") || strings.Contains(name, "@") && strings.Contains(name, "://") {
		return notShown
	}
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return strconv.Quote(name)
}

// List is everything that is wrong with a configuration, by file and position.
type List []Fault

// Error returns one fault a line.
func (fs List) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Fatal reports whether any of the faults is more than a warning.
func (fs List) Fatal() bool {
	return slices.ContainsFunc(fs, func(f Fault) bool { return !f.Warning })
}

// sorted returns the faults by file, in the order of reading, and position.
func (fs List) sorted(files []string) List {
	rank := make(map[string]int, len(files))
	for i, name := range files {
		rank[name] = i
	}
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(rank[a.File], rank[b.File]),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	return fs
}
