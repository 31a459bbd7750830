package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog"
)

var (
	allowed = authz.Decision{Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed}}
	denied  = authz.Decision{Reason: authz.Reason{Code: authz.CodeExplicitDeny}, Denial: authz.Response{Status: 403}}
	misset  = authz.Decision{Reason: authz.Reason{Code: authz.CodeEnvoyConfig, Detail: "set with_request_body"}, Denial: authz.Response{Status: 500}}
)

// recorded is the content of the log after the decisions.
func recorded(t *testing.T, c Config, times int, decisions ...authz.Decision) (*recorder, string) {
	t.Helper()
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := opened(t, c, nil)
	for range times {
		for i := range decisions {
			r.record(nil, &decisions[i], 1500*time.Microsecond)
		}
	}
	r.close()
	return r, log.String()
}

// opened is a recorder that logs as a configuration says.
func opened(t *testing.T, c Config, settings *decisionlog.Config) *recorder {
	t.Helper()
	var r *recorder
	m := newMetrics("", nil, func() []authz.Sample { return r.samples() }, func() float64 { return 0 })
	r = newRecorder(c.withDefaults(), m)
	if err := r.use(settings, 1); err != nil {
		t.Fatal(err)
	}
	return r
}

// quiet is a recorder that logs nothing.
func quiet() *recorder {
	r := newRecorder(Config{}.withDefaults(), nil)
	r.flags = decisionlog.Config{}
	return r
}

// counted is the sum of a counter over its labels.
func counted(t *testing.T, r *recorder, name string) (sum float64) {
	t.Helper()
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestDecisionLogModes(t *testing.T) {
	for _, c := range []struct {
		mode                    DecisionLog
		allowed, denied, errors int
	}{
		{LogAll, 1, 1, 1}, {LogDenied, 0, 1, 1}, {LogOff, 0, 0, 1}, {"", 1, 1, 1},
	} {
		_, log := recorded(t, Config{DecisionLog: c.mode}, 1, allowed, denied, misset)
		for what, n := range map[string]int{
			"level=INFO msg=decision v=1 decision=allow": c.allowed,
			"level=INFO msg=decision v=1 decision=deny":  c.denied,
			"level=ERROR msg=decision v=1 decision=deny": c.errors,
		} {
			if got := strings.Count(log, what); got != n {
				t.Errorf("mode %q: %d lines %q, want %d:\n%s", c.mode, got, what, n, log)
			}
		}
	}
}

// A preflight that the gateway answers is not an error and not worth a line among the denials: browsers send many.
func TestPreflightsAreLoggedAsAllowedRequestsAre(t *testing.T) {
	preflight := authz.Decision{Reason: authz.Reason{Code: authz.CodePreflight}, Denial: authz.Response{Status: 204}}
	for mode, want := range map[DecisionLog]int{LogAll: 1, LogDenied: 0, LogOff: 0} {
		r, log := recorded(t, Config{DecisionLog: mode}, 1, preflight)
		if got := strings.Count(log, "level=INFO msg=decision v=1 decision=deny reason=preflight"); got != want || strings.Contains(log, "ERROR") {
			t.Errorf("mode %q: %d lines, want %d:\n%s", mode, got, want, log)
		}
		if n := counted(t, r, "portcullis_checks_total"); n != 1 {
			t.Errorf("mode %q: %v checks are counted", mode, n)
		}
	}
}

func TestDecisionLogSample(t *testing.T) {
	_, log := recorded(t, Config{DecisionLogSample: 0.1}, 2000, allowed, denied)
	if n := strings.Count(log, "decision=allow"); n < 100 || n > 320 {
		t.Errorf("%d of 2000 allowed requests are logged, want about 200", n)
	}
	if n := strings.Count(log, "decision=deny"); n != 2000 {
		t.Errorf("%d of 2000 denials are logged", n)
	}
}

func TestErrorsAreLoggedAtABoundedRateWhereTheLogIsOff(t *testing.T) {
	r, log := recorded(t, Config{DecisionLog: LogOff}, 1000, misset)
	if n := strings.Count(log, "level=ERROR"); n < 10 || n > 20 {
		t.Errorf("%d lines", n)
	}
	if dropped := counted(t, r, "portcullis_decision_log_dropped_total"); dropped < 900 {
		t.Errorf("%v dropped lines are counted", dropped)
	}
}

// stuck is a writer that nobody reads from until it is released.
type stuck struct{ release chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.release
	return len(b), nil
}

// TestAStuckLogHoldsNothingUp records more than the queue holds while nobody reads.
func TestAStuckLogHoldsNothingUp(t *testing.T) {
	w := stuck{make(chan struct{})}
	r := opened(t, Config{Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), LogLines: w}, nil)
	const checks = 10000
	for range checks {
		d := denied
		if r.record(nil, &d, time.Millisecond); d.Reason.Code != authz.CodeExplicitDeny {
			t.Fatalf("the decision became %s", d.Reason.Code)
		}
	}
	if dropped := counted(t, r, "portcullis_decision_log_dropped_total"); dropped < checks/4 {
		t.Errorf("%v dropped lines are counted", dropped)
	}
	close(w.release)
	r.close()
	written, dropped := counted(t, r, "portcullis_decision_log_lines_total"), counted(t, r, "portcullis_decision_log_dropped_total")
	if written+dropped != checks || counted(t, r, "portcullis_checks_total") != checks {
		t.Errorf("%v lines and %v dropped, want %d together", written, dropped, checks)
	}
}

