package canon

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
		got, err := ParsePath(tt.target)
		if err != nil || got.Text != tt.want {
			t.Errorf("canonicalPath(%q) = %q, %v; want %q", tt.target, got.Text, err, tt.want)
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
		got, err := ParsePath(tt.target)
		if !errors.Is(err, tt.want) || got.Text != "" {
			t.Errorf("canonicalPath(%q) = %q, %v; want %v", tt.target, got.Text, err, tt.want)
		}
	}
}

func TestCanonicalPathNotes(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   Path
	}{
		{"/a/b/", Path{Text: "/a/b/", Plain: true}},
		{"//a", Path{Text: "/a"}},
		{"/a//", Path{Text: "/a//"}},
		{"/a//b", Path{Text: "/a//b", Doubled: true}},
		{"/a%2Fb", Path{Text: "/a%2Fb", SlashInSegment: true}},
		{"/a%252Fb", Path{Text: "/a%252Fb", EncodedTwice: true}},
		{"/a;b", Path{Text: "/a;b", Semicolon: true}},
		{"/a%3bb", Path{Text: "/a;b", Semicolon: true}},
		{"/a%3Fb", Path{Text: "/a?b", Delimiter: true, Pattern: true}},
		{"/a%23b?c", Path{Text: "/a#b", Delimiter: true}},
		{"/a%253fb", Path{Text: "/a%253fb", Delimiter: true, EncodedTwice: true, Pattern: true}},
		{"/a*b", Path{Text: "/a*b", Pattern: true}},
		{"/a%2Ab", Path{Text: "/a*b", Pattern: true}},
		{"/a%252ab", Path{Text: "/a%252ab", EncodedTwice: true, Pattern: true}},
		{"/a${b", Path{Text: "/a${b", Pattern: true}},
		{"/a$%7Bb", Path{Text: "/a${b", Pattern: true}},
		{"/a%24{b", Path{Text: "/a${b", Pattern: true}},
		{"/a%2524%257bb", Path{Text: "/a%2524%257bb", EncodedTwice: true, Pattern: true}},
		{"/a$b{", Path{Text: "/a$b{"}},
		{"/a%253bb", Path{Text: "/a%253bb", Semicolon: true, EncodedTwice: true}},
	} {
		got, err := ParsePath(tt.target)
		if err != nil || got != tt.want {
			t.Errorf("canonicalPath(%q) = %+v, %v; want %+v", tt.target, got, err, tt.want)
		}
	}
}

func TestCanonicalPathOfPlainPathsDoesNotAllocate(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := ParsePath("/v1/pets/a1b2-c3_d4~e5/photos/?page=2"); err != nil {
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
			if IsHex(s[1]) && IsHex(s[2]) {
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
		got, err := ParsePath(target)
		if err != nil {
			if got != (Path{}) {
				t.Fatalf("canonicalPath(%q) refuses and returns %+v", target, got)
			}
			return
		}
		if !strings.HasPrefix(got.Text, "/") || strings.HasPrefix(got.Text, "//") {
			t.Fatalf("canonicalPath(%q) = %q begins otherwise than with one slash", target, got.Text)
		}
		raw, _, _ := strings.Cut(target, "?")
		if meant, want := decodeOnce(got.Text), decodeOnce("/"+strings.TrimLeft(raw, "/")); meant != want {
			t.Fatalf("canonicalPath(%q) = %q means %q, not %q", target, got.Text, meant, want)
		}
		form := got.Text
		for range 3 {
			if strings.ContainsFunc(form, unicode.IsControl) || strings.Contains(form, `\`) {
				t.Fatalf("canonicalPath(%q) = %q holds a control character or backslash as %q", target, got.Text, form)
			}
			for segment := range strings.SplitSeq(form, "/") {
				if segment == "." || segment == ".." {
					t.Fatalf("canonicalPath(%q) = %q holds a dot segment as %q", target, got.Text, form)
				}
			}
			form = decodeOnce(form)
		}
		// What was decoded to a question mark or number sign is no delimiter the second time either.
		again, err := ParsePath(strings.NewReplacer("?", "%3F", "#", "%23").Replace(got.Text))
		if err != nil || again.Text != got.Text {
			t.Fatalf("canonicalPath(%q) = %q, and of that %q, %v", target, got.Text, again.Text, err)
		}
	})
}

func TestMergeSlashes(t *testing.T) {
	for in, want := range map[string]string{"/": "/", "/a": "/a", "/a//b": "/a/b", "//a///b//": "/a/b/", "//": "/"} {
		if got := MergeSlashes(in); got != want {
			t.Errorf("mergeSlashes(%q) = %q, want %q", in, got, want)
		}
	}
}
