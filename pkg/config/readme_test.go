package config

import (
	"os"
	"strings"
	"testing"
)

// The example that is tested is the one that the README shows.
func TestREADMEExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/move_an_api.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "-- portcullis.yaml --\n")
	example, _, _ = strings.Cut(example, "-- pets.policy.json --\n")
	if example == "" || !strings.Contains(string(readme), "```yaml\n# portcullis.yaml\n"+example+"```\n") {
		t.Errorf("README.md does not show\n%s", example)
	}
}