// TestARequiredAuditDeniesWhatIsNotRecorded records an allowed request where each write fails.
func TestARequiredAuditDeniesWhatIsNotRecorded(t *testing.T) {
	slow := stuck{make(chan struct{})}
	for name, w := range map[string]io.Writer{"closed pipe": closedPipe(t), "slow reader": slow, "short write": short{}} {
		r := opened(t, Config{Stdout: w}, &decisionlog.Config{Stdout: true, Required: true})
		d := allowed
		d.API, d.RequestID, d.SetHeaders = "a1", "r-1", []authz.Field{{Name: "x", Value: "y"}}
		r.record(nil, &d, time.Millisecond)
		if d.Allow || d.Reason.Code != authz.CodeUnrecorded || d.Denial.Status != 500 || d.API != "a1" || d.SetHeaders != nil {
			t.Errorf("%s: %+v", name, d)
		}
		if d.RequestID != "r-1" || !slices.Contains(d.Denial.Headers, authz.Field{Name: "x-amzn-RequestId", Value: "r-1"}) {
			t.Errorf("%s: the client's answer has another request id than the log: %+v", name, d)
		}
		if w == slow {
			close(slow.release)
		}
		r.close()
	}
	var log bytes.Buffer
	r := opened(t, Config{Stdout: &log}, &decisionlog.Config{Stdout: true, Required: true})
	d := allowed
	if r.record(nil, &d, time.Millisecond); !d.Allow || !strings.Contains(log.String(), `"decision":"allow"`) {
		t.Errorf("%+v, log %s", d, &log)
	}
	r.close()
}

// closedPipe is a pipe whose reader has gone.
func closedPipe(t *testing.T) io.Writer {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// short writes all but the last byte, without an error.
type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) - 1, nil }

