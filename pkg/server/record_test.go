package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

var (
	allowed = authz.Decision{Allow: true, Reason: authz.Reason{Code: authz.CodeAllowed}}
	denied  = authz.Decision{Reason: authz.Reason{Code: authz.CodeExplicitDeny}, Denial: authz.Response{Status: 403}}
	misset  = authz.Decision{Reason: authz.Reason{Code: authz.CodeEnvoyConfig, Detail: "set with_request_body"}, Denial: authz.Response{Status: 500}}
)

// recorded is what the log holds after the decisions.
func recorded(t *testing.T, c Config, times int, decisions ...authz.Decision) (*recorder, string) {
	t.Helper()
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := newRecorder(c.withDefaults(), newMetrics("", nil, nil, func() float64 { return 0 }))
	for range times {
		for i := range decisions {
			r.record(&decisions[i], 1500*time.Microsecond)
		}
	}
	r.close()
	r.run(t.Context())
	return r, log.String()
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
			"level=INFO msg=decision decision=allow": c.allowed,
			"level=INFO msg=decision decision=deny":  c.denied,
			"level=ERROR msg=decision decision=deny": c.errors,
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
		if got := strings.Count(log, "level=INFO msg=decision decision=deny reason=preflight"); got != want || strings.Contains(log, "ERROR") {
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
	if n := strings.Count(log, "level=ERROR"); n < loudLines || n > 2*loudLines {
		t.Errorf("%d lines", n)
	}
	if dropped := counted(t, r, "portcullis_decision_log_dropped_total"); dropped < 900 {
		t.Errorf("%v dropped lines are counted", dropped)
	}
}

// TestAStuckLogHoldsNothingUp records more than the queue holds while nobody writes.
func TestAStuckLogHoldsNothingUp(t *testing.T) {
	r, log := recorded(t, Config{}, queuedLines+100, denied)
	if dropped := counted(t, r, "portcullis_decision_log_dropped_total"); dropped != 100 {
		t.Errorf("%v dropped lines are counted, want 100", dropped)
	}
	if n := strings.Count(log, "decision=deny"); n != queuedLines {
		t.Errorf("%d lines, want %d", n, queuedLines)
	}
	if checks := counted(t, r, "portcullis_checks_total"); checks != queuedLines+100 {
		t.Errorf("%v checks are counted", checks)
	}
}

func TestDecisionLine(t *testing.T) {
	d := authz.Decision{
		Reason: authz.Reason{Code: authz.CodeExplicitDeny, Policy: "resource-policy", Statement: "Statement[2]", Detail: "x"},
		Caller: authz.Caller{Principal: "arn:aws:iam::111122223333:user/alice"}, RequestID: "r-1", API: "a1", Stage: "prod", Route: "GET /pets",
		Denial: authz.Response{Status: 403}, SetHeaders: []authz.Field{{Name: "x", Value: "secret"}},
	}
	_, log := recorded(t, Config{}, 1, d)
	_, rest, _ := strings.Cut(log, " ")
	want := `level=INFO msg=decision decision=deny reason=explicit_deny api=a1 stage=prod route="GET /pets" principal=arn:aws:iam::111122223333:user/alice ` +
		"policy=resource-policy statement=Statement[2] request_id=r-1 detail=x status=403 duration_us=1500\n"
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
