package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// decoder fills a message of config.proto from YAML nodes. A google.protobuf.Value stays empty: what it stands for is read
// from its node, where numbers are as they were written.
type decoder struct {
	file   string
	report *report
}

// anyValue is the type of a field that is read from its node.
var anyValue = (*structpb.Value)(nil).ProtoReflect().Descriptor().FullName()

// decode reads the whole document.
func (d *decoder) decode(root *yaml.Node) *configv1.Config {
	c := &configv1.Config{}
	d.message(root, c.ProtoReflect(), nil)
	return c
}

// fault reports what is wrong at a node, and that there is something wrong at a path. An alias is refused already.
func (d *decoder) fault(n *yaml.Node, at *path, format string, args ...any) {
	if d.report.full() {
		d.report.more = true
		return
	}
	d.report.mark(at.String())
	if n.Kind == yaml.AliasNode {
		return
	}
	d.report.add(faultAt(d.file, n, d.report.withoutSecrets(at, fmt.Sprintf(format, args...))))
}

func (d *decoder) message(n *yaml.Node, m protoreflect.Message, at *path) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, at, "%s must be fields with their values, such as %s: …", at.label(), m.Descriptor().Fields().Get(0).JSONName())
		return
	}
	fields := m.Descriptor().Fields()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := fields.ByJSONName(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode: // refused as such
		case key.Tag == "!!merge": // refused as such, and may hold any field
			d.report.mark(at.String())
		case field == nil:
			d.unknownField(key, m.Descriptor(), at)
		case isNull(value):
			d.fault(key, at.field(key.Value), "%s has no value: give it one, or remove it", key.Value)
		case m.Has(field): // given twice, and refused as such
		default:
			d.field(value, m, field, at.field(key.Value))
		}
	}
}

// unknownField refuses a field that config.proto does not have.
func (d *decoder) unknownField(key *yaml.Node, m protoreflect.MessageDescriptor, at *path) {
	if d.report.full() {
		d.report.more = true
		return
	}
	if u := findUnsupported(m.Name(), key.Value, ""); u != nil {
		if u.covers != "" {
			d.report.mark(at.field(u.covers).String())
		}
		d.report.add(faultAt(d.file, key, u.refusal()))
		return
	}
	var names []string
	for i := range m.Fields().Len() {
		names = append(names, m.Fields().Get(i).JSONName())
	}
	meant := suggest(key.Value, names)
	if d.report.secrets || placeOfSecrets(at) || meant == "" && !isPlainName(key.Value) { // the name may be one
		if meant != "" {
			at = at.field(meant)
		}
		d.report.mark(at.String())
		d.report.add(faultAt(d.file, key, "unknown field: "+instead(meant, names)))
		return
	}
	if meant != "" {
		d.report.mark(at.field(meant).String())
	}
	d.report.add(faultAt(d.file, key, fmt.Sprintf("unknown field %s: %s", quoted(key.Value), instead(meant, names))))
}

func (d *decoder) field(n *yaml.Node, m protoreflect.Message, field protoreflect.FieldDescriptor, at *path) {
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

func (d *decoder) list(n *yaml.Node, l protoreflect.List, field protoreflect.FieldDescriptor, at *path) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, at, "%s must be a list: write - before each item, or [ ] around them", at.label())
		return
	}
	for i, item := range n.Content {
		at := at.item(i)
		if isNull(item) {
			d.fault(item, at, "%s has no value: give it one, or remove it", at.label())
		}
		// A faulty item stays in the list, so that those after it keep their places.
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

func (d *decoder) mapping(n *yaml.Node, m protoreflect.Map, field protoreflect.FieldDescriptor, at *path) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, at, "%s must be names with their values, as in name: value", at.label())
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := protoreflect.ValueOfString(key.Value).MapKey()
		at := at.key(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode, m.Has(name): // refused as such
		case isNull(value):
			d.fault(key, at, "%s has no value: give it one, \"\" for an empty text, or remove it", quoted(key.Value))
		case field.MapValue().Message() != nil:
			d.message(value, m.Mutable(name).Message(), at)
		default:
			if v, ok := d.scalar(value, field.MapValue(), at); ok {
				m.Set(name, v)
			}
		}
	}
}

// scalar reads a value of a field; it reports what is wrong with it.
func (d *decoder) scalar(n *yaml.Node, field protoreflect.FieldDescriptor, at *path) (v protoreflect.Value, ok bool) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, at, "%s must be one value, not a list or fields", at.label())
		return v, false
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return d.boolean(n, field, at)
	case protoreflect.Int32Kind:
		return d.number(n, at)
	case protoreflect.EnumKind:
		return d.enum(n, field, at)
	default:
		return protoreflect.ValueOfString(n.Value), true
	}
}

func (d *decoder) boolean(n *yaml.Node, field protoreflect.FieldDescriptor, at *path) (v protoreflect.Value, ok bool) {
	if n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
		d.fault(n, at, "%s must be true or false, without quotes", at.label())
		return v, false
	}
	if u := d.unsupportedValue(n, field); u != nil {
		d.fault(n, at, "%s", u.refusal())
		return v, false
	}
	return protoreflect.ValueOfBool(n.Value == "true"), true
}

// number reads a whole number, in quotes too: that is how API Gateway's exports write status codes.
func (d *decoder) number(n *yaml.Node, at *path) (v protoreflect.Value, ok bool) {
	i, err := strconv.ParseInt(n.Value, 10, 32)
	if err != nil || strings.HasPrefix(n.Value, "+") {
		d.fault(n, at, "%s must be a whole number", at.label())
		return v, false
	}
	return protoreflect.ValueOfInt32(int32(i)), true
}

func (d *decoder) enum(n *yaml.Node, field protoreflect.FieldDescriptor, at *path) (v protoreflect.Value, ok bool) {
	if u := d.unsupportedValue(n, field); u != nil {
		d.fault(n, at, "%s", u.refusal())
		return v, false
	}
	values := field.Enum().Values()
	value := values.ByName(protoreflect.Name(n.Value))
	if value == nil || value.Number() == 0 {
		names := supportedValues(field)
		d.fault(n, at, "%s must not be %s: %s", at.label(), quoted(n.Value), instead(suggest(n.Value, names), names))
		return v, false
	}
	return protoreflect.ValueOfEnum(value.Number()), true
}

func (d *decoder) unsupportedValue(n *yaml.Node, field protoreflect.FieldDescriptor) *unsupported {
	return findUnsupported(field.ContainingMessage().Name(), field.JSONName(), n.Value)
}

// supportedValues are the values of an enum that a field may have.
func supportedValues(field protoreflect.FieldDescriptor) []string {
	var names []string
	for i := range field.Enum().Values().Len() {
		value := field.Enum().Values().Get(i)
		name := string(value.Name())
		if value.Number() != 0 && findUnsupported(field.ContainingMessage().Name(), field.JSONName(), name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// isNull reports whether a node is null, or nothing at all.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
