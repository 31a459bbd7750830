package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
)

// The commands of pkg/explain/README.md print what it shows.
func TestExplainReadme(t *testing.T) {
	text, err := os.ReadFile("../../pkg/explain/README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for block := range strings.SplitSeq(string(text), "```console\n$ ") {
		command, shown, ok := strings.Cut(block, "\n")
		shown, _, ended := strings.Cut(shown, "```")
		if !ok || !ended || !strings.HasPrefix(command, "portcullis ") {
			continue
		}
		words := strings.Fields(command)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir = "../.."
		out, err := cmd.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != cli.ExitNo) {
			t.Errorf("%s: %v", command, err)
		}
		if string(out) != shown {
			t.Errorf("%s prints\n%s", command, out)
		}
		ran++
	}
	if ran == 0 {
		t.Error("README.md has no command")
	}
}
