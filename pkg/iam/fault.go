package iam

import (
	"fmt"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// maxFaults limits the faults of one export. It exceeds what is ever shown, so a reader sees that there are more.
const maxFaults = 2000

func (r *reader) fault(offset int, format string, args ...any) {
	line, column := r.places.At(offset)
	r.add(fault.Fault{Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) add(f fault.Fault) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
}

// policyFault reports a fault in a policy document at its position, or, if the document is a text, at that text.
func (r *reader) policyFault(d document, name string, f fault.Fault) {
	line, column := r.places.At(d.at)
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