func TestDecisionLine(t *testing.T) {
	d := authz.Decision{
		Reason: authz.Reason{Code: authz.CodeExplicitDeny, Policy: "resource-policy", Statement: "Statement[2]", Detail: "x"},
		Caller: authz.Caller{Principal: "arn:aws:iam::111122223333:user/alice"}, RequestID: "r-1", API: "a1", Stage: "prod", Route: "GET /pets",
		Denial: authz.Response{Status: 403}, SetHeaders: []authz.Field{{Name: "x", Value: "secret"}},
	}
	_, log := recorded(t, Config{}, 1, d)
	_, rest, _ := strings.Cut(log, " ")
	want := `level=INFO msg=decision v=1 decision=deny reason=explicit_deny status=403 api=a1 stage=prod route="GET /pets" ` +
		"principal=arn:aws:iam::111122223333:user/alice policy=resource-policy statement=Statement[2] detail=x request_id=r-1 duration_us=1500\n"
	if rest != want || !strings.HasPrefix(log, "time=") {
		t.Errorf("got  %swant %s", rest, want)
	}
}

// TestNoSecretIsRecorded asks with secrets in query and headers, through the whole process.
func TestNoSecretIsRecorded(t *testing.T) {
	deny := func(context.Context, *authz.Request) authz.Decision { return denied }
	r := serve(t, Config{Load: loads(deny)})
	if got := check(t, r.client()); got != "403" {
		t.Errorf("answer %s", got)
	}
	eventually(t, "the line", func() bool { return strings.Contains(r.log.String(), "msg=decision") })
	_, metrics := r.get("/metrics")
	if strings.Contains(r.log.String()+metrics, "secret") {
		t.Errorf("a secret is in the log or the metrics: %s", r.log)
	}
}

// TestNoRequestPassesAfterTheLastLine records allowed requests after the log was closed, as a check does that outlives --drain-timeout.
func TestNoRequestPassesAfterTheLastLine(t *testing.T) {
	var lines bytes.Buffer
	for required, want := range map[bool]authz.Code{true: authz.CodeUnrecorded, false: authz.CodeAllowed} {
		r := opened(t, Config{Stdout: &lines}, &decisionlog.Config{Stdout: true, Sampling: decisionlog.Sampling{Allowed: 1}, Required: required})
		r.close()
		d := allowed
		if r.record(nil, &d, time.Millisecond); d.Reason.Code != want || d.Allow == required {
			t.Errorf("required %v: %+v", required, d)
		}
	}
	if lines.Len() != 0 {
		t.Errorf("lines: %s", &lines)
	}
}

// TestAReloadThatOutlastsTheDrainLeavesNoLogOpen ends the process while a reload reads a configuration with a log of its own.
func TestAReloadThatOutlastsTheDrainLeavesNoLogOpen(t *testing.T) {
	dir := t.TempDir()
	log := func(n int64) string { return filepath.Join(dir, fmt.Sprint(n)) }
	reading, drained := make(chan struct{}), make(chan struct{})
	var readings atomic.Int64
	r := serve(t, Config{Load: func() (Loaded, error) {
		n := readings.Add(1)
		if n == 2 {
			close(reading)
			<-drained
		}
		settings := &decisionlog.Config{File: &decisionlog.File{Path: log(n), MaxBytes: 1000}}
		return Loaded{Authorizer: allowAs("v"), Digest: fmt.Sprint(n), DecisionLog: settings}, nil
	}})
	r.reload <- syscall.SIGHUP
	<-reading
	if !isOpen(t, log(1)) {
		t.Error("the log of the first configuration is not open")
	}
	r.cancel()
	eventually(t, "the admin port is closed", func() bool {
		conn, err := net.Dial("tcp", r.admin)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(drained)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for n := range readings.Load() {
		if isOpen(t, log(n+1)) {
			t.Errorf("the log of configuration %d is open after the end of the process", n+1)
		}
	}
}

// isOpen reports whether this process has a file open.
func isOpen(t *testing.T, path string) bool {
	t.Helper()
	const open = "/proc/self/fd"
	all, err := os.ReadDir(open)
	if err != nil {
		t.Skip(err)
	}
	return slices.ContainsFunc(all, func(e os.DirEntry) bool {
		name, err := os.Readlink(filepath.Join(open, e.Name()))
		return err == nil && name == path
	})
}
