package envoyconf

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// FuzzQuote reads back what was quoted, wherever it stands, and finds no second line in a comment.
func FuzzQuote(f *testing.F) {
	for _, text := range []string{"", "pets", "1234567890", "1e3", "0x1F", "true", "On", "null", "~", "a: b", "a #b", "#", "*", "{petId}", "a\nb", "\"", "'", "\\", "é", "\u2028", "-", "[a]", "127.0.0.1", "1.2.3.4.5", "::1", "/run/x.sock", "$default", ".inf", "=", "<<", "n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		var got struct {
			A any   `yaml:"a"`
			B []any `yaml:"b"`
		}
		q := quote(text)
		if err := yaml.Unmarshal([]byte("a: "+q+"\nb: ["+q+", {c: "+q+"}]\n"), &got); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if got.A != any(text) || got.B[0] != any(text) {
			t.Errorf("%q is read as %#v", q, got)
		}
		if c := comment(text); strings.ContainsAny(c, "\n\r\u0085\u2028\u2029") {
			t.Errorf("a comment holds a line break: %q", c)
		}
	})
}
