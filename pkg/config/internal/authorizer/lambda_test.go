package authorizer

import (
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/gateway"
)

// Replicas share answers by what their functions are told, wherever it stands in their files.
func TestAnswersDoNotDependOnPlaces(t *testing.T) {
	api := &gateway.API{Stages: []gateway.Stage{{At: fault.Root(nil), Name: "prod", Variables: map[string]string{"a": "b"}}}}
	if got, want := stageVariables(api), `[{"Name":"prod","Domains":null,"Variables":{"a":"b"}}]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
