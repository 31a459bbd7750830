package source

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// decoder fills a message from the nodes of a document. It leaves a google.protobuf.Value empty: its user reads the
// node, which keeps numbers as written.
type decoder struct {
	*Document
	*Schema
	report *fault.Report
}

// anyValue is the type of a field that is read from its node.
var anyValue = (*structpb.Value)(nil).ProtoReflect().Descriptor().FullName()

// Decode fills a message from the document, by the fields' JSON names, and reports what does not fit. It continues
// after a fault: a faulty value is left out, and a faulty item of a list stays empty.
//
// A text is the scalar as written, quoted or not: the account 012345678901 keeps its twelve digits. Only an empty value
// and null are not texts.
func (d *Document) Decode(m proto.Message, r *fault.Report) {
	d.DecodeAt(d.Root(), m, r)
}

// DecodeAt fills a message from the value at a Place, as Decode does.
func (d *Document) DecodeAt(at *fault.Place, m proto.Message, r *fault.Report) {
	if n := d.Node(at); n != nil {
		(&decoder{d, &d.schema, r}).message(n, m.ProtoReflect(), at)
	}
}

// fault reports a fault at a node and marks its Place as faulty. Aliases have been refused before.
func (d *decoder) fault(n *yaml.Node, at *fault.Place, format string, args ...any) {
	if d.report.Full() {
		d.report.Overflow()
		return
	}
	d.report.Mark(at)
	if n.Kind == yaml.AliasNode {
		return
	}
	f := faultAt(d.File(n), n, fmt.Sprintf(format, args...))
	f.At = at
	d.report.Add(f)
}

func (d *decoder) message(n *yaml.Node, m protoreflect.Message, at *fault.Place) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, at, "%s must be fields with their values, such as %s: …", at.Label(), m.Descriptor().Fields().Get(0).JSONName())
		return
	}
	fields := m.Descriptor().Fields()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := fields.ByJSONName(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode: // refused elsewhere
		case key.Tag == "!!merge": // refused elsewhere; it may hold any field
			d.report.Mark(at)
		case field == nil:
			d.unknownField(key, m.Descriptor(), at)
		case isNull(value):
			d.fault(key, at.Field(key.Value), "%s has no value: give it one, or remove it", key.Value)
		case m.Has(field): // a duplicate, refused elsewhere
		default:
			d.field(value, m, field, at.Field(key.Value))
		}
	}
}

// unknownField refuses a field that the message does not have.
func (d *decoder) unknownField(key *yaml.Node, m protoreflect.MessageDescriptor, at *fault.Place) {
	if d.report.Full() {
		d.report.Overflow()
		return
	}
	if u := d.unsupported(m.Name(), key.Value); u != nil {
		d.report.Add(faultAt(d.File(key), key, u.refusal()))
		return
	}
	var names []string
	for i := range m.Fields().Len() {
		names = append(names, m.Fields().Get(i).JSONName())
	}
	meant := d.suggest(key.Value, names)
	if d.Secret(at) || meant == "" && !isPlainName(key.Value) { // the name may be a secret
		if meant != "" {
			at = at.Field(meant)
		}
		d.report.Mark(at)
		d.report.Add(faultAt(d.File(key), key, "unknown field: "+instead(meant, names)))
		return
	}
	if meant != "" {
		d.report.Mark(at.Field(meant))
	}
	d.report.Add(faultAt(d.File(key), key, fmt.Sprintf("unknown field %s: %s", fault.Quoted(key.Value), instead(meant, names))))
}

func (d *decoder) field(n *yaml.Node, m protoreflect.Message, field protoreflect.FieldDescriptor, at *fault.Place) {
	switch {
	case field.IsMap():
		d.mapping(n, m.Mutable(field).Map(), field, at)
	case field.IsList():
		d.list(n, m.Mutable(field).List(), field, at)
	case field.Message() != nil && field.Message().FullName() == anyValue:
	case field.Message() != nil:
		d.message(n, m.Mutable(field).Message(), at)
	default:
		if v, ok := d.scalar(n, field, at); ok {
			m.Set(field, v)
		}
	}
}

