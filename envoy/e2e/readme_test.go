package e2e

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// shown is one command of the README and what it prints.
type shown struct{ command, output string }

// The README's configuration, or that of a section, with the section's file, gives the answers that the README shows.
func TestREADME(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "openssl", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the README's commands need %s", program)
		}
	}
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			own := section(t, string(text), file)
			before, after := split(commands(own))
			if len(after) < 2 {
				t.Fatalf("the README shows %d requests, want one that is allowed and one that is denied", len(after))
			}
			local := strings.NewReplacer("/etc/envoy/tls", dir, "/etc/envoy/portcullis", dir)
			for _, s := range before {
				run(t, dir, s, local)
			}
			writeScript(t, dir, block(own, "python"))
			config := cmp.Or(block(own, "yaml"), block(string(text), "yaml"))
			c := setup{file: file, config: config, answer: func(envoytest.Seen) string { return "rex, tom\n" }}
			c.edits, c.flags = certificates(file, dir)
			if file == "iam.yaml" {
				_, keys, _ := strings.Cut(own, "\n`access-keys.yaml`")
				c.files = map[string]string{owner + ".json": block(own, "json"), "access-keys.yaml": block(keys, "yaml")}
			}
			s := start(t, c)
			_, port, _ := strings.Cut(s.addr, ":")
			local = strings.NewReplacer("/etc/envoy/tls", dir, "127.0.0.1:8080", s.addr, ":8443", ":"+port)
			for _, show := range after {
				run(t, dir, show, local)
			}
		})
	}
}

// certificates are the edits and flags that name the files which the README's commands have made in dir.
func certificates(file, dir string) (edits []envoytest.Edit, flags []string) {
	switch file {
	case "https.yaml":
		return in(dir, "/etc/envoy/tls/", "tls.crt", "tls.key"), nil
	case "mutual-tls.yaml":
		return in(dir, "/etc/envoy/portcullis/", "client.crt", "client.key", "ca.crt"),
			[]string{"--tls-cert", dir + "/server.crt", "--tls-key", dir + "/server.key", "--tls-client-ca", dir + "/ca.crt"}
	}
	return nil, nil
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
	_, block, _ := strings.Cut(text, "```"+language+"\n")
	block, _, _ = strings.Cut(block, "```\n")
	return block
}

// writeScript puts a program, whose first line names it, where the commands look for it.
func writeScript(t *testing.T, dir, script string) {
	t.Helper()
	name, _, found := strings.Cut(strings.TrimPrefix(script, "# "), ":")
	if !found {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
}

var console = regexp.MustCompile("(?s)```console\n(.*?)```")

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

// split cuts the commands where the first request is made.
func split(all []shown) (before, after []shown) {
	for i, s := range all {
		if strings.HasPrefix(s.command, "curl ") || strings.HasPrefix(s.command, "python3 ") {
			return all[:i], all[i:]
		}
	}
	return all, nil
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
