package decisionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// opened opens a Log and closes it with the test.
func opened(t *testing.T, c Config, env Environment) *Log {
	t.Helper()
	if env.Counters == nil {
		env.Counters = &Counters{}
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sampling == (Sampling{}) {
		c.Sampling = Sampling{1, 1, 1}
	}
	l, err := Open(c, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(5 * time.Second) })
	return l
}

func of(api, detail string) *Entry {
	return &Entry{Time: time.Now(), Allow: true, Code: authz.CodeAllowed, API: api, Detail: detail}
}

// details are the details of the lines in files, in order. Each line must be one JSON object.
func details(t *testing.T, names ...string) (all []string) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(data) {
			var e struct{ Detail string }
			if err := json.Unmarshal(l, &e); err != nil {
				t.Fatalf("%s: %v: %q", name, err, l)
			}
			all = append(all, e.Detail)
		}
	}
	return all
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 8 s: " + what)
		}
	}
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	for _, old := range []string{".7", ".8", ".x", ".07"} { // of an earlier configuration, and of others
		if err := os.WriteFile(path+old, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := opened(t, Config{Required: true, File: &File{Path: path, MaxBytes: 1000, Keep: 2}}, Environment{Checks: 10})
	for i := range 30 {
		if err := l.Record(of("a", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got := details(t, path+".2", path+".1", path)
	for i, d := range got {
		if d != fmt.Sprint(30-len(got)+i) {
			t.Fatalf("lines %v", got)
		}
	}
	for name, want := range map[string]bool{path: true, path + ".1": true, path + ".2": true, path + ".3": false, path + ".7": false, path + ".8": false, path + ".x": true, path + ".07": true} {
		info, err := os.Stat(name)
		if (err == nil) != want || err == nil && info.Size() > 1000 {
			t.Errorf("%s: %v, size %v", name, err, info)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm()&0o007 != 0 {
		t.Errorf("everybody may read the file: %v", info.Mode())
	}
}

func TestFileFollowsItsName(t *testing.T) {
	for name, move := range map[string]func(l *Log, path string) error{
		"renamed": func(_ *Log, path string) error { return os.Rename(path, path+".old") },
		"removed": func(_ *Log, path string) error { return os.Remove(path) },
		"reopened": func(l *Log, path string) error {
			defer l.Reopen()
			return os.Rename(path, path+".old")
		},
	} {
		path := filepath.Join(t.TempDir(), "d.jsonl")
		l := opened(t, Config{File: &File{Path: path, MaxBytes: 1 << 20, Keep: 1}}, Environment{})
		_ = l.Record(of("a", "one"))
		eventually(t, "one", func() bool { return len(details(t, path)) == 1 })
		if err := move(l, path); err != nil {
			t.Fatal(err)
		}
		eventually(t, name, func() bool {
			_ = l.Record(of("a", "two"))
			_, err := os.Stat(path)
			return err == nil && len(details(t, path)) > 0
		})
		if got := details(t, path); got[0] != "two" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFileMustBeAFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, "/dev/null", filepath.Join(dir, "none", "d")} {
		counters := &Counters{}
		if _, err := Open(Config{File: &File{Path: path, MaxBytes: 100}}, Environment{Counters: counters, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}

// TestTornLineIsEnded continues a file whose last line is not complete.
func TestTornLineIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	if err := os.WriteFile(path, []byte(`{"time":"`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := opened(t, Config{Required: true, File: &File{Path: path, MaxBytes: 1 << 20}}, Environment{Checks: 1})
	if err := l.Record(of("a", "one")); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	if first, second, _ := strings.Cut(string(data), "\n"); first != `{"time":"` || !json.Valid([]byte(second)) {
		t.Errorf("%q", data)
	}
}

// device is one that has room for so many bytes.
type device struct {
	mu   sync.Mutex
	room int
	got  bytes.Buffer
}

func (d *device) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(b), d.room)
	d.room -= n
	d.got.Write(b[:n])
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *device) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got.String()
}

// TestFullDisk fills a device, and makes room again.
func TestFullDisk(t *testing.T) {
	var problems bytes.Buffer
	d, counters := &device{room: 1000}, &Counters{}
	l := opened(t, Config{Required: true, Stdout: true}, Environment{Stdout: d, Counters: counters, Checks: 8, Log: slog.New(slog.NewTextHandler(&problems, nil))})
	var recorded, lost []string
	for i := range 20 {
		if err := l.Record(of("a", fmt.Sprint(i))); err == nil {
			recorded = append(recorded, fmt.Sprint(i))
		} else if lost = append(lost, fmt.Sprint(i)); !errors.Is(err, errFailed) {
			t.Fatal(err)
		}
	}
	d.mu.Lock()
	d.room = 1 << 20
	d.mu.Unlock()
	if err := l.Record(of("a", "again")); err != nil {
		t.Fatal(err)
	}
	whole, torn := map[string]bool{}, 0
	for l := range strings.Lines(d.text()) {
		var e struct{ Detail string }
		if json.Unmarshal([]byte(l), &e) != nil {
			torn++
			continue
		}
		whole[e.Detail] = true
	}
	for _, r := range append(recorded, "again") {
		if !whole[r] {
			t.Errorf("%s is said to be recorded", r)
		}
	}
	if len(recorded) == 0 || len(lost) == 0 || torn > 1 {
		t.Errorf("%d recorded, %d lost, %d torn", len(recorded), len(lost), torn)
	}
	if n := counters.dropped[kindStdout][writeFailed].Load(); int(n) != len(lost) {
		t.Errorf("%d dropped lines are counted, want %d", n, len(lost))
	}
	if n := strings.Count(problems.String(), "level=ERROR"); n != 1 || !strings.Contains(problems.String(), "written again") {
		t.Errorf("logged: %s", &problems)
	}
}

// TestFloodIsCounted records 100,000 decisions as fast as it can, with a standard output that nobody reads, and a file. Each line is written
// whole or counted as dropped, and the checks are not held up.
func TestFloodIsCounted(t *testing.T) {
	const flood, checks = 100_000, 8
	reader, stdout := io.Pipe()
	path, counters := filepath.Join(t.TempDir(), "d.jsonl"), &Counters{}
	l := opened(t, Config{Stdout: true, File: &File{Path: path, MaxBytes: 1 << 30}}, Environment{Stdout: stdout, Counters: counters})
	begin := time.Now()
	var recording sync.WaitGroup
	for range checks {
		recording.Go(func() {
			for range flood / checks {
				if err := l.Record(of("a", "x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	recording.Wait()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%d lines took %v", flood, took)
	}
	_ = reader.Close() // the write that waits fails
	for _, k := range []kind{kindStdout, kindFile} {
		eventually(t, "each line is counted for "+k.String(), func() bool {
			sum := counters.written[k].Load()
			for r := range reasons {
				sum += counters.dropped[k][r].Load()
			}
			return sum == flood
		})
	}
	if n := counters.written[kindFile].Load(); n == 0 || int(n) != len(details(t, path)) {
		t.Errorf("%d lines are counted as written to the file, which has %d", n, len(details(t, path)))
	}
}

// slowReader reads one write in a while.
type slowReader struct {
	pause time.Duration
}

func (s *slowReader) Write(b []byte) (int, error) {
	time.Sleep(s.pause)
	return len(b), nil
}

// TestFloodLeavesRoomForOthers floods one API and asks for another one meanwhile, of which every line must be recorded.
func TestFloodLeavesRoomForOthers(t *testing.T) {
	counters := &Counters{}
	l := opened(t, Config{Required: true, Stdout: true}, Environment{Stdout: &slowReader{pause: 200 * time.Millisecond}, Counters: counters, Checks: 200})
	l.Expect(2)
	l.audit.wait = 2 * time.Second // the flood waits for longer, if all lines take their turn
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 600 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if l.Record(of("greedy", strings.Repeat("x", 1000))) != nil {
						time.Sleep(100 * time.Millisecond)
					}
				}
			}
		})
	}
	eventually(t, "the flood exceeds its share", func() bool { return counters.dropped[kindStdout][noShare].Load() > 100 })
	for i := range 4 {
		if err := l.Record(of("modest", fmt.Sprint(i))); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
	}
	close(stop)
	flood.Wait()
}

// TestLateLinesAreNotWritten stops the reader for longer than checks wait. A line that nobody waits for is not written.
func TestLateLinesAreNotWritten(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	counters := &Counters{}
	l := opened(t, Config{Required: true, Stdout: true}, Environment{Stdout: w, Counters: counters, Checks: 8})
	l.audit.wait = 50 * time.Millisecond
	for _, d := range []string{"first", "late"} {
		if err := l.Record(of("a", d)); !errors.Is(err, errLate) {
			t.Errorf("%s: %v", d, err)
		}
	}
	var got bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&got, r)
	}()
	eventually(t, "recovery", func() bool { return l.Record(of("a", "again")) == nil })
	_ = r.Close()
	<-read
	if strings.Contains(got.String(), "late") {
		t.Errorf("a line was written whose request was denied: %s", &got)
	}
}

// TestClosedLog records after Close, as a check may that a reload leaves behind.
func TestClosedLog(t *testing.T) {
	for name, c := range map[string]Config{
		"stdout": {Stdout: true}, "file": {File: &File{Path: filepath.Join(t.TempDir(), "d.jsonl"), MaxBytes: 1000}}, "log": {Log: true},
	} {
		for _, required := range []bool{false, true} {
			if c.Required = required; required && c.Log {
				continue // Validate refuses it
			}
			c.Sampling = Sampling{1, 1, 1}
			l, err := Open(c, Environment{Stdout: io.Discard, Counters: &Counters{}, Log: slog.New(slog.DiscardHandler), Checks: 1})
			if err != nil {
				t.Fatal(err)
			}
			l.Close(5 * time.Second)
			l.Reopen()
			n := 1
			if !required {
				n = 2 * queuedLines // more than wait
			}
			for range n {
				if err := l.Record(of("a", "late")); (err != nil) != required {
					t.Fatalf("%s, required %v: %v", name, required, err)
				}
			}
		}
	}
}

func TestSampling(t *testing.T) {
	for _, tt := range []struct {
		name  string
		share Sampling
		entry Entry
		want  func(n int) bool
	}{
		{"allowed, all", Sampling{Allowed: 1}, Entry{Allow: true}, func(n int) bool { return n == 1000 }},
		{"allowed, some", Sampling{Allowed: .1, Denied: 1}, Entry{Allow: true}, func(n int) bool { return n > 40 && n < 200 }},
		{"allowed, none", Sampling{Denied: 1, Errors: 1}, Entry{Allow: true}, func(n int) bool { return n == 0 }},
		{"preflight", Sampling{Denied: 1, Errors: 1}, Entry{Code: authz.CodePreflight, Status: 204}, func(n int) bool { return n == 0 }},
		{"denied", Sampling{Denied: 1}, Entry{Code: authz.CodeExplicitDeny, Status: 403}, func(n int) bool { return n == 1000 }},
		{"denied, none", Sampling{Allowed: 1, Errors: 1}, Entry{Code: authz.CodeExplicitDeny, Status: 403}, func(n int) bool { return n == 0 }},
		{"failed", Sampling{Errors: 1}, Entry{Code: authz.CodeAuthorizerFailed, Status: 500}, func(n int) bool { return n == 1000 }},
		{"failed, none", Sampling{Denied: 1}, Entry{Code: authz.CodeAuthorizerFailed, Status: 500}, func(n int) bool { return n == 0 }},
		{"error for operators, none", Sampling{}, Entry{Code: authz.CodeEnvoyConfig, Status: 500}, func(n int) bool { return n >= loudLines && n < 5*loudLines }},
		{"overload", Sampling{Errors: 1}, Entry{Code: authz.CodeOverload, Status: 503}, func(n int) bool { return n >= overloadLines && n < 3*overloadLines }},
	} {
		l := &Log{config: Config{Sampling: tt.share}, counters: &Counters{}}
		l.limit()
		n := 0
		for range 1000 {
			if l.wanted(&tt.entry) {
				n++
			}
		}
		if !tt.want(n) {
			t.Errorf("%s: %d of 1000", tt.name, n)
		}
	}
}

// unread are claims that no line needs.
type unread struct{ t *testing.T }

func (u unread) Claim(string) (string, bool) {
	u.t.Error("a line is encoded that no sink takes")
	return "", false
}

func TestLinesBelowTheLevelAreNotEncoded(t *testing.T) {
	l := opened(t, Config{Log: true, Fields: Fields{Claims: []string{"sub"}}}, Environment{Log: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))})
	e := of("a", "")
	e.Claims = unread{t}
	if err := l.Record(e); err != nil {
		t.Error(err)
	}
}

func TestCredentialsCannotBeChosen(t *testing.T) {
	for _, name := range []string{
		"authorization", "Authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "X-Api-Key", "x_api_key", "x-amz-security-token",
		"X-Amz-Signature", "X-Amz-Credential", "access_token", "id_token", "x-auth-token", "x-csrf-token", "password", "client_secret", "sig", "code", "key",
		"x-amzn-oidc-data", "dpop", "x-session-id", "apikey", "api-key", "x-goog-api-key", "private-token", "jwt", "x-forwarded-client-cert", "x-access-key",
	} {
		f := Fields{Headers: []string{strings.ToLower(name)}, Query: []string{name}, Claims: []string{name}}
		if err := f.Validate(); err == nil || strings.Count(err.Error(), "carries credentials") != 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := Fields{Headers: []string{"user-agent", "x-request-id", "x-tenant", "traceparent"}, Query: []string{"page", "q"}, Claims: []string{"sub", "email", "cognito:groups"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := Fields{Headers: []string{"", "a b", "x", "x", strings.Repeat("x", 65)}, Query: make([]string, 17)}
	if err := bad.Validate(); err == nil || len(strings.Split(err.Error(), "\n")) < 6 {
		t.Errorf("%v", err)
	}
}

// TestWants: whatever Record writes is wanted, and an Allow that sampling leaves out is not.
func TestWants(t *testing.T) {
	full := Sampling{Allowed: 1, Denied: 1, Errors: 1}
	for name, tt := range map[string]struct {
		log   Config
		allow bool
		code  authz.Code
		want  bool
	}{
		"a sampled Allow":            {Config{Stdout: true, Sampling: full}, true, authz.CodeAllowed, true},
		"an Allow left out":          {Config{Stdout: true}, true, authz.CodeAllowed, false},
		"a preflight left out":       {Config{Stdout: true}, false, authz.CodePreflight, false},
		"an Allow under an audit":    {Config{Stdout: true, Required: true}, true, authz.CodeAllowed, true},
		"a denial":                   {Config{Stdout: true, Sampling: full}, false, authz.CodeNotSigned, true},
		"an error that is left out":  {Config{Stdout: true}, false, authz.CodeEnvoyConfig, true},
		"an Allow without any sinks": {Config{Sampling: full}, true, authz.CodeAllowed, false},
	} {
		l, err := Open(tt.log, Environment{Stdout: io.Discard, Log: slog.New(slog.DiscardHandler), Counters: &Counters{}, Checks: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Wants(tt.allow, tt.code); got != tt.want {
			t.Errorf("%s: wanted %v, want %v", name, got, tt.want)
		}
		l.Close(time.Second)
	}
}
