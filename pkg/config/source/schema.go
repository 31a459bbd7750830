package source

import (
	"cmp"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Schema describes fields of messages beyond their descriptors.
type Schema struct {
	// Elsewhere maps names that fields have elsewhere, in lower case without hyphens and underscores, to the names to
	// suggest.
	Elsewhere map[string]string
	// Unsupported are the fields and values that are refused.
	Unsupported []Unsupported
	// Secrets are the names, in any message, of fields that hold secrets or texts that often contain them. No fault
	// quotes a text from such a field or from inside it.
	Secrets []string
}

// Unsupported is a field, or one value of it, that is known and not supported.
type Unsupported struct {
	Message protoreflect.Name
	Field   string
	// Value is the unsupported value; empty for any.
	Value string
	// Instead says what to do; empty means to remove the field.
	Instead string
	// Covers is a field that is not reported as missing if this one is present.
	Covers string
}

// unsupported returns the row for a field or for its value, or nil.
func (s *Schema) unsupported(message protoreflect.Name, field, value string) *Unsupported {
	for i, u := range s.Unsupported {
		if u.Message == message && u.Field == field && u.Value == value {
			return &s.Unsupported[i]
		}
	}
	return nil
}

// refusal returns the fault message.
func (u *Unsupported) refusal() string {
	what := u.Field
	if u.Value != "" {
		what += ": " + u.Value
	}
	return what + " is not supported by this version of portcullis; " + cmp.Or(u.Instead, "remove it")
}
