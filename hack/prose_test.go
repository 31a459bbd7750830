package hack

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plainPaths begin the names of the files to check.
var plainPaths = []string{
	".github/", "README.md", "cmd/", "deploy/", "envoy/README.md", "envoy/envoy.yaml", "envoy/envoytest/", "envoy/https.yaml", "envoy/iam.yaml",
	"envoy/mutual-tls.yaml", "envoy/private-api.yaml", "envoy/unix-socket.yaml", "hack/", "proto/",
	"pkg/arn/", "pkg/authz/", "pkg/bulkhead/", "pkg/cache/", "pkg/cognito/", "pkg/config/", "pkg/credentials/", "pkg/decisionlog/",
	"pkg/definition/", "pkg/envoyconf/", "pkg/explain/", "pkg/extauthz/", "pkg/fault/", "pkg/gateway/README.md", "pkg/gateway/answer/",
	"pkg/gateway/canon/", "pkg/gateway/compile/", "pkg/gateway/internal/", "pkg/gateway/routing/", "pkg/iam/", "pkg/jwt/", "pkg/lambda/",
	"pkg/meter/", "pkg/policy/", "pkg/pool/", "pkg/probe/", "pkg/routes/", "pkg/server/", "pkg/session/", "pkg/sigv4/", "pkg/simulate/",
	"pkg/strictjson/", "pkg/sts/", "pkg/tracing/", "pkg/workload/",
}

// plainEndings end the names of the files to check.
var plainEndings = []string{".go", ".proto", ".md", ".yaml", ".tmpl", ".tpl", "NOTES.txt", ".sh"}

type stumble struct {
	phrase  *regexp.Regexp
	instead string
}

// stumbles are phrases that make a sentence hard to read, and what to write instead.
var stumbles = []stumble{
	{regexp.MustCompile(`\b(is|are) no (host|method|domain|path|name|policy|ARN|URL|address|number|proof|authority)\b`), "is not a …"},
	{regexp.MustCompile(`\b(that|which) (is|are) none\b`), "invalid"},
	{regexp.MustCompile(`\bof (ours|theirs|yours)\b`), "the owner's name"},
	{regexp.MustCompile(`\bfor so long\b`), "for this time"},
	{regexp.MustCompile(`\bmend(s|ed|ing)? \b`), "fix or correct"},
	{regexp.MustCompile(`\b[Ww]hoever\b`), "anyone who"},
	{regexp.MustCompile(`\b[Ww]hichever\b`), "every"},
	{regexp.MustCompile(`\b[Nn]obody (signed|knows|asked)\b`), "unsigned, unknown"},
	{regexp.MustCompile(`\b[Tt]here is no flag\b`), "unknown flag"},
	{regexp.MustCompile(`\bwhere there (is|are) no(ne)?\b`), "if there is no …, without …"},
	{regexp.MustCompile(`\bfor ever\b`), "always"},
	{regexp.MustCompile(`\bhand(s|ed)? on\b`), "forward"},
	{regexp.MustCompile(`\bhold(s)? the door\b`), "what the setting prevents"},
	{regexp.MustCompile(`\bjudge(s|d)?\b`), "check, decide or evaluate"},
	{regexp.MustCompile(`\b(is|are) said (of|where|here|once|as such)\b`), "is reported"},
	{regexp.MustCompile(`\bis what (every|makes)\b`), "what it does"},
	{regexp.MustCompile(`// \w+ (is|are) what\b`), "what it is, returns or does"},
	{regexp.MustCompile(`(// |\. )Whatever\b`), "every …, or the subject itself"},
	{regexp.MustCompile(`, for (it|they|he|she) `), "because"},
	{regexp.MustCompile(`, for (the|a|an|no|all|many|this) \w+ (is|are|has|have|may|might|would|could|cannot|does|outlives|serves|takes)\b`), "because"},
	{regexp.MustCompile(`\bof the moment\b`), "current"},
	{regexp.MustCompile(`\bwithout a word\b`), "without a warning"},
	{regexp.MustCompile(`\bin vain\b`), "without effect"},
}

// TestProse finds phrases in comments, messages and documents over which a reader would stumble.
func TestProse(t *testing.T) {
	files, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files").Output()
	if err != nil {
		t.Skip("this is not a git repository: ", err)
	}
	checked := 0
	for name := range strings.Lines(string(files)) {
		if name = strings.TrimSpace(name); isPlain(name) {
			checked++
			findStumbles(t, name)
		}
	}
	if checked < 100 {
		t.Errorf("only %d files were checked", checked)
	}
}

// isPlain reports whether a file is to be checked. This file lists the phrases, and .pb.go files are generated.
func isPlain(name string) bool {
	return name != "hack/prose_test.go" && !strings.HasSuffix(name, ".pb.go") &&
		slices.ContainsFunc(plainPaths, func(p string) bool { return strings.HasPrefix(name, p) }) &&
		slices.ContainsFunc(plainEndings, func(e string) bool { return strings.HasSuffix(name, e) })
}

func findStumbles(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Error(err)
		return
	}
	for _, s := range stumbles {
		for _, at := range s.phrase.FindAllIndex(data, -1) {
			t.Errorf("%s:%d: %q is hard to read: write %s", name, 1+bytes.Count(data[:at[0]], []byte("\n")), data[at[0]:at[1]], s.instead)
		}
	}
}

// TestProseFinds shows what TestProse finds, and what it leaves.
func TestProseFinds(t *testing.T) {
	for text, want := range map[string]bool{
		`"get" is no method`: true, `"a.b/c" is no host`: true, "an option of ours": true, "they may take for so long": true,
		"what has to be mended comes first": true, "whoever is behind Envoy": true, "there is no flag --x": true, "bytes that nobody signed": true,
		"where there are no keys": true, "a bound that is none": true,
		"// Config is what a Server is made of.": true, "// Whatever fails denies.": true, "is refused, for it may revoke": true,
		"counted, for a value may be nil": true, "the files of the moment": true, "dropped without a word": true,
		`"get" is not a method`: false, "is now earlier": false, "an amended file": false, "recommended": false, "the API has no authorizer": false, "refused, whatever its TTL": false,
		"for a key that is known": false, "one a line, for each verb": false,
	} {
		got := slices.ContainsFunc(stumbles, func(s stumble) bool { return s.phrase.MatchString(text) })
		if got != want {
			t.Errorf("%q: found %v, want %v", text, got, want)
		}
	}
}
