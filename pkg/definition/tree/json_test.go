package tree

import (
	"fmt"
	"strings"
	"testing"
)

// JSON has escapes that yaml/v3 does not know, and tabs wherever blanks may stand.
func TestParseJSON(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a slash", `{"uri": "arn:aws:apigateway:x:lambda:path\/2015-03-31\/functions"}`, `{uri: "arn:aws:apigateway:x:lambda:path/2015-03-31/functions"}`},
		{"a surrogate pair", `{"title": "\ud83d\ude00 \u00e9"}`, `{title: "😀 é"}`},
		{"tabs", "{\n\t\"a\":\t[\n\t\t1,\t2\n\t]\n}", `{a: [1, 2]}`},
		{"numbers as written", `[012345678901, 1e3]`, `[012345678901, 1e3]`},
		{"kinds", `{"a": [1.50, true, false, null, "yes", "<<", {}]}`, `{a: [1.50, true, false, null, "yes", "<<", {}]}`},
		{"a merge key is a key", `{"<<": {"a": 1}}`, `{<<: {a: 1}}`},
		{"a byte order mark", "\ufeff{\"a\": 1}", `{a: 1}`},
	} {
		n, faults := Parse("t.json", []byte(test.text))
		if len(faults) > 0 {
			t.Errorf("%s: %v", test.name, faults)
		} else if got := show(n); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	for _, test := range []struct{ name, text, want string }{
		{"a duplicate key", "{\n  \"a\": 1,\n  \"a\\u0062\": 2,\n  \"ab\": 3}", `t.json:4:3: "ab" is given twice: keep one`},
		{"half of a surrogate pair", "{\n\"a\": \"\\ud83d\"}", "t.json:2:7: "},
		{"a character that turns text round", "{\"a\": \"\u202e\"}", "t.json:1:8: U+202E"},
		{"a comma at the end, and a fault", "{\"a\": 1, \"a\": 2,}", `t.json:1:10: "a" is given twice`},
	} {
		n, faults := Parse("t.json", []byte(test.text))
		if n != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want %s", test.name, show(n), faults, test.want)
		}
	}
}

func TestPositionsInJSON(t *testing.T) {
	n, faults := Parse("t.json", []byte("{\n\t\"é\": {\"a\\/b\": [1,\n   \"x\"]}\n}"))
	if n == nil {
		t.Fatal(faults)
	}
	list := n.Way("é", "a/b")
	for got, want := range map[string]string{
		n.At.String(): "t.json:1:1", n.Pair("é").At.String(): "t.json:2:2", n.Get("é").Pair("a/b").At.String(): "t.json:2:8",
		list.At.String(): "t.json:2:16", list.Items[1].At.String(): "t.json:3:4",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A file that is too large is refused before it is parsed: what follows would be a fault of its own.
func TestSizes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		size       int
		want       string
	}{
		{"a template", "Resources: {}\n#", 1<<20 + 1, "a template has at most 1 MB"},
		{"a template with an API in it", "Resources:\n  A: {Properties: {Body: {openapi: 3.0.1}}}\n  B:\n    openapi: 3.0.1\n#", 1<<20 + 1, "a template has at most 1 MB"},
		{"a template in JSON", `{"Resources": {"openapi": "3.0.1"}, "x": ["swagger", ":"], "y": "\"openapi\":", "z": "`, 1<<20 + 1, "a template has at most 1 MB"},
		{"OpenAPI", "openapi: 3.0.1\n]", 1<<20 + 1, "not YAML"},
		{"Swagger in JSON", `{"info": {}, "swagger" : "2.0", ]`, 1<<20 + 1, "not YAML"},
		{"OpenAPI that is too large", "openapi: 3.0.1\n]", 6<<20 + 1, "at most 6 MB"},
		{"a template that is not too large", "Resources: {}\n]", 1 << 20, "not YAML"},
	} {
		n, faults := Parse("t.yaml", []byte(test.text+strings.Repeat(" ", test.size-len(test.text))))
		if n != nil || !strings.Contains(faults.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, faults, test.want)
		}
	}
}

// Merge keys copy pairs, and not without end.
func TestMergesAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("a: &a {")
	for i := range 3000 {
		fmt.Fprintf(&text, "k%d: 1, ", i)
	}
	text.WriteString("}\n")
	for i := range 3000 {
		fmt.Fprintf(&text, "b%d: {<<: [*a, *a]}\n", i)
	}
	n, faults := Parse("t.yaml", []byte(text.String()))
	if n != nil || !strings.Contains(faults.Error(), "copy more than 2000000 values") {
		t.Errorf("got %.200v", faults.Error())
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"a: &x {b: !Ref c}\nd: {<<: *x}", `{"a": ["\ud83d\ude00", 1e3, null]}`, "a: !GetAtt [b, c]", "- *x", "? {a: b}\n: c", "a: !!binary x", "\t{}", "a: !If\n- x\n- y", "a: {<<: [*b]}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, faults := Parse("t.yaml", data)
		if (n == nil) != faults.Fatal() {
			t.Fatalf("value %s, faults %v", show(n), faults)
		}
		lines := strings.Count(string(data), "\n") + 1
		for v := range n.All() {
			if v.At.Line < 1 || v.At.Line > lines+1 || v.At.Column < 1 {
				t.Fatalf("a value at %s of %d lines", v.At, lines)
			}
		}
	})
}
