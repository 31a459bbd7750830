package config

import (
	"errors"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// checkRules reports where a configuration breaks the rules that stand in config.proto.
func checkRules(c *configv1.Config, root *yaml.Node, file string, r *report) {
	err := protovalidate.Validate(c)
	if err == nil {
		return
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok { // a rule in config.proto that cannot be evaluated
		r.add(Fault{File: file, Message: "cannot be checked: " + err.Error()})
		return
	}
	for _, v := range broken.Violations {
		at := rulePath(c.ProtoReflect().Descriptor(), v.Proto.GetField().GetElements())
		if r.follows(at.String()) {
			continue
		}
		r.mark(at.String())
		n := find(root, at.String())
		if v.Proto.GetForKey() {
			n = keyOf(find(root, at.up.String()), n)
		}
		r.add(faultAt(file, n, r.withoutSecrets(at, at.label()+": "+v.Proto.GetMessage())))
	}
}

// rulePath is a violation's place in the terms of portcullis.yaml.
func rulePath(m protoreflect.MessageDescriptor, elements []*validate.FieldPathElement) *path {
	var at *path
	for _, e := range elements {
		field := m.Fields().ByNumber(protoreflect.FieldNumber(e.GetFieldNumber()))
		at = at.field(field.JSONName())
		switch {
		case e.HasIndex():
			at = at.item(int(e.GetIndex())) //nolint:gosec // the index of an item that is in memory
		case e.HasStringKey():
			at = at.key(e.GetStringKey())
		}
		if m = field.Message(); field.IsMap() {
			m = field.MapValue().Message()
		}
	}
	return at
}
