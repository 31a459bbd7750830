package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with a configuration: where it stands, what it is and what to write instead. It never
// quotes the configuration beyond names, for a value may be a secret.
type Fault struct {
	File string `json:"file"`
	// Line and Column count from 1, the column in characters. They are 0 where the fault is the file itself.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	// Warning marks what does not keep a configuration from being used.
	Warning bool `json:"warning,omitempty"`
}

// String is the fault in one line: file:line:column: message. A name in it that holds a line break begins no other.
func (f Fault) String() string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, f.text())
}

func (f Fault) text() string {
	message := f.Message
	if f.Warning {
		message = "warning: " + message
	}
	if f.Line == 0 {
		return f.File + ": " + message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, message)
}

// Faults are all that is wrong with a configuration, by file and position.
type Faults []Fault

// Error is one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// fatal reports whether any of the faults is more than a warning.
func (fs Faults) fatal() bool {
	return slices.ContainsFunc(fs, func(f Fault) bool { return !f.Warning })
}

// sorted returns the faults by file, in the order in which the files were read, and position.
func (fs Faults) sorted(files []string) Faults {
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
