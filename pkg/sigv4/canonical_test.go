package sigv4

import (
	"bytes"
	"strings"
	"testing"
)

func TestCanonicalURI(t *testing.T) {
	for path, want := range map[string]string{
		"": "/", "/": "/", "//": "/", "/.": "/", "/..": "/", "/../..": "/", "/a": "/a", "/a/": "/a/", "//a//b//": "/a/b/",
		"/a/./b": "/a/b", "/a/../b": "/b", "/a/b/..": "/a/", "/a/b/.": "/a/b/", "/../a": "/a", "/a/..b/...": "/a/..b/...",
		"/path/%C3%A4": "/path/%25C3%25A4", "/$default/%40connections/P-S_9e-7liACH9A%3D": "/%24default/%2540connections/P-S_9e-7liACH9A%253D",
		"/dev/mypath%2Fnext": "/dev/mypath%252Fnext", "/a%2e%2e/b": "/a%252e%252e/b", "/a b(c)~_-.": "/a%20b%28c%29~_-.", "/ä": "/%C3%A4",
	} {
		if got := string(appendNormalized([]byte("x/y"), path)); got != "x/y"+want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestCanonicalHeaderValue(t *testing.T) {
	for _, test := range []struct{ value, collapsed, tabs string }{
		{"", "", ""}, {" \t ", "", ""}, {"a", "a", "a"}, {"  a   b ", "a b", "a b"}, {`"a   b"`, `"a b"`, `"a b"`},
		{"a\tb", "a b", "a\tb"}, {"\ta \t b\t", "a b", "a \t b"}, {"a\r\n  b", "a b", "a b"}, {"a\nhost:x", "a host:x", "a host:x"},
	} {
		if got := string(appendCollapsed([]byte("x "), test.value, false)); got != "x "+test.collapsed {
			t.Errorf("%q: %q", test.value, got)
		}
		if got := string(appendCollapsed([]byte("x "), test.value, true)); got != "x "+test.tabs {
			t.Errorf("%q with tabs: %q", test.value, got)
		}
	}
}

func canonicalQuery(query string, plusLiteral bool) string {
	s := &state{config: &Config{PlusLiteral: plusLiteral}, request: &Request{Target: "/?" + query}}
	if err := s.readQuery(); err != nil {
		return err.Error()
	}
	return string(s.appendQuery(nil, 0))
}

func TestCanonicalQuery(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"", ""}, {"&&", ""}, {"flag", "flag="}, {"=", "="}, {"a=b=c", "a=b%3Dc"}, {"b=1&a=2", "a=2&b=1"}, {"t=2&t=1&t=10", "t=1&t=10&t=2"},
		{"b&B", "B=&b="}, {"a-=1&a=2", "a=2&a-=1"}, {"q=%2f&q=/", "q=%2F&q=%2F"}, {"q=a+b", "q=a%20b"}, {"q=%7euser%41", "q=~userA"},
		{"q=%zz&q=%", "q=%25&q=%25zz"}, {"q=;", "q=%3B"}, {"?a=1", "%3Fa=1"}, {"ä=1", "%C3%A4=1"},
	} {
		if got := canonicalQuery(test.query, false); got != test.want {
			t.Errorf("%s: %s, want %s", test.query, got, test.want)
		}
	}
	if got := canonicalQuery("q=a+b%20", true); got != "q=a%2Bb%20" {
		t.Errorf("literal plus: %s", got)
	}
}

func TestRegionSet(t *testing.T) {
	for _, test := range []struct {
		set, region string
		want        bool
	}{
		{"eu-west-1", "eu-west-1", true}, {"*", "eu-west-1", true}, {"eu-*", "eu-west-1", true}, {"us-east-1, eu-west-1", "eu-west-1", true},
		{"*-west-*", "eu-west-1", true}, {"e**1", "eu-west-1", true}, {"*1*1", "eu-west-1", false}, {"", "eu-west-1", false},
		{"eu-west-", "eu-west-1", false}, {"eu-west-11", "eu-west-1", false}, {"EU-WEST-1", "eu-west-1", false}, {"us-*,,ap-*", "eu-west-1", false},
		{"eu-west-?", "eu-west-1", false}, {strings.Repeat("*a", 20_000), strings.Repeat("a", 60), false},
	} {
		if got := matchesRegionSet(test.set, test.region); got != test.want {
			t.Errorf("%.40s, %s: %t", test.set, test.region, got)
		}
	}
}

func TestParseDate(t *testing.T) {
	for text, want := range map[string]bool{
		"20261123T120000Z": true, "20240229T235959Z": true, "20260229T120000Z": false, "20261323T120000Z": false, "20261100T120000Z": false,
		"20261123T240000Z": false, "20261123T126000Z": false, "20261123T120060Z": false, "20261123T120000z": false, "20261123 120000Z": false,
		"2026112 T120000Z": false, "+2026112T120000Z": false, "20261123T120000ZZ": false, "": false, "Mon, 23 Nov 2026": false,
	} {
		if got, ok := parseDate(text); ok != want || ok && got.Format(dateLayout) != text {
			t.Errorf("%s: %s, %t", text, got, ok)
		}
	}
}

func FuzzCanonicalQuery(f *testing.F) {
	for _, seed := range []string{"", "b=1&a=2&a", "q=%2f+%zz&&=", "%3B;é=ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.Count(query, "&") >= maxPairs || len(query) > maxTarget-2 || !isEscaped(query) {
			return
		}
		if got, want := canonicalQuery(query, false), naiveQuery(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
		for _, plusLiteral := range []bool{false, true} {
			reencoded := string(appendReencoded(nil, query, plusLiteral))
			if got := string(appendEscaped(nil, decode(query, plusLiteral), false)); got != reencoded {
				t.Errorf("%q: decoded as %q, signed as %q", query, got, reencoded)
			}
		}
		// Converting twice does not change the canonical form, for both meanings of a plus.
		once := canonicalQuery(query, true)
		if twice := canonicalQuery(once, false); twice != once {
			t.Errorf("%q: %q, then %q", query, once, twice)
		}
	})
}

// isEscaped tells a text whose every percent sign begins an escape; net/url reads nothing else.
func isEscaped(text string) bool {
	for i := range len(text) {
		if _, ok := unescape(text[i:]); text[i] == '%' && !ok {
			return false
		}
	}
	return true
}

func FuzzCollapse(f *testing.F) {
	f.Add("  a \t b\n")
	f.Fuzz(func(t *testing.T, value string) {
		want := strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }), " ")
		if got := string(appendCollapsed(nil, value, false)); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		if got := appendCollapsed(nil, value, true); bytes.ContainsAny(got, "\n\r\v\f") || bytes.Contains(got, []byte("  ")) {
			t.Errorf("%q with tabs: %q", value, got)
		}
	})
}
