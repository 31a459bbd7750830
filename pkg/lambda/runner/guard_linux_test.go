package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// addressOf asks a runner's process for its Runtime API's address.
func addressOf(tb testing.TB, r *Runner) string {
	tb.Helper()
	var env []string
	if err := json.Unmarshal([]byte(mustDo(tb, r, command{Do: "environment"})), &env); err != nil {
		tb.Fatal(err)
	}
	for _, v := range env {
		if address, ok := strings.CutPrefix(v, apiVariable+"="); ok {
			return address
		}
	}
	tb.Fatal("no address")
	return ""
}

// Another process that knows the address gets no event and answers none, while the function's own gets each.
func TestImpostor(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	address := addressOf(t, r)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{helperStart + "=impostor", helperURL + "=http://" + address}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := do(r, command{"echo", "secret"}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	out, err := cmd.Output()
	close(stop)
	wg.Wait()
	if err != nil || string(out) != strings.Repeat("refused\n", 20) {
		t.Errorf("%v\n%s", err, out)
	}
	if res, err := http.Get("http://" + address + apiVersion + "/runtime/invocation/next"); err == nil {
		res.Body.Close()
		t.Errorf("portcullis' own process was let in: %s", res.Status)
	}
	if s := r.Stats(); s.Refused < 21 || s.Starts != 1 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(l.String(), "was refused") || strings.Count(l.String(), "was refused") > 2 {
		t.Errorf("%s", l)
	}
}

// A program may leave the work to another one that it starts, as a shell script does.
func TestChildMayAsk(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "child")
	c.Env["RUNNER_CHILD"] = "good"
	if got := mustDo(t, run(t, c), command{"echo", "hello"}); got != `"hello"` {
		t.Errorf("%q", got)
	}
}

// What a process has started ends with it: in its group, in a session of its own, and without a parent.
func TestNothingOutlives(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"close", "exit", "hang"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			c, _ := helperConfig(t, "good")
			c.Timeout = time.Second
			r := run(t, c)
			mustDo(t, r, command{Do: "spawn"})
			waitForMarked(t, c, 4)
			if end != "close" {
				if _, err := do(r, command{Do: end}); err == nil {
					t.Error("it has answered")
				}
				mustDo(t, r, command{Do: "echo"})
				if n := len(marked(t, c.Env["RUNNER_MARKER"])); n != 1 {
					t.Errorf("%d processes instead of 1", n)
				}
			}
		})
	}
}

// otherUser is a function that runs as a user of its own, from a folder that this user can read.
func otherUser(t *testing.T) Config {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a function a user of its own")
	}
	dir, err := os.MkdirTemp("", "runner")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	// Another process writes the program. A process that a parallel test forks would otherwise have the file open for writing for a
	// moment, in which the program cannot start (ETXTBSY).
	if out, err := exec.Command("cp", exe, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c, _ := helperConfig(t, "good")
	c.Command, c.Dir, c.User = []string{program}, dir, &User{UID: 61_999, GID: 61_998}
	return c
}

// waitForMarked waits until a function has started as many processes.
func waitForMarked(t *testing.T, c Config, want int) {
	t.Helper()
	for begin := time.Now(); len(marked(t, c.Env["RUNNER_MARKER"])) != want; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("%d processes instead of %d", len(marked(t, c.Env["RUNNER_MARKER"])), want)
		}
	}
}

