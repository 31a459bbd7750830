package gateway

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestCanonicalPath(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"/", "/"},
		{"/pets", "/pets"},
		{"/pets/", "/pets/"},
		{"/pets?a=b", "/pets"},
		{"/open?/../admin", "/open"},
		{"/pets?#x", "/pets"},
		{"//pets", "/pets"},
		{"///", "/"},
		{"//", "/"},
		{"/a//b", "/a//b"},
		{"/test//", "/test//"},
		{"/a%2Fb", "/a%2Fb"},
		{"/a%2fb", "/a%2Fb"},
		{"/%2Fadmin", "/%2Fadmin"},
		{"/100%25", "/100%25"},
		{"/100%25/x", "/100%25/x"},
		{"/%70ets", "/pets"},
		{"/a%40b", "/a@b"},
		{"/a@b", "/a@b"},
		{"/caf%C3%A9", "/café"},
		{"/caf%c3%a9", "/café"},
		{"/café", "/café"},
		{"/a%20b", "/a b"},
		{"/a+b", "/a+b"},
		{"/%3F", "/?"},
		{"/%23general", "/#general"},
		{"/%2541", "/%2541"},
		{"/admin;x=1", "/admin;x=1"},
		{"/admin%3Bx", "/admin;x"},
		{"/.well-known/x", "/.well-known/x"},
		{"/...", "/..."},
		{"/a..b", "/a..b"},
		{"/%25252e", "/%25252e"},
	} {
		got, err := canonicalPath(tt.target)
		if err != nil || got.text != tt.want {
			t.Errorf("canonicalPath(%q) = %q, %v; want %q", tt.target, got.text, err, tt.want)
		}
	}
}

func TestCanonicalPathRefuses(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   error
	}{
		{"", errNoLeadingSlash},
		{"*", errNoLeadingSlash},
		{"?/x", errNoLeadingSlash},
		{"pets", errNoLeadingSlash},
		{"http://pets.example.com/pets", errNoLeadingSlash},
		{"%2Fpets", errNoLeadingSlash},
		{"/pets#/../admin", errFragment},
		{"/open#?x", errFragment},
		{"/a%", errEscape},
		{"/a%2", errEscape},
		{"/a%zz", errEscape},
		{"/a%2g/b", errEscape},
		{"/a%u002e", errEscape},
		{"/.", errDotSegment},
		{"/..", errDotSegment},
		{"/open/../admin", errDotSegment},
		{"/open/./admin", errDotSegment},
		{"/open/..", errDotSegment},
		{"/%2e%2e/admin", errDotSegment},
		{"/.%2E/admin", errDotSegment},
		{"/public/..%2Fadmin", errDotSegment},
		{"/public%2f..%2Fadmin", errDotSegment},
		{"/public/%2e%2e%2fadmin", errDotSegment},
		{"/%252e%252e/admin", errDotSegment},
		{"/public/..%252Fadmin", errDotSegment},
		{"/public/%25%32e%252e/x", errDotSegment},
		{"/public/..;/admin", errDotSegment},
		{"/public/..;jsessionid=1/admin", errDotSegment},
		{"/public/..%3B/admin", errDotSegment},
		{"/public/%252e.%253bx/admin", errDotSegment},
		{`/x\..\admin`, errBackslash},
		{`/a\b`, errBackslash},
		{"/x/..%5cadmin", errBackslash},
		{"/a%5Cb", errBackslash},
		{"/a%255Cb", errBackslash},
		{"/a%255cb", errBackslash},
		{"/a%00", errControl},
		{"/a%2500", errControl},
		{"/a%0d%0aX:y", errControl},
		{"/a%7F", errControl},
		{"/a%257f", errControl},
		{"/a\x00", errControl},
		{"/a\tb", errControl},
		{"/a%C2%85", errControl},
		{"/a%25C2%2585", errControl},
		{"/a%FF", errNotUTF8},
		{"/a\xff", errNotUTF8},
		{"/a%C0%AE%C0%AE/admin", errNotUTF8},
		{"/a%25C0%25AE/admin", errNotUTF8},
		{"/a%ED%A0%80", errNotUTF8},
	} {
		got, err := canonicalPath(tt.target)
		if !errors.Is(err, tt.want) || got.text != "" {
			t.Errorf("canonicalPath(%q) = %q, %v; want %v", tt.target, got.text, err, tt.want)
		}
	}
}

