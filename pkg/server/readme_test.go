package server

import (
	"fmt"
	"os"
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
