package decisionlog

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/decisionlog/internal/stream"
)

// Bounds per second.
const (
	loudLines     = 10  // of errors that sampling leaves out
	overloadLines = 100 // of refusals for overload
)

// Environment has the parts of the process that a Log uses.
type Environment struct {
	// Stdout is standard output.
	Stdout io.Writer
	// Log gets errors of sinks; it is also the sink of Config.Log, unless LogWriter is set.
	Log *slog.Logger
	// LogWriter is where Log writes lines of JSON; nil if it writes another format.
	LogWriter io.Writer
	// OTLP opens the sink of Config.OTLP.
	OTLP func(OTLP) (Sink, error)
	// Counters count the lines.
	Counters *Counters
	// Checks is the greatest number of checks at once.
	Checks int
}

// Log writes the lines of decisions. It is safe for concurrent use.
type Log struct {
	config   Config
	counters *Counters
	level    *slog.Logger // what it does not log, the sink log does not either; nil without that sink
	queues   []*queue
	audit    *auditor // nil unless it is required

	loud, overload *rate.Limiter
	buffers        sync.Pool
}

// Open opens the sinks of a valid Config and starts to write. Close the Log to end that.
func Open(c Config, env Environment) (*Log, error) {
	l := &Log{
		config: c, counters: env.Counters,
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
	l.limit()
	sinks, err := open(c, env)
	if err != nil {
		return nil, err
	}
	r := &report{counters: env.Counters, log: env.Log}
	if c.Log {
		l.level = env.Log
	}
	if c.Required {
		l.audit = newAuditor(sinks, 2*max(env.Checks, 1), r)
		go l.audit.run()
		return l, nil
	}
	for _, s := range sinks {
		q := newQueue(s.kind, s.Sink, lingers[s.kind], r)
		l.queues = append(l.queues, q)
		go q.run()
	}
	return l, nil
}

// limit makes the limiters.
func (l *Log) limit() {
	l.loud, l.overload = rate.NewLimiter(loudLines, loudLines), rate.NewLimiter(overloadLines, overloadLines)
}

// lingers are how long a batch waits for more lines.
var lingers = [kinds]time.Duration{kindOTLP: time.Second}

// open opens all sinks, or none.
func open(c Config, env Environment) (sinks []namedSink, err error) {
	defer func() {
		if err != nil {
			for _, s := range sinks {
				_ = s.Close()
			}
		}
	}()
	if c.Log && env.LogWriter != nil {
		sinks = append(sinks, namedSink{kindLog, stream.To(env.LogWriter)})
	} else if c.Log {
		sinks = append(sinks, namedSink{kindLog, &structured{env.Log.Handler()}})
	}
	if c.Stdout {
		sinks = append(sinks, namedSink{kindStdout, stream.To(env.Stdout)})
	}
	if c.File != nil {
		f, err := stream.Open(*c.File)
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, namedSink{kindFile, f})
	}
	if c.OTLP != nil {
		s, err := env.OTLP(*c.OTLP)
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, namedSink{kindOTLP, s})
	}
	return sinks, nil
}

// Wants reports whether Record may write a line for a decision. It spares the caller an Entry that Record would ignore.
func (l *Log) Wants(allow bool, code authz.Code) bool {
	return l.audit != nil || len(l.queues) > 0 && (!passes(allow, code) || l.config.Sampling.Allowed > 0)
}

// Record logs a decision. It returns an error only if the audit is required and the line is not written; only then does it wait, for a
// second at most. The Entry is not kept.
func (l *Log) Record(e *Entry) error {
	if l.audit != nil {
		return l.audit.record(e.share(), l.encode(e))
	}
	if len(l.queues) == 0 || !l.wanted(e) {
		return nil
	}
	var text []byte
	for _, q := range l.queues {
		if q.kind == kindLog && !l.level.Enabled(context.Background(), e.level()) {
			continue
		}
		if text == nil {
			text = l.encode(e)
		}
		q.add(text)
	}
	return nil
}

// encode returns the line in memory of its own.
func (l *Log) encode(e *Entry) []byte {
	buf := l.buffers.Get().(*[]byte)
	*buf = appendLine((*buf)[:0], e, &l.config.Fields)
	text := slices.Clone(*buf)
	l.buffers.Put(buf)
	return text
}

// wanted samples. Errors that an operator has to correct are logged in any case, at a bounded rate.
func (l *Log) wanted(e *Entry) bool {
	var share float64
	switch e.outcome() {
	case allowed:
		share = l.config.Sampling.Allowed
	case denied:
		share = l.config.Sampling.Denied
	case failed:
		share = l.config.Sampling.Errors
	}
	limit := (*rate.Limiter)(nil)
	switch sampled := share >= 1 || share > 0 && rand.Float64() < share; { //nolint:gosec // which lines are kept is no secret
	case !sampled && !e.isError():
		return false
	case !sampled:
		limit = l.loud
	case e.Code == authz.CodeOverload:
		limit = l.overload
	}
	if limit == nil || limit.Allow() {
		return true
	}
	for _, q := range l.queues {
		l.counters.drop(q.kind, tooFast, 1)
	}
	return false
}

// Expect says how many APIs there are. Each has a share of the lines that wait for a required audit.
func (l *Log) Expect(apis int) {
	if l.audit != nil {
		l.audit.places.Expect(apis + 2) // and requests for an unknown host, and STS
	}
}

// Samples returns the metrics of the audit's shares.
func (l *Log) Samples() []authz.Sample {
	if l.audit == nil {
		return nil
	}
	return l.audit.places.Samples()
}

// Reopen makes files follow their names again.
func (l *Log) Reopen() {
	for _, reopen := range l.reopens() {
		select {
		case reopen <- struct{}{}:
		default:
		}
	}
}

func (l *Log) reopens() (all []chan struct{}) {
	for _, q := range l.queues {
		all = append(all, q.reopen)
	}
	if l.audit != nil {
		all = append(all, l.audit.reopen)
	}
	return all
}

// Close writes the lines that wait, for at most so long, drops those that are left, and closes the sinks. It is called once. A later
// Record loses its line, or returns an error if the audit is required.
func (l *Log) Close(patience time.Duration) {
	end := time.Now().Add(patience)
	for _, q := range l.queues {
		close(q.stop)
	}
	if l.audit != nil { // a check waits for each line: there are none
		close(l.audit.stop)
		within(l.audit.ended, end)
	}
	for _, q := range l.queues {
		if !within(q.ended, end) {
			q.discard()
		}
	}
}

// within waits for a channel to be closed, and reports whether it was by then.
func within(closed <-chan struct{}, end time.Time) bool {
	select {
	case <-closed:
		return true
	case <-time.After(time.Until(end)):
		return false
	}
}
