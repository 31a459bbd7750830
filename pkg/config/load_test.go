package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/pool"
)

var update = flag.Bool("update", false, "write what is found into the stories of testdata")

// Each story of testdata is a portcullis.yaml with the files it names, and the faults that Load finds. None: it loads.
func TestStories(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, name := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := len(story.Files) - 1
			if story.Files[last].Name != "want" {
				t.Fatal("the last file of a story is called want")
			}
			got := tell(t, story.Files[:last])
			if *update {
				story.Files[last].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(story.Files[last].Data), got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// tell loads a story and returns its faults, or its warnings, one a line, with file names as in the story.
func tell(t *testing.T, files []txtar.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	faults := checkResult(t, s, err)
	if len(faults) == 0 {
		return ""
	}
	return strings.ReplaceAll(faults.Error(), dir+string(filepath.Separator), "") + "\n"
}

// checkResult checks what holds of everything that Load returns, and returns its faults or warnings.
func checkResult(t *testing.T, s *Snapshot, err error) fault.List {
	t.Helper()
	if err == nil {
		if s.Gateway == nil || s.APIs == 0 || s.Routes == 0 || len(s.Files) == 0 || len(s.Digest) != 64 || s.Warnings.Fatal() {
			t.Fatalf("loaded an incomplete snapshot: %+v", s)
		}
		return s.Warnings
	}
	faults, ok := errors.AsType[fault.List](err)
	if !ok || s != nil && s.Gateway != nil || !faults.Fatal() {
		t.Fatalf("Load returned %v, %v; want a snapshot, or faults", s, err)
	}
	return faults
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

const good = `apis:
  - id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
    routes:
      - {route: GET /pets, authorization: NONE}
      - {route: GET /health, authorization: NONE}
`

func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	main, policy := filepath.Join(dir, "portcullis.yaml"), filepath.Join(dir, "p", "pets.json")
	write(t, main, []byte(strings.Replace(good, "    routes:", "    resourcePolicy: {file: p/pets.json}\n    routes:", 1)))
	allow := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}`
	write(t, policy, []byte(allow))
	load := func() *Snapshot {
		s, err := Load(dir+"/./portcullis.yaml", pool.Dry())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load()
	if diff := cmp.Diff([]string{main, policy}, s.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if len(s.Config.APIs) != 1 || len(s.Config.APIs[0].Routes) != 2 || s.Config.APIs[0].Stages == nil {
		t.Errorf("what the gateway was made of is %+v", s.Config.APIs)
	}
	if s.APIs != 1 || s.Routes != 2 {
		t.Errorf("%d APIs with %d routes, want 1 with 2", s.APIs, s.Routes)
	}
	if again := load(); again.Digest != s.Digest {
		t.Error("the digest of the same files differs")
	}
	write(t, policy, []byte(allow+"\n"))
	if changed := load(); changed.Digest == s.Digest {
		t.Error("the digest does not tell a changed policy file")
	}
}

// How the file is written down does not matter, as long as it is text in UTF-8.
func TestEncoding(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"plain", good, ""},
		{"no newline at the end", strings.TrimSpace(good), ""},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"BOM", "\ufeff" + good, ""},
		{"document markers", "---\n" + good + "...\n", ""},
		{"JSON", `{"apis":[{"id":"a1b2c3d4e5","account":"111122223333","region":"eu-west-1","stages":[{"name":"prod"}],"defaultAuthorization":"NONE","routes":[{"route":"GET /pets"}]}]}`, ""},
		{"fault after BOM", "\ufeffapi: []\n" + good, `1:1: unknown field "api": did you mean apis?`},
		{"fault after CRLF", strings.ReplaceAll(good, "\n", "\r\n") + "cach: {}\r\n", `9:1: unknown field "cach": did you mean cache?`},
		{"YAML 1.2", "%YAML 1.2\n---\n" + good, "1:9: not YAML: found incompatible YAML document; remove the %YAML line"},
		{"UTF-16", "\xff\xfea\x00p\x00i\x00s\x00", "1:1: not UTF-8: save the file as UTF-8"},
		{"Latin-1", good + "# caf\xe9\n", "9:6: not UTF-8: save the file as UTF-8"},
		{"NUL", good + "# \u00e9\x00\n", "9:4: the control character U+0000 is not allowed: remove it"},
		{"empty", "", "1:1: " + noConfiguration},
		{"null", "null\n", "1:1: " + noConfiguration},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.TrimPrefix(tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(tt.data)}}), "portcullis.yaml:")
			if diff := cmp.Diff(tt.want, strings.TrimSuffix(got, "\n")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	large, err := os.Create(filepath.Join(dir, "large"))
	must(t, err)
	must(t, large.Truncate(reader.MaxConfigSize+1))
	must(t, large.Close())
	for name, want := range map[string]string{
		"missing":      "cannot be read: no such file or directory",
		".":            "cannot be read: it is a directory",
		"loop":         "cannot be read: EvalSymlinks: too many links",
		"large":        "cannot be read: it is too large: at most 33554432 bytes can be read here",
		"large/nested": "cannot be read: not a directory",
	} {
		s, err := Load(filepath.Join(dir, name), pool.Dry())
		want := fault.List{{File: filepath.Join(dir, name), Message: want}}
		if diff := cmp.Diff(want, checkResult(t, s, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// No fault prints a value of the file: it may be a secret.
func TestFaultsHideValues(t *testing.T) {
	const secret = "hunter2"
	for _, broken := range []string{
		"    stages: [{name: prod, variables: {key: hunter2 hunter2}}]\n",
		"    stages: [{name: hunter2 hunter2}]\n",
		"    account: hunter2\n    region: hunter2\n    partition: hunter2\n    id: HUNTER2hunter2\n",
		"    upstreamHeaders: hunter2\n",
		"    upstreamHeaders: {x-key: [hunter2]}\n",
		"    upstreamHeaders: {x-key: \"hunter2\\u00e9\"}\n",
		"    upstreamHeaders: {x-key: \"hunter2 $context.stage\"}\n",
		"    upstreamHeaders: {x-key: $hunter2}\n",
		"    gatewayResponses: {ACCESS_DENIED: {responseParameters: {gatewayresponse.header.x: hunter2}}}\n",
		"    upstreamHeaders: {x-key: hunter2, x-key: hunter2}\n",
		"    upstreamHeaders: {x-key: !hunter2 a}\n",
		"    gatewayResponses: {ACCESS_DENIED: {responseTemplates: {application/json: \"hunter2 $context.none\"}}}\n",
		"    upstreamHeaders: {x-key: &hunter2 a}\n",
		"    upstreamHeaders: {x-key: *hunter2}\n",
		"    upstreamHeaders: {x-key: hunter2\n",
		"    upstreamHeaders: {x-key: \"hunter2\n",
		"    upstreamHeaders: {x-key: hunter2: hunter2}\n",
		"    upstreamHeaders:\n      x-key: |hunter2\n",
		"    upstreamHeaders:\n      x-key: hunter2\n     x: hunter2\n",
		"    upstreamHeaders:\n      x-key: hunter2\n\tx: hunter2\n",
		"    upstreamHeaders:\n      x-key: hunter2\x01\n",
		"    upstreamHeaders:\n      x-key: \"hunter2\\q\"\n",
		"    executeApiEndpoint: hunter2\n    gatewayResponses: {ACCESS_DENIED: {statusCode: hunter2}}\n",
		"    resourcePolicy: hunter2\n",
		"    resourcePolicy: '{\"a\": \"hunter2\" \"hunter2\"'\n",
		"---\nhunter2: hunter2\n",
	} {
		got := tell(t, []txtar.File{{Name: "portcullis.yaml", Data: []byte(good + broken)}})
		if got == "" || strings.Contains(strings.ToLower(got), secret) {
			t.Errorf("%q is told as: %s", broken, got)
		}
	}
}

// A configuration that is wrong everywhere does not fill the log.
func TestManyFaults(t *testing.T) {
	s, err := Load(writeConfig(t, good+strings.Repeat("      - {route: GET /pets, authorization: none}\n", 2*fault.MaxFaults)), pool.Dry())
	faults := checkResult(t, s, err)
	if len(faults) != fault.MaxFaults+1 || faults[fault.MaxFaults].Message != "there are more faults than are shown here: correct these 1000 first" {
		t.Errorf("%d faults, the last: %s", len(faults), faults[len(faults)-1])
	}
}

// Warnings, however many, keep nothing from being used, and hide no fault.
func TestManyWarnings(t *testing.T) {
	var apis strings.Builder
	for i := range 2 * fault.MaxFaults {
		fmt.Fprintf(&apis, "  - {id: b%d, account: 111122223333, region: eu-west-1, stages: [{name: prod}], defaultAuthorization: NONE, "+
			"routes: [{route: GET /}], gatewayResponses: {THROTTLED: {statusCode: 400}}}\n", i)
	}
	s, err := Load(writeConfig(t, good+apis.String()), pool.Dry())
	if warnings := checkResult(t, s, err); err != nil || len(warnings) != fault.MaxFaults+1 {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
	_, err = Load(writeConfig(t, good+apis.String()+"cach: {}\n"), pool.Dry())
	if err == nil || !strings.Contains(err.Error(), "unknown field \"cach\"") {
		t.Error("the fault is lost among warnings")
	}
}

// What is made to be slow to read, or large when read, is refused soon.
func TestBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("measures nothing under the race detector")
	}
	many := func(text string) string { return strings.Repeat(text, (1<<15)/len(text)) }
	laughs := "    resourcePolicy:\n      a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 30 {
		laughs += fmt.Sprintf("      a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i)
	}
	for name, data := range map[string]string{
		"brackets":      many("["),
		"lists":         many("[a, "),
		"fields":        many("{a: "),
		"dashes":        many("- "),
		"keys":          many("? "),
		"quotes":        many("'"),
		"anchors":       many("&a "),
		"aliases":       "- &a a\n" + many("- *a\n"),
		"laughs":        good + laughs,
		"cycle":         good + "    resourcePolicy: &a {Statement: [*a]}\n",
		"key twice":     "{" + many("a: b, ") + "}",
		"unknown field": good + strings.ReplaceAll(many("    ?: b\n"), "?", strings.Repeat("x", 1000)),
		"late error":    good + many("# a\n") + "]",
		"late bracket":  "a: [" + many("a, ") + "}",
		"faulty APIs":   "apis: [" + many("{id: a, stages: [{name: b}]}, ") + "]",
	} {
		start := processorTime()
		s, err := Load(writeConfig(t, data), pool.Dry())
		faults := checkResult(t, s, err)
		if took := processorTime() - start; !faults.Fatal() || took > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

func writeConfig(t testing.TB, data string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "portcullis.yaml")
	write(t, name, []byte(data))
	return name
}

// FuzzLoad: a configuration that loads has a gateway, and one that does not has faults at positions in the file.
func FuzzLoad(f *testing.F) {
	stories, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range stories {
		story, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var policy []byte
		for _, file := range story.Files[1:] {
			if strings.HasSuffix(file.Name, ".json") {
				policy = file.Data
			}
		}
		f.Add(story.Files[0].Data, policy)
	}
	dir := f.TempDir()
	main, named := filepath.Join(dir, "portcullis.yaml"), filepath.Join(dir, "p.json")
	f.Fuzz(func(t *testing.T, config, policy []byte) {
		write(t, main, config)
		write(t, named, policy)
		s, err := Load(main, pool.Dry())
		lines := 1 + strings.Count(string(config), "\n") + strings.Count(string(config), "\r") + strings.Count(string(config), "\u0085") +
			strings.Count(string(config), "\u2028") + strings.Count(string(config), "\u2029")
		for _, fault := range checkResult(t, s, err) {
			if fault.Message == "" || fault.File == main && (fault.Line < 1 || fault.Column < 1 || fault.Line > lines+1) {
				t.Errorf("a fault that is nowhere: %+v", fault)
			}
		}
	})
}
