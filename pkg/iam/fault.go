package iam

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxFaults bounds the faults of one export. It is more than anybody shows, so that who shows them knows of more.
const maxFaults = 2000

// positions turns offsets into lines and columns. Asked in rising order, it reads the data once.
type positions struct {
	data  []byte
	from  int
	start int
	lines int
}

func (p *positions) at(offset int64) (line, column int) {
	end := min(int(offset), len(p.data))
	if end < p.from {
		p.from, p.start, p.lines = 0, 0, 0
	}
	passed := p.data[p.from:end]
	p.lines += bytes.Count(passed, []byte("\n"))
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		p.start = p.from + last + 1
	}
	p.from = end
	return p.lines + 1, utf8.RuneCount(p.data[p.start:end]) + 1
}

func (r *reader) fault(offset int64, format string, args ...any) {
	line, column := r.positions.at(offset)
	r.add(fault.Fault{Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) add(f fault.Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// policyFault reports what is wrong with a policy document: where it is, if the document stands in the export as it is, or
// else at the text that holds it.
func (r *reader) policyFault(d document, name string, f fault.Fault) {
	line, column := r.positions.at(d.at)
	message := f.Message
	if f.Statement != "" {
		message = f.Statement + ": " + message
	}
	message = name + ": " + message
	switch {
	case d.text:
		message += fmt.Sprintf(" (line %d of the policy, column %d)", f.Line, f.Column)
	case f.Line == 1:
		column += f.Column - 1
	default:
		line, column = line+f.Line-1, f.Column
	}
	r.add(fault.Fault{Line: line, Column: column, Message: message, Warning: f.Warning})
}
