package template

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A template with loops is the same as one without.
func TestLoopsAndTheirExpansion(t *testing.T) {
	defaults := regexp.MustCompile(`\^[A-Za-z]+`)
	read := func(name string) map[string]string {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		made, faults, _ := resolve(t, string(text), inputs())
		if made == nil {
			t.Fatal(faults)
		}
		all := map[string]string{}
		for _, p := range made.Resources.Pairs {
			all[p.Key] = defaults.ReplaceAllString(show(p.Value), "")
		}
		for name, output := range made.Outputs {
			all["output "+name] = defaults.ReplaceAllString(show(output), "")
		}
		return all
	}
	loops, expanded := read("loops.yaml"), read("expanded.yaml")
	if diff := cmp.Diff(expanded, loops); diff != "" || len(loops) != 9 {
		t.Errorf("%d values: %s", len(loops), diff)
	}
}
