package authz

import (
	"regexp"
	"strings"
	"testing"
)

func TestExpressionMatchesTheWhole(t *testing.T) {
	for _, tt := range []struct {
		expression string
		yes, no    []string
	}{
		{"^x-[a-z]+", []string{"x-a", "x-abc"}, []string{"", "x-", "x-abc1", "ax-abc", "x-ABC", "x-abc\n", "\nx-abc"}},
		{"^x-[a-z]+$", []string{"x-abc"}, []string{"x-abc ", "x-abc\n"}},
		{`^Bearer [-0-9a-zA-Z\._]*$`, []string{"Bearer a.b-c_d", "Bearer "}, []string{"bearer a", "Bearer a b", "Bearer", " Bearer a", "Bearer a+b"}},
		{"a|b", []string{"a", "b"}, []string{"ab", "ax", "xb"}},
		{"(?m)^a$", []string{"a"}, []string{"a\nb", "b\na"}},
		{"(?i)bearer .+", []string{"BEARER x"}, []string{"bearer "}},
		{`\Q[a&&b]\E`, []string{"[a&&b]"}, []string{"a"}},
		{`[]a]+`, []string{"]a"}, []string{"b"}},
		{`[^]a]+`, []string{"bc"}, []string{"]", "a"}},
		{`[\[\]&]+`, []string{"[]&"}, []string{"a"}},
		{`a&&b`, []string{"a&&b"}, []string{"a&b"}},
		{`\[[a-z]+\]`, []string{"[ab]"}, []string{"ab"}},
	} {
		compiled, err := CompileExpression(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		for _, value := range tt.yes {
			if !compiled.MatchString(value) {
				t.Errorf("%s does not match %q", tt.expression, value)
			}
		}
		for _, value := range tt.no {
			if compiled.MatchString(value) {
				t.Errorf("%s matches %q", tt.expression, value)
			}
		}
	}
}

func FuzzCompileExpression(f *testing.F) {
	for _, seed := range []string{"^x-[a-z]+$", "a|b", "[]a]", `\Q[\E`, "[a&&b]", "(?i)é", `[\]`, "a)|(b"} {
		f.Add(seed, "x-a")
	}
	f.Fuzz(func(t *testing.T, expression, value string) {
		if len(expression)+len(value) > 200 {
			return
		}
		compiled, err := CompileExpression(expression)
		if (compiled == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", expression, compiled, err)
		}
		if compiled != nil && compiled.MatchString(value) {
			longest := regexp.MustCompile(expression)
			longest.Longest()
			if !strings.Contains(longest.FindString(value), value) && !strings.ContainsAny(expression, "^$") {
				t.Errorf("%q matches %q, of which it is not a whole match", expression, value)
			}
		}
	})
}

// What Go cannot say, and what Go reads otherwise than Java.
func TestExpressionsThatAreRefused(t *testing.T) {
	for expression, want := range map[string]string{
		"(?!x)a": "look-around", "(?<=x)a": "look-around", `(a)\1`: "back-references", "a++": "write the expression without", "(?>a)": "write the expression without",
		"a)|(b": "unexpected", "[a-z": "missing", `\`: "write the expression without", "a{2000}": "write the expression without",
		"[a-z&&[^b]]": "intersects classes in Java", "[a-d[m-p]]": "begins a nested class in Java", "[[:alpha:]]": "begins a nested class in Java", `[a-z&&def]`: "intersects classes in Java", `x[\w&&\d]`: "intersects classes in Java",
		`\Qa\E[b&&c]`: "intersects classes in Java", `[^][]`: "begins a nested class in Java",
	} {
		if compiled, err := CompileExpression(expression); err == nil || compiled != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
}
