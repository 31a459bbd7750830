package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// reloadsEnv asks for so many reloads of 10,000 APIs; 300 take the better part of an hour (make reloads).
const reloadsEnv = "PORTCULLIS_RELOADS"

// Reloads let the configuration before go: many of them take little more memory than the first one did, with a limit and without.
func TestReloadsTakeNoMoreMemory(t *testing.T) {
	envoytest.Long(t)
	apis, reloads := 1000, 12
	if n, err := strconv.Atoi(os.Getenv(reloadsEnv)); err == nil {
		apis, reloads = 10_000, n
	} else if testing.Short() {
		t.Skip("takes seconds")
	}
	binary := filepath.Join(t.TempDir(), "portcullis")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, flags := range map[string][]string{"no limit": nil, "memory-limit": {"--memory-limit=1GiB"}} {
		t.Run(name, func(t *testing.T) { reloadMany(t, binary, flags, apis, reloads) })
	}
}

func reloadMany(t *testing.T, binary string, flags []string, apis, reloads int) {
	file := filepath.Join(t.TempDir(), "portcullis.yaml")
	text := manyAPIs(apis)
	replace(t, file, text)
	pid, admin := startServe(t, binary, append([]string{"--config", file}, flags...))
	one := memoryOf(t, pid, "VmHWM")
	t.Logf("%d APIs: %d MB for one", apis, one>>10)
	most, begin := int64(0), time.Now()
	for i := range reloads {
		replace(t, file, fmt.Sprintf("# %d\n%s", i, text))
		want := fmt.Sprintf(`portcullis_reloads_total{result="loaded"} %d`, i+2)
		for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(metrics(t, admin), want); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("reload %d is not applied", i+1)
			}
		}
		if most = memoryOf(t, pid, "VmHWM"); i%10 == 9 {
			t.Logf("%d reloads: at most %d MB, %d MB now", i+1, most>>10, memoryOf(t, pid, "VmRSS")>>10)
		}
	}
	time.Sleep(time.Second) // the last one is let go
	t.Logf("%d MB after them, %v a reload", memoryOf(t, pid, "VmRSS")>>10, (time.Since(begin) / time.Duration(reloads)).Round(time.Millisecond))
	if most > one*3/2 {
		t.Errorf("%d reloads took %d MB, more than one and a half times the %d MB of one", reloads, most>>10, one>>10)
	}
}

// manyAPIs is a configuration of n APIs with ten routes and a policy each.
func manyAPIs(n int) string {
	var b strings.Builder
	b.WriteString("apis:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - id: a%09d
    account: "111122223333"
    region: eu-west-1
    stages: [{name: prod, domains: [h%d.example.com, api.example.com/p%d]}]
    resourcePolicy:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: execute-api:/prod/GET/*}
        - Effect: Deny
          Principal: "*"
          Action: execute-api:Invoke
          Resource: execute-api:/prod/GET/r1/*
          Condition: {NotIpAddress: {aws:SourceIp: [192.0.2.0/24]}}
    routes:
`, i, i, i)
		for r := range 10 {
			fmt.Fprintf(&b, "      - {route: \"GET /r%d/{id}\", authorization: NONE}\n", r)
		}
	}
	return b.String()
}

// replace writes a file as operators should: beside it, and then in its place.
func replace(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// startServe starts portcullis serve, and returns its process and its admin address once it serves.
func startServe(t *testing.T, binary string, args []string) (pid int, admin string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append([]string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--log-level=error"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "portcullis: admin listening on "); ok {
			return cmd.Process.Pid, address
		}
	}
	t.Fatal("portcullis does not serve")
	return 0, ""
}

// memoryOf reads a number of kilobytes of a process, VmRSS or VmHWM.
func memoryOf(t *testing.T, pid int, field string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(status), "\n"+field+":")
	words := strings.Fields(after)
	if !ok || len(words) == 0 {
		t.Fatalf("no %s in %s", field, status)
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func metrics(t *testing.T, admin string) string {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
