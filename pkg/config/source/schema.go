package source

import (
	"cmp"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Schema is what a reader knows of the fields of its messages beyond their descriptors.
type Schema struct {
	// Elsewhere are the names that fields have elsewhere and not here, in small letters without hyphens and underscores, with the
	// names that they have here: what to suggest in their place.
	Elsewhere map[string]string
	// Unsupported are the fields and values that are refused, and never passed over.
	Unsupported []Unsupported
	// Secrets are the fields that hold secrets, or texts in which people write them, whichever message has them. No fault quotes a
	// text from one, or from what is in it.
	Secrets []string
}

// Unsupported is a field of a message, or one value of a field, that is known and not supported.
type Unsupported struct {
	Message protoreflect.Name
	Field   string
	// Value is empty for the field with any value.
	Value string
	// Instead is what to do; empty for removing it.
	Instead string
	// Covers is the field that lacks nothing more while this one stands there.
	Covers string
}

// unsupported returns the row for a field, or for a field's value, nil if there is none.
func (s *Schema) unsupported(message protoreflect.Name, field, value string) *Unsupported {
	for i, u := range s.Unsupported {
		if u.Message == message && u.Field == field && u.Value == value {
			return &s.Unsupported[i]
		}
	}
	return nil
}

// refusal is what a fault says of it.
func (u *Unsupported) refusal() string {
	what := u.Field
	if u.Value != "" {
		what += ": " + u.Value
	}
	return what + " is not supported by this version of portcullis; " + cmp.Or(u.Instead, "remove it")
}
