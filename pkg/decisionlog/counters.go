package decisionlog

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/portcullis-authz/portcullis/pkg/authz"
)

// kind is a kind of sink, as the metrics name it.
type kind uint8

const (
	kindLog kind = iota
	kindStdout
	kindFile
	kindOTLP
	kinds
)

func (k kind) String() string { return [kinds]string{"log", "stdout", "file", "otlp"}[k] }

// reason is why a line was dropped, or why a required line is missing.
type reason uint8

const (
	tooFast reason = iota // more lines than the limit per second
	queueFull
	writeFailed
	rejected // by the collector
	tooLate  // the audit's time ran out
	noShare  // the API has used up its share of the audit
	closed   // the sink was too slow when the log was closed
	reasons
)

func (r reason) String() string {
	return [reasons]string{"rate", "queue_full", "write_failed", "rejected", "too_late", "no_share", "closed"}[r]
}

// Counters count the lines of all Logs of a process. The zero value is ready to use.
type Counters struct {
	written [kinds]atomic.Int64
	dropped [kinds][reasons]atomic.Int64
}

// Samples returns the metrics. It names every sink and reason from the start.
func (c *Counters) Samples() []authz.Sample {
	var samples []authz.Sample
	for k := range kinds {
		sink := authz.Field{Name: "sink", Value: k.String()}
		samples = append(samples, authz.Sample{
			Name: "portcullis_decision_log_lines_total", Help: "Decision lines written, by sink.",
			Labels: []authz.Field{sink}, Value: float64(c.written[k].Load()),
		})
		for r := range reasons {
			samples = append(samples, authz.Sample{
				Name: "portcullis_decision_log_dropped_total", Help: "Decision lines that were not written, by sink and reason.",
				Labels: []authz.Field{sink, {Name: "reason", Value: r.String()}}, Value: float64(c.dropped[k][r].Load()),
			})
		}
	}
	return samples
}

func (c *Counters) drop(k kind, r reason, n int) { c.dropped[k][r].Add(int64(n)) }

// report counts what sinks write and logs when one begins to fail, and when it has recovered.
type report struct {
	counters *Counters
	log      *slog.Logger
	failing  [kinds]atomic.Bool
}

// ErrRejected is returned by a Sink if the other end refuses lines that it has received.
var ErrRejected = errors.New("the collector rejects lines")

func (r *report) wrote(k kind, written, lost int, err error) {
	r.counters.written[k].Add(int64(written))
	why := writeFailed
	if errors.Is(err, ErrRejected) {
		why = rejected
	}
	r.counters.drop(k, why, lost)
	switch {
	case err != nil && !r.failing[k].Swap(true):
		r.log.Error("decision lines cannot be written; they are counted in portcullis_decision_log_dropped_total", "sink", k.String(), "error", err.Error())
	case err == nil && r.failing[k].Swap(false):
		r.log.Info("decision lines are written again", "sink", k.String())
	}
}
