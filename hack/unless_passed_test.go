package hack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clone is a repository with a script that counts its runs.
type clone struct {
	t     *testing.T
	dir   string
	cache string
}

func newClone(t *testing.T) *clone {
	t.Helper()
	c := &clone{t, t.TempDir(), t.TempDir()}
	c.write("deploy/a", "one")
	c.write("other", "one")
	c.git("init", "--quiet")
	c.commit()
	return c
}

func (c *clone) write(name, text string) {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clone) git(args ...string) {
	c.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (c *clone) commit() {
	c.t.Helper()
	c.git("add", "-A")
	c.git("commit", "--quiet", "--allow-empty", "-m", "a")
}

// run runs the command unless it has passed, and reports whether it ran and whether everything succeeded.
func (c *clone) run(command string, paths ...string) (ran, ok bool, said string) {
	c.t.Helper()
	script, err := filepath.Abs("unless-passed.sh")
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(script, append(append([]string{"tests"}, paths...), "--", "bash", "-c", "echo it ran; "+command)...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "XDG_CACHE_HOME="+c.cache)
	out, err := cmd.CombinedOutput()
	return strings.Contains(string(out), "it ran\n"), err == nil, string(out)
}

// A command that has passed does not run again, also not in another clone. It runs again after a change, a failure, or
// without a commit.
func TestUnlessPassed(t *testing.T) {
	c := newClone(t)
	expect := func(what string, wantRun, wantOK bool, command string, paths ...string) {
		t.Helper()
		if ran, ok, said := c.run(command, paths...); ran != wantRun || ok != wantOK {
			t.Errorf("%s: ran %v, well %v; want %v, %v\n%s", what, ran, ok, wantRun, wantOK, said)
		}
	}
	expect("what fails", true, false, "exit 3", "deploy")
	expect("what failed before", true, true, "true", "deploy")
	expect("what passed", false, true, "false", "deploy")
	expect("other paths", true, true, "true", "deploy", "other")
	if _, _, said := c.run("true", "deploy"); !strings.Contains(said, "skipped") || !strings.Contains(said, "passed with the same deploy") {
		t.Errorf("it does not say why it is skipped: %s", said)
	}

	c.write("deploy/a", "two")
	expect("what is not committed", true, true, "true", "deploy")
	expect("what is not committed, again", true, true, "true", "deploy")
	c.commit()
	expect("what is committed now", true, true, "true", "deploy")
	c.write("deploy/new", "one")
	expect("a new file", true, true, "true", "deploy")
	c.commit()
	expect("a new file, committed", true, true, "true", "deploy")
	c.write("other", "two")
	c.commit()
	expect("a change elsewhere", false, true, "false", "deploy")
	expect("a path that is not there", true, true, "true", "deploy", "gone")
	expect("a change while it runs", true, true, "echo three >deploy/a", "deploy", "other")
	c.commit()
	expect("what has changed while it ran", true, true, "true", "deploy")

	second := *c
	second.dir = filepath.Join(t.TempDir(), "second")
	c.git("clone", "--quiet", c.dir, second.dir)
	if ran, ok, said := second.run("false", "deploy"); ran || !ok {
		t.Errorf("a second clone of what passed: %s", said)
	}
	c.write("deploy/a", "one")
	if err := os.Remove(filepath.Join(c.dir, "deploy", "new")); err != nil {
		t.Fatal(err)
	}
	c.commit()
	expect("what passed long ago", false, true, "false", "deploy")
}

// Without git, the command runs.
func TestUnlessPassedWithoutGit(t *testing.T) {
	c := &clone{t, t.TempDir(), t.TempDir()}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(c.dir))
	for range 2 {
		if ran, ok, said := c.run("true", "deploy"); !ran || !ok {
			t.Errorf("ran %v, well %v\n%s", ran, ok, said)
		}
	}
}
