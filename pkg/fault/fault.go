package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with a configuration, or with a document that it names: where it stands, what it is and what
// to write instead. It never quotes more than names, for a value may be a secret.
type Fault struct {
	// At is where it stands, for a Report to find the file, line and column. It is nil for a fault that has them already.
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

// placed returns the fault with its file, line and column in place of the Place.
func (f Fault) placed() Fault {
	if document := f.At.Document(); document != nil {
		f.File, f.Line, f.Column = document.Position(f.At)
	}
	f.At = nil
	return f
}

// In returns the fault as one of a file, with the statement in its message.
func (f Fault) In(file string) Fault {
	f.File, f.Message, f.Statement = file, f.message(), ""
	return f
}

// Quoted is a name as a message quotes it, cut if it is long.
func Quoted(name string) string {
	const most = 80
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
