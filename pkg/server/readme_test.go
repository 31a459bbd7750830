package server

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// The runbook's table has the codes and the sentences of package authz.
func TestRunbookHasEveryReason(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| reason | cause | do |\n|---|---|---|\n")
	for _, m := range authz.Meanings() {
		remedy := m.Remedy
		if remedy == "" {
			remedy = "–"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", m.Code, m.Cause, remedy)
	}
	if !strings.Contains(string(text), "\n"+want.String()+"\n") {
		t.Errorf("README.md does not have this table:\n%s", want.String())
	}
}

// README.md names every metric that the sources name.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("portcullis_[a-z_{},]+").FindAllString(string(text), -1) {
		begin, choices, _ := strings.Cut(name, "{")
		documented[begin] = true
		choices, end, _ := strings.Cut(choices, "}")
		end, _, _ = strings.Cut(end, "{") // the labels
		for choice := range strings.SplitSeq(choices, ",") {
			documented[begin+choice+strings.TrimRight(end, ",")] = true
		}
	}
	metric := regexp.MustCompile(`"(portcullis_[a-z_]+[a-z])"`)
	found := 0
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, name := range metric.FindAllStringSubmatch(string(source), -1) {
			if found++; !documented[name[1]] && name[1] != "portcullis_api_key" { // a name in templates
				t.Errorf("%s: %s is not in README.md", path, name[1])
			}
		}
		return err
	})
	if err != nil || found < 40 {
		t.Errorf("%d metrics, %v", found, err)
	}
}
