package e2e

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the files of envoy/ as portcullis envoy prints them")

// printedBy is the command of a section that prints its file.
var printedBy = regexp.MustCompile(`(?m)^portcullis envoy ((?:.*\\\n)*.*) > envoy/(.*)$`)

// Each file is what `portcullis envoy` prints for the configuration that the README has saved last, with the flags of the file's section.
func TestFilesAreWhatPortcullisPrints(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) != 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			own := section(t, string(text), file)
			command := printedBy.FindStringSubmatch(own)
			if command == nil || command[2] != file {
				t.Fatalf("the README does not say which command prints the file: %q", command)
			}
			dir := t.TempDir()
			saved, _, _ := strings.Cut(string(text), own)
			for _, b := range blocks(saved + own) {
				if b.saveAs == "" || b.language == "sh" || b.language == "console" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, b.saveAs), []byte(b.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := printed(t, dir, strings.Fields(strings.ReplaceAll(command[1], "\\\n", " "))...)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(string(want), got); diff != "" {
				t.Errorf("make envoy-files writes the file again (-is +should be):\n%s", diff)
			}
		})
	}
}

// print is what portcullis envoy prints for a stack, on ports of its own. A flag X=another is X with another address of the upstream.
func (s *stack) print(t *testing.T, flags ...string) string {
	t.Helper()
	flags = slices.Clone(flags)
	for i, flag := range flags {
		if name, is := strings.CutSuffix(flag, "=another"); is {
			port, err := s.upstream.AnotherPort()
			if err != nil {
				t.Fatal(err)
			}
			flags[i] = name + "=127.0.0.1:" + port
		}
	}
	if !s.named {
		flags = append(flags, "--upstream", "127.0.0.1:"+s.upstream.Port())
	}
	return printed(t, s.dir, append([]string{
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--portcullis", s.portcullis.GRPC, "--timeout", "15s",
	}, flags...)...)
}

// printed is what portcullis envoy prints in a folder.
func printed(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	program := portcullis(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"envoy"}, flags...)...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("portcullis envoy %s: %v\n%s", strings.Join(flags, " "), err, errs.String())
	}
	return out.String()
}
