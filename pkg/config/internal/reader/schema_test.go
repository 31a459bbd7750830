package reader

import (
	"fmt"
	"slices"
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

// Every secret of config.proto stands in a field that is one of secrets, or in an access key file, of which nothing is quoted.
func TestEverySecretIsKnown(t *testing.T) {
	messages := configv1.File_portcullis_config_v1_config_proto.Messages()
	found := 0
	for i := range messages.Len() {
		for j := range messages.Get(i).Fields().Len() {
			field := messages.Get(i).Fields().Get(j)
			of := field.Message()
			if field.IsMap() {
				of = field.MapValue().Message()
			}
			if of == nil || of.Name() != "Secret" || messages.Get(i).Name() == "AccessKey" {
				continue
			}
			found++
			if !slices.Contains(secrets, field.JSONName()) {
				t.Errorf("%s: not one of secrets", field.FullName())
			}
		}
	}
	if found != 7 {
		t.Errorf("%d fields with secrets, want 7: headers twice, password, sentinelPassword, key, value and secret", found)
	}
}

// faultOf returns the fault about a field that a message does not have.
func faultOf(t *testing.T, m protoreflect.MessageDescriptor, field string) string {
	t.Helper()
	message, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName())
	if err != nil {
		t.Fatal(err)
	}
	r := fault.NewReport()
	doc := source.Parse(source.File{Name: "f", Data: []byte(fmt.Sprintf("{%s: x}", field)), Schema: Schema}, r)
	doc.Decode(message.New().Interface(), r)
	return r.Result([]string{"f"}).Error()
}
