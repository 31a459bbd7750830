package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

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

func TestCallerGone(t *testing.T) {
	t.Parallel()
	c, _ := helperConfig(t, "good")
	r := run(t, c)
	mustDo(t, r, command{Do: "echo"})
	for _, wait := range []string{"500ms", "800ms"} {
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
