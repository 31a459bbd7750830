package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// shown is one command of the README and what it prints.
type shown struct{ command, output string }

// certificates are the edits that name the files which a test has made in dir.
func certificates(file, dir string) []envoytest.Edit {
	switch file {
	case "https.yaml":
		return in(dir, "/etc/envoy/tls/", "tls.crt", "tls.key")
	case "mutual-tls.yaml":
		return in(dir, "/etc/envoy/portcullis/", "client.crt", "client.key", "ca.crt")
	}
	return nil
}

// in are edits that look for files in another folder.
func in(dir, folder string, names ...string) []envoytest.Edit {
	var edits []envoytest.Edit
	for _, name := range names {
		edits = append(edits, envoytest.Edit{Old: folder + name, New: filepath.Join(dir, name)})
	}
	return edits
}

// section is a file's part of the README.
func section(t *testing.T, text, file string) string {
	t.Helper()
	_, section, found := strings.Cut(text, "\n### "+file+"\n")
	if !found {
		t.Fatalf("the README has no section for %s", file)
	}
	section, _, _ = strings.Cut(section, "\n##")
	return section
}

// block is the first block of a language in a text, empty if there is none.
func block(text, language string) string {
	for _, b := range blocks(text) {
		if b.language == language {
			return b.text
		}
	}
	return ""
}

var console = regexp.MustCompile("(?s)```console[^\n]*\n(.*?)```")

// commands are those of the consoles in a file's section.
func commands(section string) []shown {
	var all []shown
	for _, block := range console.FindAllStringSubmatch(section, -1) {
		for _, entry := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(strings.TrimSuffix(entry, "\n"), "\n")
			all = append(all, shown{command, output})
		}
	}
	return all
}

// run runs a command with names that are for this test.
func run(t *testing.T, dir string, s shown, local *strings.Replacer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", local.Replace(s.command))
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", s.command, err, out.String())
	}
	if got := strings.TrimSuffix(out.String(), "\n"); got != s.output {
		t.Errorf("%s\nprints %s\nthe README shows %s", s.command, got, s.output)
	}
}
