package sam

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/definition/portability"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

// FuzzTransform checks that every template is either made into one without resources of SAM that have to do with APIs, or refused with
// positions.
func FuzzTransform(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d templates: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, faults := tree.Parse("template.yaml", data)
		if len(faults) > 0 {
			return
		}
		made, faults := Transform(root, nil, &portability.Report{})
		if made == nil && len(faults) == 0 {
			t.Fatal("neither a template nor faults")
		}
		for _, fault := range faults {
			if fault.Line == 0 {
				t.Errorf("a fault without a position: %v", fault)
			}
		}
		if made == nil {
			return
		}
		for _, r := range made.Get("Resources").Pairs {
			switch serverless(r.Value) {
			case "Api", "HttpApi", "Function", "StateMachine", "Application":
				t.Errorf("%s is left", r.Key)
			}
		}
	})
}
