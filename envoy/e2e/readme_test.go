package e2e

import (
	"bytes"
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

// The README's configuration, with the file of each of its sections, gives the answers that the README shows.
func TestREADME(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the README's commands need %s", program)
		}
	}
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, config, _ := strings.Cut(string(text), "```yaml\n")
	config, _, _ = strings.Cut(config, "```\n")
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before, after := split(commands(t, string(text), file))
			if len(after) < 2 {
				t.Fatalf("the README shows %d requests, want one that is allowed and one that is denied", len(after))
			}
			local := strings.NewReplacer("/etc/envoy/tls", dir, "/etc/envoy/portcullis", dir)
			for _, s := range before {
				run(t, dir, s, local)
			}
			c := setup{file: file, config: config, answer: func(envoytest.Seen) string { return "rex, tom\n" }}
			c.edits, c.flags = certificates(file, dir)
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

var console = regexp.MustCompile("(?s)```console\n(.*?)```")

// commands are those of the consoles in a file's section.
func commands(t *testing.T, text, file string) []shown {
	t.Helper()
	_, section, found := strings.Cut(text, "\n### "+file+"\n")
	if !found {
		t.Fatalf("the README has no section for %s", file)
	}
	section, _, _ = strings.Cut(section, "\n##")
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
		if strings.HasPrefix(s.command, "curl ") {
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
