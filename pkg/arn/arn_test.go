package arn

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]ARN{
		"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets": {"aws", "execute-api", "eu-west-1", "111122223333", "a1b2c3d4e5/prod/GET/pets"},
		"arn:aws:sns:us-east-1:111122223333:topic:sub:1":                      {"aws", "sns", "us-east-1", "111122223333", "topic:sub:1"},
		"arn:aws:s3:::bucket/key":                                             {"aws", "s3", "", "", "bucket/key"},
		"arn:aws-cn:iam::111122223333:root":                                   {"aws-cn", "iam", "", "111122223333", "root"},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
		}
		if got.String() != text {
			t.Errorf("Parse(%q).String() = %q", text, got.String())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "*", "arn", "arn:aws:execute-api:*", "arn:aws:s3:::", "arn::s3:::b", "arn:aws::::b", "urn:aws:s3:::b", "ARN:aws:s3:::b"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b:c", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "é", true},
		{"?", "ab", false},
		{"??", "é", false},
		{"a*", "a", true},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*ab*ab*", "ab", false},
		{"*ab*ab*", "xabxabx", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*?c", "c", false},
		{"*?c", "bc", true},
		{"*a?b*c", "axab-aab-c", true},
		{"api/*/GET/pets", "api/dev/GET/pets", true},
		{"api/*/GET/pets", "api/dev/GET/pets/", false},
		{"api/*/x", "api/a/b/x", true},
		{"foo/*/baz", "foo/bar:bar/baz", true},
		{"a.c", "abc", false},
		{"[a]", "a", false},
		{"*\xff", "a\xff", true},
	} {
		if got := Match(Tokens(c.pattern), c.text); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.pattern, c.text, got, c.want)
		}
	}
}

// TestMatchIsBounded takes patterns that make a backtracking matcher exponential.
func TestMatchIsBounded(t *testing.T) {
	text := strings.Repeat("a", 20_000)
	start := time.Now()
	for _, pattern := range []string{strings.Repeat("*a", 500) + "b", strings.Repeat("a*", 500) + "b", strings.Repeat("*?", 500) + "b", "*" + strings.Repeat("a?", 200) + "b"} {
		if Match(Tokens(pattern), text) {
			t.Errorf("%.20q… matches", pattern)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("matching took %v", took)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	tokens := Tokens("a1b2c3d4e5/*/GET/pe?s/*/toys")
	if n := testing.AllocsPerRun(100, func() { Match(tokens, "a1b2c3d4e5/prod/GET/pets/7/toys") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// naive is the wildcard rule as it stands in the IAM User Guide, by recursion with a table.
func naive(pattern, text string) bool {
	p, s := []rune(pattern), characters(text)
	fits := make([][]bool, len(p)+1)
	for i := range fits {
		fits[i] = make([]bool, len(s)+1)
	}
	fits[0][0] = true
	for i := 1; i <= len(p); i++ {
		for j := 0; j <= len(s); j++ {
			switch {
			case p[i-1] == '*':
				fits[i][j] = fits[i-1][j] || j > 0 && fits[i][j-1]
			case j == 0:
			case p[i-1] == '?':
				fits[i][j] = fits[i-1][j-1]
			default:
				fits[i][j] = fits[i-1][j-1] && s[j-1] == string(p[i-1])
			}
		}
	}
	return fits[len(p)][len(s)]
}

// characters splits text so that bytes which are not UTF-8 stay what they are.
func characters(text string) []string {
	var all []string
	for text != "" {
		_, size := utf8.DecodeRuneInString(text)
		all, text = append(all, text[:size]), text[size:]
	}
	return all
}

func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*ab*ab", "abab")
	f.Add("**?*", "é")
	f.Add("*é?", "é\xff")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || len(pattern)*len(text) > 1<<16 {
			return // policies are UTF-8
		}
		if got, want := Match(Tokens(pattern), text), naive(pattern, text); got != want {
			t.Errorf("Match(%q, %q) = %v, want %v", pattern, text, got, want)
		}
	})
}

func TestPartitionOf(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "aws", "us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "": "aws",
	} {
		if got := PartitionOf(region); got != want {
			t.Errorf("%q: got %s, want %s", region, got, want)
		}
	}
}
