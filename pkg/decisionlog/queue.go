package decisionlog

import (
	"sync/atomic"
	"time"
)

// Sink is where lines go. One goroutine uses it at a time.
type Sink interface {
	// Write writes whole lines, each with its end of line. It returns how many it has written, from the first on.
	Write(lines [][]byte) (int, error)
	// Reopen makes a file follow its name again.
	Reopen()
	// Close releases the sink.
	Close() error
}

// Limits of a queue and of one write.
const (
	queuedLines = 4096
	queuedBytes = 8 << 20
	batchLines  = 512
	batchBytes  = 64 << 10
)

// queue passes lines to a sink that may be slow. A line that finds it full is dropped.
type queue struct {
	kind   kind
	sink   Sink
	linger time.Duration // how long a batch waits for more lines
	lines  chan []byte
	bytes  atomic.Int64
	report *report

	stop, ended chan struct{}
	reopen      chan struct{}
}

func newQueue(k kind, s Sink, linger time.Duration, r *report) *queue {
	return &queue{
		kind: k, sink: s, linger: linger, lines: make(chan []byte, queuedLines), report: r,
		stop: make(chan struct{}), ended: make(chan struct{}), reopen: make(chan struct{}, 1),
	}
}

// add never waits.
func (q *queue) add(l []byte) {
	if q.bytes.Add(int64(len(l))) <= queuedBytes {
		select {
		case q.lines <- l:
			return
		default:
		}
	}
	q.bytes.Add(-int64(len(l)))
	q.report.counters.drop(q.kind, queueFull, 1)
}

// run writes lines until stop, and then those that are left.
func (q *queue) run() {
	defer close(q.ended)
	batch := make([][]byte, 0, batchLines)
	for {
		select {
		case l := <-q.lines:
			q.write(q.gather(append(batch[:0], l)))
		case <-q.reopen:
			q.sink.Reopen()
		case <-q.stop:
			q.rest(batch)
			_ = q.sink.Close() // nothing is buffered
			return
		}
	}
}

// rest writes the lines that are left.
func (q *queue) rest(batch [][]byte) {
	for {
		select {
		case l := <-q.lines:
			q.write(q.gather(append(batch[:0], l)))
		default:
			return
		}
	}
}

// discard drops the lines that are left.
func (q *queue) discard() {
	for {
		select {
		case <-q.lines:
			q.report.counters.drop(q.kind, closed, 1)
		default:
			return
		}
	}
}

// gather adds lines to a batch, up to the limits. It waits at most for linger.
func (q *queue) gather(batch [][]byte) [][]byte {
	size := len(batch[0])
	var late <-chan time.Time
	if q.linger > 0 {
		late = time.After(q.linger)
	}
	for len(batch) < batchLines && size < batchBytes {
		select {
		case l := <-q.lines:
			batch, size = append(batch, l), size+len(l)
			continue
		default:
		}
		if late == nil {
			break
		}
		select {
		case l := <-q.lines:
			batch, size = append(batch, l), size+len(l)
		case <-late:
			late = nil
		case <-q.stop:
			late = nil
		}
	}
	return batch
}

func (q *queue) write(batch [][]byte) {
	size := 0
	for _, l := range batch {
		size += len(l)
	}
	n, err := q.sink.Write(batch)
	q.bytes.Add(-int64(size))
	clear(batch)
	q.report.wrote(q.kind, n, len(batch)-n, err)
}
