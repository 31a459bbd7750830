package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// readmes are the READMEs whose command blocks run, and the marks that the blocks of each may have.
var readmes = []string{
	"README.md", "pkg/config/README.md", "pkg/policy/README.md", "pkg/gateway/README.md", "pkg/iam/README.md", "pkg/jwt/README.md",
	"pkg/lambda/README.md", "pkg/server/README.md", "hack/bench/README.md", "envoy/README.md", "deploy/README.md",
	".github/CONTRIBUTING.md", ".github/SECURITY.md",
}

// notRun are the READMEs without a block that could run, with the reason.
var notRun = map[string]string{
	"deploy/helm/portcullis/README.md":     "needs a cluster",
	"pkg/decisionlog/README.md":            "shows a part of a configuration",
	"pkg/definition/README.md":             "without commands",
	"pkg/doctor/README.md":                 "generated, without commands",
	"pkg/explain/README.md":                "run by the tests of its package",
	"pkg/iam/trust/README.md":              "run by the tests of the package",
	"pkg/session/README.md":                "shows parts of a configuration, which the script sessions runs",
	"pkg/workload/README.md":               "shows a configuration, which the tests of pkg/config load",
	"pkg/sts/README.md":                    "shows parts of a configuration and of a workload; pkg/config/README.md has a recipe that runs",
	"proto/portcullis/config/v1/README.md": "generated, without commands",
}

// marks are the words after a block's language that keep it from running, with what they mean.
var marks = map[string]string{
	"internet": "downloads something",
	"cluster":  "needs a cluster or a registry",
	"buildah":  "needs buildah and builds an image, which the tests of deploy/ do",
	"aws":      "needs an AWS account",
	"long":     "stays up, or takes minutes",
	"sample":   "is part of a program, or has values of the reader's own",
}

const (
	// mostLines is how many lines the commands of a recipe may have.
	mostLines = 20
	// mostFrontPageLines is how many lines README.md may have.
	mostFrontPageLines = 150
)

// Every README is either run or listed with a reason.
func TestEveryREADMEIsRunOrListed(t *testing.T) {
	t.Parallel()
	root := root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path) // path is below root
		if name == ".git" || name == "bin" {
			return fs.SkipDir
		}
		if _, listed := notRun[name]; strings.HasSuffix(name, ".md") && !listed && !slices.Contains(readmes, name) {
			t.Errorf("%s is neither run nor listed with a reason", name)
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// The commands of each README, in the order in which they stand, run in one shell that starts in a clean copy of the repository, and print
// what the README shows. The shell has a network and mounts of its own, so that every port is free, nothing is downloaded and the
// machine stays as it is.
func TestREADMEBlocks(t *testing.T) {
	t.Parallel()
	envoytest.Long(t)
	envoytest.Require(t)
	for _, name := range readmes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root(t), name))
			if err != nil {
				t.Fatal(err)
			}
			steps := stepsOf(t, string(text))
			if len(steps) == 0 {
				t.Skip("no commands")
			}
			runSteps(t, steps)
		})
	}
}

// The front page stays one.
func TestFrontPageIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > mostFrontPageLines {
		t.Errorf("README.md has %d lines, want at most %d: move something beside what it documents, and link it", lines, mostFrontPageLines)
	}
}

// Each recipe is short.
func TestRecipesAreShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "pkg/config/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipes, _ := strings.Cut(string(text), "\n## Recipes\n")
	recipes, _, _ = strings.Cut(recipes, "\n## ")
	found := strings.Split(recipes, "\n### Recipe: ")[1:]
	if len(found) < 5 {
		t.Errorf("%d recipes, want 5 or more", len(found))
	}
	for _, recipe := range found {
		lines := 0
		for _, b := range blocks(recipe) {
			if b.language == "sh" {
				lines += strings.Count(b.text, "\n")
			}
		}
		if lines == 0 || lines > mostLines {
			title, _, _ := strings.Cut(recipe, "\n")
			t.Errorf("%s: %d lines, want 1 to %d", title, lines, mostLines)
		}
	}
}

// fenced is a block of a README.
type fenced struct {
	language, mark, text string
	// saveAs is the file that the line before the block says to save it as.
	saveAs string
	line   int
}

// saveAs is how a line says to save the block below it.
var saveAs = regexp.MustCompile("(?i)\\bsave .*as `([^`]+)`:$")

// blocks are a text's fenced blocks.
func blocks(text string) []fenced {
	var all []fenced
	inside, before := false, ""
	for i, line := range strings.SplitAfter(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && inside:
			inside = false
		case isFence:
			language, mark, _ := strings.Cut(strings.TrimSpace(fence), " ")
			all = append(all, fenced{language: language, mark: mark, line: i + 1})
			if name := saveAs.FindStringSubmatch(before); name != nil {
				all[len(all)-1].saveAs = name[1]
			}
			inside = true
		case inside:
			all[len(all)-1].text += line
		case strings.TrimSpace(line) != "":
			before = strings.TrimSpace(line)
		}
	}
	return all
}

