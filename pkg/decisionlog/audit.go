package decisionlog

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/bulkhead"
)

// Errors of a required audit. A check whose decision is not recorded is denied.
var (
	errShare  = errors.New("the API has used up its share of the lines that wait for the audit")
	errLate   = errors.New("the line was not written in time")
	errFailed = errors.New("the line could not be written")
)

const (
	// auditWait is how long a check waits for its line.
	auditWait = time.Second
	// auditBatch is the size of one write. A small one lets the APIs take turns with a slow reader.
	auditBatch = 16 << 10
)

// auditor writes lines that checks wait for. The APIs take turns.
type auditor struct {
	sinks  []namedSink
	report *report
	places *bulkhead.Tree
	wait   time.Duration

	mu      sync.Mutex
	waiting map[string][]*pending // by API
	turns   []string              // the APIs with lines, in their turn

	wake, stop, ended, reopen chan struct{}
}

type namedSink struct {
	kind
	Sink
}

// pending is a line that a check waits for.
type pending struct {
	line  []byte
	place bulkhead.Place
	// taken is set by the first: the writer, or the check that stops waiting.
	taken atomic.Bool
	done  chan error
}

func newAuditor(sinks []namedSink, places int, r *report) *auditor {
	return &auditor{
		sinks: sinks, report: r, wait: auditWait,
		places:  bulkhead.New(bulkhead.Shares{Name: "audit", Levels: []string{"api"}, Limit: int64(places)}),
		waiting: map[string][]*pending{},
		wake:    make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}), reopen: make(chan struct{}, 1),
	}
}

// record returns nil if the line is written.
func (a *auditor) record(api string, l []byte) error {
	place, ok := a.places.Enter(1, bulkhead.NewID(api))
	if !ok {
		return a.missing(noShare, errShare)
	}
	p := &pending{line: l, place: place, done: make(chan error, 1)}
	a.add(api, p)
	late := time.NewTimer(a.wait)
	defer late.Stop()
	select {
	case err := <-p.done:
		return err
	case <-late.C:
		p.taken.Store(true)
		return a.missing(tooLate, errLate)
	}
}

// missing counts a line that no sink has.
func (a *auditor) missing(why reason, err error) error {
	for _, s := range a.sinks {
		a.report.counters.drop(s.kind, why, 1)
	}
	return err
}

func (a *auditor) add(api string, p *pending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting[api]) == 0 {
		a.turns = append(a.turns, api)
	}
	a.waiting[api] = append(a.waiting[api], p)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// next returns lines for one write, one of each API in turn. It skips lines that no check waits for any more.
func (a *auditor) next() (batch []*pending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for size := 0; size < auditBatch && len(a.turns) > 0; {
		api := a.turns[0]
		a.turns = a.turns[1:]
		lines := a.waiting[api]
		p := lines[0]
		if lines = lines[1:]; len(lines) == 0 {
			delete(a.waiting, api)
		} else {
			a.waiting[api] = lines
			a.turns = append(a.turns, api)
		}
		if p.taken.Swap(true) {
			p.place.Leave()
			continue
		}
		batch, size = append(batch, p), size+len(p.line)
	}
	return batch
}

// run writes until stop, and then what is left.
func (a *auditor) run() {
	defer close(a.ended)
	for {
		select {
		case <-a.wake:
			a.drain()
		case <-a.reopen:
			for _, s := range a.sinks {
				s.Reopen()
			}
		case <-a.stop:
			a.drain()
			for _, s := range a.sinks {
				_ = s.Close() // every write has returned
			}
			return
		}
	}
}

func (a *auditor) drain() {
	for batch := a.next(); len(batch) > 0; batch = a.next() {
		a.write(batch)
	}
}

// write writes lines to every sink, and tells the checks. A line counts if all sinks have it.
func (a *auditor) write(batch []*pending) {
	lines := make([][]byte, len(batch))
	for i, p := range batch {
		lines[i] = p.line
	}
	recorded := len(batch)
	for _, s := range a.sinks {
		n, err := s.Write(lines)
		a.report.wrote(s.kind, n, len(lines)-n, err)
		recorded = min(recorded, n)
	}
	for i, p := range batch {
		p.place.Leave()
		if i < recorded {
			p.done <- nil
		} else {
			p.done <- errFailed
		}
	}
}
