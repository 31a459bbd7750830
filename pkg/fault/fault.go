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

// Fault is one thing that is wrong with a configuration, or with a document that it names: where it stands, what it is and what
// to write instead. It never quotes more than names, for a value may be a secret; and where a name may be one, a Report shows none.
type Fault struct {
	// At is the value that it is about, for a Report to find the file, line and column, if it does not have them, and to tell whether
	// the message may quote a secret. It is nil for a fault that has no Place.
	At *Place `json:"-"`
	// File is the name of the file. It is empty where a document was not read from a file, or its reader does not know from which.
	File string `json:"file"`
	// Line and Column count from 1, the column in characters. They are 0 where the fault is the file itself.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Statement is the statement of a policy that the message is about: its Sid or, without one, its position ("Statement[2]").
	Statement string `json:"-"`
	Message   string `json:"message"`
	// Warning marks what is allowed and probably not meant. What has no other faults can be used.
	Warning bool `json:"warning,omitempty"`
}

// String is the fault in one line: file:line:column: statement: message. A name in it that holds a line break begins no other.
func (f Fault) String() string {
	mark := ""
	if f.Warning {
		mark = "warning: "
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, f.where()+mark+f.message())
}

// Text is String without the mark of a warning, and with names as they are.
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

// placed returns the fault with its file, line and column in place of the Place, and without texts that may be secrets.
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

// notShown stands for a text that may be a secret.
const notShown = `"…"`

// quotedText matches what a message quotes.
var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutQuotes takes what a message quotes out of it. A secret may stand where a name belongs: a header or a variable written as
// A=secret, a password as a field of its own. So a fault quotes no text from where a secret may stand (2026-11-28). ARNs stay: they
// tell which entry it is.
func withoutQuotes(message string) string {
	return quotedText.ReplaceAllStringFunc(message, func(text string) string {
		if strings.HasPrefix(text, `"arn:`) && !strings.Contains(text, "=") {
			return text
		}
		return notShown
	})
}

// In returns the fault as one of a file, with the statement in its message.
func (f Fault) In(file string) Fault {
	f.File, f.Message, f.Statement = file, f.message(), ""
	return f
}

// Quoted is a name as a message quotes it, cut if it is long. One that may hold a secret is not repeated: A=secret, or a URL with a
// password.
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

// List is all that is wrong with a configuration, by file and position.
type List []Fault

// Error is one fault a line.
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

// sorted returns the faults by file, in the order in which the files were read, and position.
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