// step is what one block has the shell do, or one command of a console.
type step struct {
	line    int
	command string
	// checked steps print output; the others have to succeed.
	checked bool
	output  string
}

// stepsOf are the steps of a README. Blocks that are marked are listed in the test's log.
func stepsOf(t *testing.T, text string) []step {
	t.Helper()
	var steps []step
	for _, b := range blocks(text) {
		switch {
		case b.mark != "":
			why, known := marks[b.mark]
			if !known {
				t.Errorf("line %d: the mark %q is unknown", b.line, b.mark)
			}
			t.Logf("line %d is not run: it %s", b.line, why)
		case b.language == "sh":
			steps = append(steps, step{line: b.line, command: b.text})
		case b.saveAs != "":
			steps = append(steps, step{line: b.line, command: "cat > " + b.saveAs + " <<'END OF FILE'\n" + b.text + "END OF FILE\n"})
		case b.language == "console":
			for _, s := range commands("```console\n" + b.text + "```") {
				steps = append(steps, step{line: b.line, command: s.command + "\n", checked: true, output: s.output})
			}
		}
	}
	return steps
}

// runSteps runs steps in one shell, in a copy of the repository.
func runSteps(t *testing.T, steps []step) {
	t.Helper()
	dir := t.TempDir()
	clone, out := filepath.Join(dir, "portcullis"), filepath.Join(dir, "out")
	copyRepository(t, clone)
	if slices.ContainsFunc(steps, func(s step) bool { return strings.Contains(s.command, "make build") }) {
		shareBuild(t, clone)
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte(scriptOf(steps, out)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), readmeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", script)
	cmd.Dir = clone
	// Without the copy's path in them, the packages that Go has built before are good for each copy. The demo needs no build of its own.
	program := portcullis(t)
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "PORTCULLIS_BIN="+program,
		"PATH="+filepath.Dir(program)+":"+filepath.Dir(envoytest.Require(t))+":"+os.Getenv("PATH"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.WaitDelay = time.Second
	ownNetwork(t, cmd)
	failure := cmd.Run()
	if cmd.Process == nil {
		t.Fatal(failure)
	}
	endGroup(cmd)
	for i, s := range steps {
		printed, err := os.ReadFile(filepath.Join(out, strconv.Itoa(i)))
		if err != nil {
			t.Fatalf("line %d did not run: %v\n%s", s.line, failure, errs.String())
		}
		if done, _ := os.ReadFile(filepath.Join(out, strconv.Itoa(i)+".done")); len(done) == 0 {
			t.Fatalf("line %d: %s\nfailed with %v and printed %s\n%s", s.line, s.command, failure, printed, errs.String())
		}
		if got := strings.TrimSuffix(string(printed), "\n"); s.checked && got != s.output {
			t.Errorf("line %d: %sprints %s\nthe README shows %s", s.line, s.command, got, s.output)
		}
	}
}

// readmeTime bounds the commands of one README, the build included.
const readmeTime = 5 * time.Minute

// ownFolders has what the shell writes to /etc and /run stay in the folder %[1]s and in its own mounts.
const ownFolders = `mount --make-rprivate /
cp -R /etc %[1]s/etc 2>/dev/null || true
mount --bind %[1]s/etc /etc
mount -t tmpfs none /run
`

// scriptOf is a shell script of steps. It ends with the first step that fails, and ends what it started.
func scriptOf(steps []step, out string) string {
	var b strings.Builder
	b.WriteString("set -e\ntrap 'trap - TERM; kill -- -$$' EXIT\n")
	if slices.ContainsFunc(steps, func(s step) bool { return strings.Contains(s.command, " /etc/") }) {
		fmt.Fprintf(&b, ownFolders, out)
	}
	// The network has no interface up but for what this does.
	b.WriteString("python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh22x\", b\"lo\", 1))'\n")
	for i, s := range steps {
		end := ""
		if s.checked {
			end = " || true"
		}
		fmt.Fprintf(&b, "{\n%s} >%s/%d 2>&1%s\necho done >%s/%d.done\n", s.command, out, i, end, out, i)
	}
	return b.String()
}

// copyRepository copies what a clone of the repository has.
func copyRepository(t *testing.T, to string) {
	t.Helper()
	from := root(t)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == ".git" || e.Name() == "bin" {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "-R", filepath.Join(from, e.Name()), to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// shareBuild puts the program that all tests share where `make build` writes it. Go sees that it is up to date, and does not link another.
func shareBuild(t *testing.T, clone string) {
	t.Helper()
	bin := filepath.Join(clone, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", portcullis(t), bin).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := envoytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
