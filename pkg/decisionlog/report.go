package decisionlog

import (
	"errors"
	"log/slog"
	"sync/atomic"
)

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
