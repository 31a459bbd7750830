package runner

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

var (
	errSlowStart = fmt.Errorf("%w: it did not ask for an event in time", ErrStart)
	errInit      = fmt.Errorf("%w: it reported an error of its start", ErrStart)
	errNoNext    = fmt.Errorf("%w: after its answer it did not ask for the next event", ErrTimeout)
	errGaveUp    = fmt.Errorf("%w: it asked for the next event instead", ErrCrashed)
)

// memoryEvery is how often the memory of a process is looked at.
const memoryEvery = 250 * time.Millisecond

// worker is one process of the function with its Runtime API.
type worker struct {
	r      *Runner
	proc   *process
	server *http.Server
	served sync.WaitGroup
	out    *output

	doom   sync.Once
	doomed chan struct{} // closed when the process is to be killed
	ended  chan struct{} // closed when no more events are to be handed out

	mu       sync.Mutex
	fault    error         // why it is doomed
	asked    bool          // it has asked for an event
	answers  int64         // how many it gave
	asking   chan struct{} // the request for an event that counts; closed when another takes its place
	current  *invocation   // handed out, not answered
	last     *invocation   // handed out, and not followed by a request for the next one
	lastDone string        // the id of the last event that has an answer
	timer    *time.Timer   // ends the time of last, or of the start
}

// newWorker starts a process and serves its Runtime API. It must be called on the slot's thread.
func (r *Runner) newWorker() (*worker, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	w := &worker{r: r, doomed: make(chan struct{}), ended: make(chan struct{})}
	w.out, err = newOutput(r.log, r.cfg.Env)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	address := listener.Addr().String()
	w.proc, err = startProcess(r.program, &r.cfg, r.cfg.environ(r.function, address), address, w.out)
	w.out.started()
	if err != nil {
		w.out.close()
		return nil, errors.Join(err, listener.Close())
	}
	w.mu.Lock()
	w.timer = time.AfterFunc(r.cfg.StartTimeout, func() { w.expire(nil) })
	w.mu.Unlock()
	w.server = newServer(w.handler())
	w.served.Go(func() { w.server.Serve(&guarded{Listener: listener, w: w}) }) //nolint:errcheck // it ends when the server is closed
	return w, nil
}

// watch waits until the process has ended or has to be, and returns why.
func (w *worker) watch() error {
	ticker := time.NewTicker(memoryEvery)
	defer ticker.Stop()
	limit := int64(w.r.cfg.MemoryMiB) << 20
	for {
		select {
		case <-w.proc.exited:
			return w.why(ErrCrashed)
		case <-w.doomed:
			return w.why(ErrCrashed)
		case <-w.r.closing:
			w.finish()
			return ErrClosed
		case <-ticker.C:
			if w.proc.memory() > limit {
				return ErrMemory
			}
		}
	}
}

// finish lets the event in flight finish and asks the process to end, each for a bounded time.
func (w *worker) finish() {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for late := time.After(w.r.cfg.StopTimeout); w.busy(); {
		select {
		case <-w.proc.exited:
			return
		case <-w.doomed:
			return
		case <-late:
			return
		case <-ticker.C:
		}
	}
	w.proc.terminate()
	select {
	case <-w.proc.exited:
	case <-time.After(w.r.cfg.StopTimeout):
	}
}

// end kills what is left of the process and all it started, and fails the event that has no answer.
func (w *worker) end(fault error) {
	w.stopTimer()
	close(w.ended)
	w.proc.kill()
	_ = w.server.Close()
	w.served.Wait()
	w.settle(nil, result{err: fault})
	w.out.close()
}

func (w *worker) stopTimer() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

func (w *worker) why(otherwise error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		return w.fault
	}
	return otherwise
}

// condemn has the process killed. The first reason given counts.
func (w *worker) condemn(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.condemnLocked(why)
}

func (w *worker) condemnLocked(why error) {
	if w.fault == nil {
		w.fault = why
	}
	w.doom.Do(func() { close(w.doomed) })
}

// failStart notes that the process has reported an error of its start. It may print why and end; if it does not, it is killed.
func (w *worker) failStart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.fault = errInit
	}
	w.timer.Stop()
	w.timer = time.AfterFunc(lastWords, func() { w.condemn(errInit) })
}

// expire ends the time of an event, or of the start if it is nil.
func (w *worker) expire(inv *invocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.last != inv || inv == nil && w.asked:
		return
	case inv == nil:
		w.condemnLocked(errSlowStart)
	case w.current == inv:
		w.current = nil
		inv.done <- result{err: ErrTimeout}
		w.condemnLocked(ErrTimeout)
	default:
		w.condemnLocked(errNoNext)
	}
}

// ask notes that the process asks for an event, and returns what is closed when it asks again. An event that it has not
// answered fails.
func (w *worker) ask() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.asked = true
	if w.current != nil {
		w.current.done <- result{err: errGaveUp}
		w.current = nil
	}
	w.last = nil
	if w.asking != nil {
		close(w.asking)
	}
	w.asking = make(chan struct{})
	return w.asking
}

// take makes the event the process' own, if the request that it is for still counts.
func (w *worker) take(inv *invocation, asking chan struct{}) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asking != asking || w.fault != nil {
		return false
	}
	w.asking = nil
	w.current, w.last = inv, inv
	w.out.redactor.remember(inv.event)
	inv.deadline = time.Now().Add(w.r.cfg.Timeout)
	w.timer = time.AfterFunc(w.r.cfg.Timeout, func() { w.expire(inv) })
	return true
}

// Faults of what a process posts.
var (
	errUnknownID = errors.New("no event in flight has this id")
	errTwice     = errors.New("the event has an answer already")
)

// claim checks that the process may answer the event with this id now.
func (w *worker) claim(id string) (*invocation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.current != nil && w.current.id == id:
		return w.current, nil
	case id != "" && id == w.lastDone:
		return nil, errTwice
	default:
		return nil, errUnknownID
	}
}

// settle gives the event its result, unless it has one. A nil event stands for the one in flight.
func (w *worker) settle(inv *invocation, res result) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil || inv != nil && w.current != inv {
		return false
	}
	if inv != nil {
		w.answers++
	}
	w.lastDone = w.current.id
	w.current.done <- res
	w.current = nil
	return true
}

func (w *worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current != nil
}

func (w *worker) hasAsked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *worker) hasAnswered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers > 0
}

// listenAddress is where a Runtime API listens: a random loopback address that no other uses.
func listenAddress(random [3]byte) string {
	return net.JoinHostPort(net.IPv4(127, random[0], random[1], random[2]|1).String(), "0")
}
