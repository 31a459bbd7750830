package config

import (
	"cmp"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// unsupported is what the design of portcullis has and this version does not: a field of a message, or one value of a field.
// It is refused, never passed over.
type unsupported struct {
	message protoreflect.Name
	field   string
	value   string // empty: the field, with any value
	instead string // what to do; empty: remove it
	covers  string // the field that lacks nothing more while this one stands there
}

// unsupportedHere are all of them. A change that builds one takes its row away.
var unsupportedHere = []unsupported{
	{message: "API", field: "openapi", instead: "remove it, and describe the API with stages and routes", covers: "routes"},
	{message: "Route", field: "apiKeyRequired", value: "true", instead: "remove the route, or write false where callers need no key"},
}

// findUnsupported returns the row for a field, or for a field's value, nil if there is none.
func findUnsupported(message protoreflect.Name, field, value string) *unsupported {
	for i, u := range unsupportedHere {
		if u.message == message && u.field == field && u.value == value {
			return &unsupportedHere[i]
		}
	}
	return nil
}

// refusal is what a fault says of it.
func (u *unsupported) refusal() string {
	what := u.field
	if u.value != "" {
		what += ": " + u.value
	}
	return what + " is not supported by this version of portcullis; " + cmp.Or(u.instead, "remove it")
}
