package config

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/portcullis-authz/portcullis/pkg/pool"
)

// defined is a portcullis.yaml with one definition.
const defined = `apis:
  - definition: {file: api.yaml}
    id: a1b2c3d4e5
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [pets.example.com]}]
`

const openAPI = "openapi: 3.0.1\npaths:\n  /pets: {get: {x-amazon-apigateway-integration: {type: mock}}}\n"

// loadDefined loads a portcullis.yaml with a definition, and returns the Snapshot and its faults, without the folder.
func loadDefined(t *testing.T, text []byte) (*Snapshot, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "portcullis.yaml"), []byte(defined))
	write(t, filepath.Join(dir, "api.yaml"), text)
	s, err := Load(filepath.Join(dir, "portcullis.yaml"), pool.Dry())
	return s, strings.ReplaceAll(checkResult(t, s, err).Error(), dir+string(filepath.Separator), "")
}

// A file above AWS's limits is refused before it is parsed; one of the largest size is read.
func TestDefinitionsHaveLimits(t *testing.T) {
	template := "Resources: {Api: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {openapi: 3.0.1, paths: {/a: {get: {x-amazon-apigateway-integration: {type: mock}}}}}}}}\n"
	for _, tt := range []struct {
		name, text string
		size       int
		want       string
	}{
		{"OpenAPI", openAPI, 6 << 20, ""},
		{"OpenAPI, too large", openAPI, 6<<20 + 1, "api.yaml: cannot be read: it is too large: at most 6291456 bytes can be read here"},
		{"a template", template, 1 << 20, ""},
		{"a template, too large", template, 1<<20 + 1, "api.yaml: the file has 1048577 bytes: a template has at most 1 MB; move definitions to files of their own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := loadDefined(t, []byte(tt.text+"#"+strings.Repeat("x", tt.size-len(tt.text)-1)))
			if got != tt.want {
				t.Errorf("%s, want %q", got, tt.want)
			}
		})
	}
}

// UTF-16 is refused, with what to do, or read as what it says.
func TestDefinitionsInUTF16(t *testing.T) {
	data := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(openAPI)) {
		data = append(data, byte(unit), byte(unit>>8))
	}
	if s, got := loadDefined(t, data); got == "" && s.Routes != 1 || got != "" && !strings.Contains(got, "UTF-8") {
		t.Errorf("%s", got)
	}
}

// A file that expands to more than can be read is refused quickly, and in little memory.
func TestDefinitionsThatExpand(t *testing.T) {
	laughs := "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		laughs += strings.NewReplacer("N", string(rune('a'+i+1)), "M", string(rune('a'+i))).Replace("N: &N0 [*M0, *M0, *M0, *M0, *M0, *M0, *M0, *M0, *M0, *M0]\n")
	}
	merges := "m0: &m0 {x: y}\n"
	for i := range 20 {
		merges += strings.NewReplacer("N", string(rune('a'+i+1)), "M", string(rune('a'+i))).Replace("mN: &mN {p: *mM, q: *mM, <<: *mM}\n")
	}
	refs := "openapi: 3.0.1\npaths:\n  /a: {$ref: \"#/c/0\"}\nc:\n"
	for i := range 15 {
		to := strings.ReplaceAll("{$ref: \"#/c/TO\"}", "TO", strconv.Itoa(i+1))
		refs += "  \"" + strconv.Itoa(i) + "\": {get: " + to + ", post: " + to + ", put: {security: " + to + "}}\n"
	}
	for name, text := range map[string]string{
		"aliases": openAPI + laughs, "merges": openAPI + strings.Replace(merges, "m0: &m0", "ma: &ma", 1), "references": refs,
		"deep": openAPI + "x: " + strings.Repeat("[", 1<<20), "deep maps": openAPI + "x: " + strings.Repeat("{a: ", 1<<18),
		"many": openAPI + "x: [" + strings.Repeat("a,", 100_000) + "a]\n",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, got := loadDefined(t, []byte(text))
			runtime.ReadMemStats(&after)
			took, used := time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>20
			t.Logf("%v, %d MB: %.200s", took, used, got)
			if took > 20*time.Second || used > 4000 {
				t.Errorf("%v and %d MB", took, used)
			}
		})
	}
}

// In a Kubernetes ConfigMap every file is a link through ..data. The definition, what it includes and its parameters are watched by the
// names that they are given, and a half that is of another version is not used.
func TestDefinitionsInAConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(name, guard string) {
		for file, text := range map[string]string{
			"portcullis.yaml": strings.Replace(defined, "api.yaml}", "api.yaml, parameterFile: values.json}", 1),
			"api.yaml": "Transform: AWS::Serverless-2016-10-31\nParameters: {Stage: {Type: String}}\nResources:\n  Api:\n    Type: AWS::Serverless::Api\n    Properties:\n" +
				"      StageName: !Ref Stage\n      DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: body.yaml}}}\n",
			"body.yaml":   strings.Replace(openAPI, "{get: {", "{get: {"+guard, 1),
			"values.json": `{"Parameters": {"Stage": "prod"}}`,
		} {
			write(t, filepath.Join(dir, name, file), []byte(text))
		}
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "..next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..first", "")
	link("..first")
	names := []string{"portcullis.yaml", "api.yaml", "values.json", "body.yaml"}
	for _, file := range names {
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	load := func() *Snapshot {
		t.Helper()
		s, err := LoadInput(Input{Path: filepath.Join(dir, "portcullis.yaml"), Places: true}, pool.Dry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	s := load()
	for _, file := range names {
		if !slices.Contains(s.Files, filepath.Join(dir, file)) {
			t.Errorf("%s is not watched: %q", file, s.Files)
		}
	}
	version("..second", `x-amazon-apigateway-api-key-source: HEADER, security: [{key: []}], `)
	write(t, filepath.Join(dir, "..second", "body.yaml"), []byte(openAPI+"  /more: {get: {x-amazon-apigateway-integration: {type: mock}}}\n"))
	link("..second")
	if again := load(); again.Digest == s.Digest || again.Routes != 2 {
		t.Errorf("%d routes, and the same digest: %t", again.Routes, again.Digest == s.Digest)
	}
}
