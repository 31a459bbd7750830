package answer

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMessageStringInItsFormat(t *testing.T) {
	quoted := `"a\"</script>'"`
	for f, want := range map[Format]string{
		JSON: quoted, Script: `"a\u0022\u003c/script\u003e\u0027"`, StyleSheet: `"a\000022\00003c\00002fscript\00003e\000027"`, Markup: `"a&#92;&#34;&lt;/script&gt;&#39;"`, Plain: quoted,
	} {
		if got := f.messageString(quoted); got != want {
			t.Errorf("%d: %s, want %s", f, got, want)
		}
		if got := f.messageString("null"); got != "null" {
			t.Errorf("%d: %s for null", f, got)
		}
	}
}

func FuzzEscapeJSON(f *testing.F) {
	for _, seed := range []string{"", `a"b\c`, "\x00\x1f\x7f", "é\u2028", "\xff", "</script>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal([]byte(`"`+escapeJSON(s)+`"`), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && strings.ToValidUTF8(s, "") == s {
			t.Errorf("escapeJSON(%q) means %q, %v", s, got, err)
		}
	})
}
