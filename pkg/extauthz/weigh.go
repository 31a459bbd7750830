package extauthz

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What the generated decoder may allocate for a message: a multiple of the message's size, and as much as a message with much
// metadata of other filters needs, which may be small on the wire.
const (
	weightPerByte = 6
	weightAtLeast = 1 << 20
	// maxDepth bounds messages and groups inside each other, and so the stack.
	maxDepth = 200
)

// The bytes that the generated decoder allocates, each no less than was measured: for a message, a map's entry and its place in a
// map that grows, an element of a list that grows, and a text or a number by itself. Unknown fields are kept in a slice that
// grows by a quarter.
const (
	weightMessage = 128
	weightEntry   = 256
	weightElement = 32
	weightScalar  = 16
	weightUnknown = 6
)

// weigher adds up what the generated decoder would allocate for a message, and allocates nothing for it.
type weigher struct {
	left int
	// headers and lines are the entries of the map headers and the lines of header_map.
	headers, lines int
}

// The repeated fields whose number is limited.
var (
	headersField = (*authv3.AttributeContext_HttpRequest)(nil).ProtoReflect().Descriptor().Fields().ByName("headers")
	linesField   = (*corev3.HeaderMap)(nil).ProtoReflect().Descriptor().Fields().ByName("headers")
	checkRequest = (*authv3.CheckRequest)(nil).ProtoReflect().Descriptor()
)

// weigh refuses a message that the generated decoder is not to read: one that is not a CheckRequest, or that has too many headers,
// or that would take up many times its size. It is done before decoding, because the decoder itself has no such limits.
func weigh(wire []byte) *refusal {
	w := weigher{left: weightAtLeast + weightPerByte*len(wire)}
	return w.message(checkRequest, wire, maxDepth)
}

// message weighs the fields of a message of a type.
func (w *weigher) message(is protoreflect.MessageDescriptor, wire []byte, depth int) *refusal {
	if depth == 0 {
		return tooCostly
	}
	fields := is.Fields()
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return notDecodable
		}
		size, refused := valueSize(number, kind, wire[n:], depth)
		if refused != nil {
			return refused
		}
		if refused := w.field(fields.ByNumber(number), kind, wire[n:n+size], n+size, depth); refused != nil {
			return refused
		}
		wire = wire[n+size:]
	}
	return nil
}

// field weighs a field of a message: its value, and its size with the tag. It is nil if the message has no such field.
func (w *weigher) field(is protoreflect.FieldDescriptor, kind protowire.Type, value []byte, size, depth int) *refusal {
	switch {
	case is == nil, kind != protowire.BytesType && is.Message() != nil:
		return w.take(weightUnknown * size)
	case kind != protowire.BytesType:
		return w.take(weightScalar)
	}
	value, _ = protowire.ConsumeBytes(value)
	if is.Message() == nil {
		return w.take(weightScalar + len(value) + len(value)/4) // sizes are rounded up
	}
	weight := weightMessage
	switch {
	case is.IsMap():
		weight = weightEntry
	case is.IsList():
		weight += weightElement
	}
	if refused := w.count(is); refused != nil {
		return refused
	}
	if refused := w.take(weight); refused != nil {
		return refused
	}
	return w.message(is.Message(), value, depth-1)
}

// count keeps the limits of headers, which are looked at again once they are read: here so that no more of them are read.
func (w *weigher) count(is protoreflect.FieldDescriptor) *refusal {
	switch is {
	case headersField:
		w.headers++
	case linesField:
		w.lines++
	}
	if w.headers > maxHeaders || w.lines > maxHeaders {
		return tooManyHeaders
	}
	return nil
}

func (w *weigher) take(weight int) *refusal {
	if w.left -= weight; w.left < 0 {
		return tooCostly
	}
	return nil
}

// valueSize is how long the value of a field is. It reads groups itself, for protowire lets 10,000 of them lie inside each other.
func valueSize(number protowire.Number, kind protowire.Type, wire []byte, depth int) (int, *refusal) {
	if kind != protowire.StartGroupType {
		n := protowire.ConsumeFieldValue(number, kind, wire)
		if n < 0 {
			return 0, notDecodable
		}
		return n, nil
	}
	if depth == 0 {
		return 0, tooCostly
	}
	for size := 0; ; {
		inner, kind, n := protowire.ConsumeTag(wire[size:])
		if n < 0 {
			return 0, notDecodable
		}
		size += n
		if kind == protowire.EndGroupType {
			if inner != number {
				return 0, notDecodable
			}
			return size, nil
		}
		n, refused := valueSize(inner, kind, wire[size:], depth-1)
		if refused != nil {
			return 0, refused
		}
		size += n
	}
}
