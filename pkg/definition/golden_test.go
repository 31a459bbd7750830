package definition_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portcullis-authz/portcullis/pkg/definition"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

var update = flag.Bool("update", false, "write the golden files")

// TestDefinitions reads each definition of testdata, in the manner of OpenAPI exports and of templates that people write and tools make.
// A golden file beside it has its routes and notes. Its first line may give values: "# values: KEY=VALUE | KEY=VALUE".
func TestDefinitions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, file := range files {
		if filepath.Ext(file) == ".golden" {
			continue
		}
		ran++
		t.Run(filepath.Base(file), func(t *testing.T) { compare(t, file+".golden", describe(t, file)) })
	}
	if ran < 30 {
		t.Errorf("%d definitions ran, want at least 30", ran)
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// spec returns the Spec for a definition of testdata.
func spec(t *testing.T, file string) definition.Spec {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	if first, _, _ := strings.Cut(string(data), "\n"); strings.HasPrefix(first, "# values: ") {
		for pair := range strings.SplitSeq(strings.TrimPrefix(first, "# values: "), " | ") {
			key, value, _ := strings.Cut(pair, "=")
			values[key] = value
		}
	}
	return definition.Spec{
		File: file, Values: values, Folder: "testdata", ID: "a1b2c3d4e5", Account: "111122223333", Region: "eu-west-1",
		Read: func(name string, _ int64) ([]byte, error) {
			data, err := os.ReadFile(name)
			if err != nil {
				return nil, os.ErrNotExist
			}
			return data, nil
		},
	}
}

// describe writes the routes, the stages, the notes and the faults of a definition, a line each.
func describe(t *testing.T, file string) string {
	t.Helper()
	var out strings.Builder
	d, faults := definition.Load(spec(t, file))
	if d != nil {
		fmt.Fprintf(&out, "%s %s\n", d.Format, text(d.Node.Get("kind")))
		if routes := d.Node.Get("routes"); routes != nil {
			for _, route := range routes.Items {
				fmt.Fprintf(&out, "  %-28s %s  (line %d)\n", text(route.Get("route")), guard(route), route.At.Line)
			}
		}
		for _, n := range d.Notes {
			fmt.Fprintf(&out, "%d: %s: %s: %s\n", n.At.Line, n.Verdict, n.What, n.Message)
		}
		for key, meant := range d.Unasked {
			fmt.Fprintf(&out, "not asked for: %s (%s)\n", key, meant)
		}
	}
	for _, f := range faults {
		fmt.Fprintf(&out, "%d: fault: %s\n", f.Line, f.Message)
	}
	return out.String()
}

// guard returns the guard of a route as text.
func guard(route *tree.Node) string {
	var says []string
	for _, key := range []string{"authorization", "authorizer", "scopes", "apiKeyRequired", "unresolved"} {
		switch n := route.Get(key); {
		case n == nil:
		case key == "unresolved":
			says = append(says, "REFUSES")
		default:
			says = append(says, key+" "+text(n))
		}
	}
	return strings.Join(says, ", ")
}

func text(n *tree.Node) string {
	if n.Is(tree.List) {
		var texts []string
		for _, item := range n.Items {
			texts = append(texts, text(item))
		}
		return "[" + strings.Join(texts, " ") + "]"
	}
	text, _ := n.Scalar()
	return text
}