// As a container's first process, portcullis is the parent of what a function leaves behind, and reaps it.
func TestReapsOrphans(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestReapsOrphansInside$", "-test.v")
	cmd.Env = append(os.Environ(), "RUNNER_FIRST=yes")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestReapsOrphansInside") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestReapsOrphansInside runs in a process of its own, which fails if it has a child in the end.
func TestReapsOrphansInside(t *testing.T) {
	if os.Getenv("RUNNER_FIRST") == "" {
		t.Skip("it is part of TestReapsOrphans")
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	c, _ := helperConfig(t, "good")
	c.Timeout = 2 * time.Second
	r := run(t, c)
	for range 2 {
		mustDo(t, r, command{Do: "spawn two"})
		waitForMarked(t, c, 3)
		if _, err := do(r, command{Do: "hang"}); err == nil {
			t.Error("it has answered")
		}
	}
}

// The memory of what a program has started counts.
func TestMemoryOfChildren(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "child")
	c.Env["RUNNER_CHILD"], c.MemoryMiB = "good", 256
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	_, err := do(r, command{Do: "eat"})
	wantErr(t, err, ErrMemory)
	if s := r.Stats(); s.OutOfMemory != 1 || s.Crashes != 0 {
		t.Errorf("%+v", s)
	}
}

// An event that finds a process dead goes to another one.
func TestDeadWhileIdle(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	for range 20 {
		pid, err := strconv.Atoi(mustDo(t, r, command{Do: "pid"}))
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for !(&process{pid: pid}).hasExited() {
			time.Sleep(time.Millisecond)
		}
	}
}

// As another user, the program is that user and nobody else.
func TestUser(t *testing.T) {
	t.Parallel()
	r := run(t, otherUser(t))
	pid := mustDo(t, r, command{Do: "pid"})
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t61999\t61999\t61999\t61999\n", "Gid:\t61998\t61998\t61998\t61998\n", "Groups:\t \n", "NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in %s", want, status)
		}
	}
}

// Without CAP_SYS_PTRACE, as root in a container, the files of another user's process cannot be read. Then it is the user alone
// that tells who connects, if the function has one to itself.
func TestWithoutPtrace(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a function a user of its own")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutPtraceInside$", "-test.v")
	cmd.Env = append(os.Environ(), "RUNNER_NO_PTRACE=yes")
	var out []byte
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); err != nil {
			done <- err
			return
		}
		var err error
		out, err = cmd.CombinedOutput()
		done <- err
	}()
	if err := <-done; err != nil || !strings.Contains(string(out), "--- PASS: TestWithoutPtraceInside") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWithoutPtraceInside runs in a process of its own.
