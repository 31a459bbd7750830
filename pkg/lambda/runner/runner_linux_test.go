package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/portcullis-authz/portcullis/pkg/internal/logtest"
)

func TestMain(m *testing.M) {
	switch start := os.Getenv(helperStart); start {
	case "":
		goleak.VerifyTestMain(m, goleak.Cleanup(exitWithoutZombies))
	case "sleep", "orphan":
		sleeper(start)
	default:
		helper(start)
	}
}

const testARN = "arn:aws:lambda:eu-west-1:111122223333:function:partners"

// helperConfig is a function whose program is this test binary.
func helperConfig(tb testing.TB, start string) (Config, *logtest.Buffer) {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	l := &logtest.Buffer{}
	return Config{
		ARN: testARN, Command: []string{exe}, Dir: tb.TempDir(), Env: map[string]string{helperStart: start},
		Timeout: 10 * time.Second, StartTimeout: 10 * time.Second, MemoryMiB: 1024, Log: slog.New(slog.NewTextHandler(l, nil)),
	}, l
}

// run makes a runner that is closed after the test, and sees to it that it leaves no process behind.
func run(tb testing.TB, c Config) *Runner {
	tb.Helper()
	marker := randomHex()
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	c.Env["RUNNER_MARKER"] = marker
	r, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		r.Close()
		if left := marked(tb, marker); len(left) > 0 {
			tb.Errorf("processes left behind: %v", left)
		}
		if n := r.Stats().Running; n != 0 {
			tb.Errorf("%d processes are counted as running", n)
		}
	})
	return r
}

// exitWithoutZombies ends the tests, with a failure if there is a child left, even one that has ended.
func exitWithoutZombies(code int) {
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		fmt.Println("FAIL: a child is left:", pid, err)
		code = 1
	}
	os.Exit(code)
}

// marked lists the processes with a marker in their environment.
func marked(tb testing.TB, marker string) []string {
	tb.Helper()
	names, err := readNames("/proc")
	if err != nil {
		tb.Fatal(err)
	}
	var found []string
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", name, "environ"))
		if bytes.Contains(env, []byte(marker)) {
			found = append(found, name)
		}
	}
	return found
}

func do(r *Runner, c command) (string, error) {
	event, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	answer, err := r.Invoke(context.Background(), "", event)
	return string(answer), err
}

func mustDo(tb testing.TB, r *Runner, c command) string {
	tb.Helper()
	answer, err := do(r, c)
	if err != nil {
		tb.Fatalf("%s: %v", c.Do, err)
	}
	return answer
}

func wantErr(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) || !errors.Is(err, ErrUnavailable) {
		tb.Errorf("error %v, want %v", err, want)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	for i := range 5 {
		text := strings.Repeat("ü", i*1000)
		if got := mustDo(t, r, command{"echo", text}); got != strconv.Quote(text) {
			t.Errorf("event %d: got %.40q", i, got)
		}
	}
	if s := r.Stats(); s != (Stats{Starts: 1, Running: 1}) {
		t.Errorf("%+v", s)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	before := time.Now()
	ids := map[string]bool{}
	for _, arn := range []string{testARN, testARN + ":live", ""} {
		answer, err := r.Invoke(t.Context(), arn, []byte(`{"do":"headers"}`))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string][]string
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if want := []string{"application/json"}; !slices.Equal(got["Content-Type"], want) {
			t.Errorf("Content-Type %q", got["Content-Type"])
		}
		if arn == "" {
			arn = testARN
		}
		if !slices.Equal(got[headerARN], []string{arn}) {
			t.Errorf("function %q, want %q", got[headerARN], arn)
		}
		ms, err := strconv.ParseInt(got[headerDeadline][0], 10, 64)
		if left := time.UnixMilli(ms).Sub(before); err != nil || left < 9*time.Second || left > 30*time.Second {
			t.Errorf("deadline in %v, %v", left, err)
		}
		if len(got[headerTrace]) != 1 || !strings.HasPrefix(got[headerTrace][0], "Root=1-") {
			t.Errorf("trace %q", got[headerTrace])
		}
		ids[got[headerRequestID][0]] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids repeat: %v", ids)
	}
	if _, err := r.Invoke(t.Context(), "arn:aws:lambda:eu-west-1:111122223333:function:other", []byte(`{"do":"echo"}`)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another function: %v", err)
	}
}

// A program gets what Lambda sets and what its configuration says, and nothing of what portcullis has.
// Each process handles one event at a time, all of them at once.
func TestConcurrency(t *testing.T) {
	c, _ := helperConfig(t, "good")
	c.Processes = 3
	r := run(t, c)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if _, err := do(r, command{Do: "pid"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	const rounds = 20 // on a busy machine a process may start late, and a round may be slow
	for round := 1; ; round++ {
		took := sixSleeps(t, r)
		if s := r.Stats(); took < 600*time.Millisecond || s.Starts > 3 || round == rounds {
			t.Fatalf("6 events of 300 ms in 3 processes took %v; %+v", took, s)
		} else if s.Starts == 3 && took < 1700*time.Millisecond {
			return
		}
	}
}

// sixSleeps sends six events of 300 ms at once, and returns how long they take.
func sixSleeps(t *testing.T, r *Runner) time.Duration {
	t.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := do(r, command{"sleep", "300ms"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

func TestFunctionError(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	for _, tc := range []struct {
		name, body string
		want       FunctionError
	}{
		{"as runtimes post it", `{"errorMessage":"Unauthorized","errorType":"Error","stackTrace":["secret"]}`, FunctionError{"Error", "Unauthorized"}},
		{"no type", `{"errorMessage":"Unauthorized"}`, FunctionError{"Exception", "Unauthorized"}},
		{"no message", `{"errorType":"Error"}`, FunctionError{"Error", ""}},
		{"not JSON", `Unauthorized`, FunctionError{"Exception", ""}},
		{"another shape", `["Unauthorized"]`, FunctionError{"Exception", ""}},
		{"a message that is not text", `{"errorMessage":{"a":1},"errorType":"Error"}`, FunctionError{"Exception", ""}},
		{"empty", ``, FunctionError{"Exception", ""}},
		{"long", `{"errorMessage":"Unauthorized` + strings.Repeat(" ", 100_000) + `"}`, FunctionError{"Exception", "Unauthorized" + strings.Repeat(" ", maxErrorText-12) + "…"}},
	} {
		answer, err := do(r, command{"fail", tc.body})
		var got *FunctionError
		if !errors.As(err, &got) || *got != tc.want || answer != "" {
			t.Errorf("%s: %q, %#v", tc.name, answer, err)
			continue
		}
		if strings.Contains(err.Error(), "Unauthorized") || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if strings.Contains(l.String(), "Unauthorized") {
		t.Error("the log holds an answer")
	}
	if s := r.Stats(); s.Starts != 1 || s.Crashes != 0 {
		t.Errorf("a function's error ended its process: %+v", s)
	}
}

// What a program does wrong never becomes an answer, and the program after it is sound.
// A process that answers and never comes back is ended, too.
// A program that is gone when it is started.
// A program that ended is started again, and events find it when it is there.
// Who has called and gone gets no answer, and nobody else gets it.
// A program that does not want to end, with an event that does not either.
// A function that prints its event does not bring what a client sent into the log.
