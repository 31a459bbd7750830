package source

import (
	"errors"
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portcullis-authz/portcullis/pkg/fault"
)

// Check reports where a decoded message breaks the rules of its .proto file, unless another fault causes that.
func (d *Document) Check(m proto.Message, r *fault.Report) {
	err := protovalidate.Validate(m)
	if err == nil {
		return
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok { // a rule could not be evaluated
		r.Add(fault.Fault{File: d.file, Message: "cannot be checked: " + err.Error()})
		return
	}
	for _, v := range broken.Violations {
		at := d.rulePlace(m.ProtoReflect().Descriptor(), v.Proto.GetField().GetElements())
		if r.Follows(at) {
			continue
		}
		r.Mark(at)
		message := fmt.Sprintf("%s: %s", at.Label(), v.Proto.GetMessage())
		if v.Proto.GetForKey() {
			at = at.Name()
		}
		r.Add(fault.Fault{At: at, Message: message})
	}
}

// rulePlace returns the Place of a violation from its field path.
func (d *Document) rulePlace(m protoreflect.MessageDescriptor, elements []*validate.FieldPathElement) *fault.Place {
	at := d.Root()
	for _, e := range elements {
		field := m.Fields().ByNumber(protoreflect.FieldNumber(e.GetFieldNumber()))
		at = at.Field(field.JSONName())
		switch {
		case e.HasIndex():
			at = at.Item(int(e.GetIndex())) //nolint:gosec // the index of an item that is in memory
		case e.HasStringKey():
			at = at.Key(e.GetStringKey())
		}
		if m = field.Message(); field.IsMap() {
			m = field.MapValue().Message()
		}
	}
	return at
}
