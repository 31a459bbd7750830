package policy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	yaml "go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/portcullis-authz/portcullis/pkg/policy/internal/document"
)

// printJSON writes a document as it was read, in another layout: no value and no order may get lost in reading.
func printJSON(n *document.Node) []byte {
	switch n.Kind {
	case document.Text:
		b, err := json.Marshal(n.Text)
		if err != nil {
			panic(err)
		}
		return b
	case document.List:
		b := []byte("[\n\t")
		for i, e := range n.List {
			if i > 0 {
				b = append(b, " ,\n"...)
			}
			b = append(b, printJSON(e)...)
		}
		return append(b, " ]"...)
	case document.Object:
		b := []byte("{ ")
		for i, m := range n.Members {
			if i > 0 {
				b = append(b, ",\r\n"...)
			}
			name, err := json.Marshal(m.Name)
			if err != nil {
				panic(err)
			}
			b = append(append(append(b, name...), " : "...), printJSON(m.Value)...)
		}
		return append(b, "\n}"...)
	case document.Null:
		return []byte("null")
	default:
		return []byte(n.Text)
	}
}

// printYAML writes a document as YAML in block style.
func printYAML(t rapid.TB, n *document.Node) []byte {
	var y func(n *document.Node) *yaml.Node
	y = func(n *document.Node) *yaml.Node {
		switch n.Kind {
		case document.Text:
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.Text, Style: yaml.DoubleQuotedStyle}
		case document.List:
			out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
			for _, e := range n.List {
				out.Content = append(out.Content, y(e))
			}
			return out
		case document.Object:
			out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			for _, m := range n.Members {
				key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m.Name, Style: yaml.DoubleQuotedStyle}
				out.Content = append(out.Content, key, y(m.Value))
			}
			return out
		case document.Null:
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		default:
			return &yaml.Node{Kind: yaml.ScalarNode, Value: n.Text}
		}
	}
	b, err := yaml.Marshal(y(n))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameTree compares what was read, wherever it stood.
var sameTree = cmp.Options{
	cmp.AllowUnexported(document.Node{}, document.Member{}),
	cmpopts.IgnoreFields(document.Node{}, "Start", "End", "plain"),
	cmpopts.IgnoreFields(document.Member{}, "At"),
}

// checkPrinted holds that a document that is printed and read again is the same document, in either notation.
func checkPrinted(t rapid.TB, written []byte) {
	noFault := func(at Position, message string) {
		t.Fatalf("%s\n%d:%d: %s", written, at.Line, at.Column, message)
	}
	limits := newReader(Options{}).limits
	first, err := document.JSON(string(written), limits, noFault)
	if err != nil {
		t.Fatal(err)
	}
	again, err := document.JSON(string(printJSON(first)), limits, noFault)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again, sameTree); diff != "" {
		t.Fatalf("JSON (-read +printed and read):\n%s", diff)
	}
	text := printYAML(t, first)
	again, err = document.YAML(text, limits, noFault)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(first, again, sameTree); diff != "" {
		t.Fatalf("YAML (-read +printed and read):\n%s", diff)
	}
}

func TestParsePrintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		document, err := json.Marshal(map[string]any{
			"Version":   rapid.SampledFrom([]string{"2008-10-17", "2012-10-17"}).Draw(t, "version"),
			"Id":        rapid.String().Draw(t, "id"),
			"Statement": []any{drawStatement(t, Resource), drawStatement(t, Identity)},
		})
		if err != nil {
			t.Fatal(err)
		}
		checkPrinted(t, document)
	})
	checkPrinted(t, []byte(`{"a": [null, true, false, 1, -1.50, 1e+11, 111122223333, "", "\u0000\ud83d\ude00\u2028 \\ \"", "null", "1", "yes", []], "": {}}`))
}