func TestCanonicalPathNotes(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   path
	}{
		{"/a/b/", path{text: "/a/b/", plain: true}},
		{"//a", path{text: "/a"}},
		{"/a//", path{text: "/a//"}},
		{"/a//b", path{text: "/a//b", doubled: true}},
		{"/a%2Fb", path{text: "/a%2Fb", slashInSegment: true}},
		{"/a%252Fb", path{text: "/a%252Fb", encodedTwice: true}},
		{"/a;b", path{text: "/a;b", semicolon: true}},
		{"/a%3bb", path{text: "/a;b", semicolon: true}},
		{"/a%3Fb", path{text: "/a?b", delimiter: true, pattern: true}},
		{"/a%23b?c", path{text: "/a#b", delimiter: true}},
		{"/a%253fb", path{text: "/a%253fb", delimiter: true, encodedTwice: true, pattern: true}},
		{"/a*b", path{text: "/a*b", pattern: true}},
		{"/a%2Ab", path{text: "/a*b", pattern: true}},
		{"/a%252ab", path{text: "/a%252ab", encodedTwice: true, pattern: true}},
		{"/a${b", path{text: "/a${b", pattern: true}},
		{"/a$%7Bb", path{text: "/a${b", pattern: true}},
		{"/a%24{b", path{text: "/a${b", pattern: true}},
		{"/a%2524%257bb", path{text: "/a%2524%257bb", encodedTwice: true, pattern: true}},
		{"/a$b{", path{text: "/a$b{"}},
		{"/a%253bb", path{text: "/a%253bb", semicolon: true, encodedTwice: true}},
	} {
		got, err := canonicalPath(tt.target)
		if err != nil || got != tt.want {
			t.Errorf("canonicalPath(%q) = %+v, %v; want %+v", tt.target, got, err, tt.want)
		}
	}
}

func TestCanonicalPathOfPlainPathsDoesNotAllocate(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := canonicalPath("/v1/pets/a1b2-c3_d4~e5/photos/?page=2"); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations, want none", allocations)
	}
}

// decodeOnce is a second, plain implementation of percent-decoding that leaves broken escapes alone.
func decodeOnce(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for s != "" {
		if len(s) >= 3 && s[0] == '%' {
			high := strings.IndexByte(digits, s[1]|0x20)
			low := strings.IndexByte(digits, s[2]|0x20)
			if isHex(s[1]) && isHex(s[2]) {
				b.WriteByte(byte(high<<4 | low))
				s = s[3:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/", "//a", "/a//b/", "/a%2Fb", "/%252e%252e/x", "/..%5cx", "/a%2541", "/caf%C3%A9", "/..;/x", "/%25%32%65", "/a%3F?b",
		"/a%25", "/%2%35", "/%25%2Fx", "/.%2e", "/\u0085", "/a%C0%AE",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, err := canonicalPath(target)
		if err != nil {
			if got != (path{}) {
				t.Fatalf("canonicalPath(%q) refuses and returns %+v", target, got)
			}
			return
		}
		if !strings.HasPrefix(got.text, "/") || strings.HasPrefix(got.text, "//") {
			t.Fatalf("canonicalPath(%q) = %q begins otherwise than with one slash", target, got.text)
		}
		raw, _, _ := strings.Cut(target, "?")
		if meant, want := decodeOnce(got.text), decodeOnce("/"+strings.TrimLeft(raw, "/")); meant != want {
			t.Fatalf("canonicalPath(%q) = %q means %q, not %q", target, got.text, meant, want)
		}
		form := got.text
		for range 3 {
			if strings.ContainsFunc(form, unicode.IsControl) || strings.Contains(form, `\`) {
				t.Fatalf("canonicalPath(%q) = %q holds a control character or backslash as %q", target, got.text, form)
			}
			for segment := range strings.SplitSeq(form, "/") {
				if segment == "." || segment == ".." {
					t.Fatalf("canonicalPath(%q) = %q holds a dot segment as %q", target, got.text, form)
				}
			}
			form = decodeOnce(form)
		}
		// What was decoded to a question mark or number sign is no delimiter the second time either.
		again, err := canonicalPath(strings.NewReplacer("?", "%3F", "#", "%23").Replace(got.text))
		if err != nil || again.text != got.text {
			t.Fatalf("canonicalPath(%q) = %q, and of that %q, %v", target, got.text, again.text, err)
		}
	})
}

func TestMergeSlashes(t *testing.T) {
	for in, want := range map[string]string{"/": "/", "/a": "/a", "/a//b": "/a/b", "//a///b//": "/a/b/", "//": "/"} {
		if got := mergeSlashes(in); got != want {
			t.Errorf("mergeSlashes(%q) = %q, want %q", in, got, want)
		}
	}
}
