package pool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/portcullis-authz/portcullis/pkg/authz"
	"github.com/portcullis-authz/portcullis/pkg/lambda"
	"github.com/portcullis-authz/portcullis/pkg/lambda/runner"
)

// FunctionSpec is where a function runs: at a URL, by a command or, without both, on AWS Lambda. Equal specs are one
// function.
type FunctionSpec struct {
	ARN string
	// Role is the ARN of the role that invokes it on AWS Lambda; empty for the credentials of the process.
	Role    string
	URL     *lambda.URLConfig
	Command *runner.Config
	AWS     lambda.AWSConfig
	// Limits are the limits on concurrent invocations, on waiting ones, and on the total time of each.
	Limits lambda.GuardLimits
}

// limits returns Limits with the default concurrency in place of zero. A local function gets at most one event for each
// of its processes, because events that queue behind them are not shared among callers.
func (s *FunctionSpec) limits() lambda.GuardLimits {
	limits := s.Limits
	if s.Command != nil {
		processes := cmp.Or(s.Command.Processes, 1)
		limits.Concurrency = min(cmp.Or(limits.Concurrency, processes), processes)
	}
	return limits
}

// Digest is equal for equal specs. It leaves out the queue, and the timeout of functions that do not run here.
func (s *FunctionSpec) Digest() [32]byte {
	parts := []any{s.ARN, s.Role, s.URL, s.Command, s.AWS}
	if s.Command != nil {
		parts = append(parts, s.Limits.Timeout)
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return sha256.Sum256(text)
}

// functions are the functions of a process. They outlive configurations: a reload that names a running function keeps
// it.
type functions struct {
	log *slog.Logger

	mu    sync.Mutex
	known map[[32]byte]*function
}

// function is one function and the number of its holders.
type function struct {
	invoker lambda.Invoker
	runner  *runner.Runner // nil unless it runs here
	arn     string
	holders int
}

// heldFunction is one holder's share in a function. Nothing runs before Start.
type heldFunction struct {
	*function
	all    *functions
	digest [32]byte
	once   sync.Once
}

// use returns the function of a spec, the same one for equal specs, and holds it until Close.
func (fs *functions) use(s FunctionSpec) (*heldFunction, error) {
	digest := s.Digest()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.known[digest]
	if f == nil {
		var err error
		if f, err = fs.create(s); err != nil {
			return nil, err
		}
		if fs.known == nil {
			fs.known = map[[32]byte]*function{}
		}
		fs.known[digest] = f
	}
	f.holders++
	return &heldFunction{function: f, all: fs, digest: digest}, nil
}

func (fs *functions) create(s FunctionSpec) (*function, error) {
	f := &function{arn: s.ARN}
	switch {
	case s.URL != nil:
		u, err := lambda.NewURL(*s.URL)
		f.invoker = u
		return f, err
	case s.Command != nil:
		c := *s.Command
		c.ARN, c.Timeout, c.Log = s.ARN, s.Limits.Timeout, fs.log
		r, err := runner.New(c)
		f.runner, f.invoker = r, local{r}
		return f, err
	default:
		aws, err := lambda.NewAWS(s.AWS)
		if err != nil {
			return nil, err
		}
		f.invoker, err = aws.Function(s.ARN, s.Role)
		return f, err
	}
}

// Start starts the processes of a local function.
func (h *heldFunction) Start(context.Context) {
	if h.runner != nil {
		h.runner.Start()
	}
}

// WaitReady returns at once. A caller of a function that is still starting waits for it.
func (h *heldFunction) WaitReady(context.Context) error { return nil }

// Close releases the share. A function without holders is stopped.
func (h *heldFunction) Close() {
	h.once.Do(func() {
		h.all.mu.Lock()
		h.holders--
		last := h.holders == 0
		if last {
			delete(h.all.known, h.digest)
		}
		h.all.mu.Unlock()
		if last && h.runner != nil {
			_ = h.runner.Close() // the function has stopped either way
		}
	})
}

// samples returns the metrics of local functions, by ARN. While a configuration retires, one ARN may have two
// functions.
func (fs *functions) samples() []authz.Sample {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	stats := map[string]runner.Stats{}
	for _, f := range fs.known {
		if f.runner != nil {
			stats[f.arn] = sum(stats[f.arn], f.runner.Stats())
		}
	}
	var all []authz.Sample
	for _, arn := range slices.Sorted(maps.Keys(stats)) {
		add := func(name, help string, value int64) {
			label := []authz.Field{{Name: "function", Value: arn}}
			all = append(all, authz.Sample{Name: "portcullis_runner_" + name, Help: help, Labels: label, Value: float64(value)})
		}
		s := stats[arn]
		add("starts_total", "Started processes of a function.", s.Starts)
		add("crashes_total", "Processes of a function that exited on their own.", s.Crashes)
		add("timeouts_total", "Events and starts that took too long.", s.Timeouts)
		add("out_of_memory_total", "Processes of a function that were killed for exceeding their memory.", s.OutOfMemory)
		add("refused_total", "Refused connections to a Runtime API that did not come from its process.", s.Refused)
		add("processes", "Running processes of a function.", s.Running)
	}
	return all
}

func sum(a, b runner.Stats) runner.Stats {
	return runner.Stats{
		Starts: a.Starts + b.Starts, Crashes: a.Crashes + b.Crashes, Timeouts: a.Timeouts + b.Timeouts,
		OutOfMemory: a.OutOfMemory + b.OutOfMemory, Refused: a.Refused + b.Refused, Running: a.Running + b.Running,
	}
}

// closeAll stops every function.
func (fs *functions) closeAll() {
	fs.mu.Lock()
	known := fs.known
	fs.known = nil
	fs.mu.Unlock()
	for _, f := range known {
		if f.runner != nil {
			_ = f.runner.Close() // the function has stopped either way
		}
	}
}

// local invokes a local function. It reports failures as AWS Lambda does: a process that exits or exceeds its memory is
// an error of the function.
type local struct{ *runner.Runner }

func (l local) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	answer, err := l.Runner.Invoke(ctx, function, event)
	failed, isOwn := errors.AsType[*runner.FunctionError](err)
	switch {
	case err == nil:
		return answer, nil
	case isOwn:
		return nil, &lambda.FunctionError{Message: failed.Message}
	case errors.Is(err, runner.ErrCrashed), errors.Is(err, runner.ErrMemory):
		return nil, &lambda.FunctionError{}
	case errors.Is(err, runner.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return nil, &lambda.InvokeError{Failure: lambda.TimedOut, Detail: "the function did not answer in time"}
	case errors.Is(err, runner.ErrBusy):
		return nil, &lambda.InvokeError{Failure: lambda.Busy, Detail: "too many events wait for the function"}
	default:
		return nil, &lambda.InvokeError{Failure: lambda.NotRunning, Detail: "the function's process does not run"}
	}
}
