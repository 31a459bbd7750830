package source

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Schema describes fields of messages beyond their descriptors.
type Schema struct {
	// Elsewhere maps names that fields have elsewhere, in lower case without hyphens and underscores, to the names to
	// suggest.
	Elsewhere map[string]string
	// Unsupported are the fields that are refused.
	Unsupported []Unsupported
	// Secrets are the names, in any message, of fields that hold secrets or texts that often contain them. No fault
	// quotes a text from such a field or from inside it.
	Secrets []string
}

// Unsupported is a field that is known and not supported.
type Unsupported struct {
	Message protoreflect.Name
	Field   string
	// Instead says what to do.
	Instead string
}

// unsupported returns the row for a field, or nil.
func (s *Schema) unsupported(message protoreflect.Name, field string) *Unsupported {
	for i, u := range s.Unsupported {
		if u.Message == message && u.Field == field {
			return &s.Unsupported[i]
		}
	}
	return nil
}

// refusal returns the fault message.
func (u *Unsupported) refusal() string {
	return u.Field + " is not supported by this version of portcullis; " + u.Instead
}
