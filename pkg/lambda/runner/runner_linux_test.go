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

// logBook keeps what a runner logs.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// helperConfig is a function whose program is this test binary.
func helperConfig(tb testing.TB, start string) (Config, *logBook) {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	l := &logBook{}
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
func TestEnvironment(t *testing.T) {
	t.Setenv("PORTCULLIS_SECRET", "s3cret")
	t.Setenv("HOME", "/root")
	c, _ := helperConfig(t, "good")
	c.Env["TABLE"], c.Handler, c.ARN, c.MemoryMiB = "pets", "app.handler", testARN+":live", 0
	var got []string
	if err := json.Unmarshal([]byte(mustDo(t, run(t, c), command{Do: "environment"})), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range got {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
		"AWS_REGION", "LAMBDA_TASK_ROOT", "LANG", "PATH", "RUNNER_HELPER", "RUNNER_MARKER", "TABLE", "TZ", "_HANDLER",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got  %v\nwant %v", names, want)
	}
	for _, v := range []string{
		"AWS_REGION=eu-west-1", "AWS_LAMBDA_FUNCTION_NAME=partners", "AWS_LAMBDA_FUNCTION_VERSION=live", "TZ=:UTC",
		"_HANDLER=app.handler", "LAMBDA_TASK_ROOT=" + c.Dir, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "TABLE=pets",
	} {
		if !slices.Contains(got, v) {
			t.Errorf("no %s", v)
		}
	}
}

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
	if r.Stats().Starts != 3 {
		t.Errorf("%+v", r.Stats())
	}
	begin := time.Now()
	for range 6 {
		wg.Go(func() {
			if _, err := do(r, command{"sleep", "300ms"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took < 600*time.Millisecond || took > 1700*time.Millisecond {
		t.Errorf("6 events of 300 ms in 3 processes took %v", took)
	}
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
		{"a message that is no text", `{"errorMessage":{"a":1},"errorType":"Error"}`, FunctionError{"Exception", ""}},
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
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		do, text string
		want     error
	}{
		{"exit", "", ErrCrashed},
		{"exit", "x", ErrCrashed},
		{"hang", "", ErrTimeout},
		{"sleep", "1m", ErrTimeout},
		{"next", "", ErrCrashed},
		{"half", "", ErrCrashed},
		{"eat", "", ErrMemory},
	} {
		t.Run(tc.do+tc.text, func(t *testing.T) {
			t.Parallel()
			c, _ := helperConfig(t, "good")
			if errors.Is(tc.want, ErrMemory) {
				c.MemoryMiB = 128
			}
			if errors.Is(tc.want, ErrTimeout) {
				c.Timeout = time.Second
			}
			r := run(t, c)
			answer, err := do(r, command{tc.do, tc.text})
			if answer != "" {
				t.Errorf("answer %q", answer)
			}
			wantErr(t, err, tc.want)
			if got := mustDo(t, r, command{"echo", "after"}); got != `"after"` {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	for _, tc := range []struct {
		do, answer, errorType string
	}{
		{"big", "", "Function.ResponseSizeTooLarge"},
		{"big error", "", "Big"},
		{"trailer", "", "Stream"},
		{"twice", `"first"`, ""},
		{"wrong id", `"right"`, ""},
		{"start", `403`, ""},
	} {
		answer, err := do(r, command{Do: tc.do})
		var got FunctionError
		if e := new(FunctionError); errors.As(err, &e) {
			got = *e
		} else if err != nil {
			t.Errorf("%s: %v", tc.do, err)
		}
		if answer != tc.answer || got != (FunctionError{Type: tc.errorType}) {
			t.Errorf("%s: answer %.40q, error %+v", tc.do, answer, got)
		}
	}
	for file, want := range map[string]string{"twice": "202 403", "wrong": "400 400"} {
		if got, _ := os.ReadFile(filepath.Join(c.Dir, file)); string(got) != want {
			t.Errorf("%s: answered with %s, want %s", file, got, want)
		}
	}
	if s := r.Stats(); s.Starts != 1 {
		t.Errorf("%+v\n%s", s, l)
	}
}

// A process that answers and never comes back is ended, too.
func TestAnswerAndHang(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	c.Timeout = time.Second
	r := run(t, c)
	if got := mustDo(t, r, command{Do: "answer and hang"}); got != `"answered"` {
		t.Errorf("%q", got)
	}
	if got := mustDo(t, r, command{"echo", "after"}); got != `"after"` {
		t.Errorf("%q", got)
	}
	if s := r.Stats(); s.Timeouts != 1 || s.Starts != 2 {
		t.Errorf("%+v", s)
	}
}

func TestStarts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		start string
		log   string
	}{
		{"crash", "no module named app"},
		{"silent", "did not ask for an event in time"},
		{"init error", "Runtime.ImportModuleError"},
	} {
		t.Run(tc.start, func(t *testing.T) {
			t.Parallel()
			c, l := helperConfig(t, tc.start)
			if tc.start == "silent" {
				c.StartTimeout = 300 * time.Millisecond
			}
			r := run(t, c)
			r.backoff.first = time.Minute
			r.backoff.most = time.Minute
			begin := time.Now()
			_, err := do(r, command{Do: "echo"})
			wantErr(t, err, ErrStart)
			if errors.As(err, new(*FunctionError)) {
				t.Error("an error of the start passes for the function's own")
			}
			if !strings.Contains(l.String(), tc.log) {
				t.Errorf("not in the log: %s\n%s", tc.log, l)
			}
			if r.Stats().Starts != 2 {
				t.Errorf("after %v: %+v", time.Since(begin), r.Stats())
			}
			begin = time.Now()
			_, err = do(r, command{Do: "echo"})
			wantErr(t, err, ErrStart)
			if took := time.Since(begin); took > 100*time.Millisecond {
				t.Errorf("with no process coming up, an event waited for %v", took)
			}
		})
	}
}

// A program that is gone when it is started.
func TestProgramGone(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	program := filepath.Join(c.Dir, "bootstrap")
	if err := os.WriteFile(program, []byte("#!/no/such/shell\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Command = []string{"./bootstrap"}
	r := run(t, c)
	_, err := do(r, command{Do: "echo"})
	wantErr(t, err, ErrStart)
	if s := r.Stats(); s != (Stats{}) || !strings.Contains(l.String(), "does not start") {
		t.Errorf("%+v\n%s", s, l)
	}
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "slow")
	if got := mustDo(t, run(t, c), command{"echo", "hello"}); got != `"hello"` {
		t.Errorf("%q", got)
	}
}

// A program that ended is started again, and events find it when it is there.
func TestRecovery(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "once")
	r := run(t, c)
	r.backoff = backoff{first: 10 * time.Millisecond, asked: 10 * time.Millisecond, most: 20 * time.Millisecond}
	mustDo(t, r, command{Do: "echo"})
	_, err := do(r, command{Do: "exit"})
	wantErr(t, err, ErrCrashed)
	for r.Stats().Starts < 5 {
		_, err = do(r, command{Do: "echo"})
		wantErr(t, err, ErrStart)
	}
	if err := os.Remove(filepath.Join(c.Dir, "started")); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		if _, err = do(r, command{Do: "echo"}); err == nil {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal(err)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{first: 100 * time.Millisecond, asked: time.Second, most: 30 * time.Second}
	for failures, want := range []time.Duration{0, 0, 100e6, 200e6, 400e6, 800e6, 1600e6} {
		if got := b.after(failures, false); got != want {
			t.Errorf("after %d failures: %v, want %v", failures, got, want)
		}
	}
	for _, failures := range []int{20, 64, 1000, 1 << 40} {
		if got := b.after(failures, false); got != b.most {
			t.Errorf("after %d failures: %v", failures, got)
		}
		if got := b.after(failures, true); got != b.asked {
			t.Errorf("after %d failures: %v", failures, got)
		}
	}
}

// Who has called and gone gets no answer, and nobody else gets it.
func TestCallerGone(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	for _, wait := range []string{"50ms", "80ms"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		answer, err := r.Invoke(ctx, "", []byte(`{"do":"sleep","text":"`+wait+`"}`))
		cancel()
		if answer != nil || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q, %v", answer, err)
		}
		if got := mustDo(t, r, command{"echo", wait}); got != strconv.Quote(wait) {
			t.Errorf("the next caller got %q", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answer, err := r.Invoke(ctx, "", []byte(`{"do":"echo"}`)); answer != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", answer, err)
	}
	if s := r.Stats(); s.Starts != 1 || s.Timeouts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	c.Queue = 2
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := do(r, command{"sleep", "300ms"}); err != nil {
				t.Error(err)
			}
		})
	}
	for len(r.tickets) < 3 {
		time.Sleep(time.Millisecond)
	}
	_, err := do(r, command{Do: "echo"})
	wantErr(t, err, ErrBusy)
	wg.Wait()
	mustDo(t, r, command{Do: "echo"})
	if _, err := r.Invoke(t.Context(), "", make([]byte, maxEvent+1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an event that is too large: %v", err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := do(r, command{"sleep", "300ms"}); got != `"slept"` {
			t.Errorf("the event in flight: %q, %v", got, err)
		}
	})
	for len(r.tickets) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	begin := time.Now()
	r.Close()
	if took := time.Since(begin); took > 1900*time.Millisecond {
		t.Errorf("took %v", took)
	}
	wg.Wait()
	_, err := do(r, command{Do: "echo"})
	wantErr(t, err, ErrClosed)
	r.Close()
	if s := r.Stats(); s.Crashes != 0 {
		t.Errorf("%+v", s)
	}
}

// A program that does not want to end, with an event that does not either.
func TestCloseStubborn(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "stubborn")
	c.StopTimeout = 100 * time.Millisecond
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := do(r, command{Do: "hang"})
		wantErr(t, err, ErrClosed)
	})
	for len(r.tickets) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	begin := time.Now()
	r.Close()
	wg.Wait()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestNothingStartsByItself(t *testing.T) {
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	r.Close()
	r.Start()
	_, err := do(r, command{Do: "echo"})
	wantErr(t, err, ErrClosed)
	if s := r.Stats(); s.Starts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	mustDo(t, r, command{"print", "first\n\x00\x1b[31m\xff\n" + strings.Repeat("a", 10_000) + "\nlast"})
	mustDo(t, r, command{"print", "\n" + strings.Repeat("many\n", 5000)})
	r.Close()
	text := l.String()
	for _, want := range []string{"line=first", "line=last", strings.Repeat("a", maxLine) + "…", `lines left out`, "stream=stdout"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %.40s in the log", want)
		}
	}
	if n := strings.Count(text, "many"); n > linesAtOnce+linesPerSecond || strings.Contains(text, strings.Repeat("a", maxLine+1)) || strings.ContainsAny(text, "\x00\x1b") {
		t.Errorf("%d lines, %d bytes", n, len(text))
	}
}

// A function that prints its event does not bring what a client sent into the log.
func TestOutputHidesEvents(t *testing.T) {
	t.Parallel()
	c, l := helperConfig(t, "good")
	r := run(t, c)
	const token = "eyJhbGciOiJSUzI1NiJ9.secret"
	for _, event := range []string{
		`{"do":"print event","type":"TOKEN","authorizationToken":"Bearer ` + token + `","methodArn":"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/pets"}`,
		`{"do":"print event","headers":{"Authorization":"Bearer ` + token + `"},"multiValueHeaders":{"Cookie":["a=b; session=` + token + `"]},"requestContext":{"stage":"prod"}}`,
		`{"do":"print event","identitySource":["` + token + `"],"queryStringParameters":{"key":"` + token + `"},"routeArn":"prod"}`,
	} {
		if _, err := r.Invoke(t.Context(), "", []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, r, command{"print", token + "\n" + strings.Repeat("x", maxRead-10) + token + "\n"})
	r.Close()
	if text := l.String(); strings.Contains(text, token[:10]) || strings.Count(text, redacted) < 6 || !strings.Contains(text, "prod") {
		t.Errorf("%s", text)
	}
}

func TestConfig(t *testing.T) {
	good, _ := helperConfig(t, "good")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no ARN":          {func(c *Config) { c.ARN = "" }, "not the ARN of a function"},
		"a role's ARN":    {func(c *Config) { c.ARN = "arn:aws:iam::111122223333:role/x" }, "not the ARN of a function"},
		"line end in ARN": {func(c *Config) { c.ARN += "\r\nX: y" }, "not the ARN of a function"},
		"no command":      {func(c *Config) { c.Command = nil }, "a command is missing"},
		"unknown command": {func(c *Config) { c.Command = []string{"no-such-program"} }, "not in the function's PATH"},
		"PATH of portcullis": {func(c *Config) {
			c.Command, c.Env = []string{"sh"}, map[string]string{"PATH": ":.:no/such"}
		}, "not in the function's PATH"},
		"missing file":     {func(c *Config) { c.Command = []string{"./bootstrap"} }, "cannot be run"},
		"not executable":   {func(c *Config) { c.Command = []string{file} }, "cannot be run"},
		"relative folder":  {func(c *Config) { c.Dir = "app" }, "absolute path"},
		"missing folder":   {func(c *Config) { c.Dir = "/no/such/folder" }, "no such file"},
		"file for folder":  {func(c *Config) { c.Dir = file }, "is a file"},
		"reserved":         {func(c *Config) { c.Env = map[string]string{"AWS_LAMBDA_RUNTIME_API": "x"} }, "reserved"},
		"name with =":      {func(c *Config) { c.Env = map[string]string{"A=B": "x"} }, "no valid name"},
		"NUL":              {func(c *Config) { c.Env = map[string]string{"A": "x\x00y"} }, "NUL"},
		"processes":        {func(c *Config) { c.Processes = 65 }, "processes must be between 1 and 64"},
		"negative timeout": {func(c *Config) { c.Timeout = -1 }, "the timeout must be between"},
		"answer":           {func(c *Config) { c.MaxAnswer = 7 << 20 }, "the largest answer"},
		"root":             {func(c *Config) { c.User = &User{} }, "cannot be root"},
	} {
		c := good
		tc.change(&c)
		if r, err := New(c); err == nil || r != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := New(Config{})
	for _, want := range []string{"ARN", "absolute path"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not all faults at once: %v", err)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newRequestID()
		if len(id) != 36 || id[14] != '4' || seen[id] {
			t.Fatalf("%s", id)
		}
		seen[id] = true
	}
}