func TestWithoutPtraceInside(t *testing.T) {
	if os.Getenv("RUNNER_NO_PTRACE") == "" {
		t.Skip("it is part of TestWithoutPtrace")
	}
	r := run(t, otherUser(t))
	pid, err := strconv.Atoi(mustDo(t, r, command{Do: "pid"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hasSocket(pid, 1); !errors.Is(err, os.ErrPermission) {
		t.Fatalf("the files of the process can be read all the same: %v", err)
	}
	if res, err := http.Get("http://" + addressOf(t, r) + apiVersion + "/runtime/invocation/next"); err == nil {
		res.Body.Close()
		t.Errorf("another user was let in: %s", res.Status)
	}
	for name, tc := range map[string]struct {
		p    process
		want bool
	}{
		"a user of its own":   {process{pid: pid, uid: 61_999, ownUser: true}, true},
		"portcullis' user":    {process{pid: pid, uid: 61_999}, false},
		"another user's user": {process{pid: pid, uid: 61_998, ownUser: true}, false},
	} {
		if err := tc.p.holds(socket{inode: 1, uid: 61_999}); tc.want != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A socket is found by its two addresses, with whom it belongs to.
func TestFindSocket(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bound, connected := netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
	got, err := findSocket(bound, connected)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := hasSocket(os.Getpid(), got.inode); !has || err != nil {
		t.Errorf("socket %d is not ours: %v", got.inode, err)
	}
	if got.uid != uint32(os.Geteuid()) {
		t.Errorf("user %d", got.uid)
	}
	if has, _ := hasSocket(os.Getppid(), got.inode); has {
		t.Error("the parent has it, too")
	}
	if got, err := findSocket(bound, netip.MustParseAddrPort("127.0.0.1:1")); err == nil {
		t.Errorf("a socket that is not there: %+v", got)
	}
	if _, err := findSocket(netip.MustParseAddrPort("[::1]:80"), connected); err == nil {
		t.Error("an IPv6 address was taken")
	}
}

func TestHolds(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	end, err := findSocket(netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String()))
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait() //nolint:errcheck // it is killed
	defer func() { _ = other.Process.Kill() }()
	own := process{pid: os.Getpid(), uid: end.uid}
	for name, tc := range map[string]struct {
		p    process
		s    socket
		want bool
	}{
		"its own":            {own, end, true},
		"another user's":     {process{pid: own.pid, uid: end.uid + 1}, end, false},
		"another process'":   {process{pid: other.Process.Pid, uid: end.uid}, end, false},
		"no inode":           {own, socket{uid: end.uid}, false},
		"another socket":     {own, socket{uid: end.uid, inode: end.inode ^ 0x4000_0000}, false},
		"a process that was": {process{pid: 1 << 30, uid: end.uid, ownUser: true}, end, false},
		"nothing":            {process{}, socket{}, false},
	} {
		if err := tc.p.holds(tc.s); tc.want != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The programs die with a portcullis that is killed and cannot end them.
func TestDiesWithItsParent(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	marker := randomHex()
	cmd := exec.Command(exe, "-test.run=^TestParent$", "-test.v")
	cmd.Env = append(os.Environ(), "RUNNER_PARENT="+marker)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for buf := make([]byte, 1024); !strings.Contains(string(text), "running"); {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		text = append(text, buf[:n]...)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it was killed
	for begin := time.Now(); len(marked(t, marker)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("still there: %v", marked(t, marker))
		}
	}
}

// TestParent is the portcullis that TestDiesWithItsParent kills.
func TestParent(t *testing.T) {
	marker := os.Getenv("RUNNER_PARENT")
	if marker == "" {
		t.Skip("it is part of TestDiesWithItsParent")
	}
	if err := Harden(); err != nil {
		t.Fatal(err)
	}
	c, _ := helperConfig(t, "good")
	c.Processes, c.Env["RUNNER_PARENT_MARKER"] = 2, marker
	r := run(t, c)
	for range 10 {
		mustDo(t, r, command{Do: "echo"})
	}
	fmt.Println("running")
	<-context.Background().Done()
}

func TestHarden(t *testing.T) {
	t.Parallel()
	if os.Getenv("RUNNER_PARENT") != "" {
		t.Skip()
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestHardened$", "-test.v")
	cmd.Env = append(os.Environ(), "RUNNER_HARDEN=yes")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestHardened") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHardened runs in a process of its own, for what Harden does stays.
func TestHardened(t *testing.T) {
	if os.Getenv("RUNNER_HARDEN") == "" {
		t.Skip("it is part of TestHarden")
	}
	// A pipe that portcullis was started with, as by --tls-key <(…): it is not closed where a program is executed.
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	if err := Harden(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"environ", "mem"} {
		info, err := os.Stat("/proc/" + strconv.Itoa(os.Getpid()) + "/" + name)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	if got := mustDo(t, r, command{"echo", "hello"}); got != `"hello"` {
		t.Errorf("%q", got)
	}
	inherited, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", pipe[0]))
	if err != nil {
		t.Fatal(err)
	}
	dir := "/proc/" + mustDo(t, r, command{Do: "pid"}) + "/fd/"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		if link, _ := os.Readlink(dir + f.Name()); link == inherited {
			t.Errorf("the function has portcullis' %s open", link)
		}
	}
}

// What it costs to check one connection.
func BenchmarkOwns(b *testing.B) {
	l, err := listen()
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	mine, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer mine.Close()
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	p := &process{pid: os.Getpid(), uid: uint32(os.Geteuid())}
	for b.Loop() {
		if err := p.owns(conn); err != nil {
			b.Fatal(err)
		}
	}
}
