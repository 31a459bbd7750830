package config

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portcullis-authz/portcullis/pkg/config/source"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// What is offered instead of a name of AWS's is there: a message has the field, and offers it for the name.
func TestElsewhere(t *testing.T) {
	messages := configv1.File_portcullis_config_v1_config_proto.Messages()
	for name, ours := range elsewhere {
		offered := 0
		for i := range messages.Len() {
			m := messages.Get(i)
			if m.Fields().ByJSONName(ours) == nil || m.Fields().ByJSONName(name) != nil {
				continue
			}
			if !strings.HasSuffix(faultOf(t, m, name), "did you mean "+ours+"?") {
				t.Errorf("%s: %s does not offer %s", name, m.Name(), ours)
			}
			offered++
		}
		if offered == 0 {
			t.Errorf("%s: %s is never offered for it", name, ours)
		}
	}
}

// faultOf is what is said of a field that a message does not have.
func faultOf(t *testing.T, m protoreflect.MessageDescriptor, field string) string {
	t.Helper()
	message, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName())
	if err != nil {
		t.Fatal(err)
	}
	r := fault.NewReport()
	doc := source.Parse(source.File{Name: "f", Data: []byte(fmt.Sprintf("{%s: x}", field))}, r)
	doc.Decode(message.New().Interface(), &schema, r)
	return r.Result([]string{"f"}).Error()
}
