package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without rights, where the tests run as root: root reads everything.
func nobody() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// TestNobodyReadsTheServer has a process of the same user, as a function may be one, look for the secrets in the environment and
// the memory of portcullis serve.
func TestNobodyReadsTheServer(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "portcullis.yaml")
	if err := os.WriteFile(config, []byte("apis:\n  - {id: a1b2c3d4e5, account: \"111122223333\", region: eu-west-1, stages: [{name: prod, domains: [pets.example.com]}], routes: [{route: GET /pets, authorization: NONE}]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // for the user without rights
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		open bool
	}{
		{"portcullis serve", []string{"portcullis", "serve", "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, false},
		{"a program that is not hardened", []string{"cat"}, true},
	} {
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: tc.args, Env: []string{"ALICE_SECRET=s3cr3t"}, Dir: dir, SysProcAttr: nobody()}
		if tc.open {
			cmd.Path = "/bin/cat"
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		fmt.Fprintln(in, "listening") // what cat prints once it runs
		for lines := bufio.NewScanner(out); ; {
			if !lines.Scan() {
				t.Fatalf("%s has ended early", tc.name)
			}
			if strings.Contains(lines.Text(), "listening") {
				break
			}
		}
		for _, file := range []string{"environ", "mem", "maps"} {
			path := fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file)
			look := exec.Command("/bin/sh", "-c", `exec 3<"$1" && { [ "${1##*/}" = mem ] || cat <&3; }`, "sh", path)
			look.SysProcAttr = nobody()
			text, err := look.CombinedOutput()
			if (err == nil) != tc.open || !tc.open && strings.Contains(string(text), "s3cr3t") {
				t.Errorf("%s: %s: %v %s: want it open: %v", tc.name, path, err, text, tc.open)
			}
		}
	}
}