func (d *decoder) list(n *yaml.Node, l protoreflect.List, field protoreflect.FieldDescriptor, at *fault.Place) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, at, "%s must be a list: write - before each item, or [ ] around them", at.Label())
		return
	}
	for i, item := range n.Content {
		at := at.Item(i)
		if isNull(item) {
			d.fault(item, at, "%s has no value: give it one, or remove it", at.Label())
		}
		// A faulty item stays in the list, so that later items keep their positions.
		if field.Message() != nil && field.Message().FullName() == anyValue {
			l.AppendMutable()
			continue
		}
		if field.Message() != nil {
			element := l.AppendMutable().Message()
			if !isNull(item) {
				d.message(item, element, at)
			}
			continue
		}
		element, ok := l.NewElement(), false
		if !isNull(item) {
			if element, ok = d.scalar(item, field, at); !ok {
				element = l.NewElement()
			}
		}
		l.Append(element)
	}
}

func (d *decoder) mapping(n *yaml.Node, m protoreflect.Map, field protoreflect.FieldDescriptor, at *fault.Place) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, at, "%s must be names with their values, as in name: value", at.Label())
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := protoreflect.ValueOfString(key.Value).MapKey()
		at := at.Key(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode, m.Has(name): // refused elsewhere
		case isNull(value):
			d.fault(key, at, "%s has no value: give it one, \"\" for an empty text, or remove it", fault.Quoted(key.Value))
		case field.MapValue().Message() != nil:
			d.message(value, m.Mutable(name).Message(), at)
		default:
			if v, ok := d.scalar(value, field.MapValue(), at); ok {
				m.Set(name, v)
			}
		}
	}
}

// scalar reads a value of a field and reports its faults.
func (d *decoder) scalar(n *yaml.Node, field protoreflect.FieldDescriptor, at *fault.Place) (v protoreflect.Value, ok bool) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, at, "%s must be one value, not a list or fields", at.Label())
		return v, false
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return d.boolean(n, at)
	case protoreflect.Int32Kind:
		return d.number(n, at)
	case protoreflect.DoubleKind:
		return d.fraction(n, at)
	case protoreflect.EnumKind:
		return d.enum(n, field, at)
	default:
		return protoreflect.ValueOfString(n.Value), true
	}
}

func (d *decoder) boolean(n *yaml.Node, at *fault.Place) (v protoreflect.Value, ok bool) {
	if n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
		d.fault(n, at, "%s must be true or false, without quotes", at.Label())
		return v, false
	}
	return protoreflect.ValueOfBool(n.Value == "true"), true
}

// number reads a whole number, quoted or not: API Gateway's exports quote status codes.
func (d *decoder) number(n *yaml.Node, at *fault.Place) (v protoreflect.Value, ok bool) {
	i, err := strconv.ParseInt(n.Value, 10, 32)
	if err != nil || strings.HasPrefix(n.Value, "+") {
		d.fault(n, at, "%s must be a whole number", at.Label())
		return v, false
	}
	return protoreflect.ValueOfInt32(int32(i)), true
}

// fraction reads a number such as 0.25, without a sign or an exponent.
func (d *decoder) fraction(n *yaml.Node, at *fault.Place) (v protoreflect.Value, ok bool) {
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || strings.Trim(n.Value, "0123456789.") != "" {
		d.fault(n, at, "%s must be a number such as 0.25", at.Label())
		return v, false
	}
	return protoreflect.ValueOfFloat64(f), true
}

func (d *decoder) enum(n *yaml.Node, field protoreflect.FieldDescriptor, at *fault.Place) (v protoreflect.Value, ok bool) {
	values := field.Enum().Values()
	value := values.ByName(protoreflect.Name(n.Value))
	if value == nil || value.Number() == 0 {
		names := valuesOf(field)
		d.fault(n, at, "%s must not be %s: %s", at.Label(), fault.Quoted(n.Value), instead(d.suggest(n.Value, names), names))
		return v, false
	}
	return protoreflect.ValueOfEnum(value.Number()), true
}

// valuesOf returns the values that a field of an enum may have.
func valuesOf(field protoreflect.FieldDescriptor) []string {
	var names []string
	for i := range field.Enum().Values().Len() {
		if value := field.Enum().Values().Get(i); value.Number() != 0 {
			names = append(names, string(value.Name()))
		}
	}
	return names
}
