package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Runner runs one function. It is safe for use by many goroutines.
type Runner struct {
	cfg      Config
	function function
	program  string
	log      *slog.Logger

	jobs    chan *invocation // to the process that asks first
	tickets chan struct{}    // one for each event that waits or is handled
	closing chan struct{}
	once    sync.Once
	slots   sync.WaitGroup
	stats   counters
	backoff backoff

	mu      sync.Mutex
	started bool
	closed  bool
	resting int           // processes that wait to be started again
	allRest chan struct{} // closed while all of them do
}

// Stats counts what has happened since the start.
type Stats struct {
	// Starts and Crashes count processes that were started, and that ended without being stopped.
	Starts, Crashes int64
	// Timeouts counts events and starts that took too long, OutOfMemory processes that were killed for their memory.
	Timeouts, OutOfMemory int64
	// Refused counts connections to a Runtime API from somebody other than its process.
	Refused int64
	// Running is the number of processes now.
	Running int64
}

type counters struct {
	starts, crashes, timeouts, outOfMemory, refused, running atomic.Int64
}

// invocation is one event on its way.
type invocation struct {
	id       string
	arn      string
	event    []byte
	done     chan result // takes one, from the goroutine that takes the invocation out of its worker
	deadline time.Time
}

type result struct {
	answer []byte
	err    error
}

// New checks the configuration. It starts nothing.
func New(c Config) (*Runner, error) {
	c.fill()
	if err := c.check(); err != nil {
		return nil, err
	}
	f, err := parseARN(c.ARN)
	if err != nil {
		return nil, err
	}
	program, err := c.program()
	if err != nil {
		return nil, err
	}
	return &Runner{
		cfg: c, function: f, program: program,
		log:     c.Log.With("function", c.ARN),
		jobs:    make(chan *invocation),
		tickets: make(chan struct{}, c.Processes+c.Queue),
		closing: make(chan struct{}),
		allRest: make(chan struct{}),
		backoff: backoff{first: 100 * time.Millisecond, asked: time.Second, most: 30 * time.Second},
	}, nil
}

// Start starts the processes, if that has not been done, and does not wait for them. The first Invoke does the same.
func (r *Runner) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.closed {
		return
	}
	r.started = true
	if asRoot(r.cfg.User) {
		r.log.Warn("the function runs as root: give it a user of its own")
	}
	for range r.cfg.Processes {
		r.slots.Go(r.supervise)
	}
}

// Close lets events in flight finish for a bounded time, ends all processes and waits for them. Events after it fail.
func (r *Runner) Close() error {
	r.once.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		close(r.closing)
	})
	r.slots.Wait()
	return nil
}

// Stats returns the counters as they are now.
func (r *Runner) Stats() Stats {
	c := &r.stats
	return Stats{
		Starts: c.starts.Load(), Crashes: c.crashes.Load(), Timeouts: c.timeouts.Load(),
		OutOfMemory: c.outOfMemory.Load(), Refused: c.refused.Load(), Running: c.running.Load(),
	}
}

// Invoke gives the event to a process and returns its answer. The function is the ARN that is invoked: the configured one, or
// that with a version or alias; empty is the configured one. The error is a *FunctionError if the function says so itself;
// any other is ErrUnavailable.
func (r *Runner) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	if function == "" {
		function = r.cfg.ARN
	}
	if function != r.cfg.ARN && !strings.HasPrefix(function, r.function.arn+":") && function != r.function.arn {
		return nil, fmt.Errorf("%w: this runner is for another one", ErrUnavailable)
	}
	if len(event) > maxEvent {
		return nil, fmt.Errorf("%w: the event has more than %d bytes", ErrUnavailable, maxEvent)
	}
	select {
	case r.tickets <- struct{}{}:
		defer func() { <-r.tickets }()
	default:
		return nil, ErrBusy
	}
	r.Start()
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.StartTimeout+r.cfg.Timeout, ErrTimeout)
	defer cancel()
	for {
		answer, err := r.deliver(ctx, function, event)
		if !errors.Is(err, errAgain) {
			return answer, err
		}
	}
}

// deliver waits until a process takes the event, and then for its answer.
func (r *Runner) deliver(ctx context.Context, function string, event []byte) ([]byte, error) {
	switch {
	case ctx.Err() != nil:
		return nil, gaveUp(ctx)
	case r.isClosing():
		return nil, ErrClosed
	}
	inv := &invocation{id: newRequestID(), arn: function, event: event, done: make(chan result, 1)}
	select {
	case r.jobs <- inv:
	case <-r.rest():
		return nil, ErrStart
	case <-r.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
	select {
	case res := <-inv.done:
		return res.answer, res.err
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
}

// rest returns a channel that is closed while no process is up or coming up.
func (r *Runner) rest() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.allRest
}

// setResting counts a slot in that waits to start its process again, or out.
func (r *Runner) setResting(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if yes {
		r.resting++
		if r.resting == r.cfg.Processes {
			close(r.allRest)
		}
		return
	}
	if r.resting == r.cfg.Processes {
		r.allRest = make(chan struct{})
	}
	r.resting--
}

// ErrUnavailable is wrapped by every error of Invoke that the function itself did not report.
var ErrUnavailable = errors.New("the function is not available")

// The kinds of ErrUnavailable.
var (
	// ErrTimeout: the function did not answer in time, and its process was killed.
	ErrTimeout = fmt.Errorf("%w: it did not answer in time", ErrUnavailable)
	// ErrCrashed: the process ended, or gave the event up.
	ErrCrashed = fmt.Errorf("%w: its process ended without an answer", ErrUnavailable)
	// ErrMemory: the process had more memory than the function may have, and was killed.
	ErrMemory = fmt.Errorf("%w: its process had too much memory", ErrUnavailable)
	// ErrStart: no process comes up.
	ErrStart = fmt.Errorf("%w: its process does not start", ErrUnavailable)
	// ErrBusy: too many events wait already.
	ErrBusy = fmt.Errorf("%w: too many events wait for it", ErrUnavailable)
	// ErrClosed: the Runner was closed.
	ErrClosed = fmt.Errorf("%w: its runner is closed", ErrUnavailable)
)

// errAgain says that an event never reached a process.
var errAgain = errors.New("the event was not delivered")

// FunctionError is the error that a function answered with.
type FunctionError struct {
	// Type is the name of the error, as "Exception" or "Runtime.HandlerNotFound".
	Type string
	// Message is the function's own text, which may hold anything: it is to be compared, not shown.
	Message string
}

// Error names the type and not the message, which may quote what a client sent.
func (e *FunctionError) Error() string {
	if e.Type == "" {
		return "the function answered with an error"
	}
	return fmt.Sprintf("the function answered with an error of type %q", e.Type)
}
