package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/meter"
)

const (
	queuedLines  = 4096
	loudLines    = 10 // a second, of errors that the mode would not log
	decisionLine = "decision"
)

// recorder counts every decision and logs those that it was told to.
type recorder struct {
	metrics *metrics
	log     slog.Handler
	mode    DecisionLog
	sample  float64
	loud    *rate.Limiter
	queue   chan slog.Record
	stop    chan struct{}
}

func newRecorder(c Config, m *metrics) *recorder {
	return &recorder{
		metrics: m,
		log:     c.Log.Handler(),
		mode:    c.DecisionLog,
		sample:  c.DecisionLogSample,
		loud:    rate.NewLimiter(loudLines, loudLines),
		queue:   make(chan slog.Record, queuedLines),
		stop:    make(chan struct{}),
	}
}

// record is called once for each check, before it is answered. It never waits.
func (r *recorder) record(d *authz.Decision, took time.Duration) {
	r.metrics.check(d, took)
	level := severity(d)
	if !r.log.Enabled(context.Background(), level) || !r.wanted(d, level) {
		return
	}
	select {
	case r.queue <- line(d, level, took):
	default:
		r.metrics.dropped.Inc()
	}
}

// severity makes an error of what the operator has to mend.
func severity(d *authz.Decision) slog.Level {
	if !d.Allow && (d.Reason.Code == authz.CodeEnvoyConfig || d.Reason.Code == authz.CodeInternal) {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (r *recorder) wanted(d *authz.Decision, level slog.Level) bool {
	switch {
	case d.Allow || d.Reason.Code == authz.CodePreflight:
		return r.mode == LogAll && (r.sample >= 1 || rand.Float64() < r.sample) //nolint:gosec // which lines are kept is no secret
	case r.mode != LogOff:
		return true
	case level < slog.LevelError:
		return false
	case r.loud.Allow():
		return true
	default:
		r.metrics.dropped.Inc()
		return false
	}
}

// line holds nothing that a client sent but the names that the configuration gives to it.
func line(d *authz.Decision, level slog.Level, took time.Duration) slog.Record {
	l := slog.NewRecord(time.Now(), level, decisionLine, 0)
	l.AddAttrs(slog.String("decision", meter.Word(d.Allow)), slog.String("reason", d.Reason.Code.String()))
	for _, f := range [...]authz.Field{
		{Name: "api", Value: d.API},
		{Name: "stage", Value: d.Stage},
		{Name: "route", Value: d.Route},
		{Name: "principal", Value: d.Caller.Principal},
		{Name: "policy", Value: d.Reason.Policy},
		{Name: "statement", Value: d.Reason.Statement},
		{Name: "request_id", Value: d.RequestID},
		{Name: "detail", Value: d.Reason.Detail},
	} {
		if f.Value != "" {
			l.AddAttrs(slog.String(f.Name, strings.Clone(f.Value))) // a line waits; the request that it is cut from does not
		}
	}
	if !d.Allow {
		l.AddAttrs(slog.Int("status", d.Denial.Status))
	}
	l.AddAttrs(slog.Int64("duration_us", took.Microseconds()))
	return l
}

// run writes the lines until close, and then those that are left.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case l := <-r.queue:
			r.write(ctx, l)
		case <-r.stop:
			for {
				select {
				case l := <-r.queue:
					r.write(ctx, l)
				default:
					return
				}
			}
		}
	}
}

func (r *recorder) write(ctx context.Context, l slog.Record) {
	if err := r.log.Handle(ctx, l); err != nil {
		r.metrics.dropped.Inc()
	}
}

func (r *recorder) close() { close(r.stop) }
